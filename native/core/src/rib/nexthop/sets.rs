//! Next-hop sets: what paths name as next hops, interned, and whether and how far that can be reached now.

use std::hash::{Hash, Hasher};

use crate::prefix::Ip;
use crate::rib::source::Kind;
use crate::rib::NONE;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum SetKind {
    Via = 0,
    Blackhole = 1,
    Connected = 2,
    Unreachable = 3,
}

/// One next hop as a path names it. Port and NCP only where the path gave them (link-local, static with a port, connected).
#[derive(Clone, Copy, Debug)]
pub struct Hop {
    pub addr: Ip,
    pub instance: u16,
    pub ncp: u16,
    pub port: u16,
    pub weight: u16,
    /// In a group 1 is a backup; on a connected set 1 marks an address of our own; 0 else.
    pub role: u8,
    /// Where its resolution is kept, `NONE` where it needs none: follows from the rest, so it is no part of what is compared.
    pub tracker: u32,
}

impl Hop {
    /// A next hop known by its address alone.
    pub fn to(instance: u16, addr: Ip) -> Hop {
        Hop {
            addr,
            instance,
            ncp: 0,
            port: 0,
            weight: 1,
            role: 0,
            tracker: NONE,
        }
    }

    pub fn target(&self) -> Target {
        Target {
            instance: self.instance,
            addr: self.addr,
            ncp: self.ncp,
            port: self.port,
        }
    }

    fn identity(&self) -> (Target, u16, u8) {
        (self.target(), self.weight, self.role)
    }
}

impl PartialEq for Hop {
    fn eq(&self, other: &Hop) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Hop {}

impl Hash for Hop {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

/// What makes two next hops the same one, however much each path would send there. With a port it is a neighbour on it, without one
/// it is looked up in the tables of the instance.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Target {
    pub instance: u16,
    pub addr: Ip,
    pub ncp: u16,
    pub port: u16,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SetKey {
    pub owner: Kind,
    pub kind: SetKind,
    pub hops: Box<[Hop]>,
}

#[derive(Debug)]
pub struct NextHopSet {
    pub key: SetKey,
    /// Infos that use it.
    pub(super) refs: u32,
    pub resolved: bool,
    pub metric: u32,
    /// Reachability or metric changed and not all its paths were looked at since.
    pub dirty: bool,
    /// The group of these next hops alone, `NONE` where none was wanted yet.
    pub(super) group: u32,
}

impl NextHopSet {
    pub fn in_use(&self) -> bool {
        self.refs > 0
    }
}
