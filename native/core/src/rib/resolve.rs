//! Recursive next-hop resolution, as a function of the paths alone: what rounds that start from "nothing resolves" come to, so the
//! result never depends on the order in which routes came (RFC 4271 5.1.3, 9.1.2.1). Where next hops do not depend on each other
//! in a circle, one look at each in the right order gives the same.

use std::collections::{HashMap, HashSet};

use super::core::Core;
use super::instance::Instance;
use super::nexthop::{Adjacency, AdjacencyKind, Resolution, SetKind};
use super::select::{select, Candidate};
use super::source::Kind;
use super::table::Table;
use super::NONE;
use crate::prefix::{Addr, AnyPrefix, Ip};

const ROUNDS: usize = 16;

/// A resolution inside a settlement, by value.
#[derive(Clone, PartialEq, Eq, Default)]
struct Trial {
    resolved: bool,
    metric: u32,
    adjacencies: Vec<Adjacency>,
}

type Trials = HashMap<u32, (Trial, Option<AnyPrefix>)>;

/// Brings every tracker that the marked ones may influence to its resolution; refreshes the sets that use them.
pub fn settle(core: &mut Core, instances: &[Instance]) {
    if core.unsettled.is_empty() {
        return;
    }
    let marked: HashSet<u32> = core
        .unsettled
        .drain(..)
        .filter(|&t| !core.hops.trackers[t as usize].vacant)
        .collect();
    for &t in &marked {
        let depends = dependencies(core, instances, t);
        core.hops.set_depends(t, depends);
    }
    let affected = closure(core, marked, false);
    let trials = match in_order(core, &affected) {
        Some(order) => once(core, instances, order),
        None => {
            let component = closure(core, affected, true);
            rounds(core, instances, &component)
        }
    };
    commit(core, trials);
}

/// The affected trackers, each after those it depends on, if one look at each gives what rounds from nothing would: no cycle
/// among them, nothing below them that never came to rest, and chains short enough to end before the last round.
fn in_order(core: &mut Core, affected: &HashSet<u32>) -> Option<Vec<u32>> {
    let trackers = &mut core.hops.trackers;
    let mut waits: HashMap<u32, usize> = HashMap::with_capacity(affected.len());
    for &t in affected {
        let below = &trackers[t as usize].depends;
        waits.insert(t, below.iter().filter(|d| affected.contains(d)).count());
    }
    let mut order: Vec<u32> = waits.iter().filter(|w| *w.1 == 0).map(|w| *w.0).collect();
    let mut next = 0;
    while let Some(&t) = order.get(next) {
        next += 1;
        let mut rank = 0;
        for &d in &trackers[t as usize].depends {
            let below = &trackers[d as usize];
            if below.unstable && !affected.contains(&d) {
                return None;
            }
            rank = rank.max(below.rank);
        }
        if usize::from(rank) + 2 >= ROUNDS {
            return None;
        }
        trackers[t as usize].rank = rank + 1;
        for d in &trackers[t as usize].dependents {
            if let Some(n) = waits.get_mut(d) {
                *n -= 1;
                if *n == 0 {
                    order.push(*d);
                }
            }
        }
    }
    (order.len() == affected.len()).then_some(order)
}

fn once(core: &mut Core, instances: &[Instance], order: Vec<u32>) -> Trials {
    let mut trials = Trials::with_capacity(order.len());
    for t in order {
        let result = evaluate(core, instances, t, &trials);
        trials.insert(t, result);
        core.hops.trackers[t as usize].unstable = false;
    }
    trials
}

/// Rounds from nothing over a set that depends on nothing outside it.
fn rounds(core: &mut Core, instances: &[Instance], component: &HashSet<u32>) -> Trials {
    let mut trials: Trials = component.iter().map(|&t| (t, Default::default())).collect();
    for &t in component {
        let tracker = &mut core.hops.trackers[t as usize];
        tracker.rank = 0;
        tracker.unstable = false;
    }
    let mut todo: Vec<u32> = component.iter().copied().collect();
    for round in 1..=ROUNDS {
        let mut fresh = Vec::new();
        for &t in &todo {
            let result = evaluate(core, instances, t, &trials);
            if result.0 != trials[&t].0 {
                fresh.push((t, result));
            } else if let Some(kept) = trials.get_mut(&t) {
                kept.1 = result.1;
            }
        }
        if fresh.is_empty() {
            break;
        }
        let changed: HashSet<u32> = fresh.iter().map(|f| f.0).collect();
        for (t, result) in fresh {
            let tracker = &mut core.hops.trackers[t as usize];
            tracker.rank = round as u8;
            // Loop guard: what still moves in the last round does not resolve.
            tracker.unstable = round == ROUNDS;
            let settled = if tracker.unstable {
                Default::default()
            } else {
                result
            };
            trials.insert(t, settled);
        }
        todo = component
            .iter()
            .copied()
            .filter(|&t| {
                core.hops.trackers[t as usize]
                    .depends
                    .iter()
                    .any(|d| changed.contains(d))
            })
            .collect();
    }
    trials
}

fn commit(core: &mut Core, trials: Trials) {
    let mut sets: Vec<u32> = Vec::new();
    for (t, (trial, via)) in trials {
        let adjacencies: Vec<u32> = trial
            .adjacencies
            .iter()
            .map(|&a| core.hops.adjacency(a))
            .collect();
        let tracker = &mut core.hops.trackers[t as usize];
        tracker.via = via;
        let fresh = Resolution {
            resolved: trial.resolved,
            metric: trial.metric,
            adjacencies,
        };
        let old = std::mem::replace(&mut tracker.resolution, fresh);
        if old != tracker.resolution {
            sets.extend_from_slice(&tracker.users);
        }
        old.adjacencies
            .iter()
            .for_each(|&a| core.hops.drop_adjacency(a));
    }
    sets.sort_unstable();
    sets.dedup();
    for s in sets {
        if core.hops.refresh(s) {
            core.hops.sets[s as usize].dirty = true;
            core.sweep_wanted = true;
        }
    }
}

/// All trackers that depend on the given ones, at any distance; with `below` also all that any of these depends on.
fn closure(core: &Core, given: HashSet<u32>, below: bool) -> HashSet<u32> {
    let trackers = &core.hops.trackers;
    let mut queue: Vec<u32> = given.iter().copied().collect();
    let mut seen = given;
    while let Some(t) = queue.pop() {
        let t = &trackers[t as usize];
        let down: &[u32] = if below { &t.depends } else { &[] };
        for &n in t.dependents.iter().chain(down) {
            if seen.insert(n) {
                queue.push(n);
            }
        }
    }
    seen
}

fn dependencies(core: &Core, instances: &[Instance], tracker: u32) -> Vec<u32> {
    let t = &core.hops.trackers[tracker as usize];
    let instance = &instances[usize::from(t.instance)];
    let mut out = Vec::new();
    match t.addr {
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
        let sets = || {
            table.path_list(idx).map(|(_, p)| {
                &core.hops.sets[core.infos[p.info].next_hops as usize]
                    .key
                    .hops
            })
        };
        // Where every path leads through this very next hop the prefix is passed over, whatever resolves.
        if sets().all(|hops| hops.iter().any(|h| h.tracker == own)) {
            continue;
        }
        for hops in sets() {
            out.extend(hops.iter().map(|h| h.tracker).filter(|&t| t != NONE));
        }
    }
}

fn evaluate(
    core: &Core,
    instances: &[Instance],
    tracker: u32,
    trials: &Trials,
) -> (Trial, Option<AnyPrefix>) {
    let t = &core.hops.trackers[tracker as usize];
    let instance = &instances[usize::from(t.instance)];
    match t.addr {
        Ip::V4(a) => walk(core, &instance.v4, a, tracker, trials),
        Ip::V6(a) => walk(core, &instance.v6, a, tracker, trials),
        Ip::None => Default::default(),
    }
}

/// How far a set is under the trial resolutions: usable, and its metric.
fn standing(core: &Core, set: u32, trials: &Trials) -> (bool, u32) {
    let key = &core.hops.sets[set as usize].key;
    let (mut usable, mut metric) = (key.kind != SetKind::Via, u32::MAX);
    for h in &key.hops {
        if h.tracker == NONE {
            return (true, 0);
        }
        let (resolved, distance) = match trials.get(&h.tracker) {
            Some((trial, _)) => (trial.resolved, trial.metric),
            None => {
                let r = &core.hops.trackers[h.tracker as usize].resolution;
                (r.resolved, r.metric)
            }
        };
        if resolved {
            usable = true;
            metric = metric.min(distance);
        }
    }
    (usable, if metric == u32::MAX { 0 } else { metric })
}

fn walk<A: Addr>(
    core: &Core,
    table: &Table<A>,
    addr: A,
    tracker: u32,
    trials: &Trials,
) -> (Trial, Option<AnyPrefix>) {
    let mut candidates: Vec<Candidate> = Vec::new();
    for idx in table.covering(addr, A::BITS) {
        candidates.clear();
        candidates.extend(core.usable(table, idx, |s| standing(core, s, trials)));
        let Some((best, _)) = select(&mut candidates, &table.options, &mut |_, _| {}) else {
            continue;
        };
        let info = &core.infos[table.paths[best as usize].info];
        let set = &core.hops.sets[info.next_hops as usize];
        if set.key.hops.iter().any(|h| h.tracker == tracker) {
            continue; // it cannot resolve through itself: a shorter prefix may serve
        }
        let prefix = table.entries[idx as usize].prefix;
        let via = match (prefix.addr.wrap(), prefix.len) {
            (Ip::V4(a), len) => Some(AnyPrefix::V4(crate::prefix::Prefix { addr: a, len })),
            (Ip::V6(a), len) => Some(AnyPrefix::V6(crate::prefix::Prefix { addr: a, len })),
            (Ip::None, _) => None,
        };
        let metric = if info.kind == Kind::Bgp {
            0
        } else {
            info.metric
        };
        let mut trial = Trial {
            resolved: true,
            metric,
            adjacencies: Vec::new(),
        };
        match set.key.kind {
            SetKind::Connected => {
                let port = set.key.hops[0];
                if port.role == 1 {
                    // RFC 4271 5.1.3: one of our own addresses is no next hop
                    return (Trial::default(), via);
                }
                trial.adjacencies.push(Adjacency {
                    ncp: port.ncp,
                    port: port.port,
                    gateway: addr.wrap(),
                    kind: AdjacencyKind::Ip,
                });
            }
            SetKind::Blackhole | SetKind::Unreachable => {
                let kind = if set.key.kind == SetKind::Blackhole {
                    AdjacencyKind::Drop
                } else {
                    AdjacencyKind::Unreachable
                };
                trial.adjacencies.push(Adjacency {
                    ncp: 0,
                    port: 0,
                    gateway: Ip::None,
                    kind,
                });
            }
            SetKind::Via => {
                for h in &set.key.hops {
                    let found: Vec<Adjacency> = if h.tracker == NONE {
                        vec![Adjacency {
                            ncp: h.ncp,
                            port: h.port,
                            gateway: h.addr,
                            kind: AdjacencyKind::Ip,
                        }]
                    } else {
                        match trials.get(&h.tracker) {
                            Some(t) => t.0.adjacencies.clone(),
                            None => core.hops.trackers[h.tracker as usize]
                                .resolution
                                .adjacencies
                                .iter()
                                .map(|&a| core.hops.adjacencies[a as usize])
                                .collect(),
                        }
                    };
                    for a in found {
                        if !trial.adjacencies.contains(&a) {
                            trial.adjacencies.push(a);
                        }
                    }
                }
            }
        }
        return (trial, via);
    }
    Default::default()
}
