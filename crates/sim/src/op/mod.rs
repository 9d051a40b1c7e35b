//! What clients do, one file per operation: the request, and what its answers mean.

pub(crate) mod connect;
pub(crate) mod deliver;
pub(crate) mod flurry;
pub(crate) mod leave;
pub(crate) mod publish;
pub(crate) mod read;
pub(crate) mod renew;
pub(crate) mod subscribe;
pub(crate) mod unsubscribe;

use sterna_model::{Request, Subject};

use crate::client::Client;
use crate::judge::Judge;
use crate::network::Upward;
use crate::stage::Stage;

/// Something a client does of its own choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Publish,
    PublishStandard,
    PublishWithoutResult,
    Subscribe,
    Unsubscribe,
    Flurry,
    Read,
    Renew,
    Leave,
    Crash,
    Ping,
}

/// A subject with a long name, so that requests about it soon fill what a session may wait for.
pub(crate) const LONG: u32 = 4;

/// The subject of that number.
pub(crate) fn subject_text(subject: u32) -> String {
    let end = if subject == LONG { "-".repeat(900) } else { String::new() };
    format!("/s/{subject}{end}")
}

pub(crate) fn subject(number: u32) -> Subject {
    Subject::parse(&subject_text(number)).expect("written here")
}

/// The number of a subject.
pub(crate) fn subject_number(text: &str) -> Option<usize> {
    text.strip_prefix("/s/")?.trim_end_matches('-').parse().ok()
}

impl Client {
    pub(crate) fn perform(&mut self, stage: &mut Stage, judge: &mut Judge, operation: Operation) {
        let id = self.id.0;
        stage.say(|| format!("client {id}: {operation:?}"));
        match operation {
            Operation::Publish | Operation::PublishStandard | Operation::PublishWithoutResult => {
                self.publish(stage, judge, operation);
            }
            Operation::Subscribe => self.subscribe(stage),
            Operation::Unsubscribe => self.unsubscribe(stage),
            Operation::Flurry => self.flurry(stage),
            Operation::Read => self.read_once(stage),
            Operation::Renew => self.renew(stage),
            Operation::Leave => self.leave(stage, judge),
            Operation::Crash => self.crash(stage, judge),
            Operation::Ping => {
                let id = Some(self.next_request());
                self.send(stage, Upward::Request(Request::Ping { id }));
            }
        }
    }

    /// One of the subjects.
    pub(crate) fn any_subject(&mut self) -> u32 {
        self.random.index(self.interests.len()) as u32
    }
}
