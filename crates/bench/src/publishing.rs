//! Publishing at the members of a cluster, whichever product it is: one after the other, or with many under way.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crate::error::{Failure, Result};
use crate::histogram::Histogram;

/// Pause between two publishes that follow each other.
const PAUSE: Duration = Duration::from_millis(1);
/// A run without an acknowledgement for this long is broken.
const STALL: Duration = Duration::from_secs(20);

/// One publish that asks for an acknowledgement.
pub(crate) struct Publish<'a> {
    pub(crate) number: u64,
    pub(crate) subject: usize,
    pub(crate) content: &'a [u8],
}

/// One publisher at each of some members.
pub(crate) trait Publishers {
    /// How many there are.
    fn count(&self) -> usize;

    /// Appends what that publisher sends for it.
    fn encode(&self, publisher: usize, publish: &Publish<'_>, out: &mut Vec<u8>);

    /// Sends, now or as soon as the socket takes it.
    fn send(&mut self, publisher: usize, bytes: &[u8]) -> Result<()>;

    /// Takes what has come in, after waiting for it at most `timeout`. `acknowledged` gets the publisher of each
    /// acknowledgement.
    ///
    /// # Errors
    /// A publish was refused, or a connection has ended.
    fn turn(&mut self, timeout: Duration, acknowledged: &mut dyn FnMut(usize)) -> Result<()>;
}

/// What is published: to all subjects in turn.
#[derive(Debug)]
pub(crate) struct Publishing {
    subjects: usize,
    content_bytes: RangeInclusive<usize>,
    content: Vec<u8>,
    sent: u64,
    sent_bytes: u64,
}

/// What became of many publishes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flooded {
    pub(crate) acknowledged: u64,
    pub(crate) seconds: f64,
}

impl Publishing {
    /// To so many subjects, with contents of all sizes in that range.
    pub(crate) fn new(subjects: usize, content_bytes: RangeInclusive<usize>) -> Self {
        let content = vec![b'x'; *content_bytes.end()];
        Self { subjects, content_bytes, content, sent: 0, sent_bytes: 0 }
    }

    /// Publishes so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Bytes of content so far.
    pub(crate) fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    /// Publishes to that subject so far.
    pub(crate) fn sent_to(&self, subject: usize) -> u64 {
        let subjects = self.subjects as u64;
        self.sent / subjects + u64::from((subject as u64) < self.sent % subjects)
    }

    /// Publishes and waits for the acknowledgement, again and again, at each publisher in turn, while `goes_on` says
    /// so of the number so far. `times` get the nanoseconds of each.
    pub(crate) fn one_by_one(
        &mut self,
        publishers: &mut dyn Publishers,
        times: &mut Histogram,
        mut goes_on: impl FnMut(u64) -> bool,
    ) -> Result<()> {
        let mut number = 0;
        while goes_on(number) {
            let mut out = Vec::new();
            let publisher = (self.sent % publishers.count() as u64) as usize;
            self.encode_next(publishers, publisher, &mut out);
            let mut is_acknowledged = false;
            let start = Instant::now();
            publishers.send(publisher, &out)?;
            while !is_acknowledged {
                publishers.turn(STALL, &mut |_| is_acknowledged = true)?;
                check_progress(start)?;
            }
            times.record(u64::try_from(start.elapsed().as_nanos()).expect("no publish takes centuries"));
            std::thread::sleep(PAUSE);
            number += 1;
        }
        Ok(())
    }

    /// Publishes with up to `ahead` under way at each publisher while `goes_on` says so of the acknowledgements so far;
    /// waits for the rest of them, which no longer counts.
    pub(crate) fn flood(
        &mut self,
        publishers: &mut dyn Publishers,
        ahead: u64,
        mut goes_on: impl FnMut(u64) -> bool,
    ) -> Result<Flooded> {
        let mut under_way = vec![0_u64; publishers.count()];
        let start = Instant::now();
        let mut progress = start;
        let mut acknowledged = 0;
        let mut flooded = None;
        loop {
            if flooded.is_none() && !goes_on(acknowledged) {
                flooded = Some(Flooded { acknowledged, seconds: start.elapsed().as_secs_f64() });
            }
            match flooded {
                None => self.fill_up(publishers, &mut under_way, ahead)?,
                Some(flooded) if under_way.iter().all(|count| *count == 0) => return Ok(flooded),
                Some(_) => {}
            }
            let before = acknowledged;
            publishers.turn(Duration::from_millis(1), &mut |publisher| {
                under_way[publisher] -= 1;
                acknowledged += 1;
            })?;
            if acknowledged > before {
                progress = Instant::now();
            }
            check_progress(progress)?;
        }
    }

    /// Lets each publisher have `ahead` under way again, but not for a few: a write costs as much as many publishes.
    fn fill_up(&mut self, publishers: &mut dyn Publishers, under_way: &mut [u64], ahead: u64) -> Result<()> {
        for (publisher, under_way) in under_way.iter_mut().enumerate() {
            if *under_way > ahead / 2 {
                continue;
            }
            let mut out = Vec::new();
            while *under_way < ahead {
                self.encode_next(publishers, publisher, &mut out);
                *under_way += 1;
            }
            publishers.send(publisher, &out)?;
        }
        Ok(())
    }

    fn encode_next(&mut self, publishers: &dyn Publishers, publisher: usize, out: &mut Vec<u8>) {
        let (least, most) = (*self.content_bytes.start(), *self.content_bytes.end());
        // A prime step, so that each subject gets all sizes.
        let bytes = least + (self.sent * 7_919 % (most - least + 1) as u64) as usize;
        let subject = (self.sent % self.subjects as u64) as usize;
        self.sent += 1;
        self.sent_bytes += bytes as u64;
        let publish = Publish { number: self.sent, subject, content: &self.content[..bytes] };
        publishers.encode(publisher, &publish, out);
    }
}

fn check_progress(since: Instant) -> Result<()> {
    if since.elapsed() > STALL {
        return Err(Failure::broken("publishes are not acknowledged any more"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Acknowledges each publish, which is one byte here, in the turn after it was sent.
    #[derive(Default)]
    struct Echo {
        waiting: Vec<usize>,
        under_way_max: usize,
    }

    impl Publishers for Echo {
        fn count(&self) -> usize {
            2
        }

        fn encode(&self, _: usize, _: &Publish<'_>, out: &mut Vec<u8>) {
            out.push(0);
        }

        fn send(&mut self, publisher: usize, bytes: &[u8]) -> Result<()> {
            self.waiting.extend(bytes.iter().map(|_| publisher));
            self.under_way_max = self.under_way_max.max(self.waiting.len());
            Ok(())
        }

        fn turn(&mut self, _: Duration, acknowledged: &mut dyn FnMut(usize)) -> Result<()> {
            self.waiting.drain(..).for_each(acknowledged);
            Ok(())
        }
    }

    #[test]
    fn a_flood_is_as_far_ahead_as_allowed_and_ends_with_nothing_under_way() {
        let mut publishing = Publishing::new(3, 10..=20);
        let mut echo = Echo::default();
        let flooded = publishing.flood(&mut echo, 4, |acknowledged| acknowledged < 20).unwrap();
        assert_eq!((flooded.acknowledged, publishing.sent()), (24, 24));
        assert_eq!((echo.under_way_max, echo.waiting.len()), (8, 0));
    }

    #[test]
    fn publishes_one_by_one_are_timed_and_go_to_the_subjects_in_turn() {
        let mut publishing = Publishing::new(3, 10..=20);
        let mut times = Histogram::new();
        publishing.one_by_one(&mut Echo::default(), &mut times, |number| number < 4).unwrap();
        assert_eq!(times.count(), 4);
        assert_eq!([0, 1, 2].map(|subject| publishing.sent_to(subject)), [2, 1, 1]);
        assert!((40..=80).contains(&publishing.sent_bytes()));
    }
}
