//! What all tasks of the links share; nothing of it changes but the certificates.

use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

use crate::complaints::Complaints;
use crate::event::LinkEvent;
use crate::identity::Identity;
use crate::remote::Input;
use crate::settings::{Entry, LinkSettings};
use crate::status::Counters;
use crate::tls::LinkTls;

/// What all tasks share.
pub(crate) struct Context {
    pub(crate) settings: LinkSettings,
    pub(crate) entries: Vec<Entry>,
    /// For connections from now on.
    pub(crate) tls: watch::Sender<Option<LinkTls>>,
    pub(crate) identity: Identity,
    pub(crate) complaints: Complaints,
    /// In the order of the slots; the own one is never used.
    pub(crate) counters: Vec<Arc<Counters>>,
    /// The inboxes of the other members' tasks, in the order of the slots; none for the own one.
    pub(crate) remotes: Vec<Option<UnboundedSender<Input>>>,
    pub(crate) on_event: Box<dyn Fn(LinkEvent) + Send + Sync>,
}

/// Both ends of the inbox of another member's task.
pub(crate) struct Inbox {
    pub(crate) slot: u16,
    pub(crate) sender: UnboundedSender<Input>,
    pub(crate) receiver: UnboundedReceiver<Input>,
}

impl Context {
    /// The context of a member, and the inboxes of all others. The settings have been checked.
    pub(crate) fn new(
        settings: LinkSettings,
        entries: Vec<Entry>,
        complaints: Complaints,
        on_event: Box<dyn Fn(LinkEvent) + Send + Sync>,
    ) -> (Self, Vec<Inbox>) {
        let mut inboxes = Vec::with_capacity(entries.len());
        let mut remotes = Vec::with_capacity(entries.len());
        for slot in (0..=u16::MAX).take(entries.len()) {
            if slot == settings.slot {
                remotes.push(None);
                continue;
            }
            let (sender, receiver) = unbounded_channel();
            remotes.push(Some(sender.clone()));
            inboxes.push(Inbox { slot, sender, receiver });
        }
        let counters = entries.iter().map(|_| Arc::default()).collect();
        let identity = Identity::member(&settings);
        let tls = watch::Sender::new(settings.tls.clone());
        (Self { settings, entries, tls, identity, complaints, counters, remotes, on_event }, inboxes)
    }

    /// TLS as it is now.
    pub(crate) fn tls(&self) -> Option<LinkTls> {
        self.tls.borrow().clone()
    }

    /// Tells the owner.
    pub(crate) fn tell(&self, event: LinkEvent) {
        (self.on_event)(event);
    }

    /// Of two members the one with the lower slot decides which link counts.
    pub(crate) fn decides_over(&self, slot: u16) -> bool {
        self.identity.slot < slot
    }
}
