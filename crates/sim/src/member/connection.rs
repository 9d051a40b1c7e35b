//! Connections of a shard: each with its session and what waits for its client.

use std::collections::VecDeque;

use sterna_broker::session::Session;
use sterna_broker::shard::Sessions;

use crate::network::{Downward, SocketId};

/// A socket with its session.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: SocketId,
    pub(super) session: Session,
    pub(super) queue: VecDeque<Downward>,
    pub(super) queue_bytes: usize,
    /// Publishes that wait for their results.
    pub(super) unanswered: u32,
    /// Reads no more, and goes when every publish is answered.
    pub(super) leaving: bool,
    /// Its session has ended; it goes when its queue is written.
    pub(super) ending: bool,
}

impl Connection {
    pub(super) fn push(&mut self, item: Downward) {
        self.queue_bytes += item.bytes();
        self.queue.push_back(item);
    }

    pub(super) fn pop(&mut self) -> Option<Downward> {
        let item = self.queue.pop_front()?;
        self.queue_bytes -= item.bytes();
        Some(item)
    }
}

#[derive(Debug)]
struct Place {
    /// Grows with every session that had this place.
    generation: u32,
    connection: Option<Connection>,
}

/// Connections by place; a place is used again.
#[derive(Debug, Default)]
pub(super) struct Table {
    places: Vec<Place>,
}

impl Table {
    pub(super) fn insert(&mut self, socket: SocketId) {
        let session = Session::new(true);
        let connection = Connection {
            socket,
            session,
            queue: VecDeque::new(),
            queue_bytes: 0,
            unanswered: 0,
            leaving: false,
            ending: false,
        };
        match self.places.iter_mut().find(|place| place.connection.is_none()) {
            Some(place) => place.connection = Some(connection),
            None => self.places.push(Place { generation: 0, connection: Some(connection) }),
        }
    }

    pub(super) fn remove(&mut self, index: u32) {
        self.places[index as usize].connection = None;
    }

    /// What comes for the session that was in this place is not for the next one.
    pub(super) fn renew(&mut self, index: u32) {
        self.places[index as usize].generation += 1;
    }

    pub(super) fn get(&self, index: u32) -> Option<&Connection> {
        self.places.get(index as usize)?.connection.as_ref()
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Connection> {
        self.places.get_mut(index as usize)?.connection.as_mut()
    }

    pub(super) fn generation(&self, index: u32) -> u32 {
        self.places[index as usize].generation
    }

    /// Places in use.
    pub(super) fn indices(&self) -> Vec<u32> {
        (0..)
            .zip(&self.places)
            .filter(|(_, place)| place.connection.is_some())
            .map(|(index, _)| index)
            .collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.places.iter().filter_map(|place| place.connection.as_ref())
    }
}

impl Sessions for Table {
    fn session_mut(&mut self, connection: u32) -> &mut Session {
        &mut self.get_mut(connection).expect("whoever is in an audience is in the table").session
    }
}
