//! What another program does to the kernel, what the kernel says of it, and audits that are read piece by piece.
use std::collections::VecDeque;

use super::super::netlink::{RTM_DELNEXTHOP, RTM_NEWNEXTHOP};
use super::super::Drift;
use super::kernel::{Route, RouteKey, Single};
use super::world::{prefix, World};

/// What another program does.
#[derive(Clone, Debug)]
pub enum Foreign {
    DeleteRoute(bool, u8),
    /// Unreachable, or by the n-th group there is.
    PutRoute(bool, u8, Option<usize>),
    /// The n-th of the objects there are.
    DeleteNexthop(usize),
    MoveNexthop(usize),
    NewNexthop(u32),
    NewGroup(u32, usize),
}

/// One audit under way: a dump that is read and handed over piece by piece.
#[derive(Default)]
pub struct Auditing {
    after: Option<RouteKey>,
    slices: VecDeque<Vec<u8>>,
    nexthops: Option<Vec<u8>>,
    routes: bool,
}

pub fn key(v6: bool, number: u8) -> RouteKey {
    let (dst, len) = prefix(v6, number);
    (if v6 { 10 } else { 2 }, dst, len)
}

impl World {
    pub fn foreign(&mut self, what: Foreign) {
        let kernel = &mut self.kernel;
        let ids: Vec<u32> = kernel
            .singles
            .keys()
            .chain(kernel.groups.keys())
            .copied()
            .collect();
        match what {
            Foreign::DeleteRoute(v6, number) => drop(kernel.routes.remove(&key(v6, number))),
            Foreign::PutRoute(v6, number, group) => {
                let groups: Vec<u32> = kernel.groups.keys().copied().collect();
                let group = group.and_then(|n| groups.get(n % groups.len().max(1)).copied());
                let v4 = |id: &u32| {
                    kernel.groups[id]
                        .iter()
                        .any(|m| kernel.singles[&m.0].family == 2)
                };
                if !(v6 && group.as_ref().is_some_and(v4)) {
                    let kind = if group.is_some() { 1 } else { 7 };
                    kernel.routes.insert(key(v6, number), Route { kind, group });
                }
            }
            Foreign::DeleteNexthop(n) => {
                if let Some(&id) = ids.get(n % ids.len().max(1)) {
                    self.delete_nexthop(id);
                }
            }
            Foreign::MoveNexthop(n) => {
                let singles: Vec<u32> = kernel.singles.keys().copied().collect();
                let moved = singles.get(n % singles.len().max(1)).copied();
                if let Some(id) = moved.filter(|id| !kernel.singles[id].gateway.is_empty()) {
                    *kernel
                        .singles
                        .get_mut(&id)
                        .unwrap()
                        .gateway
                        .last_mut()
                        .unwrap() = 99;
                    self.events
                        .push_back(kernel.nexthop_message(RTM_NEWNEXTHOP, id));
                }
            }
            Foreign::NewNexthop(id) => {
                let single = Single {
                    family: 2,
                    gateway: vec![10, 0, 0, 77],
                    ifindex: 10,
                    flags: 4,
                };
                if !kernel.down.contains(&10) {
                    kernel.singles.insert(6000 + id, single);
                    self.events
                        .push_back(kernel.nexthop_message(RTM_NEWNEXTHOP, 6000 + id));
                }
            }
            Foreign::NewGroup(id, n) => {
                let singles: Vec<u32> = kernel.singles.keys().copied().collect();
                if let Some(&member) = singles.get(n % singles.len().max(1)) {
                    kernel.groups.insert(5000 + id, vec![(member, 1)]);
                    self.events
                        .push_back(kernel.nexthop_message(RTM_NEWNEXTHOP, 5000 + id));
                }
            }
        }
    }

    /// As Linux tells it: the nexthop, then what became of each group that had it.
    fn delete_nexthop(&mut self, id: u32) {
        let kernel = &mut self.kernel;
        self.events
            .push_back(kernel.nexthop_message(RTM_DELNEXTHOP, id));
        let gone = [id].into();
        if kernel.groups.remove(&id).is_some() {
            kernel.routes.retain(|_, route| route.group != Some(id));
            return;
        }
        let had: Vec<u32> = kernel
            .groups
            .iter()
            .filter(|(_, members)| members.iter().any(|m| m.0 == id))
            .map(|(group, _)| *group)
            .collect();
        kernel.singles.remove(&id);
        kernel.shrink(&gone);
        for group in had {
            let kind = if kernel.groups.contains_key(&group) {
                RTM_NEWNEXTHOP
            } else {
                RTM_DELNEXTHOP
            };
            self.events.push_back(kernel.nexthop_message(kind, group));
        }
    }

    pub fn hear(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.fib.nexthop_events(&event);
        }
    }

    pub fn audit_on(&mut self) {
        let Some(audit) = &mut self.audit else {
            self.fib.audit_begin(false);
            self.audit = Some(Auditing::default());
            return;
        };
        if !audit.routes {
            let Some(dump) = audit.nexthops.take() else {
                audit.nexthops = Some(self.kernel.dump_nexthops());
                return;
            };
            audit.routes = true;
            self.fib.audit_nexthops(&dump);
            return self.hear_and_end();
        }
        let slice = self.kernel.dump_routes_after(audit.after.as_ref(), 3);
        if !slice.is_empty() {
            let behind = |key: &&RouteKey| audit.after.as_ref().is_none_or(|after| *key > after);
            let last = self.kernel.routes.keys().filter(behind).take(3).last();
            audit.after = last.cloned();
            audit.slices.push_back(slice);
        } else {
            while self
                .audit
                .as_ref()
                .is_some_and(|audit| !audit.slices.is_empty())
            {
                self.audit_slice();
            }
            self.audit = None;
            self.hear_and_end();
        }
    }

    /// What the kernel said before the end is heard before it.
    fn hear_and_end(&mut self) {
        self.hear_facts();
        while !self.events.is_empty() {
            self.hear();
        }
        let drift = self.fib.audit_end();
        self.drifts.push(drift);
        if self.audit.is_some() {
            self.fib.audit_begin(true);
        }
    }

    pub fn audit_slice(&mut self) {
        let slice = self
            .audit
            .as_mut()
            .and_then(|audit| audit.slices.pop_front());
        if let Some(slice) = slice {
            self.fib.audit_routes(&slice);
        }
    }

    /// To its end: how much was not as it should be.
    pub fn whole_audit(&mut self) -> usize {
        let before = self.drifts.len();
        self.audit_on();
        while self.audit.is_some() {
            self.audit_on();
        }
        let found = |drift: &Drift| drift.named()[1..8].iter().map(|(_, n)| n).sum::<usize>();
        self.drifts[before..].iter().map(found).sum()
    }

    /// Audits until one finds nothing.
    pub fn audit_until_clean(&mut self) {
        if self.audit.is_some() {
            self.whole_audit();
        }
        for _ in 0..8 {
            self.finish();
            if self.whole_audit() == 0 {
                return self.finish();
            }
        }
        panic!("audits never come to an end");
    }
}
