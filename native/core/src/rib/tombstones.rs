//! Entries without paths stay while a reader must hear that they went. A reader that does not read must not keep every prefix that
//! ever came and went: those it was never told of are let go, so that it holds up no more than it knows.

use super::engine::Engine;
use super::feed::Pos;
use super::instance::{Family, Instance};
use super::table::{Table, IN_FIB_LOG, IN_RIB_LOG, VACANT};
use super::watch::Watch;
use super::NONE;

/// Fewer of them are not worth a walk.
pub const FEW: usize = 4096;

/// A walk over all tables; `None` while none is needed.
#[derive(Default)]
pub struct Walk(Option<(usize, usize)>);

impl Engine {
    /// After changes: asks for a walk where entries without paths are many.
    pub(super) fn note_tombstones(&mut self) {
        for instance in 0..self.instances.len() {
            self.forget_freed(instance);
        }
        let many =
            |i: &Instance| i.v4.tombstones() > i.v4.patience || i.v6.tombstones() > i.v6.patience;
        if self.tombstones.0.is_none() && self.instances.iter().any(many) {
            self.tombstones.0 = Some((0, 0));
            self.exports.note_stalled();
        }
    }

    pub(super) fn burying(&self) -> bool {
        self.tombstones.0.is_some()
    }

    /// Goes on with the walk, a unit of `budget` per slot; what is left of it.
    pub(super) fn step_tombstones(&mut self, budget: usize) -> usize {
        let mut left = budget;
        while let (Some((table, slot)), true) = (self.tombstones.0, left > 0) {
            let next = if table % 2 == 0 {
                self.bury::<u32>(table / 2, slot, &mut left)
            } else {
                self.bury::<u128>(table / 2, slot, &mut left)
            };
            self.tombstones.0 = match next {
                Some(slot) => Some((table, slot)),
                None if table + 1 < self.instances.len() * 2 => Some((table + 1, 0)),
                None => None,
            };
        }
        left
    }

    /// Lets go what no reader waits for among the slots of a table; the next slot, `None` at the end.
    fn bury<A: Family>(&mut self, instance: usize, from: usize, left: &mut usize) -> Option<usize> {
        let (exports, watches, fib) = (&self.exports, &self.watches, &self.fib);
        let told = |slot: u32, pos: Pos| {
            let known = |w: &Watch| (w.instance, w.afi) == (instance, A::AFI) && w.told.get(slot);
            watches.iter().flatten().any(known) || exports.await_record(instance, A::AFI, slot, pos)
        };
        let forwarded = |slot: u32| {
            let mut consumers = fib.iter().flatten();
            consumers.any(|c| c.has(instance, A::AFI, slot))
        };
        let t = A::table_mut(&mut self.instances[instance]);
        let end = from.saturating_add(*left).min(t.entries.len());
        *left -= end - from;
        let mut gone = false;
        for slot in from..end {
            gone |= release(t, slot as u32, told, forwarded);
        }
        let len = t.entries.len();
        if gone {
            // Encoded for one who has heard of the end since, it would be without an end for another
            self.exports.forget_stretches();
        }
        if end < len {
            return Some(end);
        }
        let t = A::table_mut(&mut self.instances[instance]);
        t.patience = 2 * t.tombstones() + FEW + t.populated / 2;
        // Of the records that are stale now
        self.trim_rib(instance, A::AFI);
        self.trim_fib();
        None
    }
}

/// Lets one slot go, if it may; true if peers can miss what is gone with it.
fn release<A: Family>(
    t: &mut Table<A>,
    slot: u32,
    told: impl Fn(u32, Pos) -> bool,
    forwarded: impl Fn(u32) -> bool,
) -> bool {
    let e = &mut t.entries[slot as usize];
    if e.head != NONE || e.flags & VACANT != 0 {
        return false;
    }
    let gone = e.flags & IN_RIB_LOG != 0 && !told(slot, e.rib_pos);
    if gone {
        e.flags &= !IN_RIB_LOG;
    }
    if e.flags & IN_FIB_LOG != 0 && !forwarded(slot) {
        e.flags &= !IN_FIB_LOG;
        t.answered.ends.release(slot);
    }
    t.release_if_dead(slot);
    gone
}
