//! The engine: one writer over tables, infos, next hops and sources. Changes come in through `apply` and the calls for other
//! sources; consumers read feeds. Work that a change causes beyond its own prefixes waits for `step`.

use super::export::Exports;
use super::fib::FibConsumer;
use super::infos::{InfoId, Infos, Key};
use super::nexthop::{Hop, NextHops, SetKey, SetKind};
use super::resolve::settle;
use super::select::{select, Candidate, Step};
use super::source::{Kind, Source};
use super::sweep::Sweep;
use super::table::{self, Path, Table};
use super::NONE;
use crate::digest::route_hash;
use crate::prefix::{Addr, Ip, Prefix};
use crate::wire::attributes::Summary;
use crate::wire::update::{Change, Changes, WITHDRAW};

/// What all tables share.
pub struct Core {
    pub infos: Infos,
    pub hops: NextHops,
    pub sources: Vec<Source>,
    /// Trackers whose resolution may have changed.
    pub unsettled: Vec<u32>,
    pub sweep_wanted: bool,
    pub digest_key: [u8; 16],
    scratch: Vec<Candidate>,
}

pub struct Instance {
    pub v4: Table<u32>,
    pub v6: Table<u128>,
}

pub struct Engine {
    pub core: Core,
    /// Network instances; number 0 is "default".
    pub instances: Vec<Instance>,
    pub fib: Vec<Option<FibConsumer>>,
    pub exports: Exports,
    pub asn: u32,
    pub router_id: u32,
    pub(super) sweep: Sweep,
    reused_at: u64,
}

impl Core {
    /// Fills `out` with the usable paths of an entry; `view` tells of a next-hop set whether it resolves and its metric.
    pub fn candidates<A: Addr>(
        &self,
        t: &Table<A>,
        idx: u32,
        view: impl Fn(u32) -> (bool, u32),
        out: &mut Vec<Candidate>,
    ) {
        for (at, p) in t.path_list(idx) {
            let s = &self.sources[p.source as usize];
            if !s.up {
                continue;
            }
            let info = &self.infos[p.info];
            let (usable, igp_metric) = view(info.next_hops);
            if !usable {
                continue;
            }
            out.push(Candidate {
                path: at,
                kind: info.kind,
                ebgp: s.ebgp,
                origin: info.summary.origin,
                cluster_len: info.summary.cluster_len,
                path_len: info.summary.path_len,
                distance: info.distance.unwrap_or(s.distance),
                metric: info.metric,
                local_pref: info.summary.local_pref.unwrap_or(100),
                med: info.summary.med.unwrap_or(0),
                neighbor_as: info.summary.neighbor_as,
                igp_metric,
                router_id: info.summary.originator_id.unwrap_or(s.router_id),
                address: s.address,
                path_id: p.path_id,
                source: p.source,
            });
        }
    }

    #[inline]
    pub fn standing(&self, set: u32) -> (bool, u32) {
        let s = &self.hops.sets[set as usize];
        (s.resolved, s.metric)
    }

    /// The best path of an entry and the deciding step, from what is resolved now.
    fn best<A: Addr>(&mut self, t: &Table<A>, idx: u32) -> Option<(u32, Step)> {
        let head = t.entries[idx as usize].head;
        if head == NONE {
            return None;
        }
        let only = &t.paths[head as usize];
        if only.next == NONE {
            // One path: nothing to compare
            let usable = self.sources[only.source as usize].up
                && self.hops.sets[self.infos[only.info].next_hops as usize].resolved;
            return usable.then_some((head, Step::Only));
        }
        let mut c = std::mem::take(&mut self.scratch);
        c.clear();
        self.candidates(t, idx, |s| self.standing(s), &mut c);
        let found = select(&mut c, &mut |_, _| {});
        self.scratch = c;
        found
    }

    /// Chooses again for one entry and tells the feeds what changed. `touched`: the path that was best is gone or says something else.
    pub fn reselect<A: Addr>(&mut self, t: &mut Table<A>, idx: u32, touched: bool) {
        let found = self.best(t, idx);
        let e = &t.entries[idx as usize];
        let (old_best, had) = (e.head, e.flags & table::HAS_BEST != 0);
        let mut rib_changed = touched && had;
        let group = match found {
            Some((best, step)) => {
                if best != old_best {
                    move_to_front(t, idx, best);
                    rib_changed = true;
                }
                rib_changed |= !had;
                let e = &mut t.entries[idx as usize];
                e.flags |= table::HAS_BEST;
                e.step = step as u8;
                self.infos[t.paths[best as usize].info].next_hops
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
        }
    }

    fn log_rib<A: Addr>(&mut self, t: &mut Table<A>, idx: u32) {
        let e = &mut t.entries[idx as usize];
        if e.flags & table::HAS_BEST != 0 {
            let source = t.paths[e.head as usize].source;
            if e.last_source != NONE && e.last_source != source {
                e.flags |= table::SEVERAL_SOURCES;
            }
            e.last_source = source;
        }
        if t.rib_log.consumers == 0
            || (e.flags & table::IN_RIB_LOG != 0 && t.rib_log.unread(e.rib_pos))
        {
            return;
        }
        e.flags |= table::IN_RIB_LOG;
        e.rib_pos = t.rib_log.push(idx);
    }

    fn log_fib<A: Addr>(&mut self, t: &mut Table<A>, idx: u32, group: u32) {
        let e = &mut t.entries[idx as usize];
        let old = std::mem::replace(&mut e.group, group);
        let prefix = e.prefix;
        if t.fib_log.consumers > 0
            && !(e.flags & table::IN_FIB_LOG != 0 && t.fib_log.unread(e.fib_pos))
        {
            e.flags |= table::IN_FIB_LOG;
            e.fib_pos = t.fib_log.push(idx);
        }
        if old != NONE {
            let sum = self.route_sum(t.id, prefix, old);
            t.fib_digest = t.fib_digest.wrapping_sub(sum);
            t.fib_count -= 1;
            self.hops.remove_route(old);
        }
        if group != NONE {
            let sum = self.route_sum(t.id, prefix, group);
            t.fib_digest = t.fib_digest.wrapping_add(sum);
            t.fib_count += 1;
            self.hops.add_route(group);
        }
    }

    fn route_sum<A: Addr>(&self, table: u32, p: Prefix<A>, group: u32) -> u64 {
        let mut bytes = [0u8; 16];
        match p.addr.wrap() {
            Ip::V4(a) => bytes[..4].copy_from_slice(&a.to_be_bytes()),
            Ip::V6(a) => bytes.copy_from_slice(&a.to_be_bytes()),
            Ip::None => {}
        }
        let key = &self.hops.sets[group as usize].hash;
        route_hash(&self.digest_key, table, &bytes[..A::BYTES], p.len, key)
    }

    /// Marks the trackers whose resolution may follow this prefix.
    #[inline]
    pub fn touch<A: Addr>(&mut self, t: &Table<A>, prefix: Prefix<A>) {
        let unsettled = &mut self.unsettled;
        t.tracked.covered(prefix, |n| unsettled.push(n));
    }

    fn put<A: Addr>(
        &mut self,
        t: &mut Table<A>,
        prefix: Prefix<A>,
        source: u32,
        path_id: u32,
        info: InfoId,
    ) -> Option<InfoId> {
        let idx = t.find_or_insert(prefix);
        let head = t.entries[idx as usize].head;
        let found = t
            .path_list(idx)
            .find(|(_, p)| p.source == source && p.path_id == path_id)
            .map(|(i, p)| (i, p.info));
        let replaced = match found {
            Some((_, old)) if old == info => return None,
            Some((at, old)) => {
                self.infos.hold(info);
                t.paths[at as usize].info = info;
                self.reselect(t, idx, at == head);
                Some(old)
            }
            None => {
                self.infos.hold(info);
                let next = if head == NONE {
                    NONE
                } else {
                    t.paths[head as usize].next
                };
                let at = t.alloc_path(Path {
                    source,
                    path_id,
                    info,
                    next,
                });
                if head == NONE {
                    t.entries[idx as usize].head = at;
                    t.populated += 1;
                } else {
                    t.paths[head as usize].next = at;
                }
                self.sources[source as usize].paths[usize::from(A::AFI) - 1] += 1;
                self.reselect(t, idx, false);
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
        let Path { source, info, .. } = t.paths[path as usize];
        t.free_path(path);
        self.sources[source as usize].paths[usize::from(A::AFI) - 1] -= 1;
        self.reselect(t, idx, head == path);
        let prefix = t.entries[idx as usize].prefix;
        self.touch(t, prefix);
        t.release_if_dead(idx);
        info
    }

    fn remove<A: Addr>(
        &mut self,
        t: &mut Table<A>,
        prefix: Prefix<A>,
        source: u32,
        path_id: u32,
    ) -> Option<InfoId> {
        let idx = t.find(&prefix)?;
        let (path, _) = t
            .path_list(idx)
            .find(|(_, p)| p.source == source && p.path_id == path_id)?;
        Some(self.take(t, idx, path))
    }

    fn apply_list<A: Addr>(
        &mut self,
        t: &mut Table<A>,
        source: u32,
        list: &[Change<A>],
        infos: &[InfoId],
        released: &mut Vec<InfoId>,
    ) {
        for c in list {
            let old = if c.attrs == WITHDRAW {
                self.remove(t, c.prefix, source, c.path_id)
            } else {
                self.put(t, c.prefix, source, c.path_id, infos[c.attrs as usize])
            };
            released.extend(old);
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

impl Engine {
    pub fn new(router_id: u32, asn: u32, digest_key: [u8; 16]) -> Self {
        let reserved = Source {
            kind: Kind::Connected,
            instance: 0,
            up: false,
            import_accept: false,
            ebgp: false,
            asn: 0,
            router_id: 0,
            address: Ip::None,
            distance: 0,
            paths: [0; 2],
        };
        Engine {
            core: Core {
                infos: Infos::default(),
                hops: NextHops::default(),
                sources: vec![reserved],
                unsettled: Vec::new(),
                sweep_wanted: false,
                digest_key,
                scratch: Vec::new(),
            },
            instances: vec![Instance {
                v4: Table::new(1),
                v6: Table::new(2),
            }],
            fib: Vec::new(),
            exports: Exports::default(),
            asn,
            router_id,
            sweep: Sweep::default(),
            reused_at: 0,
        }
    }

    pub fn add_source(&mut self, source: Source) -> u32 {
        self.core.sources.push(source);
        (self.core.sources.len() - 1) as u32
    }

    /// Everything from this source stops counting at once and is taken out by `step`.
    pub fn remove_source(&mut self, source: u32) {
        let s = &mut self.core.sources[source as usize];
        if !s.up {
            return;
        }
        s.up = false;
        if s.paths != [0, 0] {
            self.core.sweep_wanted = true;
            let all = 0..self.core.hops.trackers.len() as u32;
            self.core.unsettled.extend(all);
            settle(&mut self.core, &self.instances);
        }
        self.note_sweep();
    }

    /// Changes of a BGP peer, in their order.
    pub fn apply(&mut self, source: u32, changes: &Changes) {
        let s = &self.core.sources[source as usize];
        if !s.up {
            return;
        }
        let (accept, instance) = (s.import_accept, usize::from(s.instance));
        let mut infos = Vec::with_capacity(changes.blocks.len());
        if accept {
            let mut last: Option<(Ip, u32)> = None;
            for b in &changes.blocks {
                let set = match last {
                    Some((ip, set)) if ip == b.next_hop.ip => set,
                    _ => self.next_hop_set(SetKey {
                        owner: Kind::Bgp,
                        kind: SetKind::Via,
                        hops: Box::new([Hop::to(instance as u16, b.next_hop.ip)]),
                    }),
                };
                last = Some((b.next_hop.ip, set));
                let key = Key {
                    kind: Kind::Bgp,
                    next_hops: set,
                    distance: None,
                    metric: 0,
                    tag: 0,
                    attributes: &changes.arena[b.start as usize..b.end as usize],
                    link_local: b.next_hop.link_local,
                };
                infos.push(self.intern(key, b.summary));
            }
        }
        let mut released = Vec::new();
        let tables = &mut self.instances[instance];
        // RFC 8212: without an import policy nothing is taken in; withdrawals then find nothing
        if accept {
            let core = &mut self.core;
            core.apply_list(&mut tables.v4, source, &changes.v4, &infos, &mut released);
            core.apply_list(&mut tables.v6, source, &changes.v6, &infos, &mut released);
        }
        for id in infos.into_iter().chain(released) {
            self.release(id);
        }
        self.settle();
    }

    pub fn put_path(&mut self, source: u32, prefix: crate::prefix::AnyPrefix, path: OtherPath) {
        let instance = usize::from(self.core.sources[source as usize].instance);
        let kind = self.core.sources[source as usize].kind;
        let next_hops = self.next_hop_set(SetKey {
            owner: kind,
            kind: path.kind,
            hops: path.hops.into_boxed_slice(),
        });
        let key = Key {
            kind,
            next_hops,
            distance: Some(path.distance),
            metric: path.metric,
            tag: path.tag,
            attributes: &[],
            link_local: 0,
        };
        let id = self.intern(key, Summary::default());
        let tables = &mut self.instances[instance];
        let old = match prefix {
            crate::prefix::AnyPrefix::V4(p) => self.core.put(&mut tables.v4, p, source, 0, id),
            crate::prefix::AnyPrefix::V6(p) => self.core.put(&mut tables.v6, p, source, 0, id),
        };
        self.release(id);
        if let Some(old) = old {
            self.release(old);
        }
        self.settle();
    }

    pub fn delete_path(&mut self, source: u32, prefix: crate::prefix::AnyPrefix) {
        let tables = &mut self.instances[usize::from(self.core.sources[source as usize].instance)];
        let old = match prefix {
            crate::prefix::AnyPrefix::V4(p) => self.core.remove(&mut tables.v4, p, source, 0),
            crate::prefix::AnyPrefix::V6(p) => self.core.remove(&mut tables.v6, p, source, 0),
        };
        if let Some(old) = old {
            self.release(old);
        }
        self.settle();
    }

    /// The set of these hops, which come without trackers: addresses that need a look-up get theirs here. The caller interns an info
    /// on it at once, which is what keeps it.
    fn next_hop_set(&mut self, mut key: SetKey) -> u32 {
        let mut tracked = Vec::new();
        let mut fresh = false;
        if key.kind == SetKind::Via {
            for h in key.hops.iter_mut().filter(|h| h.port == 0) {
                let (t, new) = self.core.hops.track(h.instance, h.addr);
                h.tracker = t;
                tracked.push(t);
                if new {
                    fresh = true;
                    let tables = &mut self.instances[usize::from(h.instance)];
                    match h.addr {
                        Ip::V4(a) => tables.v4.tracked.insert(a, t),
                        Ip::V6(a) => tables.v6.tracked.insert(a, t),
                        Ip::None => {}
                    }
                    self.core.unsettled.push(t);
                }
            }
        }
        if fresh {
            settle(&mut self.core, &self.instances);
        }
        match self.core.hops.find_set(&key) {
            Some(set) => {
                // a set holds references of its own to its trackers
                for t in tracked {
                    self.core.hops.release_tracker(t);
                }
                set
            }
            None => {
                let set = self.core.hops.add_set(key);
                self.core.hops.refresh(set);
                set
            }
        }
    }

    /// The info of what a path says, with one reference for the caller.
    fn intern(&mut self, key: Key<'_>, summary: Summary) -> InfoId {
        let (id, new) = self.core.infos.intern(key, summary);
        if new {
            self.core.hops.hold_set(key.next_hops);
        }
        id
    }

    /// `networks` of the IPv4 table: prefixes whose non-BGP routes BGP originates.
    pub fn set_networks_v4(&mut self, prefixes: &[Prefix<u32>]) {
        let t = &mut self.instances[0].v4;
        let changed = t.set_networks(prefixes);
        changed.into_iter().for_each(|i| self.core.log_rib(t, i));
    }

    pub fn set_networks_v6(&mut self, prefixes: &[Prefix<u128>]) {
        let t = &mut self.instances[0].v6;
        let changed = t.set_networks(prefixes);
        changed.into_iter().for_each(|i| self.core.log_rib(t, i));
    }

    pub(super) fn release(&mut self, id: InfoId) {
        if let Some(set) = self.core.infos.release(id) {
            for (instance, addr) in self.core.hops.release_set(set) {
                let tables = &mut self.instances[usize::from(instance)];
                match addr {
                    Ip::V4(a) => tables.v4.tracked.remove(a),
                    Ip::V6(a) => tables.v6.tracked.remove(a),
                    Ip::None => {}
                }
            }
        }
    }

    pub(super) fn settle(&mut self) {
        settle(&mut self.core, &self.instances);
        self.note_sweep();
        if self.core.hops.deaths > self.reused_at + 4096 {
            self.reused_at = self.core.hops.deaths;
            self.reuse_dead();
        }
    }
}

/// A path of a source that is not BGP. Hops with port 0 resolve by look-up.
pub struct OtherPath {
    pub kind: SetKind,
    pub hops: Vec<Hop>,
    pub distance: u32,
    pub metric: u32,
    pub tag: u32,
}
