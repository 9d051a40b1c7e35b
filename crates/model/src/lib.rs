//! The words of Sterna: plain values that every other crate speaks. Nothing here decides, waits or does I/O.

mod code;
mod id;
pub mod limit;
mod message;
mod permission;
mod position;
mod random;
mod reply;
mod request;
mod subject;

pub use code::{Class, Code, PublishStatus};
pub use id::{ConnectionId, GroupId, PublisherStamp, SessionId, ShardId, SubjectId};
pub use message::{Compression, Kind, Message, Qos, Record};
pub use permission::{Identity, Pattern, PatternError, Permissions};
pub use position::{Epoch, Position, Recovery, Seq};
pub use random::Random;
pub use reply::{Accepted, DeliveryMode, Reply, ServerInfo};
pub use request::{Publish, Request, Start, SubscribeItem};
pub use subject::{Subject, SubjectError};
