//! Effects as the trace shows them.

use sterna_broker::core::Effect;
use sterna_model::Accepted;

/// An effect, for the trace.
pub(super) fn shown(effect: &Effect) -> String {
    match effect {
        Effect::PublishResult { to, id, outcome, .. } => match outcome {
            Ok(Accepted { position, duplicate }) => {
                let position = position.map_or_else(String::new, |position| position.to_string());
                format!(
                    "publish {id:?} of {}.{} is at {position}, duplicate {duplicate}",
                    to.index, to.generation
                )
            }
            Err(code) => format!("publish {id:?} of {}.{} is refused: {code}", to.index, to.generation),
        },
        Effect::Subscribed { to, name, cut, page, .. } => format!(
            "{}.{} subscribes to {name}: {} {}, {} messages{}",
            to.index,
            to.generation,
            cut.recovery.name(),
            cut.position,
            page.messages.len(),
            if page.next.is_some() { " and more" } else { "" }
        ),
        Effect::SubscribeRefused { to, name, code, .. } => {
            format!("{}.{} may not subscribe to {name}: {code}", to.index, to.generation)
        }
        Effect::Caught { to, page, .. } => match page {
            Some(page) => {
                format!("{}.{} catches up with {} messages", to.index, to.generation, page.messages.len())
            }
            None => format!("{}.{} cannot catch up any more", to.index, to.generation),
        },
        Effect::Unsubscribed { to, name, .. } => {
            format!("{}.{} unsubscribes from {name}", to.index, to.generation)
        }
        Effect::Deliver { record, .. } => {
            format!("{} goes to all of {}", record.position, record.message.subject)
        }
        Effect::ReadRefused { to, name, code } => {
            format!("{}.{} may not read {name}: {code}", to.index, to.generation)
        }
        Effect::Disconnect { to, code } => {
            format!("{}.{} is disconnected: {code}", to.index, to.generation)
        }
        Effect::Interrupted { subject, .. } => format!("subscriptions to {subject:?} end"),
        Effect::Answer { to, name, messages, .. } => {
            format!("{}.{} has read {} messages of {name}", to.index, to.generation, messages.len())
        }
    }
}
