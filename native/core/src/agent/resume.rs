//! Where a stream begins anew: what is held already is told as sums of shards, and what the controller has the same of stays as it is.
use super::routes::{Class, RouteTable, FAILED, FRESH, NO_GROUP, QUEUED, WANTED};
use super::{AgentFib, Core};
use crate::digest::{shard, ShardSet, Sums};

impl AgentFib {
    /// By table, the sums of all routes whose group is known by its key, whichever stream put them or none of this agent's life.
    pub fn shard_sums(&self) -> Vec<(u32, Sums)> {
        vec![sums(&self.core, &self.v4), sums(&self.core, &self.v6)]
    }

    /// A new stream: its ids mean nothing yet. Routes in shards of `kept` count as put by it; everything else is stale, and keeps
    /// forwarding, until put again. What the kernel refused of what is kept is tried again, so that the stream hears of it.
    pub fn snapshot_begin(&mut self, kept: &[(u32, ShardSet)]) {
        let core = &mut self.core;
        core.adjacency_ids.clear();
        core.group_ids.clear();
        core.count = 0;
        core.digest = 0;
        renew(core, &mut self.v4, kept);
        renew(core, &mut self.v6, kept);
        for slot in 0..core.groups.bound() {
            if let Some(group) = core.groups.get_mut(slot) {
                group.ids = 0;
                group.id = None;
                core.collect_group(slot);
            }
        }
        for slot in 0..core.adjacencies.bound() {
            if let Some(adjacency) = core.adjacencies.get_mut(slot) {
                adjacency.id = None;
                core.release_adjacency(slot);
            }
        }
    }

    /// The stream goes on, but may not have heard of what the kernel refused: that is tried again, and told if it fails again. How
    /// many routes that is.
    pub fn retry_failed(&mut self) -> usize {
        retry(&mut self.core, &mut self.v4) + retry(&mut self.core, &mut self.v6)
    }

    pub fn set_digest_key(&mut self, key: [u8; 16]) {
        let core = &mut self.core;
        if core.digest_key != key {
            core.digest_key = key;
            core.digest = root(core, &self.v4).wrapping_add(root(core, &self.v6));
        }
    }
}

fn sums<const N: usize>(core: &Core, routes: &RouteTable<N>) -> (u32, Sums) {
    let mut sums = Sums::default();
    for e in &routes.entries {
        if e.has(WANTED) && e.group != NO_GROUP {
            let hash = core.route_digest(e.table, &e.addr, e.len, e.group);
            sums.add(shard(&core.digest_key, &e.addr, e.len), hash);
        }
    }
    (RouteTable::<N>::FAMILY.table(), sums)
}

fn renew<const N: usize>(core: &mut Core, routes: &mut RouteTable<N>, kept: &[(u32, ShardSet)]) {
    let table = RouteTable::<N>::FAMILY.table();
    let kept = kept.iter().find(|(of, _)| *of == table).map(|(_, set)| set);
    for i in 0..routes.entries.len() as u32 {
        let e = routes.entries[i as usize];
        let known = e.has(WANTED) && e.group != NO_GROUP;
        let keep = known && kept.is_some_and(|k| k.has(shard(&core.digest_key, &e.addr, e.len)));
        if keep {
            core.count += 1;
            let hash = core.route_digest(e.table, &e.addr, e.len, e.group);
            core.digest = core.digest.wrapping_add(hash);
            let again = e.has(FAILED) && !e.has(QUEUED);
            if again {
                core.push_again::<N>(i);
            }
            routes.edit(i, |e| {
                e.flags = e.flags & !FAILED | FRESH | if again { QUEUED } else { 0 };
            });
        } else if e.has(FRESH) {
            routes.edit(i, |e| e.flags &= !FRESH);
        }
    }
}

fn retry<const N: usize>(core: &mut Core, routes: &mut RouteTable<N>) -> usize {
    let failed = routes.count(Class::Failed);
    if failed == 0 {
        return 0;
    }
    for i in 0..routes.entries.len() as u32 {
        let e = &routes.entries[i as usize];
        if e.class() == Class::Failed && !e.has(QUEUED) {
            routes.edit(i, |e| e.flags = e.flags & !FAILED | QUEUED);
            core.push_again::<N>(i);
        }
    }
    failed
}

fn root<const N: usize>(core: &Core, routes: &RouteTable<N>) -> u64 {
    let fresh = routes.entries.iter().filter(|e| e.has(FRESH));
    fresh.fold(0, |sum, e| {
        sum.wrapping_add(core.route_digest(e.table, &e.addr, e.len, e.group))
    })
}
