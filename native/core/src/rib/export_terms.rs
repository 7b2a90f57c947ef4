//! What is told to one kind of peer, and under what next hop (RFC 4271 5.1.3, RFC 2545 3, RFC 8950).

use super::infos::Info;
use super::source::Kind;
use crate::prefix::Ip;
use crate::wire::role::Role;

/// Where a session puts us as next hop (RFC 4271 5.1.3, RFC 2545 3): members of a group differ in this alone.
#[derive(Clone, Copy, Debug)]
pub struct Ourselves {
    pub address: Ip,
    /// Beside an IPv6 address on a shared link, 0 where there is none.
    pub link_local: u128,
}

impl Ourselves {
    pub fn shape(&self) -> Shape {
        match self.address {
            Ip::V6(_) if self.link_local != 0 => Shape::Both,
            Ip::V6(_) => Shape::V6,
            _ => Shape::V4,
        }
    }

    /// As a message has it: as long as its shape says.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = self.address.to_bytes();
        if self.shape() == Shape::Both {
            out.extend_from_slice(&self.link_local.to_be_bytes());
        }
        out
    }
}

/// What of `Ourselves` changes where the other octets of a message stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    V4 = 4,
    V6 = 16,
    Both = 32,
}

/// What a group of peers has in common: with equal terms, equal bytes but for our own address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExportTerms {
    pub afi: u16,
    pub safi: u8,
    pub ebgp: bool,
    /// Internal peers that are told what other internal peers told us (RFC 4456 5).
    pub client: bool,
    /// Ours, for what is reflected (RFC 4456 7).
    pub cluster_id: u32,
    pub local_asn: u32,
    pub next_hop_self: bool,
    pub ourselves: Shape,
    pub four_octet_as: bool,
    pub max_message: usize,
    /// RFC 8950: IPv4 prefixes may have IPv6 next hops.
    pub extended_next_hop: bool,
    /// RFC 7311 3.2: AIGP may be told.
    pub aigp: bool,
    /// Ours (RFC 9234).
    pub role: Option<Role>,
    /// RFC 9494 4.5: long-lived stale routes may be told.
    pub llgr: bool,
    /// What iBGP peers are told of a route that came without LOCAL_PREF.
    pub default_local_pref: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NextHop {
    /// Each member's own address: written as zeros, and noted.
    Ourselves,
    Other(Ip),
}

/// Under what a best path is told, besides its attributes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    pub next_hop: NextHop,
    pub origin: u8,
    /// Of the way to the path's own next hop.
    pub igp_metric: u32,
    /// One internal peer told it, another is told: the router id of the first (RFC 4456 8).
    pub reflected: Option<u32>,
    /// It gets LLGR_STALE, which it did not come with.
    pub stale: bool,
}

impl ExportTerms {
    /// The next hop to tell for a path (RFC 4271 5.1.3): ourselves, or the path's own; `None` where it cannot be told in this family.
    pub fn next_hop(&self, info: &Info, path_next_hop: Ip, reflected: bool) -> Option<NextHop> {
        let ours = self.ebgp
            || self.next_hop_self && !reflected // RFC 4456 10
            || info.kind != Kind::Bgp
            || path_next_hop.is_link_local(); // of another link than the peer's
        let (next_hop, four) = if ours {
            (NextHop::Ourselves, self.ourselves == Shape::V4)
        } else {
            (
                NextHop::Other(path_next_hop),
                matches!(path_next_hop, Ip::V4(_)),
            )
        };
        let told = match self.afi {
            1 => four || self.extended_next_hop,
            _ => !four,
        };
        told.then_some(next_hop)
    }

    /// Whether NEXT_HOP tells it, and not MP_REACH_NLRI.
    pub(super) fn plain(&self, next_hop: NextHop) -> bool {
        self.afi == 1
            && match next_hop {
                NextHop::Ourselves => self.ourselves == Shape::V4,
                NextHop::Other(ip) => matches!(ip, Ip::V4(_)),
            }
    }

    pub(super) fn next_hop_bytes(&self, next_hop: NextHop) -> Vec<u8> {
        match next_hop {
            NextHop::Ourselves => vec![0; self.ourselves as usize],
            NextHop::Other(ip) => ip.to_bytes(),
        }
    }
}
