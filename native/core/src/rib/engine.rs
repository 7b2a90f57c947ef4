//! The engine: one writer over tables, infos, next hops and sources. Changes come in through `apply` and the calls for other
//! sources; consumers read feeds. Work that a change causes beyond its own prefixes waits for `step`.

use super::core::Core;
use super::export::Exports;
use super::fib::FibConsumer;
use super::infos::{InfoId, Infos, Key};
use super::instance::Instance;
use super::leak::Leaks;
use super::nexthop::{Hop, NextHops, SetKey, SetKind};
use super::options::Options;
use super::resolve::settle;
use super::source::{Kind, Source};
use super::sweep::Sweep;
use super::tombstones;
use super::watch::Watch;
use crate::prefix::{Ip, Prefix};
use crate::wire::attributes::Summary;
use crate::wire::update::Changes;

pub struct Engine {
    pub core: Core,
    /// Network instances; number 0 is "default".
    pub instances: Vec<Instance>,
    pub fib: Vec<Option<FibConsumer>>,
    pub exports: Exports,
    pub(super) watches: Vec<Option<Watch>>,
    pub(super) leaks: Leaks,
    pub(super) tombstones: tombstones::Walk,
    pub asn: u32,
    pub router_id: u32,
    pub(super) sweep: Sweep,
    reused_at: u64,
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
            weight: 0,
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
                now: 0,
                scratch: Vec::new(),
            },
            instances: vec![Instance::new(0, true)],
            fib: Vec::new(),
            exports: Exports::default(),
            watches: Vec::new(),
            leaks: Leaks::default(),
            tombstones: tombstones::Walk::default(),
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

    /// Seconds since any origin; they never run back.
    pub fn set_time(&mut self, seconds: u32) {
        self.core.now = self.core.now.max(seconds);
        for i in &mut self.instances {
            i.v4.order.take_if(|o| o.expired(self.core.now));
            i.v6.order.take_if(|o| o.expired(self.core.now));
        }
    }

    /// Other options for an instance: everything in it is resolved and chosen again.
    pub fn set_options(&mut self, instance: usize, options: Options) {
        let tables = &mut self.instances[instance];
        if tables.v4.options == options {
            return;
        }
        (tables.v4.options, tables.v6.options) = (options, options);
        (tables.v4.stale, tables.v6.stale) = (true, true);
        let trackers = self.core.hops.trackers.iter().enumerate();
        let of_instance = trackers.filter(|(_, t)| usize::from(t.instance) == instance);
        let ids = of_instance.map(|(id, _)| id as u32);
        self.core.unsettled.extend(ids);
        self.core.sweep_wanted = true;
        self.settle();
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
        self.leak_changes(source, changes);
        self.settle();
    }

    pub fn put_path(&mut self, source: u32, prefix: crate::prefix::AnyPrefix, path: OtherPath) {
        let s = &self.core.sources[source as usize];
        if !s.up {
            return;
        }
        let (instance, kind) = (usize::from(s.instance), s.kind);
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
        let now = self.core.now;
        let old = match prefix {
            crate::prefix::AnyPrefix::V4(p) => self.core.put(&mut tables.v4, p, source, 0, id, now),
            crate::prefix::AnyPrefix::V6(p) => self.core.put(&mut tables.v6, p, source, 0, id, now),
        };
        self.release(id);
        if let Some(old) = old {
            self.release(old);
        }
        self.leak_path(source, prefix);
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
        self.leak_path(source, prefix);
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

    /// `networks` of an IPv4 table: prefixes whose non-BGP routes BGP originates.
    pub fn set_networks_v4(&mut self, instance: usize, prefixes: &[Prefix<u32>]) {
        let t = &mut self.instances[instance].v4;
        let changed = t.set_networks(prefixes);
        changed.into_iter().for_each(|i| self.core.log_rib(t, i));
    }

    pub fn set_networks_v6(&mut self, instance: usize, prefixes: &[Prefix<u128>]) {
        let t = &mut self.instances[instance].v6;
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
        self.note_tombstones();
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
