//! What targets read of their input before the bytes under test: terms of a session, UPDATEs.

use routing_core::wire::refusal::Demands;
use routing_core::wire::role::Role;
use routing_core::wire::terms::{Confederation, Terms};

pub const LOCAL_ASN: u32 = 65001;
/// The longest body that an UPDATE may have (RFC 8654 4).
const LONGEST: usize = 65535 - 19;

/// Every combination that a session can have, by four octets; what is left of the input.
pub fn terms(data: &[u8]) -> Option<(Terms, &[u8])> {
    let (&[what, families, role, bounds], rest) = data.split_first_chunk()?;
    let on = |bit: u8| what & 1 << bit != 0;
    let of = |bit: u8| families & 1 << bit != 0;
    let agreed = [(1, 1, of(0), of(2)), (2, 1, of(1), of(3))];
    let agreed = agreed.into_iter().filter(|f| f.2);
    let terms = Terms {
        peer_asn: if on(0) { LOCAL_ASN } else { 65002 },
        local_asn: LOCAL_ASN,
        confederation: (role & 16 != 0).then_some(Confederation {
            id: 65100,
            member: LOCAL_ASN,
        }),
        local_router_id: 0x0a00_0001,
        cluster_id: if on(1) { 0x0a00_0001 } else { 0 },
        four_octet_as: on(2),
        families: agreed.map(|f| (f.0, f.1, f.3)).collect(),
        aigp: on(3),
        extended_next_hop: if on(4) { vec![(1, 1)] } else { vec![] },
        role: Role::of(role % 8),
        demands: Demands {
            first_as: on(5),
            own_as: usize::from(bounds & 3),
            as_path: if on(6) { u16::from(bounds) } else { u16::MAX },
            attributes: if on(7) {
                usize::from(bounds)
            } else {
                usize::MAX
            },
        },
    };
    Some((terms, rest))
}

/// The rest of an input as whole UPDATE messages, as a framer hands them out: each body behind two octets of length, the last one
/// as long as there is input.
pub fn updates(mut data: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len() + 64);
    while let Some((&[high, low], rest)) = data.split_first_chunk() {
        let said = usize::from(u16::from_be_bytes([high, low]));
        let (body, rest) = rest.split_at(said.min(rest.len()).min(LONGEST));
        // RFC 4271 4.3: no UPDATE is shorter, and the framer refuses it
        if body.len() >= 4 {
            out.extend_from_slice(&[0xff; 16]);
            out.extend_from_slice(&(19 + body.len() as u16).to_be_bytes());
            out.push(2);
            out.extend_from_slice(body);
        }
        data = rest;
    }
    out
}
