//! Lines about connections that are refused: clear, and not many.

use std::collections::HashMap;
use std::net::IpAddr;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::limit::{COMPLAINT_PAUSE, COMPLAINTS_MAX, COMPLAINTS_WAITING_MAX};
use crate::refusal::Refusal;

/// A connection that was refused, by this side or the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Complaint {
    pub(crate) address: IpAddr,
    pub(crate) refusal: Refusal,
    /// The other side refuses this member.
    pub(crate) refused_there: bool,
}

/// Where complaints are handed in.
#[derive(Clone, Debug)]
pub(crate) struct Complaints(mpsc::Sender<Complaint>);

impl Complaints {
    /// The place to hand complaints in, and the task that writes them.
    pub(crate) fn new() -> (Self, impl Future<Output = ()>) {
        let (sender, waiting) = mpsc::channel(COMPLAINTS_WAITING_MAX);
        (Self(sender), write_all(waiting))
    }

    /// Hands a complaint in. When too many wait, one more says nothing new.
    pub(crate) fn add(&self, complaint: Complaint) {
        let _ = self.0.try_send(complaint);
    }
}

async fn write_all(mut waiting: mpsc::Receiver<Complaint>) {
    let mut seldom = Seldom::default();
    while let Some(complaint) = waiting.recv().await {
        if let Some(suppressed) = seldom.admit(complaint, Instant::now()) {
            write(complaint, suppressed);
        }
    }
}

fn write(complaint: Complaint, suppressed: u64) {
    let Complaint { address, refusal, refused_there } = complaint;
    if refused_there {
        tracing::warn!(%address, suppressed, "a member refuses this member; seen from there: {refusal}");
    } else {
        tracing::warn!(%address, suppressed, "connection between members refused: {refusal}");
    }
}

/// Lets the same thing pass once in a while.
#[derive(Default)]
struct Seldom {
    told: HashMap<Complaint, Told>,
}

struct Told {
    at: Instant,
    suppressed: u64,
}

impl Seldom {
    /// Whether to say it now, and how often it was not said.
    fn admit(&mut self, complaint: Complaint, now: Instant) -> Option<u64> {
        if !self.told.contains_key(&complaint) && self.told.len() >= COMPLAINTS_MAX {
            self.told.retain(|_, told| now.duration_since(told.at) < COMPLAINT_PAUSE);
            if self.told.len() >= COMPLAINTS_MAX {
                return None;
            }
        }
        let Some(told) = self.told.get_mut(&complaint) else {
            self.told.insert(complaint, Told { at: now, suppressed: 0 });
            return Some(0);
        };
        if now.duration_since(told.at) < COMPLAINT_PAUSE {
            told.suppressed += 1;
            return None;
        }
        let suppressed = told.suppressed;
        *told = Told { at: now, suppressed: 0 };
        Some(suppressed)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn complaint(number: u32) -> Complaint {
        let address = IpAddr::V4(Ipv4Addr::from_bits(number));
        Complaint { address, refusal: Refusal::Password, refused_there: false }
    }

    #[test]
    fn the_same_complaint_is_made_once_in_a_while() {
        let mut seldom = Seldom::default();
        let start = Instant::now();
        assert_eq!(seldom.admit(complaint(1), start), Some(0));
        assert_eq!(seldom.admit(complaint(1), start), None);
        assert_eq!(seldom.admit(complaint(2), start), Some(0));
        let other = Complaint { refusal: Refusal::Version, ..complaint(1) };
        assert_eq!(seldom.admit(other, start), Some(0));
        assert_eq!(seldom.admit(complaint(1), start + COMPLAINT_PAUSE), Some(1));
        assert_eq!(seldom.admit(complaint(1), start + COMPLAINT_PAUSE * 2), Some(0));
    }

    #[test]
    fn many_addresses_do_not_fill_the_memory() {
        let mut seldom = Seldom::default();
        let start = Instant::now();
        for number in 0..5000 {
            seldom.admit(complaint(number), start);
        }
        assert_eq!(seldom.told.len(), COMPLAINTS_MAX);
        assert_eq!(seldom.admit(complaint(9999), start + COMPLAINT_PAUSE), Some(0));
        assert_eq!(seldom.told.len(), 1);
    }
}
