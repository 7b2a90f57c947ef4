//! Next hops: the sets that paths name, the trackers that say whether and where these can be reached, the groups that routes use
//! and the adjacencies that groups come to.

mod adjacency;
mod forwarding;
mod givers;
mod groups;
mod sets;
mod trackers;

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

pub use adjacency::{blend, Adjacencies, Adjacency, AdjacencyKind};
pub use givers::Givers;
pub use groups::{Group, Groups, Member, Shape};
pub use sets::{Hop, NextHopSet, SetKey, SetKind, Target};
pub use trackers::{Reason, Resolution, Tracker};

use super::memory::hashed;
use super::NONE;

pub type Map<K, V> = HashMap<K, V, RandomState>;
pub type Ids = HashSet<u32, RandomState>;

#[derive(Default)]
pub struct NextHops {
    pub sets: Vec<NextHopSet>,
    free_sets: Vec<u32>,
    set_index: Map<SetKey, u32>,
    pub trackers: Vec<Tracker>,
    free_trackers: Vec<u32>,
    tracker_index: Map<Target, u32>,
    pub groups: Groups,
    pub givers: Givers,
    pub adjacencies: Adjacencies,
    /// By NCP and name; ports nobody spoke of are up.
    ports_down: HashSet<(u16, u16)>,
    names: Vec<String>,
    name_index: HashMap<String, u16>,
}

impl NextHops {
    /// Sets, trackers and adjacencies, without the groups.
    pub fn bytes(&self) -> usize {
        let keys = self.sets.iter().map(|s| s.key.hops.len()).sum::<usize>();
        let names = self.names.iter().map(String::capacity).sum::<usize>();
        self.sets.capacity() * size_of::<NextHopSet>()
            + 2 * keys * size_of::<Hop>() // the index has a key of its own
            + hashed::<(SetKey, u32)>(self.set_index.capacity())
            + self.trackers.capacity() * size_of::<Tracker>()
            + self.trackers.iter().map(Tracker::bytes).sum::<usize>()
            + hashed::<(Target, u32)>(self.tracker_index.capacity())
            + (self.free_sets.capacity() + self.free_trackers.capacity()) * size_of::<u32>()
            + self.givers.bytes()
            + self.adjacencies.bytes()
            + 2 * names
            + self.names.capacity() * size_of::<String>()
            + hashed::<(String, u16)>(self.name_index.capacity())
    }

    /// The number of an NCP's or port's name; 0 is the empty name.
    pub fn name_id(&mut self, name: &str) -> u16 {
        if self.names.is_empty() {
            self.names.push(String::new());
            self.name_index.insert(String::new(), 0);
        }
        if let Some(&id) = self.name_index.get(name) {
            return id;
        }
        let id = self.names.len() as u16;
        self.names.push(name.to_owned());
        self.name_index.insert(name.to_owned(), id);
        id
    }

    pub fn name(&self, id: u16) -> &str {
        self.names.get(usize::from(id)).map_or("", |s| s.as_str())
    }

    /// Whether a port is up; the trackers that follow it are the caller's to look at.
    pub fn set_port(&mut self, ncp: u16, port: u16, up: bool) {
        if up {
            self.ports_down.remove(&(ncp, port));
        } else {
            self.ports_down.insert((ncp, port));
        }
    }

    pub fn port_up(&self, ncp: u16, port: u16) -> bool {
        !self.ports_down.contains(&(ncp, port))
    }

    pub fn find_set(&self, key: &SetKey) -> Option<u32> {
        self.set_index.get(key).copied()
    }

    /// A new set, and the trackers that are new with it: these are to be settled, then the set refreshed.
    pub fn add_set(&mut self, mut key: SetKey) -> (u32, Vec<u32>) {
        let mut fresh = Vec::new();
        if key.kind == SetKind::Via {
            for h in key.hops.iter_mut() {
                h.tracker = self.track(h.target(), &mut fresh);
            }
        }
        let set = NextHopSet {
            key: key.clone(),
            refs: 0,
            resolved: false,
            metric: 0,
            dirty: false,
            group: NONE,
        };
        let id = place(&mut self.sets, &mut self.free_sets, set);
        for h in key.hops.iter().filter(|h| h.tracker != NONE) {
            self.trackers[h.tracker as usize].users.insert(id);
        }
        self.set_index.insert(key, id);
        (id, fresh)
    }

    pub fn hold_set(&mut self, id: u32) {
        self.sets[id as usize].refs += 1;
    }

    /// Gives an info's reference back; the next hops no longer tracked if that was the last.
    pub fn release_set(&mut self, id: u32) -> Vec<Target> {
        let set = &mut self.sets[id as usize];
        set.refs -= 1;
        if set.refs > 0 {
            return Vec::new();
        }
        set.dirty = false;
        let group = std::mem::replace(&mut set.group, NONE);
        if group != NONE {
            self.groups[group].set = NONE;
        }
        let set = &self.sets[id as usize];
        self.set_index.remove(&set.key);
        let hops = set.key.hops.clone();
        self.free_sets.push(id);
        let mut gone = Vec::new();
        for h in hops.iter().filter(|h| h.tracker != NONE) {
            self.trackers[h.tracker as usize].users.remove(&id);
            gone.extend(self.untrack(h.tracker));
        }
        gone
    }

    /// Recomputes from its hops whether a set can be reached, and how far it is; true if that changed.
    pub fn refresh_set(&mut self, id: u32) -> bool {
        let set = &self.sets[id as usize];
        let (resolved, metric) = self.standing(set, |t| {
            let r = &self.trackers[t as usize].resolution;
            r.resolved().then_some(r.metric)
        });
        let set = &mut self.sets[id as usize];
        let changed = (set.resolved, set.metric) != (resolved, metric);
        (set.resolved, set.metric) = (resolved, metric);
        changed
    }

    /// Whether a set can be reached and how far it is, by what `metric` says of each tracker that is resolved: one is enough (RFC
    /// 4271 9.1.2), and the nearest counts (9.1.2.2 e).
    pub fn standing(&self, set: &NextHopSet, metric: impl Fn(u32) -> Option<u32>) -> (bool, u32) {
        if set.key.kind != SetKind::Via {
            return (true, 0);
        }
        let known = set.key.hops.iter().filter_map(|h| metric(h.tracker)).min();
        (known.is_some(), known.unwrap_or(0))
    }

    fn track(&mut self, target: Target, fresh: &mut Vec<u32>) -> u32 {
        if let Some(&id) = self.tracker_index.get(&target) {
            self.trackers[id as usize].refs += 1;
            return id;
        }
        let tracker = Tracker::new(target);
        let id = place(&mut self.trackers, &mut self.free_trackers, tracker);
        self.tracker_index.insert(target, id);
        fresh.push(id);
        id
    }

    /// Gives a reference back; what it tracked if that was the last.
    fn untrack(&mut self, id: u32) -> Option<Target> {
        self.trackers[id as usize].refs -= 1;
        if self.trackers[id as usize].refs > 0 {
            return None;
        }
        self.set_depends(id, Vec::new());
        let target = self.trackers[id as usize].target;
        let gone = std::mem::replace(&mut self.trackers[id as usize], Tracker::new(target));
        for d in gone.dependents {
            // What read it has lost those paths, and so is marked
            self.trackers[d as usize].depends.retain(|&t| t != id);
        }
        self.trackers[id as usize].vacant = true;
        self.tracker_index.remove(&target);
        self.free_trackers.push(id);
        for (adjacency, _) in gone.resolution.adjacencies {
            self.adjacencies.release(adjacency);
        }
        Some(target)
    }

    /// Next hops that are looked up in the tables.
    pub fn tracked_count(&self) -> usize {
        let tracked = self.trackers.iter().filter(|t| !t.vacant && !t.direct());
        tracked.count()
    }

    /// Replaces what a tracker depends on, ascending, with the edges back.
    pub fn set_depends(&mut self, id: u32, depends: Vec<u32>) {
        let old = std::mem::replace(&mut self.trackers[id as usize].depends, depends);
        let new = std::mem::take(&mut self.trackers[id as usize].depends);
        for d in old.iter().filter(|d| new.binary_search(d).is_err()) {
            self.trackers[*d as usize].dependents.remove(&id);
        }
        for d in new.iter().filter(|d| old.binary_search(d).is_err()) {
            self.trackers[*d as usize].dependents.insert(id);
        }
        self.trackers[id as usize].depends = new;
    }

    /// Replaces a tracker's resolution, whose adjacencies come held.
    pub fn resolve(&mut self, id: u32, resolution: Resolution) {
        let tracker = &mut self.trackers[id as usize];
        let old = std::mem::replace(&mut tracker.resolution, resolution);
        for (adjacency, _) in old.adjacencies {
            self.adjacencies.release(adjacency);
        }
    }
}

fn place<T>(slab: &mut Vec<T>, free: &mut Vec<u32>, item: T) -> u32 {
    match free.pop() {
        Some(i) => {
            slab[i as usize] = item;
            i
        }
        None => {
            slab.push(item);
            (slab.len() - 1) as u32
        }
    }
}
