//! What was agreed on a session and asked of its peer, as far as reading UPDATEs needs it.

use super::refusal::Demands;
use super::role::Role;

/// What reading UPDATEs needs to know of the session.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    pub peer_asn: u32,
    pub local_asn: u32,
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
    pub fn ebgp(&self) -> bool {
        self.peer_asn != self.local_asn
    }

    /// `None`: not agreed; else whether NLRI carry path identifiers.
    pub fn family(&self, afi: u16, safi: u8) -> Option<bool> {
        self.families
            .iter()
            .find(|f| f.0 == afi && f.1 == safi)
            .map(|f| f.2)
    }
}
