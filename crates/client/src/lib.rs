//! The guest: a small blocking client for the command line and the tests.
//!
//! [`Client`] connects, subscribes and publishes, and comes back by itself. It has no thread: whoever calls
//! [`Client::next_event`] moves it. The rules are in [`machine`], which knows no socket and no clock.
//!
//! ```no_run
//! use std::time::Duration;
//! use sterna_client::{Client, Event, Settings};
//! use sterna_model::{Message, Subject};
//!
//! let mut settings = Settings::new(vec!["localhost:8800".parse()?]);
//! settings.token = Some("some-token".into());
//! let mut client = Client::new(settings)?;
//! client.connect();
//! client.subscribe(["/stocks/IBM"]);
//! client.publish(Message::new(Subject::parse("/stocks/IBM")?, *b"142.5"))?;
//! while let Some(event) = client.next_event(Duration::from_secs(1)) {
//!     if let Event::Message { record, .. } = event {
//!         println!("{}", String::from_utf8_lossy(&record.message.content));
//!     }
//! }
//! client.disconnect();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client;
mod event;
pub mod machine;
mod reconnect;
mod server;
mod settings;
mod transport;

pub use client::{Client, ClientError};
pub use event::{Event, PublishFailure, Published, SessionInfo, Shown, Subscribed};
pub use machine::Full;
pub use reconnect::{Reconnect, ReconnectPolicy};
pub use server::{Server, ServerError};
pub use settings::Settings;
pub use sterna_wire::native::{PublishRefusal, Refusal};
