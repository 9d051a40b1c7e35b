//! The connections of a shard: places in chunks, so that growing moves and wastes little.

use super::connection::Connection;
use sterna_broker::session::Session;
use sterna_broker::shard::Sessions;

/// Connections in one chunk.
const CHUNK: usize = 256;

#[derive(Debug)]
struct Place {
    generation: u32,
    connection: Option<Connection>,
}

/// Connections by place; a place is used again with the next generation.
#[derive(Debug)]
pub(super) struct Table {
    chunks: Vec<Box<[Place]>>,
    free: Vec<u32>,
    len: usize,
}

impl Table {
    pub(super) fn new() -> Self {
        Self { chunks: Vec::new(), free: Vec::new(), len: 0 }
    }

    /// How many connections.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Places that exist, used or not.
    pub(super) fn places(&self) -> u32 {
        u32::try_from(self.chunks.len() * CHUNK).expect("fewer places than file descriptors")
    }

    /// The place that the next connection will get, and its generation.
    pub(super) fn vacant(&mut self) -> (u32, u32) {
        if self.free.is_empty() {
            let first = self.places();
            let places = (0..CHUNK).map(|_| Place { generation: 0, connection: None });
            self.chunks.push(places.collect());
            self.free.extend((first..first + CHUNK as u32).rev());
        }
        let index = *self.free.last().expect("just filled");
        (index, self.place(index).generation)
    }

    /// Puts a connection into the place that [`Table::vacant`] named.
    pub(super) fn insert(&mut self, connection: Connection) {
        let index = self.free.pop().expect("vacant() was called");
        self.place_mut(index).connection = Some(connection);
        self.len += 1;
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<Connection> {
        let place = self.place_mut(index);
        let connection = place.connection.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(index);
        self.len -= 1;
        Some(connection)
    }

    /// Makes the connection a new one for everybody who knows it by its generation.
    pub(super) fn renew(&mut self, index: u32) {
        let place = self.place_mut(index);
        place.generation = place.generation.wrapping_add(1);
    }

    pub(super) fn get(&self, index: u32) -> Option<&Connection> {
        let chunk = self.chunks.get(index as usize / CHUNK)?;
        chunk[index as usize % CHUNK].connection.as_ref()
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Connection> {
        let chunk = self.chunks.get_mut(index as usize / CHUNK)?;
        chunk[index as usize % CHUNK].connection.as_mut()
    }

    /// The connection in that place, if it is still of that generation.
    pub(super) fn current(&mut self, index: u32, generation: u32) -> Option<&mut Connection> {
        let chunk = self.chunks.get_mut(index as usize / CHUNK)?;
        let place = &mut chunk[index as usize % CHUNK];
        place.connection.as_mut().filter(|_| place.generation == generation)
    }

    pub(super) fn generation(&self, index: u32) -> u32 {
        self.place(index).generation
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.chunks.len() * CHUNK * size_of::<Place>()
    }

    fn place(&self, index: u32) -> &Place {
        &self.chunks[index as usize / CHUNK][index as usize % CHUNK]
    }

    fn place_mut(&mut self, index: u32) -> &mut Place {
        &mut self.chunks[index as usize / CHUNK][index as usize % CHUNK]
    }
}

impl Sessions for Table {
    fn session_mut(&mut self, connection: u32) -> &mut Session {
        &mut self.get_mut(connection).expect("whoever is in an audience is in the table").session
    }
}
