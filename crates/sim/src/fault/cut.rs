//! Connections of clients break.

use crate::client::ClientId;
use crate::world::World;

impl World {
    pub(super) fn cut_any(&mut self) {
        let client = self.any_client();
        self.cut_client(client);
    }

    pub(super) fn cut_all(&mut self) {
        (0..self.clients.len() as u32).for_each(|client| self.cut_client(ClientId(client)));
    }

    fn cut_client(&mut self, client: ClientId) {
        if let Some(socket) = self.clients[client.0 as usize].socket() {
            self.cut(socket);
        }
    }
}
