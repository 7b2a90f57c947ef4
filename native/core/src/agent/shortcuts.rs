//! Changes of groups under IPv6 routes without replacing the group, which costs the kernel 0.4 to 0.8 us for each route on it
//! (Linux 6.18): deleting a singleton takes it out of all its groups in 0.1 to 6 ms however many routes there are, and pointing it
//! elsewhere costs 0.2 us a route for all its groups together. Singletons are shared, so either must suit every group that has it;
//! where it does not, the group is replaced.
use std::collections::{HashMap, HashSet};

use super::batch::{Build, Op, NEXTHOP_MAX};
use super::hop::Hop;
use super::kernel::{alike, KernelGroup, Members, Refusal};
use super::lowering::Outcome;
use super::verdicts::{Verdict, ENOENT};
use super::{Core, Family};

/// Flushing a route costs about as much as replacing the group under four.
const FLUSH_COST: u32 = 4;

impl KernelGroup {
    /// Replacing it would cost as much as it has routes.
    fn costly(&self) -> bool {
        self.needs_write()
            && self.written
            && !self.doubtful
            && !self.busy
            && self.routes > 0
            && matches!(self.owner, Some((_, Family::V6)))
    }

    fn without(&self, gone: &HashSet<u32>) -> Members {
        let have = self.have.iter();
        have.filter(|m| !gone.contains(&m.0)).copied().collect()
    }

    fn with(&self, old: u32, new: u32) -> Members {
        let swap = |&(n, weight): &(u32, u16)| (if n == old { new } else { n }, weight);
        self.have.iter().map(swap).collect()
    }
}

impl Core {
    /// False when there was no room for all.
    pub(super) fn write_shortcuts(
        &mut self,
        build: &mut Build,
        protocol: u8,
        groups: &[u32],
    ) -> bool {
        let costly: Vec<u32> = groups
            .iter()
            .filter(|&&g| {
                let group = self.objects.groups.get(g);
                group.is_some_and(KernelGroup::costly)
            })
            .copied()
            .collect();
        if costly.is_empty() {
            return true;
        }
        // no slot may be freed from here on: verdicts name them
        self.objects.hold = true;
        let removable = self.removable(&costly);
        for nexthop in removable {
            if !build.room(NEXTHOP_MAX) {
                return false;
            }
            self.remove_member(build, nexthop);
        }
        for (old, new) in self.replaceable(&costly) {
            if !build.room(NEXTHOP_MAX) {
                return false;
            }
            self.point_elsewhere(build, protocol, old, new);
        }
        true
    }

    /// In the kernel, in groups, and of no use to any group any more.
    fn leaving(&self, nexthop: u32) -> bool {
        let n = &self.objects.nexthops[nexthop];
        let settled = n.written && !n.busy && !n.stale && !n.unconfirmed && !n.doubtful;
        settled && n.wanted == 0 && n.held > 0
    }

    /// Its routes are to go, or it has none: it may end as it is emptied.
    fn may_end(&self, group: &KernelGroup) -> bool {
        let unresolved = group.owner.is_some_and(|(owner, family)| {
            let outcome = self.groups[owner].outcome[family.at()];
            matches!(outcome, Outcome::Unresolved)
        });
        group.want.is_empty() && !group.stale && (group.routes == 0 || unresolved)
    }

    /// Singletons whose deletion alone makes some of these groups right, and leaves every other one that has them a member.
    fn removable(&self, costly: &[u32]) -> Vec<u32> {
        let groups = &self.objects.groups;
        let mut leaving: HashSet<u32> = costly
            .iter()
            .flat_map(|&g| groups[g].have.iter().map(|m| m.0))
            .filter(|&n| self.leaving(n))
            .collect();
        // a group that would be emptied keeps all that it has
        loop {
            let stay: Vec<u32> = groups
                .iter()
                .filter(|(_, g)| {
                    let hit = g.have.iter().any(|m| leaving.contains(&m.0));
                    hit && (g.busy || g.without(&leaving).is_empty() && !self.may_end(g))
                })
                .flat_map(|(_, g)| g.have.iter().map(|m| m.0))
                .filter(|n| leaving.contains(n))
                .collect();
            if stay.is_empty() {
                break;
            }
            for n in stay {
                leaving.remove(&n);
            }
        }
        let (mut helped, mut flushed) = (0, 0);
        for (_, g) in groups.iter() {
            if g.have.iter().all(|m| leaving.contains(&m.0)) {
                flushed += g.routes;
            } else if g.costly() && alike(&g.want, &g.without(&leaving)) {
                helped += g.routes;
            }
        }
        if helped == 0 || flushed.saturating_mul(FLUSH_COST) > helped {
            return Vec::new();
        }
        let mut found: Vec<u32> = leaving.into_iter().collect();
        found.sort_unstable();
        found
    }

    /// The model takes it as done; a refusal or a lost verdict is dealt with as such.
    fn remove_member(&mut self, build: &mut Build, nexthop: u32) {
        let objects = &mut self.objects;
        build.writer.delete_nexthop(objects.nexthops[nexthop].id);
        build.ops.push(Op::Remove(nexthop));
        objects.nexthops[nexthop].busy = true;
        self.shrink(nexthop);
    }

    /// (old, new): the kernel's object of the old hop may become the new one's in every group that has it.
    fn replaceable(&self, costly: &[u32]) -> Vec<(u32, u32)> {
        let objects = &self.objects;
        let mut pairs: HashMap<u32, u32> = HashMap::new();
        for &g in costly {
            let group = &objects.groups[g];
            if group.want.len() != group.have.len() {
                continue;
            }
            for (have, want) in group.have.iter().zip(&group.want) {
                if have.0 != want.0 && self.leaving(have.0) && self.may_take(have.0, want.0) {
                    pairs.entry(have.0).or_insert(want.0);
                }
            }
        }
        let suits = |old: u32, new: u32| {
            let users = objects.groups.iter().map(|(_, group)| group);
            let mut users = users.filter(|g| g.have.iter().any(|m| m.0 == old));
            users.all(|g| {
                let right = g.written && !g.busy && !g.stale && alike(&g.want, &g.with(old, new));
                right || !g.busy && self.may_end(g)
            })
        };
        let mut taken = HashSet::new();
        let mut found: Vec<(u32, u32)> = pairs
            .into_iter()
            .filter(|&(old, new)| suits(old, new))
            .collect();
        found.sort_unstable();
        found.retain(|(_, new)| taken.insert(*new));
        found
    }

    /// The new hop is not in the kernel yet, and of the same kind: a gateway of the same family.
    fn may_take(&self, old: u32, new: u32) -> bool {
        let (old, new) = (&self.objects.nexthops[old], &self.objects.nexthops[new]);
        let kind = |hop: Hop| (hop.family, hop.ifindex == 0);
        new.needs_write()
            && !new.busy
            && !new.unconfirmed
            && !new.doubtful
            && new.held == 0
            && old.hop.map(kind) == new.hop.map(kind)
    }

    /// Both trade their kernel ids.
    fn trade_ids(&mut self, old: u32, new: u32) {
        let nexthops = &mut self.objects.nexthops;
        let (old_id, new_id) = (nexthops[old].id, nexthops[new].id);
        nexthops[old].id = new_id;
        nexthops[new].id = old_id;
    }

    fn point_elsewhere(&mut self, build: &mut Build, protocol: u8, old: u32, new: u32) {
        self.trade_ids(old, new);
        self.objects.nexthops[old].written = false;
        let nexthop = &mut self.objects.nexthops[new];
        (nexthop.written, nexthop.busy) = (true, true);
        if let Some(hop) = nexthop.hop {
            build.writer.nexthop(nexthop.id, false, protocol, &hop);
            build.ops.push(Op::Repoint(old, new));
        }
        self.exchange(old, new);
    }

    /// In every group the kernel now has `new` where it had `old`.
    fn exchange(&mut self, old: u32, new: u32) {
        for g in self.holders(old) {
            let have = self.objects.groups[g].with(old, new);
            self.objects.set_have(g, have);
            self.objects.review_group(g);
        }
    }

    /// The kernel has this singleton in no group any more; what it emptied is gone, with its routes.
    fn shrink(&mut self, nexthop: u32) {
        let gone = HashSet::from([nexthop]);
        for g in self.holders(nexthop) {
            let left = self.objects.groups[g].without(&gone);
            if left.is_empty() {
                self.objects.forget_group(g);
                self.rescan = true;
            }
            self.objects.set_have(g, left);
            self.objects.review_group(g);
        }
    }

    fn holders(&self, nexthop: u32) -> Vec<u32> {
        let groups = self.objects.groups.iter();
        groups
            .filter(|(_, g)| g.have.iter().any(|m| m.0 == nexthop))
            .map(|(slot, _)| slot)
            .collect()
    }

    pub(super) fn member_removed(&mut self, slot: u32, verdict: &Verdict) {
        let gone = match verdict {
            Verdict::Done => true,
            Verdict::Refused(refusal) => refusal.errno == ENOENT,
            Verdict::Lost => false,
        };
        let nexthop = &mut self.objects.nexthops[slot];
        nexthop.busy = false;
        nexthop.written = false;
        if !gone {
            nexthop.doubtful = true;
            self.doubt_groups();
        }
        self.objects.review_nexthop(slot);
    }

    pub(super) fn pointed_elsewhere(&mut self, old: u32, new: u32, verdict: Verdict, epoch: u64) {
        let nexthop = &mut self.objects.nexthops[new];
        nexthop.busy = false;
        let overtaken = nexthop.flushed_at > epoch;
        match verdict {
            Verdict::Done => (),
            Verdict::Lost => {
                nexthop.written = false;
                nexthop.doubtful = true;
                self.doubt_groups();
            }
            // its port took it, out of its groups, and the news is still on its way
            Verdict::Refused(refusal) if refusal.errno == ENOENT => {
                nexthop.written = false;
                self.shrink(new);
            }
            Verdict::Refused(refusal) => {
                nexthop.written = false;
                self.trade_ids(old, new);
                self.objects.nexthops[old].written = true;
                self.exchange(new, old);
                if !overtaken {
                    self.refused_nexthop(new, refusal);
                }
            }
        }
        self.objects.review_nexthop(old);
        self.objects.review_nexthop(new);
    }

    pub(super) fn refused_nexthop(&mut self, slot: u32, refusal: Refusal) {
        self.objects.refuse_nexthop(slot, refusal);
        let hit: Vec<u32> = self.users(slot);
        hit.into_iter().for_each(|group| self.mark_dirty(group));
    }

    /// Which members they have is not known: each is written whole.
    fn doubt_groups(&mut self) {
        for slot in 0..self.objects.groups.bound() {
            if let Some(group) = self.objects.groups.get_mut(slot) {
                group.doubtful |= group.written;
                self.objects.review_group(slot);
            }
        }
    }
}
