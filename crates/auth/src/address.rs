//! Lists of network addresses: who may publish.

use std::net::IpAddr;

/// Addresses and networks, as in `PublishAllowFromAddressList`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressList(Box<[Network]>);

/// Addresses that share their first `prefix_bits` bits with `base`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    base: IpAddr,
    prefix_bits: u32,
}

/// Which entry of a list is not an address, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// An entry, or the whole list, is empty.
    #[error("entry {place} of the address list is empty; remove the comma, or leave the whole list out")]
    Empty {
        /// Place in the list, from 1.
        place: usize,
    },
    /// Not an address: a host name, a port, a typing error.
    #[error("'{entry}' is not an IPv4 or IPv6 address; write 192.0.2.1 or 192.0.2.0/24, no name and no port")]
    NotAnAddress {
        /// The entry.
        entry: Box<str>,
    },
    /// The part after `/` is not a number of bits that such an address has.
    #[error("'{entry}' has no valid prefix; write a number of bits from 0 to {bits_max} after '/'")]
    PrefixInvalid {
        /// The entry.
        entry: Box<str>,
        /// Bits of the address.
        bits_max: u32,
    },
}

impl AddressList {
    /// Parses addresses and networks (CIDR), comma separated. Bits of a network's address beyond its prefix
    /// do not matter.
    ///
    /// # Errors
    /// Names the first entry that is not an address or network.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let entries = text.split(',').map(str::trim).enumerate();
        entries.map(|(index, entry)| Network::parse(entry, index + 1)).collect::<Result<_, _>>().map(Self)
    }

    /// Whether the address is in the list. An IPv4 address mapped into IPv6 is that IPv4 address.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }
}

impl Network {
    fn parse(entry: &str, place: usize) -> Result<Self, AddressError> {
        if entry.is_empty() {
            return Err(AddressError::Empty { place });
        }
        let (address, prefix) = entry.split_once('/').map_or((entry, None), |(a, p)| (a, Some(p)));
        let base: IpAddr = address.parse().map_err(|_| AddressError::NotAnAddress { entry: entry.into() })?;
        let bits_max = if base.is_ipv4() { 32 } else { 128 };
        let number =
            |digits: &str| digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?;
        let prefix_bits = match prefix {
            None => bits_max,
            Some(digits) => number(digits)
                .filter(|bits| *bits <= bits_max)
                .ok_or_else(|| AddressError::PrefixInvalid { entry: entry.into(), bits_max })?,
        };
        Ok(Self { base, prefix_bits }.canonical())
    }

    /// A network of mapped addresses (`::ffff:0:0/96`) as the IPv4 network it means.
    fn canonical(self) -> Self {
        match (self.base, self.prefix_bits) {
            (IpAddr::V6(base), 96..) => match base.to_ipv4_mapped() {
                Some(mapped) => Self { base: mapped.into(), prefix_bits: self.prefix_bits - 96 },
                None => self,
            },
            _ => self,
        }
    }

    fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                (base.to_bits() ^ address.to_bits()).leading_zeros() >= self.prefix_bits
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                (base.to_bits() ^ address.to_bits()).leading_zeros() >= self.prefix_bits
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    fn allows(list: &str, address: &str) -> bool {
        AddressList::parse(list).unwrap().allows(address.parse().unwrap())
    }

    #[test]
    fn single_addresses_allow_themselves_only() {
        assert!(allows("192.0.2.1, 2001:db8::1", "192.0.2.1"));
        assert!(allows("192.0.2.1, 2001:db8::1", "2001:db8:0::1"));
        assert!(!allows("192.0.2.1, 2001:db8::1", "192.0.2.2"));
        assert!(!allows("192.0.2.1, 2001:db8::1", "2001:db8::2"));
    }

    #[test]
    fn networks_allow_what_shares_their_prefix() {
        assert!(allows("10.0.0.0/8", "10.255.255.255"));
        assert!(!allows("10.0.0.0/8", "11.0.0.0"));
        assert!(allows("10.1.2.3/8", "10.9.9.9"));
        assert!(allows("0.0.0.0/0", "203.0.113.9"));
        assert!(!allows("0.0.0.0/0", "2001:db8::1"));
        assert!(allows("2001:db8::/33", "2001:db8:7fff::1"));
        assert!(!allows("2001:db8::/33", "2001:db8:8000::1"));
        assert!(!allows("::/0", "203.0.113.9"));
        assert!(allows("192.0.2.128/31", "192.0.2.129"));
        assert!(!allows("192.0.2.128/31", "192.0.2.130"));
    }

    #[test]
    fn ipv4_mapped_addresses_are_ipv4_addresses_on_both_sides() {
        assert!(allows("192.0.2.0/24", "::ffff:192.0.2.7"));
        assert!(allows("::ffff:192.0.2.0/120", "192.0.2.7"));
        assert!(!allows("::ffff:192.0.2.0/120", "192.0.3.7"));
        assert!(allows("::ffff:192.0.2.7", "192.0.2.7"));
        assert!(!allows("::/0", "::ffff:192.0.2.7"));
        let mapped = Ipv6Addr::from_bits(0xffff_c000_0201);
        assert!(AddressList::parse("192.0.2.1").unwrap().allows(mapped.into()));
    }

    #[test]
    fn errors_name_the_entry_and_what_to_write() {
        for (list, part) in [
            ("", "entry 1 "),
            ("192.0.2.1,", "entry 2 "),
            ("192.0.2.1, backend.example", "'backend.example' is not"),
            ("192.0.2.1:8800", "no port"),
            ("192.0.2", "'192.0.2' is not"),
            ("fe80::1%eth0", "is not an IPv4 or IPv6"),
            ("192.0.2.0/33", "0 to 32"),
            ("2001:db8::/129", "0 to 128"),
            ("192.0.2.0/", "0 to 32"),
            ("192.0.2.0/+8", "0 to 32"),
            ("192.0.2.0/8/8", "0 to 32"),
            ("192.0.2.0/99999999999", "0 to 32"),
        ] {
            let message = AddressList::parse(list).unwrap_err().to_string();
            assert!(message.contains(part), "{list:?}: {message}");
        }
    }
}
