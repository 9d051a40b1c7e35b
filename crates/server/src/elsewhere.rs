//! Where clients of this member can go instead: the advertised addresses of the members that take clients.

use std::collections::BTreeMap;
use std::sync::Arc;

use sterna_broker::core::Load;
use sterna_replica::Slot;

/// Addresses that one client is told.
const ADDRESSES_MAX: usize = 16;

/// The addresses of each other member that takes clients; the member with the fewest clients is the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Elsewhere(Arc<[Vec<Box<str>>]>);

impl Elsewhere {
    /// Of the members with a link, those that are known to take clients.
    pub(crate) fn new<'a>(
        linked: impl Iterator<Item = (Slot, &'a [Box<str>])>,
        loads: &BTreeMap<Slot, Load>,
    ) -> Self {
        let mut members: Vec<_> = linked
            .filter(|(_, addresses)| !addresses.is_empty())
            .filter_map(|(slot, addresses)| Some((loads.get(&slot)?, addresses)))
            .filter(|(load, _)| load.capacity > 0)
            .collect();
        members.sort_by_key(|(load, _)| load.clients);
        Self(members.into_iter().map(|(_, addresses)| addresses.to_vec()).collect())
    }

    /// What a client is told: with `turn` 0 the members in their order; with other turns others come first, so that
    /// clients spread.
    pub(crate) fn addresses(&self, turn: u64) -> Vec<Box<str>> {
        let members = &self.0;
        let first =
            usize::try_from(turn % (members.len() as u64).max(1)).expect("below the number of members");
        let (later, sooner) = members.split_at(first);
        let addresses = sooner.iter().chain(later).flatten();
        let mut told: Vec<Box<str>> = Vec::new();
        for address in addresses {
            if told.len() < ADDRESSES_MAX && !told.contains(address) {
                told.push(address.clone());
            }
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(addresses: &[&str]) -> Vec<Box<str>> {
        addresses.iter().map(|address| (*address).into()).collect()
    }

    fn elsewhere(members: &[(&[&str], u64, u32)]) -> Elsewhere {
        let lists: Vec<_> = members.iter().map(|(addresses, ..)| list(addresses)).collect();
        let linked = (1..).map(Slot).zip(lists.iter().map(Vec::as_slice));
        let loads =
            members.iter().map(|(_, clients, capacity)| Load { clients: *clients, capacity: *capacity });
        Elsewhere::new(linked, &(1..).map(Slot).zip(loads).collect())
    }

    #[test]
    fn the_member_with_the_fewest_clients_comes_first_and_each_has_its_turn() {
        let three = elsewhere(&[(&["a:1"], 30, 2), (&["b:1", "b:2"], 10, 2), (&["c:1"], 20, 2)]);
        assert_eq!(three.addresses(0), list(&["b:1", "b:2", "c:1", "a:1"]));
        assert_eq!(three.addresses(1), list(&["c:1", "a:1", "b:1", "b:2"]));
        assert_eq!(three.addresses(5), list(&["a:1", "b:1", "b:2", "c:1"]));
    }

    #[test]
    fn nobody_is_sent_to_a_member_that_takes_no_clients_or_tells_no_address() {
        let some = elsewhere(&[(&["a:1"], 0, 0), (&[], 0, 2), (&["c:1"], 9, 2)]);
        assert_eq!(some.addresses(7), list(&["c:1"]));
        let unheard = list(&["a:1"]);
        assert_eq!(
            Elsewhere::new([(Slot(1), &*unheard)].into_iter(), &BTreeMap::new()),
            Elsewhere::default()
        );
        assert_eq!(Elsewhere::default().addresses(3), list(&[]));
    }

    #[test]
    fn an_address_is_told_once_and_many_are_cut() {
        assert_eq!(elsewhere(&[(&["lb:1"], 0, 1), (&["lb:1"], 1, 1)]).addresses(0), list(&["lb:1"]));
        let names: Vec<_> = (0..40).map(|number| format!("m{number}:1")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(elsewhere(&[(&names, 0, 1)]).addresses(0).len(), ADDRESSES_MAX);
    }
}
