//! Next-hop sets and the groups they become, adjacencies, and the tracked addresses that recursive resolution works on.
//! A group's wire id is its set's number; it keeps it while its content changes (`architecture.md`, decision 6).

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::source::Kind;
use super::NONE;
use crate::digest::siphash;
use crate::prefix::{AnyPrefix, Ip};

type Map<K, V> = HashMap<K, V, RandomState>;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum AdjacencyKind {
    Ip = 0,
    Drop = 1,
    Local = 2,
    Unreachable = 3,
}

/// Where a packet leaves: owner NCP, port, gateway (`Ip::None`: the destination itself is on the link).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Adjacency {
    pub ncp: u16,
    pub port: u16,
    pub gateway: Ip,
    pub kind: AdjacencyKind,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum SetKind {
    Via = 0,
    Blackhole = 1,
    Connected = 2,
    Unreachable = 3,
}

/// One next hop as a path names it. Port and NCP only where the path gave them (link-local, static with a port, connected).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Hop {
    pub addr: Ip,
    pub instance: u16,
    pub ncp: u16,
    pub port: u16,
    pub weight: u16,
    /// 0 primary, 1 backup; on a connected set 1 marks an address of our own.
    pub role: u8,
    /// The tracked address it resolves through, `NONE` where it needs no look-up.
    pub tracker: u32,
}

impl Hop {
    /// A next hop known by its address alone.
    pub fn to(instance: u16, addr: Ip) -> Hop {
        Hop {
            addr,
            instance,
            ncp: 0,
            port: 0,
            weight: 1,
            role: 0,
            tracker: NONE,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SetKey {
    pub owner: Kind,
    pub kind: SetKind,
    pub hops: Box<[Hop]>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member {
    pub adjacency: u32,
    pub weight: u16,
    pub role: u8,
}

#[derive(Debug)]
pub struct NextHopSet {
    pub key: SetKey,
    /// 128-bit name that survives restarts.
    pub hash: [u8; 16],
    /// Infos that use it.
    refs: u32,
    /// FIB routes that use it.
    pub routes: u32,
    pub resolved: bool,
    pub metric: u32,
    pub members: Vec<Member>,
    /// Grows when content changes or the group comes into use: what a FIB consumer compares.
    pub version: u64,
    /// Reachability or metric changed and not all its paths were looked at since.
    pub dirty: bool,
    pub vacant: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Resolution {
    pub resolved: bool,
    pub metric: u32,
    pub adjacencies: Vec<u32>,
}

#[derive(Debug)]
pub struct Tracker {
    pub addr: Ip,
    pub instance: u16,
    refs: u32,
    /// Sets that have a hop here.
    pub users: Vec<u32>,
    /// Trackers whose resolution this one's may depend on, and those that may depend on it.
    pub depends: Vec<u32>,
    pub dependents: Vec<u32>,
    /// No later than this round of a settlement from nothing does it reach its resolution.
    pub rank: u8,
    /// It still moved when the rounds were over.
    pub unstable: bool,
    pub resolution: Resolution,
    /// The prefix it resolved by, for people.
    pub via: Option<AnyPrefix>,
    pub vacant: bool,
}

#[derive(Default)]
pub struct NextHops {
    pub sets: Vec<NextHopSet>,
    free_sets: Vec<u32>,
    set_index: Map<SetKey, u32>,
    pub adjacencies: Vec<Adjacency>,
    pub adjacency_refs: Vec<u32>,
    free_adjacencies: Vec<u32>,
    adjacency_index: Map<Adjacency, u32>,
    pub trackers: Vec<Tracker>,
    free_trackers: Vec<u32>,
    tracker_index: Map<(u16, Ip), u32>,
    names: Vec<String>,
    name_index: HashMap<String, u16>,
    /// Bumped with each set change: the clock of FIB consumers.
    pub version: u64,
    /// Bumped when a set or adjacency falls out of use.
    pub deaths: u64,
}

impl NextHops {
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

    /// The tracker of an address, with one more reference, and whether it is new.
    pub fn track(&mut self, instance: u16, addr: Ip) -> (u32, bool) {
        if let Some(&id) = self.tracker_index.get(&(instance, addr)) {
            self.trackers[id as usize].refs += 1;
            return (id, false);
        }
        let tracker = Tracker {
            addr,
            instance,
            refs: 1,
            users: Vec::new(),
            depends: Vec::new(),
            dependents: Vec::new(),
            rank: 0,
            unstable: false,
            resolution: Resolution::default(),
            via: None,
            vacant: false,
        };
        let id = place(&mut self.trackers, &mut self.free_trackers, tracker);
        self.tracker_index.insert((instance, addr), id);
        (id, true)
    }

    /// Gives back a reference that is not the last.
    pub fn release_tracker(&mut self, id: u32) {
        self.trackers[id as usize].refs -= 1;
    }

    /// Gives a reference back; the address if that was the last.
    fn untrack(&mut self, id: u32) -> Option<(u16, Ip)> {
        self.trackers[id as usize].refs -= 1;
        if self.trackers[id as usize].refs > 0 {
            return None;
        }
        self.set_depends(id, Vec::new());
        let t = &mut self.trackers[id as usize];
        t.vacant = true;
        let name = (t.instance, t.addr);
        let gone = std::mem::take(&mut t.resolution).adjacencies;
        t.users.clear();
        self.tracker_index.remove(&name);
        self.free_trackers.push(id);
        gone.into_iter().for_each(|a| self.drop_adjacency(a));
        Some(name)
    }

    /// Replaces what a tracker depends on, with the edges back.
    pub fn set_depends(&mut self, id: u32, depends: Vec<u32>) {
        let old = std::mem::take(&mut self.trackers[id as usize].depends);
        if old != depends {
            for d in old {
                self.trackers[d as usize].dependents.retain(|&t| t != id);
            }
            for &d in &depends {
                self.trackers[d as usize].dependents.push(id);
            }
        }
        self.trackers[id as usize].depends = depends;
    }

    /// An adjacency's number, with one more reference.
    pub fn adjacency(&mut self, a: Adjacency) -> u32 {
        if let Some(&id) = self.adjacency_index.get(&a) {
            self.adjacency_refs[id as usize] += 1;
            return id;
        }
        let id = place(&mut self.adjacencies, &mut self.free_adjacencies, a);
        if self.adjacency_refs.len() <= id as usize {
            self.adjacency_refs.resize(id as usize + 1, 0);
        }
        self.adjacency_refs[id as usize] = 1;
        self.adjacency_index.insert(a, id);
        id
    }

    pub fn hold_adjacency(&mut self, id: u32) {
        self.adjacency_refs[id as usize] += 1;
    }

    /// The number stays taken until every FIB consumer has been told (`set_free`).
    pub fn drop_adjacency(&mut self, id: u32) {
        let refs = &mut self.adjacency_refs[id as usize];
        *refs -= 1;
        if *refs == 0 {
            self.adjacency_index.remove(&self.adjacencies[id as usize]);
            self.deaths += 1;
        }
    }

    /// Numbers that no FIB consumer knows any more: all that may be given out again.
    pub fn set_free(&mut self, sets: Vec<u32>, adjacencies: Vec<u32>) {
        self.free_sets = sets;
        self.free_adjacencies = adjacencies;
    }

    pub fn find_set(&self, key: &SetKey) -> Option<u32> {
        self.set_index.get(key).copied()
    }

    /// A new set; its trackers were counted by the caller. It resolves by `refresh`.
    pub fn add_set(&mut self, key: SetKey) -> u32 {
        let hash = self.set_hash(&key);
        let set = NextHopSet {
            key: key.clone(),
            hash,
            refs: 0,
            routes: 0,
            resolved: false,
            metric: 0,
            members: Vec::new(),
            version: 0,
            dirty: false,
            vacant: false,
        };
        let id = place(&mut self.sets, &mut self.free_sets, set);
        for h in &key.hops {
            if h.tracker != NONE && !self.trackers[h.tracker as usize].users.contains(&id) {
                self.trackers[h.tracker as usize].users.push(id);
            }
        }
        self.set_index.insert(key, id);
        id
    }

    pub fn hold_set(&mut self, id: u32) {
        self.sets[id as usize].refs += 1;
    }

    /// Gives an info's reference back; the addresses no longer tracked if that was the last.
    pub fn release_set(&mut self, id: u32) -> Vec<(u16, Ip)> {
        let set = &mut self.sets[id as usize];
        set.refs -= 1;
        if set.refs > 0 {
            return Vec::new();
        }
        let key = set.key.clone();
        let members = std::mem::take(&mut set.members);
        set.vacant = true;
        set.resolved = false;
        set.dirty = false;
        self.set_index.remove(&key);
        self.deaths += 1;
        let mut gone = Vec::new();
        for h in &key.hops {
            if h.tracker != NONE {
                self.trackers[h.tracker as usize].users.retain(|&u| u != id);
                gone.extend(self.untrack(h.tracker));
            }
        }
        members
            .iter()
            .for_each(|m| self.drop_adjacency(m.adjacency));
        gone
    }

    /// One more or one less FIB route on a set.
    #[inline]
    pub fn add_route(&mut self, id: u32) {
        let set = &mut self.sets[id as usize];
        set.routes += 1;
        if set.routes == 1 {
            self.version += 1;
            set.version = self.version;
        }
    }

    #[inline]
    pub fn remove_route(&mut self, id: u32) {
        let set = &mut self.sets[id as usize];
        set.routes -= 1;
        if set.routes == 0 {
            self.deaths += 1;
        }
    }

    /// Recomputes a set from its hops; true if its reachability or metric changed.
    pub fn refresh(&mut self, id: u32) -> bool {
        let key = self.sets[id as usize].key.clone();
        let mut members: Vec<Member> = Vec::new();
        let mut resolved = key.kind != SetKind::Via;
        let mut metric = u32::MAX;
        for h in &key.hops {
            let found: Vec<u32> = if h.tracker == NONE {
                let kind = match (key.kind, h.role) {
                    (SetKind::Blackhole, _) => AdjacencyKind::Drop,
                    (SetKind::Unreachable, _) => AdjacencyKind::Unreachable,
                    (SetKind::Connected, 1) => AdjacencyKind::Local,
                    _ => AdjacencyKind::Ip,
                };
                resolved = true;
                metric = 0;
                vec![self.adjacency(Adjacency {
                    ncp: h.ncp,
                    port: h.port,
                    gateway: h.addr,
                    kind,
                })]
            } else {
                let r = self.trackers[h.tracker as usize].resolution.clone();
                if !r.resolved {
                    continue;
                }
                resolved = true;
                metric = metric.min(r.metric);
                r.adjacencies.iter().for_each(|&a| self.hold_adjacency(a));
                r.adjacencies
            };
            let role = if key.kind == SetKind::Via { h.role } else { 0 };
            for a in found {
                if members.iter().any(|m| m.adjacency == a) {
                    self.drop_adjacency(a);
                } else {
                    members.push(Member {
                        adjacency: a,
                        weight: h.weight,
                        role,
                    });
                }
            }
        }
        if metric == u32::MAX {
            metric = 0;
        }
        let set = &mut self.sets[id as usize];
        let changed = set.resolved != resolved || set.metric != metric;
        set.resolved = resolved;
        set.metric = metric;
        if set.members != members {
            self.version += 1;
            set.version = self.version;
        }
        let old = std::mem::replace(&mut set.members, members);
        old.iter().for_each(|m| self.drop_adjacency(m.adjacency));
        changed
    }

    /// What the group is as a whole: as its members are, IP where they differ.
    pub fn group_kind(&self, id: u32) -> AdjacencyKind {
        let mut kinds = self.sets[id as usize]
            .members
            .iter()
            .map(|m| self.adjacencies[m.adjacency as usize].kind);
        let first = kinds.next().unwrap_or(AdjacencyKind::Ip);
        if kinds.all(|k| k == first) {
            first
        } else {
            AdjacencyKind::Ip
        }
    }

    /// The key of fib-distribution.md: 128 bits over (instance, owner, kind, ordered next hops), as `rib/reference.py` computes it.
    fn set_hash(&self, key: &SetKey) -> [u8; 16] {
        let instance = key.hops.first().map_or(0, |h| h.instance);
        let mut m = Vec::with_capacity(64);
        m.extend_from_slice(&instance.to_le_bytes());
        m.push(key.owner as u8);
        m.push(key.kind as u8);
        for h in &key.hops {
            let addr = h.addr.to_bytes();
            m.push(addr.len() as u8);
            m.extend_from_slice(&addr);
            for name in [self.name(h.ncp), self.name(h.port)] {
                m.push(name.len() as u8);
                m.extend_from_slice(name.as_bytes());
            }
            m.extend_from_slice(&h.weight.to_le_bytes());
            m.push(h.role);
        }
        let mut out = [0; 16];
        out[..8].copy_from_slice(&siphash(&[0; 16], &m).to_le_bytes());
        out[8..].copy_from_slice(&siphash(&[1; 16], &m).to_le_bytes());
        out
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
