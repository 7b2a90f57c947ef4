//! What is told to one kind of peer, and under what next hop (RFC 4271 5.1.3, RFC 2545 3, RFC 8950).

use super::infos::Info;
use super::source::Kind;
use crate::prefix::{is_link_local, AnyPrefix, Ip};
use crate::wire::as_path_edit::PathEdit;
use crate::wire::next_hop;
use crate::wire::role::Role;

/// Where a session puts us as next hop (RFC 4271 5.1.3, RFC 2545 3): members of a group differ in this alone.
#[derive(Clone, Debug)]
pub struct Ourselves {
    pub address: Ip,
    /// Beside an IPv6 address on a shared link, 0 where there is none.
    pub link_local: u128,
    /// Subnets that we share with the peer, on which it may be told of others than us.
    pub shared: Vec<AnyPrefix>,
    /// The peer's own address, which it is never told (RFC 4271 5.1.3).
    pub peer: Ip,
}

impl Ourselves {
    pub fn shape(&self) -> Shape {
        match self.address {
            Ip::V6(_) if self.link_local != 0 => Shape::Both,
            Ip::V6(_) => Shape::V6,
            _ => Shape::V4,
        }
    }

    /// What this member is told of a next hop.
    pub fn told(&self, next_hop: NextHop) -> next_hop::NextHop {
        let told = |ip, link_local| next_hop::NextHop { ip, link_local };
        match next_hop {
            NextHop::Other(ip) => told(ip, 0),
            NextHop::Near(ip, link) if self.reaches(ip) => told(ip, link),
            _ => told(self.address, self.link_local),
        }
    }

    fn reaches(&self, ip: Ip) -> bool {
        ip != self.peer && self.shared.iter().any(|subnet| subnet.covers(ip))
    }

    /// Puts it into a message, as long as its shape says.
    pub fn write(&self, next_hop: NextHop, out: &mut [u8]) {
        let told = self.told(next_hop);
        told.ip.write(out);
        if self.shape() == Shape::Both {
            out[16..32].copy_from_slice(&told.link_local.to_be_bytes());
        }
    }
}

/// What of `Ourselves` changes where the other octets of a message stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Shape {
    #[default]
    V4 = 4,
    V6 = 16,
    Both = 32,
}

/// As a number of paths.
pub const ALL_PATHS: u8 = u8::MAX;

/// What a group of peers has in common: with equal terms, equal bytes but for our own address.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ExportTerms {
    pub afi: u16,
    pub safi: u8,
    pub ebgp: bool,
    /// Peers in other Member-ASes of our confederation (RFC 5065); not `ebgp`.
    pub member: bool,
    /// Internal peers that are told what other internal peers told us (RFC 4456 5).
    pub client: bool,
    /// Ours, for what is reflected (RFC 4456 7).
    pub cluster_id: u32,
    pub local_asn: u32,
    pub next_hop_self: bool,
    /// External peers are told next hops as they came (RFC 7947 2.2.1).
    pub next_hop_unchanged: bool,
    /// Of AS_PATH towards external peers.
    pub path_edit: PathEdit,
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
    /// RFC 7911: at most so many paths of a prefix, each under an identifier; 0: the best one without, `ALL_PATHS`: all.
    pub add_path: u8,
    /// What iBGP peers are told of a route that came without LOCAL_PREF.
    pub default_local_pref: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NextHop {
    /// Each member's own address: written as zeros, and noted.
    Ourselves,
    /// A third party (RFC 4271 5.1.3) with its link-local address or 0, for members on its subnet; for others as `Ourselves`.
    Near(Ip, u128),
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
        let ours = self.ebgp && !self.next_hop_unchanged
            || self.next_hop_self && !reflected // RFC 4456 10
            || info.kind != Kind::Bgp
            || path_next_hop.is_link_local(); // of another link than the peer's
        let (next_hop, four) = if ours {
            let near = self.near(info, path_next_hop);
            let ours = near.unwrap_or(NextHop::Ourselves);
            (ours, self.ourselves == Shape::V4)
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

    /// RFC 4271 5.1.3: an external peer may be told of a router that is on one subnet with it, if that takes as many octets as we
    /// do. By RFC 2545 3 its link-local address must be beside it then, so we must know it where we have one ourselves. What a
    /// route's way costs (RFC 7311 3.4) depends on who the next hop is: with AIGP it is always us.
    fn near(&self, info: &Info, ip: Ip) -> Option<NextHop> {
        let link = Some(info.told().link_local).filter(|&a| is_link_local(a));
        let link = match (self.ourselves, ip) {
            (Shape::V4, Ip::V4(_)) | (Shape::V6, Ip::V6(_)) => 0,
            (Shape::Both, Ip::V6(_)) => link?,
            _ => return None,
        };
        let wanted = self.ebgp && info.kind == Kind::Bgp && !self.next_hop_self;
        let impossible = ip.is_link_local() || self.aigp && info.summary.aigp;
        (wanted && !impossible).then_some(NextHop::Near(ip, link))
    }

    /// Whether NEXT_HOP tells it, and not MP_REACH_NLRI.
    pub(super) fn plain(&self, next_hop: NextHop) -> bool {
        self.afi == 1
            && match next_hop {
                NextHop::Ourselves | NextHop::Near(..) => self.ourselves == Shape::V4,
                NextHop::Other(ip) => matches!(ip, Ip::V4(_)),
            }
    }

    /// As MP_REACH_NLRI has it, and how many octets of that are its.
    pub(super) fn next_hop_octets(&self, next_hop: NextHop) -> ([u8; 32], usize) {
        let mut octets = [0; 32];
        let len = match next_hop {
            NextHop::Ourselves | NextHop::Near(..) => self.ourselves as usize,
            NextHop::Other(ip) => ip.write(&mut octets),
        };
        (octets, len)
    }
}
