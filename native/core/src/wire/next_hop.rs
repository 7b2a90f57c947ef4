//! Next hops: their forms on the wire, and which of them can be a host's.

use crate::prefix::Ip;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct NextHop {
    pub ip: Ip,
    /// The link-local address beside a global one (RFC 2545 3), 0 where there is none.
    pub link_local: u128,
}

impl NextHop {
    /// Whether it can be a host's address (RFC 4271 6.3): routes with another are not taken. Some who have only a link-local
    /// address put nothing before it.
    pub fn is_host(&self) -> bool {
        match self.ip {
            Ip::V4(a) => !matches!(a >> 24, 0 | 127 | 224..),
            Ip::V6(0) => self.link_local != 0,
            Ip::V6(a) => a > 1 && a >> 120 != 0xff,
            Ip::None => false,
        }
    }
}

/// RFC 4760 3, RFC 2545 3 and, where `extended` was agreed for IPv4 prefixes, RFC 8950 3: the next hop of MP_REACH_NLRI.
/// `None`: its length is wrong, so the NLRI cannot be located.
pub fn mp_next_hop(afi: u16, v: &[u8], extended: bool) -> Option<NextHop> {
    let link_local = match (afi, v.len()) {
        (1, 4) => 0,
        (1, 16 | 32) if !extended => return None,
        (1 | 2, 16) => 0,
        (1 | 2, 32) => match Ip::from_bytes(&v[16..]) {
            Ip::V6(a) => a,
            _ => 0,
        },
        _ => return None,
    };
    Some(NextHop {
        ip: Ip::from_bytes(&v[..v.len().min(16)]),
        link_local,
    })
}
