//! Keeps every tracker at what rounds from nothing would come to (docs/adr/0002), in slices: one look at a marked tracker, and at
//! those that read it where that changed something. What may depend on itself goes through the rounds (`rounds.rs`).

use super::core::Core;
use super::instance::Instance;
use super::nexthop::{NextHops, Reason, Resolution, Tracker};
use super::resolve::{look_up, Found, Trials};
use super::rounds::Rounds;
use super::value::prefix_text;

/// A settlement ends after so many rounds; what still moves in the last does not resolve.
pub const ROUNDS: u8 = 16;
/// A look-up in units of work, of which a prefix visited is one.
pub const LOOK_UP: usize = 8;

/// The trackers to look at, by their rank: those that others build upon come first.
#[derive(Default)]
pub struct Settling {
    waiting: [Vec<u32>; ROUNDS as usize],
    rounds: Option<Rounds>,
    /// For whose sake the next rounds are wanted.
    pub(super) seeds: Vec<u32>,
}

impl Settling {
    pub fn mark(&mut self, trackers: &mut [Tracker], tracker: u32) {
        let t = &mut trackers[tracker as usize];
        if !t.marked && !t.vacant {
            t.marked = true;
            self.waiting[usize::from(t.rank.min(ROUNDS - 1))].push(tracker);
        }
    }

    fn next(&mut self, hops: &NextHops) -> Option<u32> {
        for list in &mut self.waiting {
            while let Some(t) = list.pop() {
                // Its number may have gone to another since, or have been looked at
                if hops.trackers[t as usize].marked {
                    return Some(t);
                }
            }
        }
        None
    }

    pub fn is_over(&self) -> bool {
        self.rounds.is_none() && self.seeds.is_empty() && self.waiting.iter().all(Vec::is_empty)
    }
}

impl Core {
    pub fn mark(&mut self, tracker: u32) {
        self.settling.mark(&mut self.hops.trackers, tracker);
    }

    /// Works for about `budget` units; what is left of it.
    pub(super) fn settle(&mut self, instances: &[Instance], budget: usize) -> usize {
        let mut left = budget;
        while left > 0 {
            let done = if let Some(t) = self.settling.next(&self.hops) {
                self.look_at(instances, t)
            } else if let Some(mut rounds) = self.settling.rounds.take() {
                if rounds.advance(self, instances, &mut left) {
                    self.settling.rounds = Some(rounds);
                }
                0
            } else if !self.settling.seeds.is_empty() {
                let seeds = std::mem::take(&mut self.settling.seeds);
                self.settling.rounds = Some(Rounds::of(&mut self.hops, seeds));
                1
            } else {
                break;
            };
            left = left.saturating_sub(done);
        }
        left
    }

    /// Looks at one tracker, marked or new; the work that was.
    pub(super) fn look_at(&mut self, instances: &[Instance], tracker: u32) -> usize {
        let t = &mut self.hops.trackers[tracker as usize];
        t.marked = false;
        if t.watched || t.tangled {
            self.settling.seeds.push(tracker);
            return 1;
        }
        let mut found = look_up(self, instances, tracker, &Trials::default());
        let reads = std::mem::take(&mut found.reads);
        let rank = if self.hops.trackers[tracker as usize].direct() {
            Some(0) // known before the first round
        } else {
            rank_above(tracker, &reads, |r| {
                let below = &self.hops.trackers[r as usize];
                (!below.unstable).then_some(below.rank)
            })
        };
        self.hops.set_depends(tracker, reads);
        match rank {
            Some(rank) => LOOK_UP + self.commit(tracker, found, rank),
            None => {
                self.hops.trackers[tracker as usize].tangled = true;
                self.settling.seeds.push(tracker);
                LOOK_UP
            }
        }
    }

    /// Gives a tracker what was found. Its sets and groups follow at once, those that read it are marked; the work that was.
    pub(super) fn commit(&mut self, tracker: u32, found: Found, rank: u8) -> usize {
        let ends = found.adjacencies.iter();
        let fresh = Resolution {
            metric: found.metric,
            adjacencies: ends
                .map(|&(a, w)| (self.hops.adjacencies.intern(a), w))
                .collect(),
        };
        let t = &mut self.hops.trackers[tracker as usize];
        let news = t.resolution != fresh;
        let elsewhere = t.via != found.via || !fresh.resolved() && t.reason != found.reason;
        if news || elsewhere || t.change.is_empty() {
            t.changed = self.now;
            t.change = change(t, &found, &fresh);
        }
        let moved = news || t.rank != rank;
        (t.rank, t.reach) = (rank, found.reach);
        (t.via, t.reason) = (found.via, found.reason);
        self.hops.resolve(tracker, fresh);
        let mut work = 0;
        if news {
            work += self.refresh_users(tracker);
        }
        if moved {
            work += self.mark_readers(tracker);
        }
        work
    }

    fn refresh_users(&mut self, tracker: u32) -> usize {
        let t = &self.hops.trackers[tracker as usize];
        let sets: Vec<u32> = t.users.iter().copied().collect();
        let groups: Vec<u32> = t.groups.iter().copied().collect();
        for &s in &sets {
            // a set that is only coming to be has no paths to look at
            if self.hops.refresh_set(s) && self.hops.sets[s as usize].in_use() {
                self.hops.sets[s as usize].dirty = true;
                self.sweep_wanted = true;
            }
        }
        groups.iter().for_each(|&g| self.hops.refresh_group(g));
        sets.len() + groups.len() * 4
    }

    /// Watched ones hear of it by what touches them: all that they may read goes through the rounds with them.
    pub(super) fn mark_readers(&mut self, tracker: u32) -> usize {
        let trackers = &self.hops.trackers;
        let readers = trackers[tracker as usize].dependents.iter().copied();
        let readers: Vec<u32> = readers.filter(|&r| !trackers[r as usize].watched).collect();
        readers.iter().for_each(|&r| self.mark(r));
        readers.len() / 8
    }
}

/// The round after the last in which anything that a look-up read can have moved, by `rank`, which is `None` of what moves until the
/// end. `None`: no such round, or too late; around a circle ranks grow until that is so.
pub(super) fn rank_above(
    tracker: u32,
    reads: &[u32],
    rank: impl Fn(u32) -> Option<u8>,
) -> Option<u8> {
    let mut least = 1;
    for &r in reads {
        if r == tracker {
            return None;
        }
        least = least.max(rank(r)? + 1);
    }
    (least < ROUNDS).then_some(least)
}

/// The history of a tracker, in words.
fn change(t: &Tracker, found: &Found, fresh: &Resolution) -> String {
    let prefix = |via: &Option<_>| via.as_ref().map_or(String::new(), |(p, _)| prefix_text(p));
    if !fresh.resolved() {
        format!("unresolved: {}", found.reason.text())
    } else if !t.resolution.resolved() {
        format!("resolved via {}", prefix(&found.via))
    } else if t.via != found.via {
        format!("now via {}", prefix(&found.via))
    } else if t.resolution.metric != fresh.metric {
        format!("metric {} -> {}", t.resolution.metric, fresh.metric)
    } else {
        "adjacencies changed".to_owned()
    }
}

impl Found {
    /// What does not come to rest in the last round: the loop guard.
    pub(super) fn guarded(self) -> Found {
        Found {
            reads: self.reads,
            reach: self.reach,
            reason: Reason::Loop,
            ..Found::default()
        }
    }
}
