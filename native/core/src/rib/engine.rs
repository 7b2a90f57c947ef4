//! The engine: one writer over tables, infos, next hops and sources. Changes come in through `apply` and the calls for other
//! sources; consumers read feeds. Work that a change causes beyond its own prefixes waits for `step`.

use super::core::{Core, Given};
use super::export::Exports;
use super::fib::FibConsumer;
use super::grouping::Grouping;
use super::infos::{InfoId, Infos, Key};
use super::instance::Instance;
use super::leak::Leaks;
use super::nexthop::{Hop, NextHops, SetKey, SetKind};
use super::options::Options;
use super::settle::Settling;
use super::source::{Kind, Source};
use super::sweep::Sweep;
use super::tombstones;
use super::watch::Watch;
use super::NONE;
use crate::prefix::{AnyPrefix, Ip};
use crate::wire::attributes::Summary;
use crate::wire::next_hop::NextHop;
use crate::wire::update::Changes;

/// Units of settling that a change may cost at once.
const AT_ONCE: usize = 4096;
/// Groups and adjacencies that changed before somebody has to look which of them nobody knows any more.
const UNSHARED: usize = 4096;

pub struct Engine {
    pub core: Core,
    /// Network instances; number 0 is "default".
    pub instances: Vec<Instance>,
    pub fib: Vec<Option<FibConsumer>>,
    /// They have got on: `step` lets go what all have passed, once for all of them.
    pub(super) trim_wanted: bool,
    pub exports: Exports,
    pub(super) watches: Vec<Option<Watch>>,
    pub(super) leaks: Leaks,
    pub(super) tombstones: tombstones::Walk,
    pub asn: u32,
    pub router_id: u32,
    pub(super) sweep: Sweep,
}

impl Engine {
    pub fn new(router_id: u32, asn: u32, digest_key: [u8; 16]) -> Self {
        let reserved = Source {
            up: false,
            ..Source::own(Kind::Connected, 0)
        };
        Engine {
            core: Core {
                infos: Infos::default(),
                hops: NextHops::default(),
                sources: vec![reserved],
                settling: Settling::default(),
                sweep_wanted: false,
                digest_key,
                now: 0,
                refused: 0,
                scratch: Vec::new(),
                grouping: Grouping::default(),
            },
            instances: vec![Instance::new(0, true)],
            fib: Vec::new(),
            trim_wanted: false,
            exports: Exports::default(),
            watches: Vec::new(),
            leaks: Leaks::default(),
            tombstones: tombstones::Walk::default(),
            asn,
            router_id,
            sweep: Sweep::default(),
        }
    }

    /// As new, with the main instance in no FIB stream either.
    pub fn without_fib(mut self) -> Self {
        self.instances = vec![Instance::new(0, false)];
        self
    }

    pub fn add_source(&mut self, mut source: Source) -> u32 {
        if source.kind == Kind::Bgp {
            let hops = &mut self.core.hops;
            source.giver = hops.givers.number(source.instance, source.address);
            hops.giver_up(source.giver);
        }
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
        self.want_answers(instance);
        for tracker in 0..self.core.hops.trackers.len() as u32 {
            let target = &self.core.hops.trackers[tracker as usize].target;
            if usize::from(target.instance) == instance {
                self.core.mark(tracker);
            }
        }
        self.core.sweep_wanted = true;
        self.settle();
    }

    /// A next hop with this port does not resolve while it is down.
    pub fn set_port(&mut self, ncp: &str, port: &str, up: bool) {
        let hops = &mut self.core.hops;
        let (ncp, port) = (hops.name_id(ncp), hops.name_id(port));
        hops.set_port(ncp, port, up);
        for tracker in 0..hops.trackers.len() as u32 {
            let target = &self.core.hops.trackers[tracker as usize].target;
            if (target.ncp, target.port) == (ncp, port) {
                self.core.mark(tracker);
            }
        }
        self.settle();
    }

    /// Everything from this source stops counting and is taken out by `step`. Groups that name it as a giver change at once.
    pub fn remove_source(&mut self, source: u32) {
        let s = &mut self.core.sources[source as usize];
        if !s.up {
            return;
        }
        s.up = false;
        let (giver, empty) = (s.giver, s.paths == [0, 0]);
        if giver != NONE {
            self.core.hops.giver_down(giver);
        }
        self.core.sweep_wanted |= !empty;
        self.note_sweep();
    }

    /// Changes of a BGP peer, in their order; how many paths were too many for their prefix.
    pub fn apply(&mut self, source: u32, changes: &Changes) -> u32 {
        let s = &self.core.sources[source as usize];
        if !s.up {
            return 0;
        }
        let (accept, instance) = (s.import_accept, usize::from(s.instance));
        let mut infos = Vec::with_capacity(changes.blocks.len());
        if accept {
            let mut last: Option<(NextHop, u32)> = None;
            for b in &changes.blocks {
                let set = match last {
                    Some((told, set)) if told == b.next_hop => set,
                    _ => self.next_hop_set(SetKey {
                        owner: Kind::Bgp,
                        kind: SetKind::Via,
                        hops: Box::new([self.core.sources[source as usize].hop(&b.next_hop)]),
                    }),
                };
                last = Some((b.next_hop, set));
                let key = Key {
                    kind: Kind::Bgp,
                    next_hops: set,
                    distance: None,
                    metric: 0,
                    tag: 0,
                    attributes: &changes.arena[b.start as usize..b.end as usize],
                    told: match b.next_hop.link_local {
                        0 => NextHop::default(),
                        _ => b.next_hop,
                    },
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
        let refused = std::mem::take(&mut self.core.refused);
        self.leak_changes(source, changes);
        self.settle();
        refused
    }

    pub fn put_path(&mut self, source: u32, prefix: AnyPrefix, path: OtherPath) {
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
            told: NextHop::default(),
        };
        let id = self.intern(key, Summary::default());
        let tables = &mut self.instances[instance];
        let given = Given {
            info: id,
            since: self.core.now,
            generation: 0,
        };
        let old = match prefix {
            AnyPrefix::V4(p) => self.core.put(&mut tables.v4, p, (source, 0), given),
            AnyPrefix::V6(p) => self.core.put(&mut tables.v6, p, (source, 0), given),
        };
        self.release(id);
        if let Some(old) = old {
            self.release(old);
        }
        self.leak_path(source, prefix);
        self.settle();
    }

    pub fn delete_path(&mut self, source: u32, prefix: AnyPrefix) {
        let tables = &mut self.instances[usize::from(self.core.sources[source as usize].instance)];
        let old = match prefix {
            AnyPrefix::V4(p) => self.core.remove(&mut tables.v4, p, source, 0),
            AnyPrefix::V6(p) => self.core.remove(&mut tables.v6, p, source, 0),
        };
        if let Some(old) = old {
            self.release(old);
        }
        self.leak_path(source, prefix);
        self.settle();
    }

    /// The set of these hops. The caller interns an info on it at once, which is what keeps it.
    fn next_hop_set(&mut self, key: SetKey) -> u32 {
        let core = &mut self.core;
        if let Some(known) = core.hops.find_set(&key) {
            return known;
        }
        let (set, fresh) = core.hops.add_set(key);
        for t in fresh {
            let target = core.hops.trackers[t as usize].target;
            if target.port == 0 {
                let tables = &mut self.instances[usize::from(target.instance)];
                match target.addr {
                    Ip::V4(a) => tables.v4.tracked.insert(a, t),
                    Ip::V6(a) => tables.v6.tracked.insert(a, t),
                    Ip::None => {}
                }
            }
            core.look_at(&self.instances, t);
        }
        core.hops.refresh_set(set);
        set
    }

    /// The info of what a path says, with one reference for the caller.
    fn intern(&mut self, key: Key<'_>, summary: Summary) -> InfoId {
        let (id, new) = self.core.infos.intern(key, summary);
        if new {
            self.core.hops.hold_set(key.next_hops);
        }
        id
    }

    pub(super) fn release(&mut self, id: InfoId) {
        if let Some(set) = self.core.infos.release(id) {
            for gone in self.core.hops.release_set(set) {
                let tables = &mut self.instances[usize::from(gone.instance)];
                match gone.addr {
                    Ip::V4(a) if gone.port == 0 => tables.v4.tracked.remove(a),
                    Ip::V6(a) if gone.port == 0 => tables.v6.tracked.remove(a),
                    _ => {}
                }
            }
        }
    }

    /// What follows from a change, as far as that is little; the rest waits for `step`.
    pub(super) fn settle(&mut self) {
        self.core.settle(&self.instances, AT_ONCE);
        self.note_sweep();
        self.note_tombstones();
        self.share_if_many();
    }

    pub(super) fn share_if_many(&mut self) {
        if self.core.hops.unshared() > UNSHARED {
            self.share_changes();
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
