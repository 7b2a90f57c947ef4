//! The agent's model of one box: what the controller wants (the stream), what this box's ports allow (facts), what the kernel
//! holds (verdicts and dumps). Facts and stream in, netlink bytes out, verdict bytes in; no socket, no clock.
//!
//! A route is a compact entry that names a group of the stream; a group lowers, per family, to one kernel group; a kernel group is
//! made of shared singletons. A failure of a port or a change of a group touches groups, not routes; routes are walked only when
//! the kernel has flushed some of them or a group begins or ceases to lower.
mod adopt;
mod audit;
mod batch;
mod foreign;
mod groups;
mod hop;
mod inspect;
mod kernel;
mod lowering;
mod memory;
pub mod netlink;
mod order;
mod queue;
mod resume;
mod routes;
mod shortcuts;
mod slab;
mod stream;
#[cfg(test)]
mod tests;
mod verdicts;

use std::collections::HashMap;

use foldhash::fast::RandomState;

pub use audit::Drift;
pub use inspect::{Counts, MemberView, RouteView, State};
pub use stream::{AdjacencyRow, GroupRow, Refused};
pub use verdicts::Failure;

use audit::Audits;
use batch::{Batch, Shapes};
use groups::Group;
use hop::Gateway;
use kernel::Objects;
use lowering::Weights;
use order::V6_BIT;
use queue::Queue;
use routes::{RouteTable, ABSENT, FAILED, NO_GROUP, QUEUED, WANTED};
use slab::{Names, Slab};

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// AF_INET, AF_INET6.
    pub fn af(self) -> u8 {
        match self {
            Self::V4 => 2,
            Self::V6 => 10,
        }
    }

    pub fn width(self) -> usize {
        match self {
            Self::V4 => 4,
            Self::V6 => 16,
        }
    }

    /// The stream's table of this family in instance 0: the AFI.
    pub fn table(self) -> u32 {
        match self {
            Self::V4 => 1,
            Self::V6 => 2,
        }
    }

    fn at(self) -> usize {
        self as usize
    }
}

/// An adjacency's kind, and a group's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Kind {
    Ip,
    Drop,
    Local,
    Unreachable,
}

impl Kind {
    fn parse(kind: u8) -> Option<Self> {
        [Self::Ip, Self::Drop, Self::Local, Self::Unreachable]
            .get(usize::from(kind))
            .copied()
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Adjacency {
    owner: u32,
    port: u32,
    gateway: Option<Gateway>,
    kind: Kind,
}

#[derive(Debug)]
struct AdjacencySlot {
    adjacency: Adjacency,
    id: Option<u32>,
    members: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Member {
    adjacency: u32,
    weight: u16,
    backup: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Port {
    ifindex: u32,
    up: bool,
}

/// Another box's addresses on the fabric.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Peer {
    pub v4: Option<[u8; 4]>,
    pub v6: Option<[u8; 16]>,
}

type Map<V> = hashbrown::HashMap<u32, V, RandomState>;

/// Everything but the route tables, so that one of these can be walked while the rest changes.
#[derive(Debug)]
struct Core {
    me: u32,
    names: Names,
    ports: HashMap<u32, Port>,
    fabric: Option<u32>,
    peers: HashMap<u32, Peer>,
    weights: Weights,
    adjacencies: Slab<AdjacencySlot>,
    adjacency_ids: Map<u32>,
    groups: Slab<Group>,
    group_ids: Map<u32>,
    group_keys: HashMap<[u8; 16], u32>,
    dirty: Vec<u32>,
    rescan: bool,
    objects: Objects,
    /// The top bit tells the family.
    queue: Queue,
    digest_key: [u8; 16],
    digest: u64,
    count: usize,
    /// What `memory` says has changed.
    unsaved: bool,
}

#[derive(Debug)]
pub struct AgentFib {
    core: Core,
    v4: RouteTable<4>,
    v6: RouteTable<16>,
    table: u32,
    protocol: u8,
    metric: u32,
    shapes: Shapes,
    seq: u32,
    outstanding: Option<Batch>,
    reached: u64,
    /// Adopted kernel groups, packed as the kernel has them, that wait for a later slice of the dump to name their members.
    unplaced: Vec<(u32, Vec<u8>)>,
    audits: Audits,
}

impl Core {
    fn mark_dirty(&mut self, group: u32) {
        if !std::mem::replace(&mut self.groups[group].dirty, true) {
            self.dirty.push(group);
        }
    }

    fn mark_dirty_where(&mut self, uses: impl Fn(&Adjacency) -> bool) {
        let hit: Vec<bool> = (0..self.adjacencies.bound())
            .map(|i| self.adjacencies.get(i).is_some_and(|a| uses(&a.adjacency)))
            .collect();
        for (slot, group) in self.groups.iter_mut() {
            if !group.dirty && group.members.iter().any(|m| hit[m.adjacency as usize]) {
                group.dirty = true;
                self.dirty.push(slot);
            }
        }
    }

    fn mark_port_dirty(&mut self, port: u32) {
        let (me, fabric) = (self.me, self.fabric == Some(port));
        self.mark_dirty_where(|a| {
            if a.owner == me {
                a.port == port
            } else {
                fabric
            }
        });
    }

    /// What the kernel should hold for routes of this group: a kernel group's slot, UNREACHABLE or ABSENT. None: not lowered yet.
    #[inline]
    fn target(&self, group: u32, family: Family) -> Option<u32> {
        self.groups[group].outcome[family.at()].target()
    }
}

impl AgentFib {
    /// `ncp` is this box's name, `table`, `protocol` and `metric` mark its routes; kernel ids count up from `id_base`.
    pub fn new(ncp: &str, table: u32, protocol: u8, metric: u32, id_base: u32) -> Self {
        let mut names = Names::default();
        let me = names.id(ncp);
        Self {
            core: Core {
                me,
                names,
                ports: HashMap::new(),
                fabric: None,
                peers: HashMap::new(),
                weights: Weights::new(false, false),
                adjacencies: Slab::new(),
                adjacency_ids: Map::default(),
                groups: Slab::new(),
                group_ids: Map::default(),
                group_keys: HashMap::new(),
                dirty: Vec::new(),
                rescan: false,
                objects: Objects::new(id_base),
                queue: Queue::default(),
                digest_key: [0; 16],
                digest: 0,
                count: 0,
                unsaved: false,
            },
            v4: RouteTable::new(),
            v6: RouteTable::new(),
            table,
            protocol,
            metric,
            shapes: Shapes::new(table, protocol, metric),
            seq: 1,
            outstanding: None,
            reached: 0,
            unplaced: Vec::new(),
            audits: Audits::default(),
        }
    }

    /// A port appeared or changed. Without carrier, or under another ifindex, what used it has left the kernel.
    pub fn set_port(&mut self, name: &str, ifindex: u32, up: bool) {
        let core = &mut self.core;
        let name = core.names.id(name);
        let port = Port { ifindex, up };
        let before = core.ports.insert(name, port);
        if before == Some(port) {
            return;
        }
        if let Some(before) = before.filter(|b| b.ifindex != ifindex) {
            core.rescan |= core.objects.flush(before.ifindex);
        }
        if up {
            core.objects
                .forgive(|_, nexthop| nexthop.hop.is_some_and(|hop| hop.ifindex == ifindex));
        } else {
            core.rescan |= core.objects.flush(ifindex);
        }
        core.mark_port_dirty(name);
    }

    pub fn remove_port(&mut self, name: &str) {
        let core = &mut self.core;
        let name = core.names.id(name);
        if let Some(port) = core.ports.remove(&name) {
            core.rescan |= core.objects.flush(port.ifindex);
            core.mark_port_dirty(name);
        }
    }

    /// This box's fabric port and what the other boxes are called and addressed on it.
    pub fn set_fabric(&mut self, port: Option<&str>, peers: &[(String, Peer)]) {
        let core = &mut self.core;
        let port = port.map(|name| core.names.id(name));
        let peers: HashMap<u32, Peer> = peers
            .iter()
            .map(|(name, peer)| (core.names.id(name), *peer))
            .collect();
        if core.fabric == port && core.peers == peers {
            return;
        }
        core.fabric = port;
        core.peers = peers;
        let me = core.me;
        core.mark_dirty_where(|a| a.owner != me);
    }

    /// Whether this kernel's weights have 16 bits, not 8; whether backups of this box stand beside primaries at the least weight.
    pub fn set_weights(&mut self, wide: bool, backup: bool) {
        let weights = Weights::new(wide, backup);
        if std::mem::replace(&mut self.core.weights, weights) != weights {
            for slot in 0..self.core.groups.bound() {
                if self.core.groups.get(slot).is_some() {
                    self.core.mark_dirty(slot);
                }
            }
        }
    }

    /// Bring groups in line with facts and stream, then routes with their groups where that changed what they need.
    fn settle(&mut self) {
        self.core.relower_dirty();
        if std::mem::take(&mut self.core.rescan) {
            let bound = self.core.objects.groups.bound();
            let groups = &self.core.objects.groups;
            let flushed: Vec<bool> = (0..bound)
                .map(|k| groups.get(k).is_some_and(|g| g.flushed))
                .collect();
            self.core.forget_recalled(&flushed);
            walk(&mut self.core, &mut self.v4, &flushed);
            walk(&mut self.core, &mut self.v6, &flushed);
            for (_, group) in self.core.objects.groups.iter_mut() {
                group.flushed = false;
            }
            for (_, group) in self.core.groups.iter_mut() {
                group.recheck = [false; 2];
            }
            for slot in (0..bound).filter(|&k| flushed[k as usize]) {
                self.core.objects.review_group(slot);
            }
        }
    }
}

/// Take routes off kernel groups that were flushed, and queue those that need something else than they have.
fn walk<const N: usize>(core: &mut Core, routes: &mut RouteTable<N>, flushed: &[bool]) {
    let family = RouteTable::<N>::FAMILY;
    let recheck: Vec<bool> = (0..core.groups.bound())
        .map(|g| {
            core.groups
                .get(g)
                .is_some_and(|group| group.recheck[family.at()])
        })
        .collect();
    for i in 0..routes.entries.len() as u32 {
        let e = routes.entries[i as usize];
        let lost = flushed.get(e.kernel as usize).copied().unwrap_or(false);
        let again = e.group != NO_GROUP && recheck[e.group as usize];
        if !lost && !again {
            continue;
        }
        if lost {
            core.objects.groups[e.kernel].routes -= 1;
            // one that was found at start, and that nothing here can write again, is gone for good
            let orphan = e.group == NO_GROUP;
            routes.edit(i, |e| {
                e.kernel = ABSENT;
                if orphan {
                    e.flags &= !WANTED;
                }
            });
            routes.touch(i);
        }
        let e = routes.entries[i as usize];
        let target = if e.has(WANTED) {
            core.target(e.group, family).unwrap_or(ABSENT)
        } else {
            ABSENT
        };
        let content = e.has(QUEUED) || target == e.kernel && e.has(WANTED);
        routes.edit(i, |e| {
            e.flags = e.flags & !FAILED | if content { 0 } else { QUEUED }
        });
        if !content {
            core.push_again::<N>(i);
        }
    }
}
