//! A stream, the ports and the kernel around one model, all in plain maps, with the naive answer to what the kernel should hold.
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::super::{AgentFib, Drift, Peer};
use super::foreign::{Auditing, Foreign};
use super::kernel::Kernel;
use super::naive::{reduced, v6_of, Expected};
use super::reached::Positions;

pub const DIGEST_KEY: [u8; 16] = *b"a secret of ours";
const BOXES: [&str; 3] = ["me", "east", "west"];
pub const PORTS: [(&str, u32); 3] = [("p0", 10), ("p1", 11), ("fabric", 12)];
pub const FABRIC: usize = 2;

#[derive(Clone, Debug)]
pub struct Adjacency {
    pub owner: usize,
    pub port: usize,
    pub gateway: Vec<u8>,
    pub kind: u8,
}

#[derive(Clone, Debug)]
pub struct Content {
    pub kind: u8,
    pub members: Vec<(usize, u16, bool)>,
}

#[derive(Clone, Debug)]
pub enum Step {
    Adjacency(u32, Adjacency),
    DropAdjacency(u32),
    Group(u32, u8, u8, Vec<(u32, u16, bool)>),
    DropGroup(u32),
    Route(bool, u8, u32),
    Withdraw(bool, u8),
    Peers(bool, bool, bool),
    Carrier(usize, bool),
    Fact,
    Begin,
    Kernel,
    Done,
    Lose,
    NewStream(u8),
    Weights(bool, bool),
    /// The agent writes down what it may need in its next life.
    Save,
    /// Whether the stream begins again at once.
    Restart(bool),
    Foreign(Foreign),
    /// The agent hears what the kernel said of foreign changes, or never.
    Event,
    Overrun,
    /// An audit goes on: begins, dumps the next few routes, dumps nexthops, ends.
    Audit,
    /// The agent is given a slice of the dump.
    Slice,
}

/// Everything the controller, the ports and the test know, in plain maps.
pub struct World {
    pub fib: AgentFib,
    pub kernel: Kernel,
    pub slots: Vec<Adjacency>,
    pub adjacency_ids: BTreeMap<u32, usize>,
    pub contents: BTreeMap<u8, Content>,
    pub group_ids: BTreeMap<u32, u8>,
    pub routes: BTreeMap<(bool, u8), u8>,
    pub peers: (bool, bool, bool),
    /// 16 bits, backups beside primaries.
    pub weights: (bool, bool),
    pub facts: VecDeque<(usize, bool)>,
    pub batch: Option<(Vec<u8>, u32, u32)>,
    pub replies: Option<Vec<u8>>,
    pub saved: Vec<u8>,
    /// Started again, and the stream has not begun since.
    pub silent: bool,
    pub events: VecDeque<Vec<u8>>,
    pub audit: Option<Auditing>,
    pub drifts: Vec<Drift>,
    pub positions: Positions,
}

pub fn prefix(v6: bool, number: u8) -> (Vec<u8>, u8) {
    match (v6, number) {
        (false, 0) => (vec![0; 4], 0),
        (false, n) => (vec![20, n, 0, 0], 16),
        (true, 0) => (vec![0; 16], 0),
        (true, n) => ([vec![0x20, n], vec![0; 14]].concat(), 16),
    }
}

impl World {
    pub fn new() -> Self {
        let mut world = Self {
            fib: AgentFib::new(BOXES[0], 254, 201, 50, 100),
            kernel: Kernel::default(),
            slots: Vec::new(),
            adjacency_ids: BTreeMap::new(),
            contents: BTreeMap::new(),
            group_ids: BTreeMap::new(),
            routes: BTreeMap::new(),
            peers: (true, true, true),
            weights: (false, false),
            facts: VecDeque::new(),
            batch: None,
            replies: None,
            saved: Vec::new(),
            silent: false,
            events: VecDeque::new(),
            audit: None,
            drifts: Vec::new(),
            positions: Positions::default(),
        };
        world.tell_facts();
        world
    }

    fn tell_facts(&mut self) {
        self.fib.set_digest_key(DIGEST_KEY);
        for (name, ifindex) in PORTS {
            self.fib
                .set_port(name, ifindex, !self.kernel.down.contains(&ifindex));
        }
        self.tell_fabric();
    }

    fn tell_fabric(&mut self) {
        let (present, v4, v6) = self.peers;
        let peer = |owner: usize| Peer {
            v4: v4.then_some([10, 9, 0, owner as u8]),
            v6: v6.then_some(v6_of(owner)),
        };
        let all = [1, 2].map(|owner| (BOXES[owner].to_owned(), peer(owner)));
        self.fib
            .set_fabric(Some(PORTS[FABRIC].0), &all[..if present { 2 } else { 1 }]);
    }

    pub fn put_adjacency(&mut self, id: u32, slot: usize) {
        let a = &self.slots[slot];
        self.fib
            .put_adjacencies(&[(id, BOXES[a.owner], PORTS[a.port].0, &a.gateway, a.kind)])
            .unwrap();
        self.adjacency_ids.insert(id, slot);
    }

    pub fn put_group(&mut self, id: u32, key: u8, kind: u8, members: &[(u32, u16, bool)]) {
        let packed: Vec<u8> = members
            .iter()
            .flat_map(|(id, w, backup)| {
                [
                    &id.to_le_bytes()[..],
                    &w.to_le_bytes(),
                    &[u8::from(*backup), 0],
                ]
                .concat()
            })
            .collect();
        let known = members
            .iter()
            .all(|(id, ..)| self.adjacency_ids.contains_key(id));
        assert_eq!(
            self.fib
                .put_groups(&[(id, &[key; 16], kind, &packed)])
                .is_ok(),
            known
        );
        if known {
            let members = members
                .iter()
                .map(|(id, w, backup)| (self.adjacency_ids[id], *w, *backup))
                .collect();
            self.contents.insert(key, Content { kind, members });
            self.group_ids.insert(id, key);
        }
    }

    pub fn put_route(&mut self, v6: bool, number: u8, group: u32, op: u8) {
        let (dst, len) = prefix(v6, number);
        let refused = self
            .fib
            .put_routes(1 + u32::from(v6), &dst, &[len], &group.to_le_bytes(), &[op])
            .unwrap();
        match self.group_ids.get(&group) {
            _ if op == 0 => drop(self.routes.remove(&(v6, number))),
            Some(&key) => drop(self.routes.insert((v6, number), key)),
            None => assert_eq!(refused, [(0, "unknown group")]),
        }
    }

    pub fn run(&mut self, step: Step) {
        self.positions.note(&step);
        match step {
            Step::Adjacency(id, adjacency) => {
                let slot = match self.adjacency_ids.get(&id) {
                    Some(&slot) => slot,
                    None => {
                        self.slots.push(adjacency.clone());
                        self.slots.len() - 1
                    }
                };
                self.slots[slot] = adjacency;
                self.put_adjacency(id, slot);
            }
            Step::DropAdjacency(id) => {
                self.fib.drop_adjacencies(&[id]);
                self.adjacency_ids.remove(&id);
            }
            Step::Group(id, key, kind, members) => self.put_group(id, key, kind, &members),
            Step::DropGroup(id) => {
                self.fib.drop_groups(&[id]);
                self.group_ids.remove(&id);
            }
            Step::Route(v6, number, group) => self.put_route(v6, number, group, 1),
            Step::Withdraw(v6, number) => self.put_route(v6, number, 0, 0),
            Step::Peers(present, v4, v6) => {
                self.peers = (present, v4, v6);
                self.tell_fabric();
            }
            Step::Carrier(port, up) => {
                if self.kernel.down.contains(&PORTS[port].1) == up {
                    self.kernel.carrier(PORTS[port].1, up);
                    self.facts.push_back((port, up));
                }
            }
            Step::Fact => {
                if let Some((port, up)) = self.facts.pop_front() {
                    self.fib.set_port(PORTS[port].0, PORTS[port].1, up);
                }
            }
            Step::Begin => {
                if self.batch.is_none() && self.replies.is_none() {
                    self.batch = self.fib.next_batch(300, self.positions.now).unwrap();
                    self.check_reached();
                }
            }
            Step::Kernel => {
                if let Some((bytes, first, last)) = self.batch.take() {
                    self.replies = Some(self.kernel.apply(&bytes, first, last));
                }
            }
            Step::Done => {
                if let Some(replies) = self.replies.take() {
                    let failures = self.fib.batch_done(&replies);
                    let failed = failures.into_iter().map(|(_, dst, len, ..)| (dst, len));
                    self.positions.failed.extend(failed);
                    self.check_reached();
                }
            }
            Step::Lose => {
                if self.replies.take().is_some() {
                    self.fib.batch_done(&[]);
                }
            }
            Step::NewStream(mask) => self.new_stream(mask),
            Step::Weights(wide, backup) => {
                self.weights = (wide, backup);
                self.fib.set_weights(wide, backup);
            }
            Step::Save => self.saved = self.fib.memory(),
            Step::Restart(stream) => {
                self.fib = AgentFib::new(BOXES[0], 254, 201, 50, 100);
                self.fib.set_weights(self.weights.0, self.weights.1);
                self.fib.adopt_nexthops(&self.kernel.dump_nexthops());
                let routes = self.kernel.routes.len();
                assert_eq!(self.fib.adopt_routes(&self.kernel.dump_routes()), routes);
                self.fib.recall(&self.saved);
                (self.batch, self.replies) = (None, None);
                self.facts.clear();
                self.adjacency_ids.clear();
                self.group_ids.clear();
                self.events.clear();
                self.audit = None;
                self.tell_facts();
                self.silent = true;
                if stream {
                    self.new_stream(0);
                }
            }
            Step::Foreign(foreign) => self.foreign(foreign),
            Step::Event => self.hear(),
            Step::Overrun => self.events.clear(),
            Step::Audit => self.audit_on(),
            Step::Slice => self.audit_slice(),
        }
    }

    pub fn hear_facts(&mut self) {
        while !self.facts.is_empty() {
            self.run(Step::Fact);
        }
    }

    pub fn finish(&mut self) {
        if self.silent {
            self.new_stream(0);
        }
        self.run(Step::Kernel);
        self.run(Step::Done);
        self.hear_facts();
        for _ in 0..10_000 {
            self.run(Step::Begin);
            if self.batch.is_none() {
                return;
            }
            self.run(Step::Kernel);
            self.run(Step::Done);
        }
        panic!("the work never ends");
    }

    /// What the kernel's routes forward to, by (family, address, length).
    pub fn found(&self) -> BTreeMap<(u8, Vec<u8>, u8), Expected> {
        let kernel = &self.kernel;
        let routes = kernel.routes.iter().map(|(key, route)| {
            let hops = route.group.map(|id| {
                let members = kernel.groups[&id].iter();
                let hops = members.map(|(id, w)| (kernel.singles[id].clone(), u32::from(*w)));
                Expected::Hops(reduced(hops.collect()))
            });
            (key.clone(), hops.unwrap_or(Expected::Unreachable))
        });
        routes.collect()
    }

    pub fn check(&mut self) {
        let mut expected = BTreeMap::new();
        for ((v6, number), key) in &self.routes {
            if let Some(want) = self.naive(*key, *v6) {
                let (dst, len) = prefix(*v6, *number);
                expected.insert((if *v6 { 10 } else { 2 }, dst, len), want);
            }
        }
        let found = self.found();
        assert_eq!(found, expected);
        let kernel = &self.kernel;
        let counts = self.fib.counts();
        assert_eq!((counts.pending, counts.failed, counts.stale), (0, 0, 0));
        assert_eq!(
            (counts.routes, counts.installed),
            (self.routes.len(), found.len())
        );
        assert_eq!(
            counts.routes,
            counts.installed + counts.local + counts.unresolved
        );
        assert_eq!(
            (counts.kernel_groups, counts.kernel_nexthops),
            (kernel.groups.len(), kernel.singles.len())
        );
        let used: BTreeSet<u32> = kernel.groups.values().flatten().map(|m| m.0).collect();
        assert_eq!(
            used,
            kernel.singles.keys().copied().collect(),
            "no singleton without a group"
        );
    }

    pub fn forget_all(&mut self) {
        self.positions.changed();
        for (v6, number) in self.routes.clone().into_keys() {
            self.put_route(v6, number, 0, 0);
        }
        self.fib.drop_groups(&[0, 1, 2, 3, 4]);
        self.finish();
        assert!(
            self.kernel.routes.is_empty()
                && self.kernel.groups.is_empty()
                && self.kernel.singles.is_empty()
        );
        let counts = self.fib.counts();
        assert_eq!(
            (counts.routes, counts.groups, self.fib.digest()),
            (0, 0, (0, 0))
        );
    }
}
