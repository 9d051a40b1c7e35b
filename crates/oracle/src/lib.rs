//! The history checker: it watches what publishers and subscribers see, and judges order, gaps, invention,
//! loss and duplicates. It knows nothing of how the messages came, so the simulator and tests with real
//! processes share it.

mod beginning;
mod observation;
mod oracle;
mod order;
mod publication;
mod subscription;
mod violation;

pub use observation::{Beginning, ContentId, Delivery, Observation, PublisherId, SubscriberId};
pub use oracle::{Oracle, Summary};
pub use violation::{Fault, Violation};
