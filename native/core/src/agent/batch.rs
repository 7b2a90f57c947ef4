//! The next bytes for the kernel. Order: certain deletes of what a lost port took, shortcuts, singletons, groups (those that routes
//! already use first: that is the fast path of a failover), routes, route deletes, group deletes, singleton deletes. An object is deleted
//! only once verdicts have shown that nothing in the kernel uses it: deleting a group flushes its routes.
use super::kernel::Objects;
use super::netlink::{RouteShape, Verb, Writer};
use super::routes::{
    RouteTable, ABSENT, FAILED, INFLIGHT, LIVE, NO_GROUP, QUEUED, UNKNOWN, UNREACHABLE, WANTED,
};
use super::{AgentFib, Core, Family, V6_BIT};

/// Longest message of a singleton or a delete; groups add eight bytes a member.
pub(super) const NEXTHOP_MAX: usize = 64;
/// Sequence numbers start over well before they would wrap inside a batch.
const SEQ_MAX: u32 = 0x7000_0000;

#[derive(Debug)]
pub(super) struct Shapes {
    put: [RouteShape; 2],
    unreachable: [RouteShape; 2],
    delete: [RouteShape; 2],
    longest: usize,
}

impl Shapes {
    pub fn new(table: u32, protocol: u8, metric: u32) -> Self {
        let both = |verb| {
            Family::BOTH.map(|family| RouteShape::new(family, verb, table, protocol, metric))
        };
        let put = both(Verb::Nexthop);
        let longest = put[Family::V6.at()].len();
        Self {
            put,
            unreachable: both(Verb::Unreachable),
            delete: both(Verb::Delete),
            longest,
        }
    }
}

/// What each message of a batch was for. Route items carry the family in their top bit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Op {
    ConfirmGroup(u32),
    ConfirmNexthop(u32),
    /// A singleton leaves its groups.
    Remove(u32),
    /// The kernel's object of the one becomes the other's.
    Repoint(u32, u32),
    Nexthop(u32),
    Group(u32),
    Route(u32, u32),
    Withdraw(u32),
    DeleteGroup(u32),
    DeleteNexthop(u32),
}

#[derive(Debug)]
pub(super) struct Batch {
    pub first: u32,
    pub ops: Vec<Op>,
    pub epoch: u64,
}

/// Asked for a batch while one is outstanding.
#[derive(Debug, PartialEq, Eq)]
pub struct Outstanding;

pub(super) struct Build {
    pub writer: Writer,
    pub ops: Vec<Op>,
    max: usize,
}

impl Build {
    fn fits(&self, bytes: usize) -> bool {
        self.writer.bytes.len() + bytes <= self.max
    }

    pub fn room(&self, bytes: usize) -> bool {
        self.ops.is_empty() || self.fits(bytes)
    }
}

impl Objects {
    /// Whether something is to be written before routes can be taken to be as the stream wants them. What is only to go is no reason
    /// to wait: no route leans on it.
    fn waiting(&self) -> bool {
        let group = |&slot: &u32| {
            let group = self.groups.get(slot);
            group.is_some_and(|g| g.unconfirmed || g.needs_write())
        };
        let nexthop = |&slot: &u32| {
            let nexthop = self.nexthops.get(slot);
            nexthop.is_some_and(|n| n.unconfirmed || n.needs_write())
        };
        self.touched_groups.iter().any(group) || self.touched_nexthops.iter().any(nexthop)
    }
}

impl AgentFib {
    /// (messages, first sequence, last sequence) of at most `max` bytes (one message at least); None when the kernel has all.
    /// `position`: the stream has been put in up to there, and perhaps further.
    pub fn next_batch(
        &mut self,
        max: usize,
        position: u64,
    ) -> Result<Option<(Vec<u8>, u32, u32)>, Outstanding> {
        if self.outstanding.is_some() {
            return Err(Outstanding);
        }
        self.settle();
        self.core.queue.mark(position);
        let first = if self.seq > SEQ_MAX { 1 } else { self.seq };
        let mut build = Build {
            writer: Writer::new(first, 0),
            ops: Vec::new(),
            max,
        };
        let (nexthops, groups) = self.core.objects.take_touched();
        if self
            .core
            .write_objects(&mut build, self.protocol, &nexthops, &groups)
        {
            self.write_routes(&mut build);
            self.core.delete_objects(&mut build, &nexthops, &groups);
        }
        self.core.objects.hold = !build.ops.is_empty();
        for slot in nexthops {
            self.core.objects.review_nexthop(slot);
        }
        for slot in groups {
            self.core.objects.review_group(slot);
        }
        if build.ops.is_empty() {
            self.reach();
            return Ok(None);
        }
        let last = first + (build.ops.len() as u32 - 1);
        self.seq = last + 1;
        self.outstanding = Some(Batch {
            first,
            ops: build.ops,
            epoch: self.core.objects.epoch,
        });
        Ok(Some((build.writer.finish(), first, last)))
    }

    /// The last position of the stream up to which the kernel has answered for everything, as long as nothing has to be looked at
    /// again.
    pub fn reached(&self) -> u64 {
        self.reached
    }

    /// Groups and nexthops that wait may take routes with them.
    pub(super) fn reach(&mut self) {
        if self.core.objects.waiting() || self.core.rescan || !self.core.dirty.is_empty() {
            return;
        }
        if let Some(position) = self.core.queue.reached() {
            self.reached = self.reached.max(position);
        }
    }

    /// From the front of the queue as many as fit: puts at once, deletes behind them, so that a move never leaves a hole.
    fn write_routes(&mut self, build: &mut Build) {
        self.arrange();
        let mut deletes = Vec::new();
        let longest = self.shapes.longest;
        let want = self
            .core
            .queue
            .len()
            .saturating_mul(longest)
            .min(build.max.saturating_sub(build.writer.bytes.len()));
        build.writer.bytes.reserve(want);
        build.ops.reserve(want / self.shapes.put[0].len() + 1);
        while build.ops.is_empty() && deletes.is_empty()
            || build.fits((deletes.len() + 1) * longest)
        {
            let Some(item) = self.core.queue.pop() else {
                break;
            };
            if item & V6_BIT == 0 {
                write_route(
                    &mut self.core,
                    &mut self.v4,
                    &self.shapes,
                    build,
                    &mut deletes,
                    item,
                );
            } else {
                write_route(
                    &mut self.core,
                    &mut self.v6,
                    &self.shapes,
                    build,
                    &mut deletes,
                    item,
                );
            }
        }
        for item in deletes {
            build.ops.push(Op::Withdraw(item));
            if item & V6_BIT == 0 {
                let e = &self.v4.entries[item as usize];
                build
                    .writer
                    .route(&self.shapes.delete[0], &e.addr, e.len, None);
            } else {
                let e = &self.v6.entries[(item & !V6_BIT) as usize];
                build
                    .writer
                    .route(&self.shapes.delete[1], &e.addr, e.len, None);
            }
        }
    }
}

#[inline]
fn write_route<const N: usize>(
    core: &mut Core,
    routes: &mut RouteTable<N>,
    shapes: &Shapes,
    build: &mut Build,
    deletes: &mut Vec<u32>,
    item: u32,
) {
    let family = RouteTable::<N>::FAMILY;
    let i = item & !V6_BIT;
    let e = routes.entries[i as usize];
    let target = match e.group {
        _ if !e.has(WANTED) => ABSENT,
        NO_GROUP => e.kernel,
        group => core.target(group, family).unwrap_or(ABSENT),
    };
    if target == e.kernel && target != UNKNOWN {
        routes.edit(i, |e| e.flags &= !(QUEUED | FAILED));
        if e.flags & !QUEUED == LIVE && target == ABSENT {
            routes.release(i);
        }
        return;
    }
    routes.edit(i, |e| e.flags = e.flags & !(QUEUED | FAILED) | INFLIGHT);
    match target {
        ABSENT | UNKNOWN => return deletes.push(item),
        UNREACHABLE => build
            .writer
            .route(&shapes.unreachable[family.at()], &e.addr, e.len, None),
        group => {
            let id = core.objects.groups[group].id;
            build
                .writer
                .route(&shapes.put[family.at()], &e.addr, e.len, Some(id));
        }
    }
    build.ops.push(Op::Route(item, target));
}

impl Core {
    /// False when there was no room for all: then nothing that leans on them may follow in this batch.
    fn write_objects(
        &mut self,
        build: &mut Build,
        protocol: u8,
        nexthops: &[u32],
        groups: &[u32],
    ) -> bool {
        for &slot in groups {
            let Some(group) = self
                .objects
                .groups
                .get_mut(slot)
                .filter(|group| group.unconfirmed)
            else {
                continue;
            };
            if !build.room(NEXTHOP_MAX) {
                return false;
            }
            group.unconfirmed = false;
            build.writer.delete_nexthop(group.id);
            build.ops.push(Op::ConfirmGroup(slot));
        }
        for &slot in nexthops {
            let Some(nexthop) = self
                .objects
                .nexthops
                .get_mut(slot)
                .filter(|nexthop| nexthop.unconfirmed)
            else {
                continue;
            };
            if !build.room(NEXTHOP_MAX) {
                return false;
            }
            nexthop.unconfirmed = false;
            build.writer.delete_nexthop(nexthop.id);
            build.ops.push(Op::ConfirmNexthop(slot));
        }
        if !self.write_shortcuts(build, protocol, groups) {
            return false;
        }
        for &slot in nexthops {
            let Some(nexthop) = self
                .objects
                .nexthops
                .get_mut(slot)
                .filter(|nexthop| nexthop.needs_write() && !nexthop.busy)
            else {
                continue;
            };
            let Some(hop) = nexthop.hop else { continue };
            if !build.room(NEXTHOP_MAX) {
                return false;
            }
            nexthop.busy = true;
            build.writer.nexthop(nexthop.id, true, protocol, &hop);
            build.ops.push(Op::Nexthop(slot));
        }
        for in_use in [true, false] {
            for &slot in groups {
                let Some(group) = self.objects.groups.get_mut(slot) else {
                    continue;
                };
                if !group.needs_write() || group.busy || (group.routes > 0) != in_use {
                    continue;
                }
                if !build.room(NEXTHOP_MAX + 8 * group.want.len()) {
                    return false;
                }
                group.busy = true;
                group.writing = group.want.clone();
                for (nexthop, _) in &group.want {
                    self.objects.nexthops[*nexthop].held += 1;
                }
                let nexthops = &self.objects.nexthops;
                build.writer.group(
                    group.id,
                    !group.written,
                    protocol,
                    group
                        .want
                        .iter()
                        .map(|&(nexthop, weight)| (nexthops[nexthop].id, weight)),
                );
                build.ops.push(Op::Group(slot));
            }
        }
        true
    }

    fn delete_objects(&mut self, build: &mut Build, nexthops: &[u32], groups: &[u32]) {
        for &slot in groups {
            let Some(group) = self
                .objects
                .groups
                .get_mut(slot)
                .filter(|group| group.deletable() && !group.busy)
            else {
                continue;
            };
            if !build.room(NEXTHOP_MAX) {
                return;
            }
            group.busy = true;
            build.writer.delete_nexthop(group.id);
            build.ops.push(Op::DeleteGroup(slot));
        }
        for &slot in nexthops {
            let Some(nexthop) = self
                .objects
                .nexthops
                .get_mut(slot)
                .filter(|n| n.deletable() && !n.busy)
            else {
                continue;
            };
            if !build.room(NEXTHOP_MAX) {
                return;
            }
            nexthop.busy = true;
            build.writer.delete_nexthop(nexthop.id);
            build.ops.push(Op::DeleteNexthop(slot));
        }
    }
}
