//! `Key`: whose units are spent.

use std::fmt;
use std::net::IpAddr;

/// Whose units are spent: an address, or any bytes (a name, a token).
///
/// Made without allocation. An address and its text are different keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Key<'a> {
    /// A client's address.
    Addr(IpAddr),
    /// A name, a token, a route.
    Bytes(&'a [u8]),
}

impl Key<'_> {
    /// The key of a client's address: an IPv6 address counts with its first `ipv6_prefix` bits,
    /// because one client has a whole network of them; an IPv4 address counts as it is, also
    /// when it is written as an IPv6 one (RFC 4291 §2.5.5.2).
    #[must_use]
    pub const fn client(address: IpAddr, ipv6_prefix: u8) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::Addr(IpAddr::V4(v4)),
            IpAddr::V6(v6) => {
                let kept = if ipv6_prefix > 128 { 128 } else { ipv6_prefix };
                let mask = match 128 - kept {
                    128 => 0,
                    cut => u128::MAX << cut,
                };
                let bits = v6.to_bits() & mask;
                Self::Addr(IpAddr::V6(std::net::Ipv6Addr::from_bits(bits)))
            }
        }
    }
}

impl<'a> From<&'a str> for Key<'a> {
    fn from(text: &'a str) -> Self {
        Self::Bytes(text.as_bytes())
    }
}

impl<'a> From<&'a [u8]> for Key<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<IpAddr> for Key<'_> {
    fn from(address: IpAddr) -> Self {
        Self::Addr(address)
    }
}

/// As stores outside of the process write it: `ip:` and the address, or `b:` and the bytes with
/// all but visible ASCII escaped; no two keys are written alike.
impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addr(address) => write!(f, "ip:{address}"),
            Self::Bytes(bytes) => write!(f, "b:{}", bytes.escape_ascii()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_has_a_whole_network_of_addresses() {
        for (address, prefix, wanted) in [
            ("2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::"),
            ("2001:db8:1:2:3:4:5:6", 56, "2001:db8:1::"),
            ("2001:db8:1:2:3:4:5:6", 128, "2001:db8:1:2:3:4:5:6"),
            ("2001:db8:1:2:3:4:5:6", 255, "2001:db8:1:2:3:4:5:6"),
            ("2001:db8:1:2:3:4:5:6", 0, "::"),
            ("192.0.2.7", 64, "192.0.2.7"),
            ("::ffff:192.0.2.7", 64, "192.0.2.7"),
        ] {
            let key = Key::client(address.parse().unwrap(), prefix);
            assert_eq!(key, Key::Addr(wanted.parse().unwrap()), "{address}/{prefix}");
        }
    }

    #[test]
    fn keys_are_written_apart() {
        let address: IpAddr = "192.0.2.7".parse().unwrap();
        assert_eq!(Key::from(address).to_string(), "ip:192.0.2.7");
        assert_eq!(Key::from("192.0.2.7").to_string(), "b:192.0.2.7");
        assert_eq!(Key::from(&b"a\n\xff"[..]).to_string(), "b:a\\n\\xff");
    }
}
