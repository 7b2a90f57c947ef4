//! What the kernel answered. Errors name their message by sequence; silence of a message before the last one's answer means done.
use std::collections::HashMap;

use super::batch::{Batch, Op};
use super::kernel::{Members, Refusal};
use super::netlink::{messages, verdict, NLMSG_ERROR};
use super::routes::{RouteTable, ABSENT, FAILED, INFLIGHT, LIVE, QUEUED, UNKNOWN, WANTED};
use super::{AgentFib, Core, V6_BIT};

pub(super) const ENOENT: i32 = 2;
const ESRCH: i32 = 3;
const EEXIST: i32 = 17;

/// (table, address, length, errno, text) of a route that the kernel refused.
pub type Failure = (u32, Vec<u8>, u8, i32, String);

pub(super) enum Verdict {
    Done,
    Refused(Refusal),
    /// The answers were cut short (a full receive buffer): it may have happened or not.
    Lost,
}

impl AgentFib {
    /// Every reply to the outstanding batch. Where the last message's answer is not among them, all that was not refused is
    /// written again: puts replace and deletes of what is gone are no failure.
    pub fn batch_done(&mut self, replies: &[u8]) -> Vec<Failure> {
        let Some(batch) = self.outstanding.take() else {
            return Vec::new();
        };
        let mut refusals = HashMap::new();
        let mut answered = false;
        let last = batch.first + (batch.ops.len() as u32 - 1);
        for message in messages(replies).filter(|message| message.kind == NLMSG_ERROR) {
            let Some((seq, errno, text)) = verdict(&message) else {
                continue;
            };
            if !(batch.first..=last).contains(&seq) {
                continue;
            }
            answered |= seq == last;
            if errno != 0 {
                let text = text.unwrap_or_else(|| describe(errno));
                refusals.insert(seq, Refusal { errno, text });
            }
        }
        let mut failures = Vec::new();
        let all_done = answered && refusals.is_empty();
        for (at, &op) in batch.ops.iter().enumerate() {
            if all_done && self.first_put_done(op, batch.epoch) {
                continue;
            }
            let refusal = if refusals.is_empty() {
                None
            } else {
                refusals.remove(&(batch.first + at as u32))
            };
            let verdict = match refusal {
                Some(refusal) => Verdict::Refused(refusal),
                None if answered => Verdict::Done,
                None => Verdict::Lost,
            };
            self.conclude(&batch, op, verdict, &mut failures);
        }
        self.core.objects.hold = false;
        self.reach();
        failures
    }

    /// Nearly all operations of a large table are new routes and were done: false where this one needs more thought than that.
    #[inline]
    fn first_put_done(&mut self, op: Op, epoch: u64) -> bool {
        match op {
            Op::Route(item, target) if item & V6_BIT == 0 => {
                first_put_done(&mut self.core, &mut self.v4, item, target, epoch)
            }
            Op::Route(item, target) => {
                first_put_done(&mut self.core, &mut self.v6, item & !V6_BIT, target, epoch)
            }
            _ => false,
        }
    }

    fn conclude(&mut self, batch: &Batch, op: Op, verdict: Verdict, failures: &mut Vec<Failure>) {
        let core = &mut self.core;
        match op {
            Op::ConfirmGroup(slot) => {
                core.objects.note_group(slot);
                core.objects.groups[slot].unconfirmed |= matches!(verdict, Verdict::Lost);
                core.objects.review_group(slot);
            }
            Op::ConfirmNexthop(slot) => {
                core.objects.note_nexthop(slot);
                core.objects.nexthops[slot].unconfirmed |= matches!(verdict, Verdict::Lost);
                core.objects.review_nexthop(slot);
            }
            Op::Remove(slot) => {
                core.objects.note_nexthop(slot);
                core.member_removed(slot, &verdict);
            }
            Op::Repoint(old, new) => {
                core.objects.note_nexthop(old);
                core.objects.note_nexthop(new);
                core.pointed_elsewhere(old, new, verdict, batch.epoch);
            }
            Op::Nexthop(slot) => core.nexthop_written(slot, verdict, batch.epoch),
            Op::Group(slot) => core.group_written(slot, verdict, batch.epoch),
            Op::DeleteNexthop(slot) => {
                core.objects.note_nexthop(slot);
                let nexthop = &mut core.objects.nexthops[slot];
                nexthop.busy = false;
                nexthop.written = false;
                nexthop.doubtful |= matches!(verdict, Verdict::Lost);
                core.objects.review_nexthop(slot);
            }
            Op::DeleteGroup(slot) => {
                core.objects.note_group(slot);
                let group = &mut core.objects.groups[slot];
                group.busy = false;
                group.written = false;
                group.doubtful |= matches!(verdict, Verdict::Lost);
                core.objects.set_have(slot, Members::new());
                core.objects.review_group(slot);
            }
            Op::Route(item, target) if item & V6_BIT == 0 => {
                route_written(
                    core,
                    &mut self.v4,
                    item,
                    target,
                    verdict,
                    batch.epoch,
                    failures,
                );
            }
            Op::Route(item, target) => {
                route_written(
                    core,
                    &mut self.v6,
                    item & !V6_BIT,
                    target,
                    verdict,
                    batch.epoch,
                    failures,
                );
            }
            Op::Withdraw(item) if item & V6_BIT == 0 => {
                route_written(
                    core,
                    &mut self.v4,
                    item,
                    ABSENT,
                    verdict,
                    batch.epoch,
                    failures,
                );
            }
            Op::Withdraw(item) => {
                route_written(
                    core,
                    &mut self.v6,
                    item & !V6_BIT,
                    ABSENT,
                    verdict,
                    batch.epoch,
                    failures,
                );
            }
        }
    }
}

impl Core {
    fn nexthop_written(&mut self, slot: u32, verdict: Verdict, epoch: u64) {
        self.objects.note_nexthop(slot);
        let nexthop = &mut self.objects.nexthops[slot];
        nexthop.busy = false;
        let overtaken = nexthop.flushed_at > epoch;
        match verdict {
            Verdict::Done => {
                nexthop.written = !overtaken;
                nexthop.doubtful = false;
            }
            Verdict::Lost => nexthop.doubtful = true,
            Verdict::Refused(refusal) if !overtaken => self.refused_nexthop(slot, refusal),
            Verdict::Refused(_) => (),
        }
        self.objects.review_nexthop(slot);
    }

    /// Groups of the stream whose kernel groups want this nexthop.
    pub(super) fn users(&self, nexthop: u32) -> Vec<u32> {
        let groups = self
            .objects
            .groups
            .iter()
            .filter(|(_, g)| g.want.iter().any(|m| m.0 == nexthop));
        groups
            .filter_map(|(_, g)| g.owner.map(|(owner, _)| owner))
            .collect()
    }

    fn group_written(&mut self, slot: u32, verdict: Verdict, epoch: u64) {
        self.objects.note_group(slot);
        let group = &mut self.objects.groups[slot];
        group.busy = false;
        let written = std::mem::take(&mut group.writing);
        let nexthops = &self.objects.nexthops;
        let left: Members = written
            .iter()
            .filter(|m| nexthops[m.0].flushed_at <= epoch)
            .copied()
            .collect();
        match verdict {
            // flushed while it was being written: which came first is unknown, so it is deleted and written anew
            Verdict::Done if group.flushed_at > epoch => (),
            Verdict::Done if left.is_empty() => {
                self.objects.forget_group(slot);
                self.objects.set_have(slot, Members::new());
                self.rescan = true;
            }
            Verdict::Done => {
                group.written = true;
                group.doubtful = false;
                group.error = None;
                let owner = group.owner.filter(|_| std::mem::take(&mut group.failing));
                self.objects.set_have(slot, left);
                if let Some((owner, family)) = owner {
                    self.groups[owner].recheck[family.at()] = true;
                    self.rescan = true;
                }
            }
            Verdict::Lost => group.doubtful = true,
            // it went while it was being replaced, and is written anew
            Verdict::Refused(_) if group.flushed_at > epoch => (),
            // it was to be there: a port took it, with its routes, and the news is still on its way
            Verdict::Refused(refusal) if refusal.errno == ENOENT && group.written => {
                self.objects.forget_group(slot);
                self.objects.set_have(slot, Members::new());
                self.rescan = true;
            }
            Verdict::Refused(refusal) => {
                group.failing = true;
                let cause = written.iter().find_map(|m| nexthops[m.0].error.clone());
                if left.len() == written.len() {
                    group.error = Some(cause.unwrap_or(refusal));
                }
                // another shape of it may do: then its routes wait for that instead of failing
                self.relower_dirty();
            }
        }
        self.objects.unhold(&written);
        self.objects.review_group(slot);
    }

    pub(super) fn set_kernel<const N: usize>(
        &mut self,
        routes: &mut RouteTable<N>,
        i: u32,
        kernel: u32,
    ) {
        let before = routes.entries[i as usize].kernel;
        if before == kernel {
            return;
        }
        if let Some(group) = self.objects.groups.get_mut(kernel) {
            group.routes += 1;
        }
        routes.edit(i, |e| e.kernel = kernel);
        routes.touch(i);
        if let Some(group) = self.objects.groups.get_mut(before) {
            group.routes -= 1;
            if group.routes == 0 {
                self.objects.review_group(before);
            }
        }
    }
}

#[inline]
fn first_put_done<const N: usize>(
    core: &mut Core,
    routes: &mut RouteTable<N>,
    i: u32,
    target: u32,
    epoch: u64,
) -> bool {
    let e = &routes.entries[i as usize];
    if !e.is_first_put() || core.target(e.group, RouteTable::<N>::FAMILY) != Some(target) {
        return false;
    }
    match core.objects.groups.get_mut(target) {
        Some(group) if group.flushed_at <= epoch => group.routes += 1,
        _ => return false,
    }
    routes.first_put_done(i, target);
    true
}

fn route_written<const N: usize>(
    core: &mut Core,
    routes: &mut RouteTable<N>,
    i: u32,
    target: u32,
    verdict: Verdict,
    epoch: u64,
    failures: &mut Vec<Failure>,
) {
    let overtaken = core
        .objects
        .groups
        .get(target)
        .is_some_and(|group| group.flushed_at > epoch);
    let deleting = target == ABSENT;
    let mut refusal = None;
    match verdict {
        Verdict::Done if overtaken => core.set_kernel(routes, i, ABSENT),
        Verdict::Done => core.set_kernel(routes, i, target),
        Verdict::Lost => core.set_kernel(routes, i, UNKNOWN),
        Verdict::Refused(r) if deleting && matches!(r.errno, ENOENT | ESRCH) => {
            core.set_kernel(routes, i, ABSENT)
        }
        Verdict::Refused(r) if !deleting && r.errno == EEXIST => core.set_kernel(routes, i, target),
        Verdict::Refused(r) => refusal = Some(r),
    }
    let e = routes.entries[i as usize];
    let wanted = if e.has(WANTED) {
        core.target(e.group, RouteTable::<N>::FAMILY)
            .unwrap_or(ABSENT)
    } else {
        ABSENT
    };
    if let Some(mut refusal) = refusal {
        let group = core.objects.groups.get(wanted);
        let anew = overtaken || wanted != target || group.is_some_and(|group| group.needs_write());
        if !anew {
            if let Some(cause) = group.and_then(|group| group.error.clone()) {
                refusal = cause;
            }
            routes.edit(i, |e| {
                e.flags = e.flags & !INFLIGHT | FAILED;
                e.errno = refusal.errno as u16;
            });
            failures.push((e.table, e.addr.to_vec(), e.len, refusal.errno, refusal.text));
            return;
        }
    }
    routes.edit(i, |e| e.flags &= !INFLIGHT);
    let e = routes.entries[i as usize];
    let again = wanted != e.kernel || e.kernel == UNKNOWN;
    if e.has(QUEUED) {
        // it is looked at again anyway
    } else if again {
        routes.edit(i, |e| e.flags |= QUEUED);
        core.push_again::<N>(i);
    } else if e.flags == LIVE && e.kernel == ABSENT {
        routes.release(i);
    }
}

fn describe(errno: i32) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    text.split(" (os error")
        .next()
        .unwrap_or_default()
        .to_owned()
}
