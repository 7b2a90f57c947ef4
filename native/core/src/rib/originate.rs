//! Routes that are not BGP's own and that BGP tells of: prefixes that `networks` names, and the best routes of redistributed protocols.

use std::collections::HashSet;

use super::core::Core;
use super::engine::Engine;
use super::instance::Family;
use super::nexthop::{SetKey, SetKind};
use super::source::Kind;
use super::table::{Entry, Table, HAS_BEST, NETWORK};
use crate::prefix::{Addr, AnyPrefix, Prefix};

/// Values of ORIGIN (RFC 4271 5.1.1).
const IGP: u8 = 0;
const INCOMPLETE: u8 = 2;

/// A set of protocols, a bit per `Kind`.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Kinds(u8);

impl Kinds {
    pub fn of(kinds: &[Kind]) -> Kinds {
        Kinds(kinds.iter().fold(0, |all, &k| all | 1 << k as u8))
    }

    pub fn has(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u8 != 0
    }
}

/// The ORIGIN under which BGP tells of a route of another protocol, if it does. Our own addresses are told only by name.
pub fn origin<A: Addr>(t: &Table<A>, e: &Entry<A>, kind: Kind, hops: &SetKey) -> Option<u8> {
    if e.flags & NETWORK != 0 {
        return Some(IGP);
    }
    let local = hops.kind == SetKind::Connected && hops.hops.iter().any(|h| h.role == 1);
    (t.redistributed.has(kind) && !local).then_some(INCOMPLETE)
}

/// Whether peers must hear again of an entry because its protocol is redistributed in another way now.
pub(super) fn retold<A: Addr>(core: &Core, t: &Table<A>, idx: u32) -> bool {
    let e = &t.entries[idx as usize];
    t.retold != Kinds::default()
        && e.flags & HAS_BEST != 0
        && t.retold.has(core.infos[t.paths[e.head as usize].info].kind)
}

impl Engine {
    /// BGP originates whatever route the RIB holds for these prefixes, those of the other family left out.
    pub fn set_networks<A: Family>(&mut self, instance: usize, prefixes: &[AnyPrefix]) {
        let t = A::table_mut(&mut self.instances[instance]);
        let new: HashSet<Prefix<A>> = prefixes.iter().filter_map(|&p| A::narrow(p)).collect();
        let old = std::mem::replace(&mut t.networks, new);
        let changed = old.symmetric_difference(&t.networks);
        let changed: Vec<u32> = changed.filter_map(|p| t.find(p)).collect();
        for idx in changed {
            t.entries[idx as usize].flags ^= NETWORK;
            self.core.log_rib(t, idx);
        }
    }

    /// BGP originates the best routes of these protocols too; `step` tells the peers.
    pub fn set_redistribute(&mut self, instance: usize, kinds: Kinds) {
        let i = &mut self.instances[instance];
        let old = std::mem::replace(&mut i.v4.redistributed, kinds);
        i.v6.redistributed = kinds;
        let changed = old.0 ^ kinds.0;
        if changed != 0 {
            i.v4.retold.0 |= changed;
            i.v6.retold.0 |= changed;
            self.core.sweep_wanted = true;
            self.note_sweep();
        }
    }
}
