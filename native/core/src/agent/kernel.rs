//! What the kernel holds of ours beside the routes: nexthop singletons and groups, under ids that belong to this box.
//! Measured facts this rests on: a singleton cannot become a group nor the reverse (an id keeps its kind); losing carrier deletes
//! the singletons on that port, shrinks groups, and flushes the routes of an emptied group; carrier back restores nothing.
use std::collections::{HashMap, HashSet};

use super::hop::Hop;
use super::slab::Slab;
use super::Family;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Refusal {
    pub errno: i32,
    pub text: String,
}

#[derive(Debug, Default)]
pub(super) struct Nexthop {
    pub id: u32,
    /// None: found in the kernel in a form this agent never writes.
    pub hop: Option<Hop>,
    /// Mentions in what groups shall be; mentions in what they are or are being written as.
    pub wanted: u32,
    pub held: u32,
    pub written: bool,
    /// Forgotten because its port went; whether a write overtook that news is unknown, so it is deleted before anything else.
    pub unconfirmed: bool,
    /// The verdict on its latest write was lost.
    pub doubtful: bool,
    pub busy: bool,
    pub stale: bool,
    pub flushed_at: u64,
    pub error: Option<Refusal>,
    pub touched: bool,
}

pub(super) type Members = Vec<(u32, u16)>;

/// The same nexthops with weights in the same proportion.
pub(super) fn alike(a: &Members, b: &Members) -> bool {
    let share =
        |of: &Members, at: usize, other: &Members| u64::from(of[at].1) * u64::from(other[0].1);
    let same = |at: usize| a[at].0 == b[at].0 && share(a, at, b) == share(b, at, a);
    a.len() == b.len() && (0..a.len()).all(same)
}

#[derive(Debug, Default)]
pub(super) struct KernelGroup {
    pub id: u32,
    /// The stream's group it serves, and for routes of which family.
    pub owner: Option<(u32, Family)>,
    pub want: Members,
    pub have: Members,
    pub writing: Members,
    pub written: bool,
    pub unconfirmed: bool,
    pub doubtful: bool,
    pub busy: bool,
    pub stale: bool,
    pub flushed_at: u64,
    /// Its routes are gone with it and still have to learn it.
    pub flushed: bool,
    /// Routes that the kernel has on it.
    pub routes: u32,
    pub error: Option<Refusal>,
    /// Refused or lost since its latest write: routes that failed with it get another chance once it is there again.
    pub failing: bool,
    pub touched: bool,
}

impl KernelGroup {
    pub fn needs_write(&self) -> bool {
        !self.want.is_empty()
            && (!self.written || self.doubtful || !alike(&self.want, &self.have))
            && self.error.is_none()
    }

    pub fn deletable(&self) -> bool {
        self.want.is_empty() && self.written && self.routes == 0 && !self.stale
    }
}

impl Nexthop {
    pub fn needs_write(&self) -> bool {
        self.wanted > 0 && !self.written && self.error.is_none()
    }

    pub fn deletable(&self) -> bool {
        self.wanted == 0 && self.held == 0 && self.written && !self.stale
    }
}

#[derive(Debug)]
pub(super) struct Objects {
    pub nexthops: Slab<Nexthop>,
    pub by_hop: HashMap<Hop, u32>,
    pub groups: Slab<KernelGroup>,
    /// Ids in the kernel or on their way there, ours and what others were seen to use.
    pub used: HashSet<u32>,
    base: u32,
    /// Ids only count up, also across restarts (`memory`), so that none stands for two things.
    pub next: u32,
    /// Counts losses of carrier, so that a verdict can be told from older news.
    pub epoch: u64,
    /// A batch is outstanding: its operations name slots, so none may be freed for another use.
    pub hold: bool,
    /// Some nexthop may stand refused.
    refusals: bool,
    pub touched_nexthops: Vec<u32>,
    pub touched_groups: Vec<u32>,
    /// While an audit runs: ids of what was written or given up since it began.
    pub watched: Option<HashSet<u32>>,
}

impl Objects {
    pub fn new(base: u32) -> Self {
        Self {
            nexthops: Slab::new(),
            by_hop: HashMap::new(),
            groups: Slab::new(),
            used: HashSet::new(),
            base,
            next: base,
            epoch: 0,
            hold: false,
            refusals: false,
            touched_nexthops: Vec::new(),
            touched_groups: Vec::new(),
            watched: None,
        }
    }

    pub fn note_nexthop(&mut self, slot: u32) {
        if let Some(watched) = &mut self.watched {
            watched.insert(self.nexthops[slot].id);
        }
    }

    pub fn note_group(&mut self, slot: u32) {
        if let Some(watched) = &mut self.watched {
            watched.insert(self.groups[slot].id);
        }
    }

    fn fresh_id(&mut self) -> u32 {
        loop {
            let id = self.next;
            self.next = self.next.checked_add(1).unwrap_or(self.base.max(1));
            if id != 0 && self.used.insert(id) {
                return id;
            }
        }
    }

    /// An earlier life of the agent came this far: what it used and let go is not used again.
    pub fn passed(&mut self, id: u32) {
        self.next = self.next.max(id.saturating_add(1));
    }

    pub fn nexthop(&mut self, hop: Hop) -> u32 {
        if let Some(&slot) = self.by_hop.get(&hop) {
            return slot;
        }
        let id = self.fresh_id();
        let slot = self.nexthops.insert(Nexthop {
            id,
            hop: Some(hop),
            ..Nexthop::default()
        });
        self.by_hop.insert(hop, slot);
        slot
    }

    pub fn new_group(&mut self, owner: (u32, Family)) -> u32 {
        let id = self.fresh_id();
        self.groups.insert(KernelGroup {
            id,
            owner: Some(owner),
            ..KernelGroup::default()
        })
    }

    pub fn touch_nexthop(&mut self, slot: u32) {
        if !std::mem::replace(&mut self.nexthops[slot].touched, true) {
            self.touched_nexthops.push(slot);
        }
    }

    pub fn touch_group(&mut self, slot: u32) {
        if !std::mem::replace(&mut self.groups[slot].touched, true) {
            self.touched_groups.push(slot);
        }
    }

    /// Both work lists, emptied; whoever finds work left touches again.
    pub fn take_touched(&mut self) -> (Vec<u32>, Vec<u32>) {
        let nexthops = std::mem::take(&mut self.touched_nexthops);
        let groups = std::mem::take(&mut self.touched_groups);
        for &slot in &nexthops {
            if let Some(nexthop) = self.nexthops.get_mut(slot) {
                nexthop.touched = false;
            }
        }
        for &slot in &groups {
            if let Some(group) = self.groups.get_mut(slot) {
                group.touched = false;
            }
        }
        (nexthops, groups)
    }

    /// Put it on the work list if there is work, forget it if nothing is left of it.
    pub fn review_nexthop(&mut self, slot: u32) {
        let Some(n) = self.nexthops.get_mut(slot) else {
            return;
        };
        n.unconfirmed |= n.wanted == 0 && n.held == 0 && std::mem::take(&mut n.doubtful);
        if n.unconfirmed || n.needs_write() || n.deletable() {
            self.touch_nexthop(slot);
        } else if n.wanted == 0 && n.held == 0 && !n.written && n.error.is_none() {
            if self.hold {
                return self.touch_nexthop(slot);
            }
            let gone = self.nexthops.remove(slot);
            self.used.remove(&gone.id);
            if let Some(hop) = gone.hop {
                self.by_hop.remove(&hop);
            }
        }
    }

    pub fn review_group(&mut self, slot: u32) {
        let Some(g) = self.groups.get_mut(slot) else {
            return;
        };
        g.unconfirmed |=
            !g.written && g.want.is_empty() && g.routes == 0 && std::mem::take(&mut g.doubtful);
        if g.unconfirmed || g.needs_write() || g.deletable() {
            self.touch_group(slot);
        } else if g.owner.is_none() && !g.written && g.want.is_empty() && g.routes == 0 {
            if self.hold {
                return self.touch_group(slot);
            }
            let gone = self.groups.remove(slot);
            self.used.remove(&gone.id);
        }
    }

    pub fn set_want(&mut self, slot: u32, want: Members) {
        for &(nexthop, _) in &want {
            self.nexthops[nexthop].wanted += 1;
        }
        let refused = want
            .iter()
            .any(|(nexthop, _)| self.nexthops[*nexthop].error.is_some());
        let group = &mut self.groups[slot];
        if group.want != want || !refused {
            group.error = None;
        }
        let old = std::mem::replace(&mut group.want, want);
        for &(nexthop, _) in &old {
            self.nexthops[nexthop].wanted -= 1;
        }
        for (nexthop, _) in old {
            self.review_nexthop(nexthop);
        }
        for at in 0..self.groups[slot].want.len() {
            let nexthop = self.groups[slot].want[at].0;
            self.review_nexthop(nexthop);
        }
        self.review_group(slot);
    }

    /// Replace what the kernel is taken to hold as this group.
    pub fn set_have(&mut self, slot: u32, have: Members) {
        self.note_group(slot);
        for &(nexthop, _) in &have {
            self.nexthops[nexthop].held += 1;
        }
        let old = std::mem::replace(&mut self.groups[slot].have, have);
        self.unhold(&old);
    }

    pub fn unhold(&mut self, members: &Members) {
        for &(nexthop, _) in members {
            self.nexthops[nexthop].held -= 1;
        }
        for &(nexthop, _) in members {
            self.review_nexthop(nexthop);
        }
    }

    pub fn disown(&mut self, slot: u32) {
        self.groups[slot].owner = None;
        self.set_want(slot, Vec::new());
    }

    /// Carrier lost, or the port is gone: forget what the kernel deleted with it. True if routes went too.
    pub fn flush(&mut self, ifindex: u32) -> bool {
        self.epoch += 1;
        let mut lost = Vec::new();
        for (slot, nexthop) in self.nexthops.iter_mut() {
            let here = nexthop.hop.is_some_and(|hop| hop.ifindex == ifindex);
            nexthop.error = nexthop.error.take().filter(|_| !here);
            if here && (nexthop.written || nexthop.busy) {
                lost.push(slot);
            }
        }
        self.lose_nexthops(lost, true)
    }

    /// The kernel deleted these, groups shrank, and what was emptied went with its routes: true if such were. `late`: whether a
    /// write overtook the news is unknown.
    pub fn lose_nexthops(&mut self, lost: Vec<u32>, late: bool) -> bool {
        for &slot in &lost {
            self.note_nexthop(slot);
            let nexthop = &mut self.nexthops[slot];
            nexthop.written = false;
            nexthop.unconfirmed = late || nexthop.busy;
            nexthop.flushed_at = self.epoch;
        }
        let lost_set: HashSet<u32> = lost.iter().copied().collect();
        let hit: Vec<u32> = self
            .groups
            .iter()
            .filter(|(_, g)| touches(&g.have, &lost_set))
            .map(|(slot, _)| slot)
            .collect();
        let mut routes = false;
        for slot in hit {
            let left: Members = self.groups[slot]
                .have
                .iter()
                .filter(|m| !lost_set.contains(&m.0))
                .copied()
                .collect();
            if left.is_empty() {
                routes |= self.groups[slot].routes > 0;
                self.lose_group(slot, late);
            }
            self.set_have(slot, left);
            self.review_group(slot);
        }
        for slot in lost {
            self.review_nexthop(slot);
        }
        routes
    }

    /// The kernel emptied this group, or a write found it gone, and its routes went with it.
    pub fn forget_group(&mut self, slot: u32) {
        self.lose_group(slot, true);
    }

    pub fn lose_group(&mut self, slot: u32, late: bool) {
        self.note_group(slot);
        let epoch = self.epoch;
        let group = &mut self.groups[slot];
        group.written = false;
        group.unconfirmed = late || group.busy;
        group.flushed_at = epoch;
        group.flushed = true;
        // a route may have been refused for want of it before the news came
        group.failing = true;
    }

    /// What was refused may be tried again: these conditions changed, or somebody asked.
    pub fn forgive(&mut self, which: impl Fn(u32, &Nexthop) -> bool) {
        if !self.refusals {
            return;
        }
        let again: Vec<u32> = self
            .nexthops
            .iter()
            .filter(|(slot, n)| n.error.is_some() && which(*slot, n))
            .map(|(slot, _)| slot)
            .collect();
        for slot in again {
            self.nexthops[slot].error = None;
            self.review_nexthop(slot);
        }
        self.refusals = self
            .nexthops
            .iter()
            .any(|(_, nexthop)| nexthop.error.is_some());
    }

    pub fn refuse_nexthop(&mut self, slot: u32, refusal: Refusal) {
        self.nexthops[slot].error = Some(refusal);
        self.refusals = true;
    }
}

fn touches(members: &Members, lost: &HashSet<u32>) -> bool {
    members.iter().any(|(nexthop, _)| lost.contains(nexthop))
}
