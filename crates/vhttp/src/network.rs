//! Networks in prefix notation: `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.1`.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A network of addresses: an address and how many of its first bits count (RFC 4632 §3.1).
///
/// An IPv4 address that is mapped into IPv6 (`::ffff:192.0.2.1`) counts as the IPv4 address.
///
/// ```
/// use vhttp::Network;
///
/// let network: Network = "10.0.0.0/8".parse().unwrap();
/// assert!(network.contains("10.1.2.3".parse().unwrap()));
/// assert!(!network.contains("11.1.2.3".parse().unwrap()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// Why a text is not a [`Network`]; each variant keeps the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The part before the slash is not an IP address.
    #[error("`{0}` does not begin with an IP address; write it like `10.0.0.0/8` or `2001:db8::1`")]
    Address(String),
    /// The part after the slash is not a number of bits, or more than the address has.
    #[error("`{0}` has a bad prefix length; it is 0 to 32 for IPv4 and 0 to 128 for IPv6")]
    Prefix(String),
    /// The address has bits set beyond the prefix, so that it is not clear what is meant.
    #[error("`{text}` has bits set beyond its prefix; the network is `{network}`")]
    HostBits {
        /// What was written.
        text: String,
        /// The network that holds the address.
        network: Network,
    },
}

impl Network {
    /// Whether `address` is in the network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4() && masked(address, self.prefix) == self.address
    }

    /// A network of an address and a prefix that fits it.
    const fn new(address: IpAddr, prefix: u8) -> Self {
        match (address, prefix) {
            (IpAddr::V6(v6), 96..=128) if is_mapped(v6) => {
                Self { address: address.to_canonical(), prefix: prefix - 96 }
            }
            _ => Self { address, prefix },
        }
    }
}

#[cfg(feature = "serde")]
impl TryFrom<String> for Network {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

#[cfg(feature = "serde")]
impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

const fn is_mapped(address: Ipv6Addr) -> bool {
    address.to_ipv4_mapped().is_some()
}

const fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address with only its first `prefix` bits.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let shift = u32::from(width(address) - prefix.min(width(address)));
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(shift).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(shift).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        // A message quotes the text; nobody wants a megabyte of it.
        let quoted = || text.chars().take(60).collect::<String>();
        let (address, prefix) = match text.trim().split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Address(quoted()))?;
        let prefix = match prefix {
            None => width(address),
            Some(digits) => {
                prefix_of(digits, width(address)).ok_or_else(|| NetworkError::Prefix(quoted()))?
            }
        };
        let network = Self::new(masked(address, prefix), prefix);
        if network == Self::new(address, prefix) {
            return Ok(network);
        }
        Err(NetworkError::HostBits { text: quoted(), network })
    }
}

fn prefix_of(digits: &str, width: u8) -> Option<u8> {
    let only_digits = digits.bytes().all(|b| b.is_ascii_digit());
    let prefix = digits.parse().ok().filter(|_| only_digits)?;
    (prefix <= width).then_some(prefix)
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self::new(address, width(address))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix == width(self.address) {
            return self.address.fmt(f);
        }
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn networks_and_their_addresses() {
        for (network, address, inside) in [
            ("10.0.0.0/8", "10.255.255.255", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::ffff:10.1.1.1", true),
            ("::ffff:10.0.0.0/104", "10.1.1.1", true),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("::1", "::1", true),
            ("::1", "::2", false),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false),
        ] {
            let parsed: Network = network.parse().unwrap();
            let found = parsed.contains(address.parse().unwrap());
            assert_eq!(found, inside, "{address} in {network}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for text in ["", "/8", "10.0.0/8", "localhost", "10.0.0.0:80"] {
            let error = text.parse::<Network>().unwrap_err();
            assert_eq!(error, NetworkError::Address(text.to_owned()));
        }
        for text in ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "::/129", "10.0.0.0/8/8"] {
            let error = text.parse::<Network>().unwrap_err();
            assert_eq!(error, NetworkError::Prefix(text.to_owned()));
        }
        assert_eq!(
            "10.0.0.1/8".parse::<Network>().unwrap_err().to_string(),
            "`10.0.0.1/8` has bits set beyond its prefix; the network is `10.0.0.0/8`"
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(address: IpAddr, prefix in 0u8..=128) {
            let prefix = prefix.min(width(address));
            let network = Network::new(masked(address, prefix), prefix);
            prop_assert_eq!(network.to_string().parse::<Network>().unwrap(), network);
            prop_assert!(network.contains(network.address));
        }

        #[test]
        fn no_text_panics(text in "[0-9a-f.:/]{0,30}|\\PC{0,10}") {
            let _ = text.parse::<Network>();
        }
    }
}
