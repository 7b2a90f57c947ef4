//! Paths that outlive the session that told them (RFC 4724 4.2, RFC 9494 4.2): stale until they are told again or swept.
//!
//! Each path has a generation, that of its source when it was last told; marking a source's paths is a new generation. Tables keep
//! generations beside the paths, and only while some are stale: at other times they cost nothing.

use super::core::Core;
use super::engine::Engine;
use super::instance::Family;
use super::source::Source;
use super::table::{Path, Table};
use crate::prefix::Addr;
use crate::wire::attributes::NO_LLGR;

/// How a path stands in its source's retention; those that count come last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Age {
    /// Swept.
    Gone,
    /// Not to be kept for long, by its own word (RFC 9494 4.2: NO_LLGR).
    Refused,
    LongLived,
    Stale,
    Fresh,
}

/// What is kept of one family of a source, by generations: each bound is of those before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Retention {
    /// The one of what is told now. Paths of earlier ones are stale.
    pub(super) current: u8,
    long_lived: u8,
    refused: u8,
    gone: u8,
    /// Stale ones are better or worse than they were, and peers are to be told so.
    moved: bool,
    /// How many paths are stale.
    stale: u32,
}

impl Retention {
    fn age(&self, generation: u8, no_llgr: bool) -> Age {
        if generation == self.current {
            Age::Fresh
        } else if generation < self.gone {
            Age::Gone
        } else if generation < self.refused && no_llgr {
            Age::Refused
        } else if generation < self.long_lived {
            Age::LongLived
        } else {
            Age::Stale
        }
    }

    /// How many paths are stale.
    pub fn stale(&self) -> u32 {
        self.stale
    }

    pub(super) fn at_rest(&mut self) {
        self.moved = false;
    }
}

/// Generations by the slots of a table's paths; what is not in it is of generation 0.
#[derive(Default)]
pub struct Generations(Vec<u8>);

impl Generations {
    #[inline]
    pub fn get(&self, path: u32) -> u8 {
        self.0.get(path as usize).copied().unwrap_or(0)
    }

    #[inline]
    pub fn set(&mut self, path: u32, generation: u8) {
        if let Some(known) = self.0.get_mut(path as usize) {
            *known = generation;
        } else if generation > 0 {
            self.0.resize(path as usize, 0);
            self.0.push(generation);
        }
    }

    pub fn bytes(&self) -> usize {
        self.0.capacity()
    }
}

impl Core {
    #[inline]
    pub(super) fn retention<A: Addr>(&self, source: u32) -> &Retention {
        &self.sources[source as usize].kept[family::<A>()]
    }

    #[inline]
    pub(super) fn age<A: Addr>(&self, t: &Table<A>, at: u32, p: &Path) -> Age {
        if self.all_fresh::<A>(p.source) {
            return Age::Fresh;
        }
        let r = self.retention::<A>(p.source);
        let no_llgr = || self.infos[p.info].summary.well_known & NO_LLGR != 0;
        r.age(t.generations.get(at), r.refused > 0 && no_llgr())
    }

    /// Whether no path of this source and family is stale.
    #[inline]
    pub(super) fn all_fresh<A: Addr>(&self, source: u32) -> bool {
        self.retention::<A>(source).current == 0
    }

    /// Whether a path counts: otherwise it only waits to be taken out.
    #[inline]
    pub(super) fn lives<A: Addr>(&self, t: &Table<A>, at: u32, p: &Path) -> bool {
        self.sources[p.source as usize].up && self.age(t, at, p) > Age::Refused
    }

    pub(super) fn is_stale<A: Addr>(&self, t: &Table<A>, at: u32, p: &Path) -> bool {
        self.age(t, at, p) < Age::Fresh
    }

    /// What is compared of a path, or told of it, is not what it was although the path is the same.
    #[inline]
    pub(super) fn moved<A: Addr>(&self, t: &Table<A>, at: u32, p: &Path) -> bool {
        let s = &self.sources[p.source as usize];
        s.renewed || self.retention::<A>(p.source).moved && self.is_stale(t, at, p)
    }

    /// A path came, or went, as one of this age. What is leaked does not count.
    #[inline]
    pub(super) fn count<A: Addr>(&mut self, t: &Table<A>, source: u32, age: Age, change: i32) {
        let s = &mut self.sources[source as usize];
        if s.instance != t.instance() || age == Age::Gone {
            return; // what was swept counts no more
        }
        let family = family::<A>();
        s.paths[family] = s.paths[family].wrapping_add_signed(change);
        if age != Age::Fresh {
            let stale = &mut s.kept[family].stale;
            *stale = stale.wrapping_add_signed(change);
        }
    }
}

impl Engine {
    /// The peer's session is a new one. Its paths stay; what about it is different, `step` compares and tells anew.
    pub fn renew_peer(&mut self, source: u32, peer: Source) {
        let core = &mut self.core;
        let old = &core.sources[source as usize];
        let (instance, giver) = (old.instance, old.giver);
        if !old.up {
            return;
        }
        let mut fresh = Source {
            instance,
            giver: core.hops.givers.number(instance, peer.address),
            paths: old.paths,
            most: old.most,
            kept: old.kept,
            renewed: old.renewed,
            ..peer
        };
        if fresh == *old {
            return;
        }
        fresh.renewed = true;
        core.hops.giver_up(fresh.giver);
        core.hops.giver_down(giver);
        core.sources[source as usize] = fresh;
        core.sweep_wanted = true;
        self.note_sweep();
    }

    /// Every path that a source gave so far is stale until it is given again.
    pub fn mark_stale<A: Family>(&mut self, source: u32) {
        let family = family::<A>();
        if self.core.sources[source as usize].kept[family].current == u8::MAX {
            self.renumber::<A>(source);
        }
        let s = &mut self.core.sources[source as usize];
        let r = &mut s.kept[family];
        r.current += 1;
        r.stale = s.paths[family];
    }

    /// The stale ones count no longer; `step` takes them out.
    pub fn sweep_stale<A: Family>(&mut self, source: u32) {
        let family = family::<A>();
        let s = &mut self.core.sources[source as usize];
        let r = &mut s.kept[family];
        let stale = std::mem::take(&mut r.stale);
        s.paths[family] -= stale;
        r.gone = r.current;
        self.core.sweep_wanted |= stale > 0;
        self.note_sweep();
        self.forget_generations::<A>();
    }

    /// Those that are stale now lose to any other path from here on, and are told as long-lived stale; those that bar it go. Off: they
    /// are stale like others.
    pub fn set_long_lived<A: Family>(&mut self, source: u32, on: bool) {
        let r = &mut self.core.sources[source as usize].kept[family::<A>()];
        let before = std::mem::replace(&mut r.long_lived, if on { r.current } else { 0 });
        if before == r.long_lived {
            return;
        }
        r.refused = r.refused.max(r.long_lived);
        r.moved |= r.stale > 0;
        self.core.sweep_wanted |= r.moved;
        self.note_sweep();
    }

    /// Once nothing of a family is stale, all its paths are of one generation again.
    pub(super) fn forget_generations<A: Family>(&mut self) {
        let family = family::<A>();
        let sources = &mut self.core.sources;
        if self.sweep.is_active() || sources.iter().any(|s| s.kept[family].stale > 0) {
            return;
        }
        for s in sources {
            s.kept[family] = Retention::default();
        }
        for i in &mut self.instances {
            A::table_mut(i).generations = Generations::default();
        }
    }

    /// Gives the paths of a source the lowest generations that say the same.
    fn renumber<A: Family>(&mut self, source: u32) {
        let r = &mut self.core.sources[source as usize].kept[family::<A>()];
        let bounds = [r.gone, r.refused, r.long_lived, r.current];
        let lowest = |g: u8| bounds.iter().filter(|&&b| b > 0 && b <= g).count() as u8;
        for bound in [
            &mut r.gone,
            &mut r.refused,
            &mut r.long_lived,
            &mut r.current,
        ] {
            *bound = lowest(*bound);
        }
        for i in &mut self.instances {
            let t = A::table_mut(i);
            for (at, generation) in t.generations.0.iter_mut().enumerate() {
                if t.paths[at].source == source {
                    *generation = lowest(*generation);
                }
            }
        }
    }
}

fn family<A: Addr>() -> usize {
    usize::from(A::AFI) - 1
}
