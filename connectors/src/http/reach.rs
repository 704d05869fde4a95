//! Which networks may be reached: the public ones, and those that the connection names (R19).
//!
//! Addresses are judged when a name is resolved and the connection goes to what was judged, so a name that changes
//! its mind in between gains nothing.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// A network, as `10.0.0.0/8` or `fd00::/8`; without a length one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    length: u8,
}

/// A text that is not a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a network: an address and the length of its prefix, such as 10.0.0.0/8")]
pub struct NotANetwork;

impl Network {
    /// Whether the address lies in it. An IPv4 address written as IPv6 is the IPv4 address.
    pub fn holds(&self, address: IpAddr) -> bool {
        let bits = |address: IpAddr| match address {
            IpAddr::V4(four) => (u128::from(u32::from(four)), 32),
            IpAddr::V6(six) => (u128::from(six), 128),
        };
        let ((own, width), (other, other_width)) = (bits(self.address), bits(address.to_canonical()));
        let rest = width - u32::from(self.length);
        width == other_width && own.checked_shr(rest) == other.checked_shr(rest)
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, length) = text
            .split_once('/')
            .map_or((text, None), |(address, length)| (address, Some(length)));
        let address: IpAddr = address.trim().parse().map_err(|_malformed| NotANetwork)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => most,
            Some(length) => length.trim().parse().map_err(|_malformed| NotANetwork)?,
        };
        if length > most || address != address.to_canonical() {
            return Err(NotANetwork);
        }
        Ok(Self { address, length })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl TryFrom<String> for Network {
    type Error = NotANetwork;

    fn try_from(text: String) -> Result<Self, NotANetwork> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

/// Where a client may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// To what is on the public internet, by `https` only; and to the named networks, there by `http` too.
    Public {
        /// The networks beside.
        and: Vec<Network>,
    },
    /// Anywhere: for addresses that stand in the operator's own configuration.
    Anywhere,
}

impl Default for Reach {
    fn default() -> Self {
        Self::Public { and: Vec::new() }
    }
}

impl Reach {
    /// Whether it names networks.
    pub(super) const fn names_networks(&self) -> bool {
        matches!(self, Self::Public { and } if !and.is_empty())
    }

    /// Whether it allows an address; in plain text only where the network was named.
    pub fn allows(&self, address: IpAddr, plain: bool) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Public { and } => {
                and.iter().any(|network| network.holds(address)) || (!plain && is_public(address.to_canonical()))
            }
        }
    }
}

/// Networks that are not the public internet, by the special-purpose registries of IANA (RFC 6890).
const NOT_PUBLIC: [&str; 19] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    // With the metadata of clouds.
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    // With Teredo, documentation and 6to4: some carry an IPv4 address inside.
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
];

/// Of IPv6 only what is handed out as global unicast; that leaves out loopback, link-local, unique local, multicast,
/// NAT64 and whatever carries an IPv4 address.
const GLOBAL_UNICAST: Ipv6Addr = Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0);

fn is_public(address: IpAddr) -> bool {
    let unicast = Network {
        address: GLOBAL_UNICAST.into(),
        length: 3,
    };
    let special = NOT_PUBLIC.iter().any(|text| {
        // One that could not be read would let everything through.
        text.parse::<Network>().map_or(true, |network| network.holds(address))
    });
    !special && (address.is_ipv4() || unicast.holds(address))
}

/// Finds the addresses of a name.
#[async_trait]
pub trait Names: Send + Sync {
    /// The addresses.
    ///
    /// # Errors
    /// There are none.
    async fn find(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// As this machine does.
#[derive(Debug)]
pub(super) struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn find(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// A name leads only to networks that may not be reached.
#[derive(Debug, thiserror::Error)]
#[error("out of reach")]
struct OutOfReach;

pub(super) const fn out_of_reach() -> Fault {
    Fault::Config("the address lies in a network that the connection may not reach")
}

/// Whether a call failed because of [`OutOfReach`].
pub(super) fn was_refused(error: &reqwest::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<OutOfReach>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Resolves names, and forgets what may not be reached.
pub(super) struct Guarded {
    reach: Arc<Reach>,
    plain: bool,
    names: Arc<dyn Names>,
}

impl Guarded {
    pub(super) fn new(reach: Arc<Reach>, plain: bool, names: Arc<dyn Names>) -> Self {
        Self { reach, plain, names }
    }
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (reach, plain, names) = (Arc::clone(&self.reach), self.plain, Arc::clone(&self.names));
        Box::pin(async move {
            let found = names.find(name.as_str()).await?;
            let allowed: Vec<SocketAddr> = found
                .iter()
                .filter(|address| reach.allows(**address, plain))
                .map(|address| SocketAddr::new(*address, 0))
                .collect();
            if allowed.is_empty() && !found.is_empty() {
                return Err(OutOfReach.into());
            }
            let allowed: Addrs = Box::new(allowed.into_iter());
            Ok(allowed)
        })
    }
}
