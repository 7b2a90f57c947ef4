//! Leaks between instances: what a source of one instance says is a path of another one too, with the same (source, path id) and the
//! same content. Copies are never copied again, so a copy is told from a path that was given here by its source's instance alone.
//! Why paths and not best paths: docs/adr/0006-leaks-copy-paths.md.

use super::core::{Core, Given};
use super::engine::Engine;
use super::infos::{Info, InfoId};
use super::instance::{Family, Instance};
use super::nexthop::SetKind;
use super::source::Kind;
use super::table::{Table, VACANT};
use crate::prefix::{AnyPrefix, Prefix};
use crate::wire::update::{Change, Changes};

/// Units of `step`'s budget for each path brought to where it should be, beside one for each slot looked at.
const PATH_COST: usize = 3;

/// The prefixes inside `top` of at least `least` and at most `greatest` bits.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    pub top: AnyPrefix,
    pub least: u8,
    pub greatest: u8,
}

/// What a leak takes; nothing named is everything.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    pub protocols: Vec<Kind>,
    pub prefixes: Vec<Range>,
}

impl Rule {
    fn takes<A: Family>(&self, prefix: Prefix<A>, kind: Kind) -> bool {
        let inside = |r: &Range| {
            A::narrow(r.top).is_some_and(|top| top.contains(prefix))
                && (r.least..=r.greatest).contains(&prefix.len)
        };
        (self.protocols.is_empty() || self.protocols.contains(&kind))
            && (self.prefixes.is_empty() || self.prefixes.iter().any(inside))
    }
}

/// How far a walk over both tables of an instance is: whether it is in the second, and the slot.
#[derive(Clone, Copy, Default)]
struct At {
    second: bool,
    slot: usize,
}

/// All leaks from one instance to another. What any of them takes is copied.
struct Flow {
    source: u16,
    target: u16,
    rules: Vec<(u32, Rule)>,
    /// A walk over the source's tables: a leak came.
    fill: Option<At>,
    /// A walk over the target's tables: a leak went.
    drain: Option<At>,
}

impl Flow {
    fn takes<A: Family>(&self, core: &Core, prefix: Prefix<A>, info: &Info) -> bool {
        let set = &core.hops.sets[info.next_hops as usize].key;
        // Our own addresses are answered for in one instance only
        let local = set.kind == SetKind::Connected && set.hops.iter().any(|h| h.role == 1);
        !local && self.rules.iter().any(|r| r.1.takes(prefix, info.kind))
    }

    fn walking(&self) -> bool {
        self.fill.is_some() || self.drain.is_some()
    }
}

#[derive(Default)]
pub struct Leaks {
    flows: Vec<Flow>,
    numbers: u32,
}

impl Engine {
    /// A new leak between two different instances; `step` copies what there is already.
    pub fn add_leak(&mut self, source: u16, target: u16, rule: Rule) -> u32 {
        let leaks = &mut self.leaks;
        leaks.numbers += 1;
        let same = |f: &Flow| (f.source, f.target) == (source, target);
        let at = leaks.flows.iter().position(same).unwrap_or_else(|| {
            leaks.flows.push(Flow {
                source,
                target,
                rules: Vec::new(),
                fill: None,
                drain: None,
            });
            leaks.flows.len() - 1
        });
        leaks.flows[at].rules.push((leaks.numbers, rule));
        leaks.flows[at].fill = Some(At::default());
        leaks.numbers
    }

    /// False if there is no such leak. `step` takes out the copies that no other leak justifies.
    pub fn remove_leak(&mut self, leak: u32) -> bool {
        for f in &mut self.leaks.flows {
            if let Some(at) = f.rules.iter().position(|r| r.0 == leak) {
                f.rules.remove(at);
                f.drain = Some(At::default());
                return true;
            }
        }
        false
    }

    pub(super) fn leaking(&self) -> bool {
        self.leaks.flows.iter().any(Flow::walking)
    }

    /// What a source just said about these prefixes, for the instances it is leaked to.
    pub(super) fn leak_changes(&mut self, source: u32, changes: &Changes) {
        for flow in self.flows_of(source) {
            self.leak_list(flow, source, &changes.v4);
            self.leak_list(flow, source, &changes.v6);
        }
    }

    fn leak_list<A: Family>(&mut self, flow: usize, source: u32, list: &[Change<A>]) {
        for c in list {
            self.copy(flow, c.prefix, source, c.path_id);
        }
    }

    pub(super) fn leak_path(&mut self, source: u32, prefix: AnyPrefix) {
        for flow in self.flows_of(source) {
            match prefix {
                AnyPrefix::V4(p) => self.copy(flow, p, source, 0),
                AnyPrefix::V6(p) => self.copy(flow, p, source, 0),
            }
        }
    }

    fn flows_of(&self, source: u32) -> Vec<usize> {
        let instance = self.core.sources[source as usize].instance;
        let flows = self.leaks.flows.iter().enumerate();
        flows
            .filter(|(_, f)| f.source == instance)
            .map(|(at, _)| at)
            .collect()
    }

    /// Makes the copy of one path what it should be now: the path as it is, or nothing.
    fn copy<A: Family>(&mut self, flow: usize, prefix: Prefix<A>, source: u32, path_id: u32) {
        let old = copy(
            &mut self.core,
            &mut self.instances,
            &self.leaks.flows[flow],
            prefix,
            (source, path_id),
        );
        if let Some(info) = old {
            self.release(info);
        }
    }

    /// Walks for leaks that came or went, up to `budget`; what is left of it.
    pub(super) fn step_leaks(&mut self, budget: usize) -> usize {
        let mut left = budget;
        while left > 0 {
            let Some(flow) = self.leaks.flows.iter().position(Flow::walking) else {
                break;
            };
            let f = &self.leaks.flows[flow];
            let (instance, at) = match (f.fill, f.drain) {
                (Some(at), _) => (f.source, at),
                (None, Some(at)) => (f.target, at),
                (None, None) => break,
            };
            let filling = f.fill.is_some();
            let next = if at.second {
                self.walk::<u128>(flow, instance, at, &mut left)
            } else {
                self.walk::<u32>(flow, instance, at, &mut left)
            };
            let f = &mut self.leaks.flows[flow];
            if filling {
                f.fill = next;
            } else {
                f.drain = next;
            }
            if f.rules.is_empty() && !f.walking() {
                self.leaks.flows.remove(flow);
            }
        }
        left
    }

    /// Copies, or takes copies back, for what the walked table has of the flow's source; where to go on.
    fn walk<A: Family>(
        &mut self,
        flow: usize,
        instance: u16,
        at: At,
        left: &mut usize,
    ) -> Option<At> {
        let source = self.leaks.flows[flow].source;
        let t = A::table(&self.instances[usize::from(instance)]);
        let mut found = Vec::new();
        let mut slot = at.slot;
        while slot < t.entries.len() && *left > 0 {
            *left -= 1;
            given_in(&self.core, t, slot, source, &mut found);
            *left = left.saturating_sub(PATH_COST * found.len());
            slot += 1;
            if !found.is_empty() {
                break;
            }
        }
        let over = slot >= t.entries.len();
        for (prefix, source, path_id) in found {
            self.copy(flow, prefix, source, path_id);
        }
        match (over, at.second) {
            (true, true) => None,
            (true, false) => Some(At {
                second: true,
                slot: 0,
            }),
            (false, second) => Some(At { second, slot }),
        }
    }
}

/// The paths of a slot that a source of `instance` gave.
fn given_in<A: Family>(
    core: &Core,
    t: &Table<A>,
    slot: usize,
    instance: u16,
    out: &mut Vec<(Prefix<A>, u32, u32)>,
) {
    let e = &t.entries[slot];
    if e.flags & VACANT != 0 {
        return;
    }
    let paths = t.path_list(slot as u32).map(|(_, p)| p);
    let given = paths.filter(|p| core.sources[p.source as usize].instance == instance);
    out.extend(given.map(|p| (e.prefix, p.source, p.path_id)));
}

fn copy<A: Family>(
    core: &mut Core,
    instances: &mut [Instance],
    flow: &Flow,
    prefix: Prefix<A>,
    (source, path_id): (u32, u32),
) -> Option<InfoId> {
    let t = A::table(&instances[usize::from(flow.source)]);
    let given = t
        .find(&prefix)
        .and_then(|idx| t.path_of(idx, source, path_id))
        .map(|at| (at, t.paths[at as usize]))
        .filter(|(at, p)| core.lives(t, *at, p) && flow.takes(core, prefix, &core.infos[p.info]))
        .map(|(at, p)| Given {
            info: p.info,
            since: p.since,
            generation: t.generations.get(at),
        });
    let target = A::table_mut(&mut instances[usize::from(flow.target)]);
    match given {
        Some(given) => core.put(target, prefix, (source, path_id), given),
        None => core.remove(target, prefix, source, path_id),
    }
}
