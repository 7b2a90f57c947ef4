//! Questions: totals, one route, pages of routes.
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::hop::Gateway;
use super::lowering::Outcome;
use super::netlink::RTNH_F_ONLINK;
use super::routes::{Class, Entry, RouteTable, FAILED, FRESH, INFLIGHT, NO_GROUP, QUEUED, WANTED};
use super::{AgentFib, Core, Family};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Installed,
    Pending,
    Failed,
    Unresolved,
    Stale,
    Local,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            Self::Installed => "installed",
            Self::Pending => "pending",
            Self::Failed => "failed",
            Self::Unresolved => "unresolved",
            Self::Stale => "stale",
            Self::Local => "local",
        }
    }
}

/// One nexthop that a route's kernel group has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemberView {
    pub id: u32,
    pub gateway: Option<String>,
    pub port: Option<String>,
    pub weight: u16,
    pub onlink: bool,
    pub blackhole: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteView {
    pub prefix: String,
    /// The stream's group id; None while only the kernel or an earlier stream knows the route.
    pub nhg: Option<u32>,
    pub state: State,
    pub errno: u16,
    /// Nexthop id that the kernel's route points at.
    pub kernel_group: Option<u32>,
    pub members: Vec<MemberView>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    pub routes: usize,
    pub ipv4: usize,
    pub ipv6: usize,
    pub installed: usize,
    pub pending: usize,
    pub failed: usize,
    pub unresolved: usize,
    pub local: usize,
    pub stale: usize,
    pub groups: usize,
    pub adjacencies: usize,
    pub kernel_groups: usize,
    pub kernel_nexthops: usize,
    pub bytes: usize,
}

impl Counts {
    pub fn named(&self) -> [(&'static str, usize); 14] {
        [
            ("routes", self.routes),
            ("ipv4", self.ipv4),
            ("ipv6", self.ipv6),
            ("installed", self.installed),
            ("pending", self.pending),
            ("failed", self.failed),
            ("unresolved", self.unresolved),
            ("local", self.local),
            ("stale", self.stale),
            ("groups", self.groups),
            ("adjacencies", self.adjacencies),
            ("kernel_groups", self.kernel_groups),
            ("kernel_nexthops", self.kernel_nexthops),
            ("bytes", self.bytes),
        ]
    }
}

impl AgentFib {
    /// Work left for next_batch, the outstanding batch included.
    pub fn pending(&mut self) -> usize {
        self.settle();
        let objects = &self.core.objects;
        let outstanding = self.outstanding.as_ref().map_or(0, |batch| batch.ops.len());
        self.core.queue.len()
            + objects.touched_groups.len()
            + objects.touched_nexthops.len()
            + outstanding
    }

    /// Routes of the stream that forward as it wants: in the kernel, or local to this box.
    pub fn installed(&mut self) -> usize {
        let counts = self.counts();
        counts.installed + counts.local
    }

    /// Routes that the kernel refuses now, by errno. Looks at every route.
    pub fn failed_by_errno(&self) -> BTreeMap<u16, usize> {
        let mut found = BTreeMap::new();
        let failed = |class| class == Class::Failed;
        let four = self.v4.entries.iter().filter(|e| failed(e.class()));
        let six = self.v6.entries.iter().filter(|e| failed(e.class()));
        for errno in four.map(|e| e.errno).chain(six.map(|e| e.errno)) {
            *found.entry(errno).or_default() += 1;
        }
        found
    }

    pub fn counts(&mut self) -> Counts {
        let pending = self.pending();
        let both = |class| self.v4.count(class) + self.v6.count(class);
        let idle = both(Class::Idle);
        let local = self.core.idle_routes(&self.v4, Outcome::Local)
            + self.core.idle_routes(&self.v6, Outcome::Local);
        let objects = &self.core.objects;
        Counts {
            routes: self.core.count,
            ipv4: self.v4.fresh(),
            ipv6: self.v6.fresh(),
            installed: both(Class::Installed),
            pending,
            failed: both(Class::Failed),
            unresolved: idle - local,
            local,
            stale: both(Class::Stale),
            groups: self.core.groups.len(),
            adjacencies: self.core.adjacencies.len(),
            kernel_groups: objects
                .groups
                .iter()
                .filter(|(_, group)| group.written)
                .count(),
            kernel_nexthops: objects
                .nexthops
                .iter()
                .filter(|(_, nexthop)| nexthop.written)
                .count(),
            bytes: self.v4.bytes() + self.v6.bytes() + self.core.queue.bytes(),
        }
    }

    pub fn route(&mut self, table: u32, addr: &[u8], len: u8) -> Option<RouteView> {
        self.settle();
        match addr.len() {
            4 => self
                .v4
                .find(table, addr.try_into().ok()?, len)
                .and_then(|i| self.core.view(&self.v4.entries[i as usize])),
            16 => self
                .v6
                .find(table, addr.try_into().ok()?, len)
                .and_then(|i| self.core.view(&self.v6.entries[i as usize])),
            _ => None,
        }
    }

    /// Up to `limit` routes of a table from a cursor (0 starts), and the next cursor.
    pub fn page(&mut self, table: u32, cursor: u32, limit: usize) -> (Vec<RouteView>, Option<u32>) {
        self.settle();
        if table == Family::V6.table() {
            self.core.page(&self.v6, cursor, limit)
        } else {
            self.core.page(&self.v4, cursor, limit)
        }
    }
}

impl<const N: usize> RouteTable<N> {
    fn fresh(&self) -> usize {
        [Class::Failed, Class::Waiting, Class::Installed, Class::Idle]
            .into_iter()
            .map(|class| self.count(class))
            .sum()
    }
}

impl Core {
    /// Routes of groups with this outcome that wait for nothing. A group's routes all end up so: where some still move, count them.
    fn idle_routes<const N: usize>(&self, routes: &RouteTable<N>, outcome: Outcome) -> usize {
        let at = RouteTable::<N>::FAMILY.at();
        let named: usize = self
            .groups
            .iter()
            .filter(|(_, g)| g.outcome[at] == outcome)
            .map(|(_, g)| g.routes[at] as usize)
            .sum();
        if named == 0
            || (routes.count(Class::Waiting) == 0
                && routes.count(Class::Stale) == 0
                && routes.count(Class::Failed) == 0)
        {
            return named;
        }
        let here = |e: &&Entry<N>| {
            e.class() == Class::Idle
                && e.group != NO_GROUP
                && self.groups[e.group].outcome[at] == outcome
        };
        routes.entries.iter().filter(here).count()
    }

    fn page<const N: usize>(
        &self,
        routes: &RouteTable<N>,
        cursor: u32,
        limit: usize,
    ) -> (Vec<RouteView>, Option<u32>) {
        let mut rows = Vec::new();
        let mut at = cursor as usize;
        while let Some(entry) = routes.entries.get(at) {
            if rows.len() == limit {
                return (rows, Some(at as u32));
            }
            rows.extend(self.view(entry));
            at += 1;
        }
        (rows, None)
    }

    fn view<const N: usize>(&self, e: &Entry<N>) -> Option<RouteView> {
        if !e.has(WANTED) {
            return None;
        }
        let group = (e.group != NO_GROUP).then(|| &self.groups[e.group]);
        let outcome = group.map_or(Outcome::Unset, |group| {
            group.outcome[RouteTable::<N>::FAMILY.at()]
        });
        let state = match outcome {
            _ if e.has(FAILED) => State::Failed,
            _ if !e.has(FRESH) => State::Stale,
            _ if e.has(QUEUED | INFLIGHT) => State::Pending,
            Outcome::Local => State::Local,
            Outcome::Unresolved | Outcome::Unset => State::Unresolved,
            Outcome::Unreachable | Outcome::Kernel(_) => State::Installed,
        };
        let kernel = self.objects.groups.get(e.kernel);
        let members = kernel.map_or(Vec::new(), |group| {
            group
                .have
                .iter()
                .map(|member| self.member(*member))
                .collect()
        });
        Some(RouteView {
            prefix: format!("{}/{}", address(&e.addr), e.len),
            nhg: group.and_then(|group| group.id),
            state,
            errno: e.errno,
            kernel_group: kernel.map(|group| group.id),
            members,
        })
    }

    fn member(&self, (slot, weight): (u32, u16)) -> MemberView {
        let nexthop = &self.objects.nexthops[slot];
        let hop = nexthop.hop;
        let port = hop.and_then(|hop| {
            self.ports
                .iter()
                .find(|(_, port)| port.ifindex == hop.ifindex)
        });
        MemberView {
            id: nexthop.id,
            gateway: hop
                .and_then(|hop| hop.gateway)
                .map(|gateway| address(gateway.bytes())),
            port: port.map(|(name, _)| self.names.name(*name).to_owned()),
            weight,
            onlink: hop.is_some_and(|hop| hop.flags & RTNH_F_ONLINK != 0),
            blackhole: hop.is_some_and(|hop| hop.ifindex == 0),
        }
    }
}

fn address(bytes: &[u8]) -> String {
    match Gateway::parse(bytes) {
        Some(Gateway::V4(bytes)) => Ipv4Addr::from(bytes).to_string(),
        Some(Gateway::V6(bytes)) => Ipv6Addr::from(bytes).to_string(),
        None => String::new(),
    }
}
