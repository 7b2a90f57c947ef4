//! Settlement in rounds from nothing, for trackers that may depend on themselves: with all that their look-ups may ask for, so that
//! every round here is what it would be over all trackers.

use std::collections::VecDeque;

use super::core::Core;
use super::instance::Instance;
use super::nexthop::{Ids, Map, NextHops};
use super::resolve::{look_up, may_read, Found, Trials};
use super::settle::{rank_above, LOOK_UP, ROUNDS};

enum Phase {
    /// Finding all that the members may read.
    Gather,
    /// In this round, at this place of `todo`.
    Round(u8, usize),
    Commit,
}

pub struct Rounds {
    phase: Phase,
    /// Closed under `may_read` once gathered.
    members: Vec<u32>,
    /// How many of them were there from the start.
    seeds: usize,
    gathered: usize,
    /// Who may read a member.
    above: Map<u32, Vec<u32>>,
    trials: Trials,
    todo: Vec<u32>,
    /// What this round found that is new.
    fresh: Vec<(u32, Found)>,
    /// The last round in which a member moved.
    moved: Map<u32, u8>,
    left: VecDeque<u32>,
    is_tangled: bool,
}

impl Rounds {
    /// For these and all that were tangled before.
    pub fn of(hops: &mut NextHops, seeds: Vec<u32>) -> Rounds {
        let seeds: Ids = seeds.into_iter().collect();
        let mut members = Vec::new();
        for (id, t) in (0..).zip(&mut hops.trackers) {
            if !t.vacant && (t.tangled || seeds.contains(&id)) {
                t.watched = true;
                members.push(id);
            }
        }
        Rounds {
            phase: Phase::Gather,
            above: members.iter().map(|&t| (t, Vec::new())).collect(),
            seeds: members.len(),
            members,
            gathered: 0,
            trials: Trials::default(),
            todo: Vec::new(),
            fresh: Vec::new(),
            moved: Map::default(),
            left: VecDeque::new(),
            is_tangled: false,
        }
    }

    /// Works for about `budget` units; true while there is more. A member that went away in between ends it, to begin again.
    pub fn advance(&mut self, core: &mut Core, instances: &[Instance], budget: &mut usize) -> bool {
        let here = |t: &u32| core.hops.trackers[*t as usize].watched;
        if !self.members.iter().all(here) {
            core.settling.seeds.extend(&self.members[..self.seeds]);
            return false;
        }
        while *budget > 0 {
            *budget = budget.saturating_sub(LOOK_UP);
            match self.phase {
                Phase::Gather => match self.members.get(self.gathered) {
                    Some(&t) => self.gather(core, instances, t),
                    None => self.begin(core, instances),
                },
                Phase::Round(round, at) => match self.todo.get(at) {
                    Some(&t) => {
                        self.look_at(core, instances, t);
                        self.phase = Phase::Round(round, at + 1);
                    }
                    None => self.end_round(core, round),
                },
                Phase::Commit => match self.left.pop_front() {
                    Some(t) => self.commit(core, t),
                    None => {
                        self.end(core);
                        return false;
                    }
                },
            }
        }
        true
    }

    fn end(&self, core: &mut Core) {
        for &t in self.members.iter().filter(|_| !self.is_tangled) {
            core.hops.trackers[t as usize].watched = false;
        }
    }

    fn join(&mut self, core: &mut Core, t: u32) {
        self.above.entry(t).or_insert_with(|| {
            self.members.push(t);
            core.hops.trackers[t as usize].watched = true;
            Vec::new()
        });
    }

    fn gather(&mut self, core: &mut Core, instances: &[Instance], t: u32) {
        self.gathered += 1;
        for below in may_read(core, instances, t) {
            self.join(core, below);
            self.above.entry(below).or_default().push(t);
        }
    }

    fn begin(&mut self, core: &Core, instances: &[Instance]) {
        self.trials = self
            .members
            .iter()
            .map(|&t| (t, Found::default()))
            .collect();
        self.moved.clear();
        // Those that follow a port are known before the first round
        let direct = |t: &u32| core.hops.trackers[*t as usize].direct();
        for &t in self.members.iter().filter(|t| direct(t)) {
            let known = look_up(core, instances, t, &Trials::default());
            self.trials.insert(t, known);
        }
        self.todo = self
            .members
            .iter()
            .copied()
            .filter(|t| !direct(t))
            .collect();
        self.phase = Phase::Round(1, 0);
    }

    fn look_at(&mut self, core: &Core, instances: &[Instance], t: u32) {
        let found = look_up(core, instances, t, &self.trials);
        match self.trials.get_mut(&t) {
            Some(known) if known.says_the_same(&found) => *known = found,
            _ => self.fresh.push((t, found)),
        }
    }

    fn end_round(&mut self, core: &mut Core, round: u8) {
        let fresh = std::mem::take(&mut self.fresh);
        let mut todo = Ids::default();
        for (t, found) in fresh {
            todo.extend(&self.above[&t]);
            self.moved.insert(t, round);
            let found = if round == ROUNDS {
                found.guarded()
            } else {
                found
            };
            self.trials.insert(t, found);
        }
        self.todo = todo.into_iter().collect();
        if !self.todo.is_empty() && round < ROUNDS {
            self.phase = Phase::Round(round + 1, 0);
        } else if !self.take_in_readers(core) {
            self.conclude(core);
        }
    }

    fn unstable(&self, t: u32) -> bool {
        self.moved.get(&t) == Some(&ROUNDS)
    }

    /// Whoever reads what does not come to rest, at any distance, has to go through the rounds with it: true if some did not.
    fn take_in_readers(&mut self, core: &mut Core) -> bool {
        let members = self.members.iter().copied();
        let mut queue: Vec<u32> = members.filter(|&t| self.unstable(t)).collect();
        let mut seen: Ids = queue.iter().copied().collect();
        let before = self.members.len();
        while let Some(t) = queue.pop() {
            let readers = core.hops.trackers[t as usize].dependents.iter();
            let unseen: Vec<u32> = readers.copied().filter(|&r| seen.insert(r)).collect();
            for reader in unseen {
                self.join(core, reader);
                queue.push(reader);
            }
        }
        self.phase = Phase::Gather;
        self.members.len() > before
    }

    /// Who of the members is tangled from now on, and the ranks of all.
    fn conclude(&mut self, core: &mut Core) {
        for t in &mut core.hops.trackers {
            (t.watched, t.tangled) = (false, false);
        }
        let (order, circles) = self.untangle();
        let mut tangled: Ids = circles.into_iter().collect();
        for t in order {
            let reads = &self.trials[&t].reads;
            let direct = core.hops.trackers[t as usize].direct();
            let rank = rank_above(t, reads, |r| {
                (!self.unstable(r)).then(|| self.moved.get(&r).copied().unwrap_or(0))
            });
            match rank {
                Some(rank) if !self.unstable(t) => {
                    self.moved.insert(t, if direct { 0 } else { rank });
                }
                _ => {
                    tangled.insert(t);
                }
            }
        }
        // While something is tangled, what touches it or what it may read asks for rounds again
        for &t in &self.members {
            let tracker = &mut core.hops.trackers[t as usize];
            tracker.tangled = tangled.contains(&t);
            tracker.watched = true;
        }
        self.is_tangled = !tangled.is_empty();
        self.left = self.members.iter().copied().collect();
        self.phase = Phase::Commit;
    }

    /// The members that stand in no circle and between none, each after those it reads or in a circle; and the others.
    fn untangle(&self) -> (Vec<u32>, Vec<u32>) {
        let mut readers: Map<u32, Vec<u32>> = Map::default();
        let mut waits: Map<u32, usize> = Map::default();
        for &t in &self.members {
            let reads = self.trials[&t].reads.iter();
            let inside: Vec<u32> = reads
                .copied()
                .filter(|r| self.trials.contains_key(r))
                .collect();
            waits.insert(t, inside.len());
            for r in inside {
                readers.entry(r).or_default().push(t);
            }
        }
        let mut order: Vec<u32> = self
            .members
            .iter()
            .copied()
            .filter(|t| waits[t] == 0)
            .collect();
        let mut at = 0;
        while let Some(t) = order.get(at) {
            at += 1;
            for reader in readers.get(t).into_iter().flatten() {
                let n = waits.get_mut(reader).map_or(0, |n| {
                    *n -= 1;
                    *n
                });
                if n == 0 {
                    order.push(*reader);
                }
            }
        }
        let below: Ids = order.iter().copied().collect();
        // From the other end: whom nobody of the rest reads
        let mut rest: Ids = self
            .members
            .iter()
            .copied()
            .filter(|t| !below.contains(t))
            .collect();
        let mut top: Vec<u32> = Vec::new();
        loop {
            let read = |t: &u32| {
                readers
                    .get(t)
                    .into_iter()
                    .flatten()
                    .any(|r| rest.contains(r))
            };
            let free: Vec<u32> = rest.iter().copied().filter(|t| !read(t)).collect();
            if free.is_empty() {
                break;
            }
            free.iter().for_each(|t| {
                rest.remove(t);
            });
            top.extend(free);
        }
        order.extend(top.into_iter().rev());
        (order, rest.into_iter().collect())
    }

    fn commit(&mut self, core: &mut Core, t: u32) {
        let Some(mut found) = self.trials.remove(&t) else {
            return;
        };
        let reads = std::mem::take(&mut found.reads);
        core.hops.set_depends(t, reads);
        let unstable = self.unstable(t);
        let tracker = &mut core.hops.trackers[t as usize];
        if std::mem::replace(&mut tracker.unstable, unstable) != unstable {
            core.mark_readers(t);
        }
        let rank = self.moved.get(&t).copied().unwrap_or(0);
        core.commit(t, found, rank);
    }
}
