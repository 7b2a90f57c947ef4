//! Looking one next hop up (RFC 4271 5.1.3, 9.1.2.1): the longest prefix that covers it and does not lead through the next hop
//! itself, under what is known of the other next hops.

use super::core::Core;
use super::instance::{Family, Instance};
use super::nexthop::{blend, Adjacency, AdjacencyKind, Map, NextHopSet, Reason, SetKind};
use super::select::{best, Candidate};
use super::source::Kind;
use super::table::Table;
use super::NONE;
use crate::prefix::{is_link_local, Addr, AnyPrefix, Ip};

/// What a look-up came to. Not resolved: no adjacencies, and `reason` says why.
#[derive(Clone, Default)]
pub struct Found {
    pub metric: u32,
    pub adjacencies: Vec<(Adjacency, u16)>,
    pub via: Option<(AnyPrefix, Kind)>,
    pub reason: Reason,
    /// The trackers whose resolution it asked for, ascending.
    pub reads: Vec<u32>,
    /// Entries of shorter prefixes than this it did not come to.
    pub reach: u8,
}

impl Found {
    fn unresolved(reason: Reason) -> Found {
        Found {
            reason,
            ..Found::default()
        }
    }

    /// The part that others build upon.
    pub fn says_the_same(&self, other: &Found) -> bool {
        self.metric == other.metric && self.adjacencies == other.adjacencies
    }
}

/// What is known of next hops inside a settlement in rounds; of all others what they are resolved to.
pub type Trials = Map<u32, Found>;

/// No prefix is that long: nothing in a table changes what was found.
const OUT_OF_REACH: u8 = u8::MAX;

pub fn look_up(core: &Core, instances: &[Instance], tracker: u32, trials: &Trials) -> Found {
    let t = &core.hops.trackers[tracker as usize];
    let target = t.target;
    if t.direct() {
        let end = Adjacency {
            ncp: target.ncp,
            port: target.port,
            gateway: target.addr,
            kind: AdjacencyKind::Ip,
        };
        let up = core.hops.port_up(target.ncp, target.port);
        return Found {
            adjacencies: if up { vec![(end, 1)] } else { Vec::new() },
            reach: OUT_OF_REACH,
            ..Found::unresolved(Reason::PortDown)
        };
    }
    let instance = &instances[usize::from(target.instance)];
    let look = LookUp {
        core,
        tracker,
        trials,
    };
    match target.addr {
        Ip::V6(a) if is_link_local(a) => Found {
            reach: OUT_OF_REACH,
            ..Found::unresolved(Reason::NoPort)
        },
        Ip::V4(a) => look.walk(&instance.v4, a),
        Ip::V6(a) => look.walk(&instance.v6, a),
        Ip::None => Found::default(),
    }
}

/// Every tracker that a look-up may ask for, whatever is resolved, ascending.
pub fn may_read(core: &Core, instances: &[Instance], tracker: u32) -> Vec<u32> {
    let t = &core.hops.trackers[tracker as usize];
    let instance = &instances[usize::from(t.target.instance)];
    let mut out = Vec::new();
    match t.target.addr {
        _ if t.direct() => {}
        Ip::V4(a) => collect(core, &instance.v4, a, tracker, &mut out),
        Ip::V6(a) => collect(core, &instance.v6, a, tracker, &mut out),
        Ip::None => {}
    }
    out.sort_unstable();
    out.dedup();
    out
}

fn collect<A: Addr>(core: &Core, table: &Table<A>, addr: A, own: u32, out: &mut Vec<u32>) {
    for idx in table.covering(addr, A::BITS) {
        read(core, table, idx, own, out);
    }
}

/// Adds the trackers of an entry's paths; false, and none, where every path leads through `own`: such a prefix is passed over
/// whatever resolves.
fn read<A: Addr>(core: &Core, table: &Table<A>, idx: u32, own: u32, out: &mut Vec<u32>) -> bool {
    let before = out.len();
    let mut other = false;
    for (_, p) in table.path_list(idx) {
        let set = &core.hops.sets[core.infos[p.info].next_hops as usize];
        other |= set.key.hops.iter().all(|h| h.tracker != own);
        let trackers = set.key.hops.iter().map(|h| h.tracker);
        out.extend(trackers.filter(|&t| t != NONE));
    }
    if !other {
        out.truncate(before);
    }
    other
}

struct LookUp<'a> {
    core: &'a Core,
    tracker: u32,
    trials: &'a Trials,
}

impl LookUp<'_> {
    fn standing(&self, set: u32) -> (bool, u32) {
        let set = &self.core.hops.sets[set as usize];
        if self.trials.is_empty() {
            return (set.resolved, set.metric);
        }
        self.core.hops.standing(set, |t| match self.trials.get(&t) {
            Some(found) => (!found.adjacencies.is_empty()).then_some(found.metric),
            None => {
                let r = &self.core.hops.trackers[t as usize].resolution;
                r.resolved().then_some(r.metric)
            }
        })
    }

    fn walk<A: Family>(&self, table: &Table<A>, addr: A) -> Found {
        let mut candidates: Vec<Candidate> = Vec::new();
        let mut reads: Vec<u32> = Vec::new();
        let mut found = Found::default();
        for idx in table.covering(addr, A::BITS) {
            if !read(self.core, table, idx, self.tracker, &mut reads) {
                continue;
            }
            candidates.clear();
            let standing = |set| self.standing(set);
            candidates.extend(self.core.usable(table, idx, standing));
            let Some((best, _)) = best(&mut candidates, &table.options) else {
                continue;
            };
            let info = &self.core.infos[table.paths[best as usize].info];
            let set = &self.core.hops.sets[info.next_hops as usize];
            if set.key.hops.iter().any(|h| h.tracker == self.tracker) {
                continue; // it cannot resolve through itself: a shorter prefix may serve
            }
            let prefix = table.entries[idx as usize].prefix;
            found = self.through(set, addr.wrap());
            if prefix.len == 0 && !table.options.resolve_via_default {
                found = Found::unresolved(if found.adjacencies.is_empty() {
                    Reason::NoRoute
                } else {
                    Reason::OnlyDefault
                });
            }
            if !found.adjacencies.is_empty() {
                found.metric = info.metric; // 0 where BGP gave the route
                found.via = Some((A::wide(prefix), info.kind));
            }
            found.reach = prefix.len;
            break;
        }
        reads.sort_unstable();
        reads.dedup();
        found.reads = reads;
        found
    }

    fn through(&self, set: &NextHopSet, addr: Ip) -> Found {
        let adjacencies = match set.key.kind {
            SetKind::Connected => {
                let port = set.key.hops[0];
                if port.role == 1 {
                    return Found::unresolved(Reason::OwnAddress); // RFC 4271 5.1.3
                }
                let neighbor = Adjacency {
                    ncp: port.ncp,
                    port: port.port,
                    gateway: addr,
                    kind: AdjacencyKind::Ip,
                };
                vec![(neighbor, 1)]
            }
            SetKind::Blackhole => vec![(Adjacency::end(AdjacencyKind::Drop), 1)],
            SetKind::Unreachable => vec![(Adjacency::end(AdjacencyKind::Unreachable), 1)],
            SetKind::Via => {
                let hops = set.key.hops.iter();
                let parts: Vec<_> = hops
                    .map(|h| (h.weight, self.adjacencies(h.tracker)))
                    .collect();
                blend(parts.iter().map(|(weight, ends)| (*weight, &ends[..])))
            }
        };
        Found {
            adjacencies,
            ..Found::default()
        }
    }

    fn adjacencies(&self, tracker: u32) -> Vec<(Adjacency, u16)> {
        match self.trials.get(&tracker) {
            Some(found) => found.adjacencies.clone(),
            None => {
                let hops = &self.core.hops;
                let resolution = &hops.trackers[tracker as usize].resolution;
                let ends = resolution.adjacencies.iter();
                ends.map(|&(a, w)| (hops.adjacencies[a], w)).collect()
            }
        }
    }
}
