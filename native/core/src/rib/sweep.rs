//! Deferred work over whole tables, in bounded slices: paths of lost sources go, prefixes whose next hops changed are chosen again.

use super::core::Core;
use super::engine::Engine;
use super::infos::InfoId;
use super::originate::retold;
use super::source::Source;
use super::table::{Table, HAS_BEST, VACANT};
use crate::prefix::Addr;

/// Units for a path taken out or a prefix chosen again, beside the one for the look.
const CHANGE: usize = 2;

/// Goes round all slabs; over once it has come back to where it stood when the last work was marked.
#[derive(Default)]
pub struct Sweep {
    active: bool,
    at: (usize, usize),
    stop: (usize, usize),
    wrapped: bool,
}

impl Sweep {
    pub fn is_active(&self) -> bool {
        self.active
    }
}

impl Engine {
    pub(super) fn note_sweep(&mut self) {
        if std::mem::take(&mut self.core.sweep_wanted) {
            self.sweep.active = true;
            self.sweep.stop = self.sweep.at;
            self.sweep.wrapped = false;
        }
    }

    /// Settling, walks of leaks and then the sweep, up to `budget` units (a prefix looked at is one); true while more is waiting.
    pub fn step(&mut self, budget: usize) -> bool {
        // However much there is to settle, the rest goes on
        let kept = budget / 4;
        let left = self.core.settle(&self.instances, budget - kept) + kept;
        self.note_sweep();
        let mut left = self.step_leaks(left);
        left = self.step_tombstones(left);
        left = self.step_answers(left);
        let tables = self.instances.len() * 2;
        while left > 0 && self.sweep.active {
            let (n, from) = self.sweep.at;
            let limit = if self.sweep.wrapped && n == self.sweep.stop.0 {
                self.sweep.stop.1
            } else {
                usize::MAX
            };
            let instance = &mut self.instances[n / 2];
            let (core, mut released) = (&mut self.core, Vec::new());
            let (len, end) = if n % 2 == 0 {
                visit(
                    core,
                    &mut instance.v4,
                    from,
                    limit,
                    &mut left,
                    &mut released,
                )
            } else {
                visit(
                    core,
                    &mut instance.v6,
                    from,
                    limit,
                    &mut left,
                    &mut released,
                )
            };
            for id in released {
                self.release(id);
            }
            self.sweep.at = if end < len { (n, end) } else { (n + 1, 0) };
            // Past the last table it starts again at the first: no position has two names
            if self.sweep.at.0 == tables {
                self.sweep.at = (0, 0);
                self.sweep.wrapped = true;
            }
            if self.sweep.wrapped && self.sweep.at >= self.sweep.stop {
                self.end_sweep();
            }
        }
        self.note_tombstones();
        self.share_if_many();
        self.sweep.active
            || self.leaking()
            || self.burying()
            || self.answering()
            || !self.core.settling.is_over()
    }

    fn end_sweep(&mut self) {
        self.sweep = Sweep::default();
        for set in &mut self.core.hops.sets {
            set.dirty = false;
        }
        self.core.sources.iter_mut().for_each(Source::at_rest);
        self.forget_generations::<u32>();
        self.forget_generations::<u128>();
        for i in &mut self.instances {
            (i.v4.stale, i.v6.stale) = (false, false);
            (i.v4.retold, i.v6.retold) = Default::default();
        }
    }
}

/// Looks at entries `from..`, none from `limit` on and as many as `left` allows: (length of the slab, where it stopped).
fn visit<A: Addr>(
    core: &mut Core,
    t: &mut Table<A>,
    from: usize,
    limit: usize,
    left: &mut usize,
    released: &mut Vec<InfoId>,
) -> (usize, usize) {
    let len = t.entries.len();
    let end = len.min(limit.max(from));
    let mut gone: Vec<u32> = Vec::new();
    let mut next = from;
    while next < end && *left > 0 {
        let idx = next as u32;
        next += 1;
        *left -= 1;
        if t.entries[idx as usize].flags & VACANT != 0 {
            continue;
        }
        let e = &t.entries[idx as usize];
        let (head, mut dirty) = (e.head, t.stale);
        let (mut moved, mut told_again) = (false, false);
        for (at, p) in t.path_list(idx) {
            if !core.lives(t, at, p) {
                gone.push(at);
            } else if core.moved(t, at, p) {
                moved = true;
                told_again |= at == head;
            }
            dirty |= moved;
            dirty |= core.hops.sets[core.infos[p.info].next_hops as usize].dirty;
        }
        *left = left.saturating_sub(CHANGE * (gone.len() + usize::from(dirty)));
        for path in gone.drain(..) {
            released.push(core.take(t, idx, path));
        }
        if t.entries[idx as usize].flags & VACANT != 0 {
            continue;
        }
        if dirty {
            let touched = told_again || aigp_moved(core, t, idx);
            core.reselect(t, idx, touched);
        }
        if moved {
            core.touch(t, t.entries[idx as usize].prefix);
        }
        if retold(core, t, idx) {
            core.log_rib(t, idx);
        }
    }
    if next == from {
        *left -= 1; // to see that there is nothing is a look, too
    }
    (len, next)
}

/// Whether peers are told an AIGP (RFC 7311 3.4) that may be another one now: the way to the next hop of the best path moved.
fn aigp_moved<A: Addr>(core: &Core, t: &Table<A>, idx: u32) -> bool {
    let e = &t.entries[idx as usize];
    if e.flags & HAS_BEST == 0 {
        return false;
    }
    let info = &core.infos[t.paths[e.head as usize].info];
    info.summary.aigp && core.hops.sets[info.next_hops as usize].dirty
}
