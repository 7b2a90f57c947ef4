//! Who gives paths: connected, static, and one source per Established BGP session.

use super::nexthop::Hop;
use super::stale::Retention;
use super::NONE;
use crate::prefix::{is_link_local, Ip};
use crate::wire::next_hop::NextHop;

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

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    pub kind: Kind,
    pub instance: u16,
    /// Its paths count; false once it is being removed.
    pub up: bool,
    pub import_accept: bool,
    pub ebgp: bool,
    /// Of another Member-AS of our confederation (RFC 5065); not `ebgp`.
    pub member: bool,
    /// Internal, and what it tells goes to internal peers too (RFC 4456 5).
    pub client: bool,
    pub asn: u32,
    pub router_id: u32,
    pub address: Ip,
    pub distance: u32,
    /// The first thing compared between paths of BGP; the higher wins.
    pub weight: u16,
    /// Where a peer is, for its link-local next hops: numbers of names, 0 where that is not known.
    pub ncp: u16,
    pub port: u16,
    /// A peer's address in its instance (`nexthop::Givers`).
    pub giver: u32,
    /// How many it gave, by family.
    pub paths: [u32; 2],
    /// With more fresh ones than this it gives no others, by family.
    pub most: [u32; 2],
    /// What is kept of earlier sessions, by family.
    pub kept: [Retention; 2],
    /// It is not what it was when some of its paths were compared.
    pub renewed: bool,
}

impl Source {
    /// One of routes that no peer tells, or reserved.
    pub fn own(kind: Kind, instance: u16) -> Source {
        Source {
            kind,
            instance,
            up: true,
            import_accept: true,
            ebgp: false,
            member: false,
            client: false,
            asn: 0,
            router_id: 0,
            address: Ip::None,
            distance: u32::from(kind != Kind::Connected),
            weight: 0,
            ncp: 0,
            port: 0,
            giver: NONE,
            paths: [0; 2],
            most: [u32::MAX; 2],
            kept: Default::default(),
            renewed: false,
        }
    }

    /// All its paths were compared as it is now.
    pub(super) fn at_rest(&mut self) {
        self.renewed = false;
        self.kept.iter_mut().for_each(Retention::at_rest);
    }

    /// Where a next hop that this peer tells leads: a link-local address, alone or beside an unspecified one, is on the link to the
    /// peer (RFC 2545 3, RFC 8950 3).
    pub fn hop(&self, told: &NextHop) -> Hop {
        let addr = match told.ip {
            Ip::V6(0) if is_link_local(told.link_local) => Ip::V6(told.link_local),
            ip => ip,
        };
        let hop = Hop::to(self.instance, addr);
        match addr {
            Ip::V6(a) if is_link_local(a) => Hop {
                ncp: self.ncp,
                port: self.port,
                ..hop
            },
            _ => hop,
        }
    }
}
