//! A singleton nexthop as the kernel sees it: gateway and port, on-link, or blackhole.
use super::netlink::RTNH_F_ONLINK;
use super::Family;

/// What makes two singletons the same: `ifindex` 0 is a blackhole.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Hop {
    pub family: Family,
    pub gateway: Option<Gateway>,
    pub ifindex: u32,
    pub flags: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Gateway {
    V4([u8; 4]),
    V6([u8; 16]),
}

impl Gateway {
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        match bytes.len() {
            4 => bytes.try_into().ok().map(Self::V4),
            16 => bytes.try_into().ok().map(Self::V6),
            _ => None,
        }
    }

    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::V4(bytes) => bytes,
            Self::V6(bytes) => bytes,
        }
    }

    pub fn family(&self) -> Family {
        match self {
            Self::V4(_) => Family::V4,
            Self::V6(_) => Family::V6,
        }
    }
}

impl Hop {
    /// The RIB has decided which port leads to the gateway; onlink keeps the kernel from asking its own tables, where the
    /// connected prefix may be missing for a moment (an address that comes back after its port).
    pub fn via(gateway: Gateway, ifindex: u32) -> Self {
        Self {
            family: gateway.family(),
            gateway: Some(gateway),
            ifindex,
            flags: RTNH_F_ONLINK,
        }
    }

    pub fn link(family: Family, ifindex: u32) -> Self {
        Self {
            family,
            gateway: None,
            ifindex,
            flags: 0,
        }
    }

    pub fn blackhole(family: Family) -> Self {
        Self {
            family,
            gateway: None,
            ifindex: 0,
            flags: 0,
        }
    }
}
