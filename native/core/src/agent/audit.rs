//! Is the kernel as the model says? Slices of dumps are compared as they come; what differs is taken over into what the model
//! believes of the kernel, so that the ordinary work puts it right, idempotent. Only what was at rest is judged: whatever this
//! agent wrote between begin and end is left out, since a dump is no snapshot.
use std::collections::{HashMap, HashSet};

use super::adopt::FoundRoute;
use super::batch::Op;
use super::foreign::{found, Found};
use super::hop::Gateway;
use super::netlink::{messages, RTM_NEWROUTE, RTN_UNICAST, RTN_UNREACHABLE};
use super::order::item;
use super::routes::{
    RouteTable, ABSENT, FAILED, INFLIGHT, LIVE, NO_GROUP, QUEUED, UNKNOWN, UNREACHABLE, WANTED,
};
use super::verdicts::Failure;
use super::{AgentFib, Core, V6_BIT};

/// A prefix that drifts again within so many audits is contested.
const MEMORY: u32 = 12;
/// Prefixes remembered; where more drift at once it is no quarrel over one.
const REMEMBERED: usize = 4096;
/// Contested prefixes given by name.
const NAMED: usize = 16;
const EBUSY: i32 = 16;

type Prefix = (Vec<u8>, u8);

/// What one audit found. Routes and nexthops that were in flight are in none of these.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Drift {
    /// Routes found in the kernel.
    pub compared: usize,
    pub missing: usize,
    pub different: usize,
    /// Under our table, protocol and metric, but not of the model.
    pub foreign: usize,
    pub nexthops_missing: usize,
    pub nexthops_different: usize,
    pub nexthops_foreign: usize,
    /// Routes not put right now: they drifted before, and the next audit tries; or no controller has spoken of them yet.
    pub held: usize,
    /// Prefixes that somebody else changes again and again: how many, and some by name.
    pub contested: usize,
    pub names: Vec<String>,
    pub failures: Vec<Failure>,
}

impl Drift {
    pub fn named(&self) -> [(&'static str, usize); 9] {
        [
            ("compared", self.compared),
            ("missing", self.missing),
            ("different", self.different),
            ("foreign", self.foreign),
            ("nexthops_missing", self.nexthops_missing),
            ("nexthops_different", self.nexthops_different),
            ("nexthops_foreign", self.nexthops_foreign),
            ("held", self.held),
            ("contested", self.contested),
        ]
    }
}

/// What the kernel says of a route: its type, and the id of its nexthop.
type Says = (u8, Option<u32>);

#[derive(Debug, Default)]
struct Running {
    /// Which of the two is under way.
    routes: bool,
    nexthops: HashMap<u32, Found>,
    /// Routes that are otherwise than the model believes; the top bit of an item tells the family.
    routes_found: Vec<(u32, Says)>,
    strangers: Vec<(Prefix, Says)>,
    compared: usize,
}

#[derive(Debug, Default)]
pub(super) struct Audits {
    running: Option<Running>,
    number: u32,
    /// When each last drifted, and how often.
    drifted: HashMap<Prefix, (u32, u32)>,
    held: Vec<u32>,
}

impl Audits {
    /// Whether it is to be put right now: not where it was before and did not last.
    fn repair(&mut self, prefix: Prefix) -> bool {
        let room = self.drifted.len() < REMEMBERED;
        let number = self.number;
        match self.drifted.get_mut(&prefix) {
            Some((at, times)) => {
                (*at, *times) = (number, *times + 1);
                false
            }
            None if room => {
                self.drifted.insert(prefix, (number, 1));
                true
            }
            None => true,
        }
    }
}

impl AgentFib {
    /// From here on what is written is noted. Before anything is dumped: routes, or nexthops, which go first as they are few and
    /// routes lean on them.
    pub fn audit_begin(&mut self, routes: bool) {
        self.settle();
        self.audits.running = Some(Running {
            routes,
            ..Running::default()
        });
        if !routes {
            self.core.objects.watched = Some(self.shortcuts_under_way());
            return;
        }
        self.v4.watch();
        self.v6.watch();
        for item in std::mem::take(&mut self.audits.held) {
            if item & V6_BIT == 0 {
                release(&mut self.core, &mut self.v4, item);
            } else {
                release(&mut self.core, &mut self.v6, item & !V6_BIT);
            }
        }
    }

    /// Groups whose members may or may not have changed yet: all, where a shortcut to change some has no verdict.
    fn shortcuts_under_way(&self) -> HashSet<u32> {
        let mut ops = self.outstanding.iter().flat_map(|batch| &batch.ops);
        if ops.any(|op| matches!(op, Op::Remove(_) | Op::Repoint(..))) {
            let groups = self.core.objects.groups.iter();
            return groups.map(|(_, group)| group.id).collect();
        }
        HashSet::new()
    }

    /// RTM_NEWROUTE messages of a dump.
    pub fn audit_routes(&mut self, dump: &[u8]) {
        let Some(mut running) = self.audits.running.take() else {
            return;
        };
        for message in messages(dump).filter(|message| message.kind == RTM_NEWROUTE) {
            let Some(route) = self.parse_route(&message) else {
                continue;
            };
            running.compared += 1;
            match message.body[0] {
                2 => see(&self.core, &mut self.v4, &route, &mut running),
                10 => see(&self.core, &mut self.v6, &route, &mut running),
                _ => (),
            }
        }
        self.audits.running = Some(running);
    }

    /// A dump of IPv6 routes that finds the tree changed goes on by count, and may leave some out: where some are missing, dump
    /// them once more.
    pub fn audit_doubtful(&self) -> bool {
        (0..self.v6.entries.len() as u32).any(|i| missing(&self.v6, i))
    }

    /// RTM_NEWNEXTHOP messages of a dump that no change broke.
    pub fn audit_nexthops(&mut self, dump: &[u8]) {
        if let Some(running) = self.audits.running.as_mut() {
            running.nexthops.extend(found(dump, self.protocol));
        }
    }

    /// Take over what was found, once everything the kernel has said of links and nexthops meanwhile was heard.
    pub fn audit_end(&mut self) -> Drift {
        let mut drift = Drift::default();
        let Some(running) = self.audits.running.take() else {
            return drift;
        };
        self.settle();
        if running.routes {
            self.end_routes(running, &mut drift);
        } else {
            self.core.audit_objects(&running.nexthops, &mut drift);
        }
        self.audit_abandon();
        let contested = self.audits.drifted.iter().filter(|(_, seen)| seen.1 > 1);
        let mut names: Vec<String> = contested.map(|(prefix, _)| name(prefix)).collect();
        drift.contested = names.len();
        names.sort();
        names.truncate(NAMED);
        drift.names = names;
        drift
    }

    fn end_routes(&mut self, running: Running, drift: &mut Drift) {
        let (core, audits) = (&mut self.core, &mut self.audits);
        audits.number += 1;
        let number = audits.number;
        audits.drifted.retain(|_, (at, _)| number - *at <= MEMORY);
        drift.compared = running.compared;
        let groups = core.objects.groups.iter();
        let groups: HashMap<u32, u32> = groups.map(|(slot, group)| (group.id, slot)).collect();
        let kernel = |says: Says| match says {
            (RTN_UNREACHABLE, None) => UNREACHABLE,
            (RTN_UNICAST, Some(id)) => groups.get(&id).copied().unwrap_or(UNKNOWN),
            _ => UNKNOWN,
        };
        for (item, says) in running.routes_found {
            let found = kernel(says);
            if item & V6_BIT == 0 {
                differs(core, &mut self.v4, audits, item, found, drift);
            } else {
                let i = item & !V6_BIT;
                differs(core, &mut self.v6, audits, i, found, drift);
            }
        }
        unseen(core, &mut self.v4, audits, drift);
        unseen(core, &mut self.v6, audits, drift);
        for (prefix, says) in running.strangers {
            let found = kernel(says);
            if prefix.0.len() == 4 {
                stranger(core, &mut self.v4, audits, &prefix, found, drift);
            } else {
                stranger(core, &mut self.v6, audits, &prefix, found, drift);
            }
        }
    }

    /// It could not be done: nothing is judged.
    pub fn audit_abandon(&mut self) {
        self.audits.running = None;
        self.v4.watch_no_more();
        self.v6.watch_no_more();
        self.core.objects.watched = None;
    }
}

/// One route of the dump beside what is believed of it.
#[inline]
fn see<const N: usize>(
    core: &Core,
    routes: &mut RouteTable<N>,
    route: &FoundRoute<'_>,
    running: &mut Running,
) {
    let Some(addr) = route.address::<N>() else {
        return;
    };
    let says = (route.kind, route.nexthop);
    let Some(i) = routes.find(RouteTable::<N>::FAMILY.table(), &addr, route.len) else {
        running.strangers.push(((addr.to_vec(), route.len), says));
        return;
    };
    routes.saw(i);
    let same = match (routes.entries[i as usize].kernel, says) {
        (UNREACHABLE, (RTN_UNREACHABLE, None)) => true,
        // it is written again anyway
        (UNKNOWN, _) => true,
        (slot, (RTN_UNICAST, Some(id))) => {
            core.objects.groups.get(slot).is_some_and(|g| g.id == id)
        }
        _ => false,
    };
    if !same && routes.at_rest(i) {
        let item = item::<N>(i);
        running.routes_found.push((item, says));
    }
}

/// What the kernel was found to have becomes what is believed; then it is put right, or held where that did not last before.
fn take<const N: usize>(
    core: &mut Core,
    routes: &mut RouteTable<N>,
    audits: &mut Audits,
    i: u32,
    found: u32,
    drift: &mut Drift,
) {
    core.set_kernel(routes, i, found);
    routes.touch(i);
    let e = routes.entries[i as usize];
    if e.has(QUEUED) {
        return;
    }
    if e.has(WANTED) && e.group == NO_GROUP {
        // found at start, changed before any controller spoke of it: nothing here can write it again
        drift.held += 1;
        if found == ABSENT {
            routes.edit(i, |e| e.flags = LIVE);
            routes.release(i);
        }
        return;
    }
    if audits.repair((e.addr.to_vec(), e.len)) {
        routes.edit(i, |e| e.flags = e.flags & !FAILED | QUEUED);
        return core.push_again::<N>(i);
    }
    drift.held += 1;
    audits.held.push(item::<N>(i));
    if e.has(WANTED) {
        routes.edit(i, |e| {
            e.flags |= FAILED;
            e.errno = EBUSY as u16;
        });
        let text = "another program changes this route again and again".to_owned();
        let failure = (e.table, e.addr.to_vec(), e.len, EBUSY, text);
        drift.failures.push(failure);
    }
}

fn differs<const N: usize>(
    core: &mut Core,
    routes: &mut RouteTable<N>,
    audits: &mut Audits,
    i: u32,
    found: u32,
    drift: &mut Drift,
) {
    if !routes.at_rest(i) {
        return;
    }
    match routes.entries[i as usize].kernel {
        ABSENT => drift.foreign += 1,
        _ => drift.different += 1,
    }
    take(core, routes, audits, i, found, drift);
}

#[inline]
fn missing<const N: usize>(routes: &RouteTable<N>, i: u32) -> bool {
    let e = &routes.entries[i as usize];
    e.has(LIVE) && !matches!(e.kernel, ABSENT | UNKNOWN) && routes.missed(i)
}

/// Routes that no slice of the dump had.
fn unseen<const N: usize>(
    core: &mut Core,
    routes: &mut RouteTable<N>,
    audits: &mut Audits,
    drift: &mut Drift,
) {
    for i in 0..routes.entries.len() as u32 {
        if missing(routes, i) {
            drift.missing += 1;
            take(core, routes, audits, i, ABSENT, drift);
        }
    }
}

fn stranger<const N: usize>(
    core: &mut Core,
    routes: &mut RouteTable<N>,
    audits: &mut Audits,
    (addr, len): &Prefix,
    found: u32,
    drift: &mut Drift,
) {
    let Ok(addr) = <[u8; N]>::try_from(&addr[..]) else {
        return;
    };
    let table = RouteTable::<N>::FAMILY.table();
    // the stream may have put or deleted it while the dump was under way
    if routes.find(table, &addr, *len).is_none() && !routes.released(&addr, *len) {
        drift.foreign += 1;
        let i = routes.find_or_insert(table, addr, *len);
        take(core, routes, audits, i, found, drift);
    }
}

/// What was held may be tried again.
fn release<const N: usize>(core: &mut Core, routes: &mut RouteTable<N>, i: u32) {
    let e = routes.entries[i as usize];
    if e.has(LIVE) && !e.has(QUEUED) && !e.has(INFLIGHT) {
        routes.edit(i, |e| e.flags = e.flags & !FAILED | QUEUED);
        core.push_again::<N>(i);
    }
}

fn name((addr, len): &Prefix) -> String {
    match Gateway::parse(addr) {
        Some(Gateway::V4(bytes)) => format!("{}/{len}", std::net::Ipv4Addr::from(bytes)),
        Some(Gateway::V6(bytes)) => format!("{}/{len}", std::net::Ipv6Addr::from(bytes)),
        None => String::new(),
    }
}
