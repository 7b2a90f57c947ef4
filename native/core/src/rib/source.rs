//! Who gives paths: connected, static, and one source per Established BGP session.

use crate::prefix::Ip;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
#[repr(u8)]
pub enum Kind {
    Connected = 0,
    Static = 1,
    Bgp = 2,
}

impl Kind {
    pub fn named(name: &str) -> Option<Kind> {
        let all = [Kind::Connected, Kind::Static, Kind::Bgp];
        all.into_iter().find(|k| k.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Kind::Connected => "connected",
            Kind::Static => "static",
            Kind::Bgp => "bgp",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Source {
    pub kind: Kind,
    pub instance: u16,
    /// Its paths count; false once it is being removed.
    pub up: bool,
    pub import_accept: bool,
    pub ebgp: bool,
    pub asn: u32,
    pub router_id: u32,
    pub address: Ip,
    pub distance: u32,
    /// The first thing compared between paths of BGP; the higher wins.
    pub weight: u16,
    pub paths: [u32; 2],
}
