//! Recursive next-hop resolution, as a function of the paths alone: for what a change may touch, rounds start from "nothing
//! resolves", so the result never depends on the order in which routes came (RFC 4271 5.1.3, 9.1.2.1).

use std::collections::{HashMap, HashSet};

use super::core::{Core, Instance};
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

/// Brings every tracker that the marked ones may influence, or depend on, to its resolution; refreshes the sets that use them.
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
        core.hops.trackers[t as usize].depends = depends;
    }
    let component = component(core, marked);
    let mut trials: Trials = component.iter().map(|&t| (t, Default::default())).collect();
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
            // Loop guard: what still moves after the last round does not resolve.
            let settled = if round == ROUNDS {
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
    commit(core, trials);
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

/// All trackers that hang together with the marked ones, along and against dependencies.
fn component(core: &Core, marked: HashSet<u32>) -> HashSet<u32> {
    let trackers = &core.hops.trackers;
    let isolated = |t: &u32| trackers[*t as usize].depends.is_empty();
    let mut dependents: HashMap<u32, Vec<u32>> = HashMap::new();
    if !marked.iter().all(isolated) || trackers.iter().any(|t| !t.depends.is_empty()) {
        for (i, t) in trackers.iter().enumerate() {
            for &d in &t.depends {
                dependents.entry(d).or_default().push(i as u32);
            }
        }
    }
    let mut queue: Vec<u32> = marked.iter().copied().collect();
    let mut seen = marked;
    while let Some(t) = queue.pop() {
        let near = trackers[t as usize]
            .depends
            .iter()
            .chain(dependents.get(&t).into_iter().flatten());
        for &n in near {
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
        Ip::V4(a) => collect(core, &instance.v4, a, &mut out),
        Ip::V6(a) => collect(core, &instance.v6, a, &mut out),
        Ip::None => {}
    }
    out.sort_unstable();
    out.dedup();
    out
}

fn collect<A: Addr>(core: &Core, table: &Table<A>, addr: A, out: &mut Vec<u32>) {
    for idx in table.covering(addr, A::BITS) {
        for (_, p) in table.path_list(idx) {
            let set = core.infos[p.info].next_hops;
            let hops = core.hops.sets[set as usize].key.hops.iter();
            out.extend(hops.map(|h| h.tracker).filter(|&t| t != NONE));
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
        if let Some((trial, _)) = trials.get(&h.tracker) {
            if trial.resolved {
                usable = true;
                metric = metric.min(trial.metric);
            }
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
        core.candidates(table, idx, |s| standing(core, s, trials), &mut candidates);
        let Some((best, _)) = select(&mut candidates, &mut |_, _| {}) else {
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
                        trials
                            .get(&h.tracker)
                            .map(|t| t.0.adjacencies.clone())
                            .unwrap_or_default()
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
