//! The members of a Sterna cluster under test, and publishers at them.

use std::time::{Duration, Instant};

use crate::error::{Failure, Result};
use crate::feed::open_publisher;
use crate::load::{Load, frames};
use crate::publishing::{Publish, Publishers};
use crate::server::Server;

/// Members of the cluster, which are all seeds: two of them are a quorum.
pub(crate) const MEMBERS: usize = 3;
/// How long the members may take to agree on a leader.
const FORMATION: Duration = Duration::from_secs(20);
/// 1 on a member that hears a leader.
pub(crate) const HAS_LEADER: &str = "sterna_cluster_has_leader";
/// 1 on the leader.
const IS_LEADER: &str = "sterna_cluster_leader";

/// Waits until each of the members hears a leader.
pub(crate) fn wait_for_leader(members: &[Server]) -> Result<()> {
    let end = Instant::now() + FORMATION;
    for member in members {
        while member.metrics()?.sum(HAS_LEADER)? == 0 {
            if Instant::now() > end {
                return Err(Failure::broken("the members do not agree on a leader"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(())
}

/// Which of the members leads.
pub(crate) fn leader_of(members: &[Server]) -> Result<usize> {
    for (number, member) in members.iter().enumerate() {
        if member.metrics()?.sum(IS_LEADER)? == 1 {
            return Ok(number);
        }
    }
    Err(Failure::broken("no member leads"))
}

/// One publisher at each of some members.
pub(crate) struct MemberPublishers {
    load: Load,
    count: usize,
}

impl MemberPublishers {
    pub(crate) fn open<'a>(members: impl IntoIterator<Item = &'a Server>) -> Result<Self> {
        let mut publishers = Self { load: Load::new()?, count: 0 };
        for member in members {
            open_publisher(&mut publishers.load, &member.plain())?;
            publishers.count += 1;
        }
        Ok(publishers)
    }
}

impl Publishers for MemberPublishers {
    fn count(&self) -> usize {
        self.count
    }

    fn encode(&self, _publisher: usize, publish: &Publish<'_>, out: &mut Vec<u8>) {
        frames::publish(Some(publish.number), publish.subject, publish.content, out);
    }

    fn send(&mut self, publisher: usize, bytes: &[u8]) -> Result<()> {
        self.load.send(publisher, bytes)
    }

    fn turn(&mut self, timeout: Duration, acknowledged: &mut dyn FnMut(usize)) -> Result<()> {
        // Publishers are the only connections, so that a place is a publisher.
        self.load.turn(timeout, |place, text| {
            if text.starts_with("{\"op\":\"published\"") {
                acknowledged(place);
            }
        })?;
        match self.load.counts().refused {
            0 => Ok(()),
            _ => Err(Failure::broken("a member refuses publishes")),
        }
    }
}
