//! The tables' shared state and what happens to one prefix: a path comes, changes or goes, the best is chosen again, the feeds and
//! the digest follow.

use super::choice::{choose, Choice};
use super::grouping::Grouping;
use super::infos::{InfoId, Infos};
use super::nexthop::NextHops;
use super::select::{leader, Candidate, Step};
use super::settle::Settling;
use super::several::OneOrAll;
use super::source::{Kind, Source};
use super::stale::Age;
use super::table::{self, Path, Table};
use super::NONE;
use crate::digest::{route_hash, shard};
use crate::prefix::{Addr, Ip, Prefix};
use crate::wire::attributes::LLGR_STALE;
use crate::wire::update::{Change, WITHDRAW};

/// What a source says about a prefix, and when.
#[derive(Clone, Copy)]
pub struct Given {
    pub info: InfoId,
    pub since: u32,
    /// Of the source's retention (`stale.rs`).
    pub generation: u8,
}

/// Changes whose prefixes are looked up together.
const TOGETHER: usize = 32;

/// What all tables share.
pub struct Core {
    pub infos: Infos,
    pub hops: NextHops,
    pub sources: Vec<Source>,
    pub(super) settling: Settling,
    pub sweep_wanted: bool,
    pub digest_key: [u8; 16],
    /// The clock of `since`, in seconds.
    pub now: u32,
    /// Paths that were too many for their prefix since somebody asked.
    pub(super) refused: u32,
    pub(super) scratch: Vec<Candidate<'static>>,
    pub(super) grouping: Grouping,
}

impl Core {
    /// The usable paths of an entry; `view` tells of a next-hop set whether it resolves and its metric.
    pub fn usable<'a, A: Addr>(
        &'a self,
        t: &'a Table<A>,
        idx: u32,
        view: impl Fn(u32) -> (bool, u32) + 'a,
    ) -> impl Iterator<Item = Candidate<'a>> {
        t.path_list(idx).filter_map(move |(path, given)| {
            let source = &self.sources[given.source as usize];
            let info = &self.infos[given.info];
            let (resolved, igp_metric) = view(info.next_hops);
            let age = self.age(t, path, given);
            let lives = source.up && age > Age::Refused;
            (lives && resolved).then_some(Candidate {
                path,
                igp_metric,
                given,
                stale: age == Age::LongLived || info.summary.well_known & LLGR_STALE != 0,
                info,
                source,
            })
        })
    }

    #[inline]
    pub fn standing(&self, set: u32) -> (bool, u32) {
        let s = &self.hops.sets[set as usize];
        (s.resolved, s.metric)
    }

    /// What is used of an entry's paths, from what is resolved now.
    fn choose<A: Addr>(&mut self, t: &Table<A>, idx: u32) -> Option<Choice> {
        let head = t.entries[idx as usize].head;
        if head == NONE {
            return None;
        }
        let only = &t.paths[head as usize];
        if only.next == NONE {
            // One path: nothing to compare
            let usable = self.lives(t, head, only)
                && self.hops.sets[self.infos[only.info].next_hops as usize].resolved;
            return usable.then(|| Choice::only(head, Step::Only));
        }
        if t.options.best_alone() {
            let usable = self.usable(t, idx, |s| self.standing(s));
            if let Ok(found) = leader(usable, &t.options) {
                return found.map(|(best, step)| Choice::only(best, step));
            }
        }
        let mut c = recycled(std::mem::take(&mut self.scratch));
        c.extend(self.usable(t, idx, |s| self.standing(s)));
        let found = choose(&mut c, &t.options);
        self.scratch = recycled(c);
        found
    }

    /// Chooses again for one entry and tells the feeds what changed, which may be anything. `touched`: the path that was best says
    /// something else.
    pub fn reselect<A: Addr>(&mut self, t: &mut Table<A>, idx: u32, touched: bool) {
        self.reselect_for(t, idx, touched, OneOrAll::All);
    }

    /// The same where it is known which paths changed. `touched`: the one that was best is gone or says something else.
    fn reselect_for<A: Addr>(
        &mut self,
        t: &mut Table<A>,
        idx: u32,
        touched: bool,
        changed: OneOrAll,
    ) {
        let found = self.choose(t, idx);
        let e = &t.entries[idx as usize];
        let (old_best, had) = (e.head, e.flags & table::HAS_BEST != 0);
        let mut rib_changed = touched && had;
        let group = match found {
            Some(choice) => {
                let group = self.group_of(t, &choice);
                let Choice { best, step, .. } = choice;
                if best != old_best {
                    move_to_front(t, idx, best);
                    rib_changed = true;
                }
                rib_changed |= !had;
                let e = &mut t.entries[idx as usize];
                e.flags |= table::HAS_BEST;
                e.step = step as u8;
                group
            }
            None => {
                rib_changed |= had;
                let e = &mut t.entries[idx as usize];
                e.flags &= !table::HAS_BEST;
                e.step = Step::None as u8;
                NONE
            }
        };
        if rib_changed {
            self.log_rib(t, idx);
        }
        if group != t.entries[idx as usize].group {
            self.log_fib(t, idx, group);
            if !rib_changed && t.watches > 0 {
                self.log_alone(t, idx, table::GROUP_ALONE);
            }
        }
        if t.several > 0 {
            self.tell_several(t, idx, changed, rib_changed);
        }
    }

    fn log_fib<A: Addr>(&mut self, t: &mut Table<A>, idx: u32, group: u32) {
        let e = &mut t.entries[idx as usize];
        let old = std::mem::replace(&mut e.group, group);
        let prefix = e.prefix;
        if t.answered.waits {
            t.wait_or_not(idx, old, group);
        }
        let e = &mut t.entries[idx as usize];
        if t.fib
            && t.fib_log.consumers > 0
            && !(e.flags & table::IN_FIB_LOG != 0 && t.fib_log.unread(e.fib_pos))
        {
            e.flags |= table::IN_FIB_LOG;
            e.fib_pos = t.fib_log.push(idx);
        }
        if old != NONE {
            self.hops.remove_route(old, t.fib);
            if t.fib {
                let (shard, sum) = self.route_sum(t.id, prefix, old);
                t.fib_sums.subtract(shard, sum);
                t.fib_count -= 1;
            }
        }
        if group != NONE {
            self.hops.add_route(group, t.fib);
            if t.fib {
                let (shard, sum) = self.route_sum(t.id, prefix, group);
                t.fib_sums.add(shard, sum);
                t.fib_count += 1;
            }
        }
    }

    /// The shard that a route counts in, and what it adds there.
    fn route_sum<A: Addr>(&self, table: u32, p: Prefix<A>, group: u32) -> (usize, u64) {
        let bytes = octets(p.addr);
        let (key, group_key) = (&self.digest_key, &self.hops.groups[group].key);
        let address = &bytes[..A::BYTES];
        let hash = route_hash(key, table, address, p.len, group_key);
        (shard(key, address, p.len), hash)
    }

    pub fn shard_of<A: Addr>(&self, p: Prefix<A>) -> usize {
        shard(&self.digest_key, &octets(p.addr)[..A::BYTES], p.len)
    }

    /// Marks the trackers whose resolution may follow this prefix.
    #[inline]
    pub fn touch<A: Addr>(&mut self, t: &Table<A>, prefix: Prefix<A>) {
        let (settling, trackers) = (&mut self.settling, &mut self.hops.trackers);
        t.tracked.covered(prefix, |n| {
            let tracker = &trackers[n as usize];
            if prefix.len >= tracker.reach || tracker.watched {
                settling.mark(trackers, n);
            }
        });
    }

    pub(super) fn put<A: Addr>(
        &mut self,
        t: &mut Table<A>,
        prefix: Prefix<A>,
        (source, path_id): (u32, u32),
        given: Given,
    ) -> Option<InfoId> {
        let Given {
            info,
            since,
            generation,
        } = given;
        let idx = t.find_or_insert(prefix);
        let head = t.entries[idx as usize].head;
        let replaced = match t.path_of(idx, source, path_id) {
            Some(at) => {
                let old = t.paths[at as usize];
                let (was, moved) = (self.age(t, at, &old), self.moved(t, at, &old));
                t.generations.set(at, generation);
                let is = self.age(t, at, &Path { info, ..old });
                if was != is {
                    self.count(t, source, was, -1);
                    self.count(t, source, is, 1);
                }
                let same = old.info == info && was > Age::Refused;
                let weighs_the_same = was == is || was.min(is) > Age::LongLived;
                if same && weighs_the_same && !moved {
                    return None;
                }
                self.infos.hold(info);
                let path = &mut t.paths[at as usize];
                path.info = info;
                if !same {
                    path.since = since;
                }
                self.reselect_for(t, idx, at == head, OneOrAll::One(at));
                Some(old.info)
            }
            None if self.crowded(t, idx, source, path_id) => return None,
            None => {
                self.infos.hold(info);
                let next = if head == NONE {
                    NONE
                } else {
                    t.paths[head as usize].next
                };
                let path = Path {
                    source,
                    path_id,
                    info,
                    since,
                    next,
                };
                let at = t.alloc_path(path, generation);
                if head == NONE {
                    t.entries[idx as usize].head = at;
                    t.populated += 1;
                } else {
                    t.paths[head as usize].next = at;
                }
                self.count(t, source, self.age(t, at, &path), 1);
                self.reselect_for(t, idx, false, OneOrAll::One(at));
                None
            }
        };
        self.touch(t, prefix);
        replaced
    }

    /// Takes one path away; its info, for the caller to release.
    pub fn take<A: Addr>(&mut self, t: &mut Table<A>, idx: u32, path: u32) -> InfoId {
        let head = t.entries[idx as usize].head;
        let next = t.paths[path as usize].next;
        if head == path {
            t.entries[idx as usize].head = next;
        } else {
            let mut at = head;
            while t.paths[at as usize].next != path {
                at = t.paths[at as usize].next;
            }
            t.paths[at as usize].next = next;
        }
        if t.entries[idx as usize].head == NONE {
            t.populated -= 1;
        }
        let gone = t.paths[path as usize];
        self.count(t, gone.source, self.age(t, path, &gone), -1);
        t.free_path(path);
        let changed = match self.infos[gone.info].kind {
            Kind::Bgp => OneOrAll::None,
            _ => OneOrAll::All, // what it kept from being told
        };
        self.reselect_for(t, idx, head == path, changed);
        let prefix = t.entries[idx as usize].prefix;
        self.touch(t, prefix);
        t.release_if_dead(idx);
        gone.info
    }

    pub(super) fn remove<A: Addr>(
        &mut self,
        t: &mut Table<A>,
        prefix: Prefix<A>,
        source: u32,
        path_id: u32,
    ) -> Option<InfoId> {
        let idx = t.find(&prefix)?;
        let path = t.path_of(idx, source, path_id)?;
        Some(self.take(t, idx, path))
    }

    /// The source has more paths of this family, stale ones aside, than it may have.
    #[inline]
    fn over<A: Addr>(&self, source: u32) -> bool {
        let (s, family) = (&self.sources[source as usize], usize::from(A::AFI != 1));
        s.paths[family] - s.kept[family].stale() > s.most[family]
    }

    pub(super) fn apply_list<A: Addr>(
        &mut self,
        t: &mut Table<A>,
        source: u32,
        list: &[Change<A>],
        infos: &[InfoId],
        released: &mut Vec<InfoId>,
    ) {
        let generation = self.retention::<A>(source).current;
        for some in list.chunks(TOGETHER) {
            if some.len() > 1 {
                t.warm(some.iter().map(|c| c.prefix));
            }
            for c in some {
                let old = if c.attrs == WITHDRAW {
                    self.remove(t, c.prefix, source, c.path_id)
                } else if self.over::<A>(source) {
                    continue; // RFC 4271 6.7
                } else {
                    let given = Given {
                        info: infos[c.attrs as usize],
                        since: self.now,
                        generation,
                    };
                    self.put(t, c.prefix, (source, c.path_id), given)
                };
                released.extend(old);
            }
        }
    }
}

fn move_to_front<A: Addr>(t: &mut Table<A>, idx: u32, path: u32) {
    let head = t.entries[idx as usize].head;
    let mut at = head;
    while t.paths[at as usize].next != path {
        at = t.paths[at as usize].next;
    }
    t.paths[at as usize].next = t.paths[path as usize].next;
    t.paths[path as usize].next = head;
    t.entries[idx as usize].head = path;
}

/// An empty vector in the memory of this one, for candidates of another time.
fn recycled<'a>(mut c: Vec<Candidate<'_>>) -> Vec<Candidate<'a>> {
    c.clear();
    c.into_iter().map(|_| unreachable!()).collect()
}

/// In network order, at the front.
#[inline]
fn octets<A: Addr>(addr: A) -> [u8; 16] {
    let mut bytes = [0; 16];
    match addr.wrap() {
        Ip::V4(a) => bytes[..4].copy_from_slice(&a.to_be_bytes()),
        Ip::V6(a) => bytes.copy_from_slice(&a.to_be_bytes()),
        Ip::None => {}
    }
    bytes
}
