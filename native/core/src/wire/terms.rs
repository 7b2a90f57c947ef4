//! What was agreed on a session and asked of its peer, as far as reading UPDATEs needs it.

use super::as_path;
use super::refusal::Demands;
use super::role::Role;

/// The confederation that we are in (RFC 5065).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Confederation {
    /// The AS number that those outside know.
    pub id: u32,
    /// Our Member-AS.
    pub member: u32,
}

/// What reading UPDATEs needs to know of the session.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    pub peer_asn: u32,
    /// What we are to the peer: outside a confederation its id.
    pub local_asn: u32,
    pub confederation: Option<Confederation>,
    pub local_router_id: u32,
    /// Ours (RFC 4456 7); 0 where nobody has one.
    pub cluster_id: u32,
    pub four_octet_as: bool,
    /// Agreed families and whether the peer sends path identifiers in them (RFC 7911).
    pub families: Vec<(u16, u8, bool)>,
    /// The peer may send AIGP (RFC 7311 3.2: AIGP_SESSION).
    pub aigp: bool,
    /// Families whose NLRI may have next hops of IPv6 although it is IPv4 (RFC 8950).
    pub extended_next_hop: Vec<(u16, u8)>,
    /// Ours (RFC 9234); `None`: routes are taken whatever OTC says.
    pub role: Option<Role>,
    pub demands: Demands,
}

impl Terms {
    /// The peer is of another AS, and not of our confederation.
    pub fn ebgp(&self) -> bool {
        !self.internal() && !self.member()
    }

    /// The peer is of our own AS.
    pub fn internal(&self) -> bool {
        self.peer_asn == self.local_asn
    }

    /// The peer is of another Member-AS of our confederation.
    pub fn member(&self) -> bool {
        let within = self.confederation;
        !self.internal() && within.is_some_and(|c| c.member == self.local_asn)
    }

    /// RFC 5065 5: segments of a confederation come from within it, and from another Member-AS the first is a sequence of it.
    pub fn may_tell(&self, path: &[u8]) -> bool {
        if self.ebgp() {
            !as_path::confederates(path, self.width())
        } else {
            !self.member() || path.first() == Some(&as_path::CONFED_SEQUENCE)
        }
    }

    /// Octets of an AS number in AS_PATH.
    pub fn width(&self) -> usize {
        if self.four_octet_as {
            4
        } else {
            2
        }
    }

    /// Who we are in AS_PATH: in sequences and sets, and in those of a confederation (RFC 5065 4).
    pub fn ourselves(&self) -> (u32, u32) {
        let own = (self.local_asn, self.local_asn);
        self.confederation.map_or(own, |c| (c.id, c.member))
    }

    /// `None`: not agreed; else whether NLRI carry path identifiers.
    pub fn family(&self, afi: u16, safi: u8) -> Option<bool> {
        self.families
            .iter()
            .find(|f| f.0 == afi && f.1 == safi)
            .map(|f| f.2)
    }
}
