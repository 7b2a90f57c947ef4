//! What the controller says: adjacencies, groups, routes as columns, snapshots, digests.
use super::kernel::Gateway;
use super::lowering::Outcome;
use super::routes::{
    refuse, Class, RouteTable, ABSENT, FAILED, FRESH, INFLIGHT, NO_GROUP, QUEUED, UNKNOWN, WANTED,
};
use super::{Adjacency, AdjacencySlot, AgentFib, Core, Family, Group, Kind, Member};
use crate::digest::route_hash;

/// (id, owner, port, gateway or empty for on-link, kind)
pub type AdjacencyRow<'a> = (u32, &'a str, &'a str, &'a [u8], u8);
/// (id, key, kind, packed members)
pub type GroupRow<'a> = (u32, &'a [u8], u8, &'a [u8]);

const MEMBER: usize = 8;
const MEMBERS_MAX: usize = 4096;
const OP_DELETE: u8 = 0;
const OP_PUT: u8 = 1;

/// A row that makes no sense; the other rows of the same call were taken.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused(pub String);

impl AgentFib {
    pub fn put_adjacencies(&mut self, rows: &[AdjacencyRow<'_>]) -> Result<(), Refused> {
        let core = &mut self.core;
        let mut refused = Vec::new();
        for &(id, owner, port, gateway, kind) in rows {
            let parsed = Gateway::parse(gateway);
            let Some(kind) = Kind::parse(kind).filter(|_| parsed.is_some() || gateway.is_empty())
            else {
                refused.push(format!(
                    "adjacency {id}: kind {kind} with a gateway of {} bytes",
                    gateway.len()
                ));
                continue;
            };
            let adjacency = Adjacency {
                owner: core.names.id(owner),
                port: core.names.id(port),
                gateway: parsed,
                kind,
            };
            core.put_adjacency(id, adjacency);
        }
        verdict(refused)
    }

    /// Groups, each whole. A row that names an unknown adjacency is refused, and so are routes to it later.
    pub fn put_groups(&mut self, rows: &[GroupRow<'_>]) -> Result<(), Refused> {
        let failed = self.v4.count(Class::Failed) + self.v6.count(Class::Failed) > 0;
        let mut refused = Vec::new();
        for &(id, key, kind, packed) in rows {
            match self.core.parse_group(key, kind, packed) {
                Ok((key, kind, members)) => self.core.put_group(id, key, kind, members, failed),
                Err(reason) => refused.push(format!("group {id}: {reason}")),
            }
        }
        verdict(refused)
    }

    /// Columns of one table: (index, reason) of rows refused.
    pub fn put_routes(
        &mut self,
        table: u32,
        dst: &[u8],
        plen: &[u8],
        nhg: &[u8],
        op: &[u8],
    ) -> Result<Vec<(usize, &'static str)>, Refused> {
        let n = plen.len();
        if nhg.len() != 4 * n || op.len() != n {
            return Err(Refused(format!(
                "columns differ: {n} lengths, {} bytes of groups, {} operations",
                nhg.len(),
                op.len()
            )));
        }
        let rows = plen
            .iter()
            .zip(nhg.chunks_exact(4))
            .zip(op)
            .map(|((&len, id), &op)| (len, le32(id), op));
        if dst.len() == 4 * n {
            Ok(put_column(&mut self.core, &mut self.v4, table, dst, rows))
        } else if dst.len() == 16 * n {
            Ok(put_column(&mut self.core, &mut self.v6, table, dst, rows))
        } else {
            Err(Refused(format!(
                "columns differ: {n} lengths, {} bytes of addresses",
                dst.len()
            )))
        }
    }

    /// The ids are free; a group goes once no route names it, an adjacency once no group does.
    pub fn drop_groups(&mut self, ids: &[u32]) {
        for id in ids {
            if let Some(slot) = self.core.group_ids.remove(id) {
                self.core.unname_group(slot, *id);
            }
        }
    }

    pub fn drop_adjacencies(&mut self, ids: &[u32]) {
        for id in ids {
            if let Some(slot) = self.core.adjacency_ids.remove(id) {
                self.core.adjacencies[slot].id = None;
                self.core.release_adjacency(slot);
            }
        }
    }

    /// A new stream: its ids mean nothing yet, and everything held is stale, and keeps forwarding, until put again.
    pub fn snapshot_begin(&mut self) {
        let core = &mut self.core;
        core.adjacency_ids.clear();
        core.group_ids.clear();
        core.count = 0;
        core.digest = 0;
        mark_stale(&mut self.v4);
        mark_stale(&mut self.v6);
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

    /// Whether count and digest agree, and own ones. What is still stale is swept only if they do.
    pub fn snapshot_end(&mut self, count: u64, digest: u64, sweep: bool) -> (bool, u64, u64) {
        let (own_count, own_digest) = self.digest();
        let agree = (count, digest) == (own_count, own_digest);
        if agree && sweep {
            let core = &mut self.core;
            sweep_routes(core, &mut self.v4);
            sweep_routes(core, &mut self.v6);
            for slot in 0..core.objects.groups.bound() {
                if let Some(group) = core
                    .objects
                    .groups
                    .get_mut(slot)
                    .filter(|group| group.stale)
                {
                    group.stale = false;
                    core.objects.review_group(slot);
                }
            }
            for slot in 0..core.objects.nexthops.bound() {
                if let Some(nexthop) = core
                    .objects
                    .nexthops
                    .get_mut(slot)
                    .filter(|nexthop| nexthop.stale)
                {
                    nexthop.stale = false;
                    core.objects.review_nexthop(slot);
                }
            }
        }
        (agree, own_count, own_digest)
    }

    pub fn set_digest_key(&mut self, key: [u8; 16]) {
        let core = &mut self.core;
        core.digest_key = key;
        core.digest = sum(core, &self.v4).wrapping_add(sum(core, &self.v6));
    }

    /// Routes the stream put, and the digest of them.
    pub fn digest(&self) -> (u64, u64) {
        (self.core.count as u64, self.core.digest)
    }
}

fn verdict(refused: Vec<String>) -> Result<(), Refused> {
    if refused.is_empty() {
        Ok(())
    } else {
        Err(Refused(refused.join("; ")))
    }
}

fn le32(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .rev()
        .fold(0, |sum, &byte| sum << 8 | u32::from(byte))
}

impl Core {
    fn put_adjacency(&mut self, id: u32, adjacency: Adjacency) {
        match self.adjacency_ids.get(&id) {
            Some(&slot) if self.adjacencies[slot].adjacency == adjacency => (),
            Some(&slot) => {
                self.adjacencies[slot].adjacency = adjacency;
                let users: Vec<u32> = self
                    .groups
                    .iter()
                    .filter(|(_, g)| g.members.iter().any(|m| m.adjacency == slot))
                    .map(|(g, _)| g)
                    .collect();
                users.into_iter().for_each(|group| self.mark_dirty(group));
            }
            None => {
                let slot = self.adjacencies.insert(AdjacencySlot {
                    adjacency,
                    id: Some(id),
                    members: 0,
                });
                self.adjacency_ids.insert(id, slot);
            }
        }
    }

    fn release_adjacency(&mut self, slot: u32) {
        let adjacency = &self.adjacencies[slot];
        if adjacency.id.is_none() && adjacency.members == 0 {
            self.adjacencies.remove(slot);
        }
    }

    fn parse_group(
        &self,
        key: &[u8],
        kind: u8,
        packed: &[u8],
    ) -> Result<([u8; 16], Kind, Vec<Member>), String> {
        let key = <[u8; 16]>::try_from(key)
            .map_err(|_| format!("a key of {} bytes, not 16", key.len()))?;
        let kind = Kind::parse(kind).ok_or_else(|| format!("unknown kind {kind}"))?;
        if packed.len() % MEMBER != 0 || packed.len() > MEMBERS_MAX * MEMBER {
            return Err(format!(
                "{} bytes of members: not at most {MEMBERS_MAX} of {MEMBER} each",
                packed.len()
            ));
        }
        let members = packed.chunks_exact(MEMBER).map(|row| {
            let id = le32(&row[..4]);
            let adjacency = *self
                .adjacency_ids
                .get(&id)
                .ok_or_else(|| format!("unknown adjacency {id}"))?;
            Ok(Member {
                adjacency,
                weight: u16::from_le_bytes([row[4], row[5]]),
                backup: row[6] != 0,
            })
        });
        Ok((key, kind, members.collect::<Result<_, String>>()?))
    }

    fn put_group(
        &mut self,
        id: u32,
        key: [u8; 16],
        kind: Kind,
        members: Vec<Member>,
        failed: bool,
    ) {
        for member in &members {
            self.adjacencies[member.adjacency].members += 1;
        }
        let slot = match self.group_keys.get(&key) {
            Some(&slot) => slot,
            None => {
                let slot = self.groups.insert(Group {
                    key,
                    id: None,
                    ids: 0,
                    kind,
                    members: Vec::new(),
                    routes: [0; 2],
                    outcome: [Outcome::Unset; 2],
                    kernel: [None; 2],
                    hint: [None; 2],
                    dirty: false,
                    recheck: [false; 2],
                });
                self.group_keys.insert(key, slot);
                slot
            }
        };
        let group = &mut self.groups[slot];
        let old = std::mem::replace(&mut group.members, members);
        group.kind = kind;
        group.id = Some(id);
        if failed {
            group.recheck = [true; 2];
            self.rescan = true;
        }
        for member in old {
            self.adjacencies[member.adjacency].members -= 1;
            self.release_adjacency(member.adjacency);
        }
        self.mark_dirty(slot);
        self.forgive_group(slot);
        match self.group_ids.insert(id, slot) {
            Some(before) if before == slot => (),
            before => {
                self.groups[slot].ids += 1;
                before
                    .into_iter()
                    .for_each(|other| self.unname_group(other, id));
            }
        }
    }

    /// Being put again is the sign to try again what the kernel refused.
    fn forgive_group(&mut self, slot: u32) {
        let kernels = self.groups[slot].kernel;
        let wants: Vec<u32> = kernels
            .iter()
            .flatten()
            .flat_map(|&k| {
                self.objects.groups[k]
                    .want
                    .iter()
                    .map(|(nexthop, _)| *nexthop)
            })
            .collect();
        self.objects
            .forgive(|nexthop, n| n.wanted == 0 || wants.contains(&nexthop));
    }

    fn unname_group(&mut self, slot: u32, id: u32) {
        let group = &mut self.groups[slot];
        group.ids -= 1;
        if group.id == Some(id) {
            group.id = None;
        }
        self.collect_group(slot);
    }

    /// Forget a group that neither the stream nor a route names.
    fn collect_group(&mut self, slot: u32) {
        let group = &self.groups[slot];
        if group.ids > 0 || group.routes != [0; 2] {
            return;
        }
        let group = self.groups.remove(slot);
        self.group_keys.remove(&group.key);
        for kernel in group.kernel.into_iter().flatten() {
            self.objects.disown(kernel);
        }
        for member in group.members {
            self.adjacencies[member.adjacency].members -= 1;
            self.release_adjacency(member.adjacency);
        }
    }

    pub(super) fn leave_group(&mut self, slot: u32, family: Family) {
        if slot != NO_GROUP {
            self.groups[slot].routes[family.at()] -= 1;
            self.collect_group(slot);
        }
    }

    #[inline]
    fn join_group(&mut self, slot: u32, family: Family, kernel: u32) {
        let at = family.at();
        let group = &mut self.groups[slot];
        group.routes[at] += 1;
        if group.outcome[at] == Outcome::Unset {
            let found = |k: &u32| {
                self.objects
                    .groups
                    .get(*k)
                    .is_some_and(|g| g.owner.is_none())
            };
            group.hint[at] = group.hint[at].or(Some(kernel).filter(found));
            self.mark_dirty(slot);
        }
    }

    fn route_digest<const N: usize>(&self, table: u32, addr: &[u8; N], len: u8, group: u32) -> u64 {
        route_hash(&self.digest_key, table, addr, len, &self.groups[group].key)
    }
}

fn put_column<const N: usize>(
    core: &mut Core,
    routes: &mut RouteTable<N>,
    table: u32,
    dst: &[u8],
    rows: impl ExactSizeIterator<Item = (u8, u32, u8)>,
) -> Vec<(usize, &'static str)> {
    let mut refused = Vec::new();
    routes.reserve_for(rows.len());
    let mut last: Option<(u32, u32)> = None;
    for (index, ((len, id, op), address)) in rows.zip(dst.chunks_exact(N)).enumerate() {
        let mut addr = [0; N];
        addr.copy_from_slice(address);
        let known = match last {
            Some((known, slot)) if known == id => Some(slot),
            _ if op == OP_PUT => core.group_ids.get(&id).copied(),
            _ => None,
        };
        let reason = if table != RouteTable::<N>::FAMILY.table() {
            Some("this box has no kernel table for it")
        } else {
            refuse(&addr, len)
        };
        match (reason, op, known) {
            (Some(reason), ..) => refused.push((index, reason)),
            (None, OP_PUT, Some(slot)) => {
                last = Some((id, slot));
                put_route(core, routes, table, addr, len, slot);
            }
            (None, OP_PUT, None) => refused.push((index, "unknown group")),
            (None, OP_DELETE, _) => {
                if let Some(i) = routes.find(table, &addr, len) {
                    delete_route(core, routes, i);
                }
            }
            (None, ..) => refused.push((index, "unknown operation")),
        }
    }
    refused
}

fn put_route<const N: usize>(
    core: &mut Core,
    routes: &mut RouteTable<N>,
    table: u32,
    addr: [u8; N],
    len: u8,
    group: u32,
) {
    let i = routes.find_or_insert(table, addr, len);
    let e = routes.entries[i as usize];
    if e.flags & (FRESH | FAILED) == FRESH && e.group == group {
        return;
    }
    let mut digest = core
        .digest
        .wrapping_add(core.route_digest(table, &addr, len, group));
    if e.has(FRESH) {
        digest = digest.wrapping_sub(core.route_digest(table, &addr, len, e.group));
    } else {
        core.count += 1;
    }
    core.digest = digest;
    if e.group != group {
        core.join_group(group, RouteTable::<N>::FAMILY, e.kernel);
        core.leave_group(e.group, RouteTable::<N>::FAMILY);
    }
    let satisfied =
        e.kernel != UNKNOWN && core.target(group, RouteTable::<N>::FAMILY) == Some(e.kernel);
    let queue = !satisfied && !e.has(QUEUED);
    if queue {
        core.push::<N>(i);
    }
    routes.edit(i, |e| {
        e.group = group;
        e.errno = 0;
        e.flags = e.flags & !FAILED | WANTED | FRESH | if queue { QUEUED } else { 0 };
    });
}

fn delete_route<const N: usize>(core: &mut Core, routes: &mut RouteTable<N>, i: u32) {
    let e = routes.entries[i as usize];
    if !e.has(WANTED) {
        return;
    }
    if e.has(FRESH) {
        core.count -= 1;
        core.digest = core
            .digest
            .wrapping_sub(core.route_digest(e.table, &e.addr, e.len, e.group));
    }
    core.leave_group(e.group, RouteTable::<N>::FAMILY);
    routes.edit(i, |e| {
        e.group = NO_GROUP;
        e.errno = 0;
        e.flags &= !(FRESH | WANTED | FAILED);
    });
    if e.flags & (QUEUED | INFLIGHT) == 0 {
        if e.kernel == ABSENT {
            routes.release(i);
        } else {
            routes.edit(i, |e| e.flags |= QUEUED);
            core.push::<N>(i);
        }
    }
}

fn mark_stale<const N: usize>(routes: &mut RouteTable<N>) {
    for i in 0..routes.entries.len() as u32 {
        if routes.entries[i as usize].has(FRESH) {
            routes.edit(i, |e| e.flags &= !FRESH);
        }
    }
}

fn sweep_routes<const N: usize>(core: &mut Core, routes: &mut RouteTable<N>) {
    for i in 0..routes.entries.len() as u32 {
        if routes.entries[i as usize].class() == Class::Stale {
            delete_route(core, routes, i);
        }
    }
}

fn sum<const N: usize>(core: &Core, routes: &RouteTable<N>) -> u64 {
    let fresh = routes.entries.iter().filter(|e| e.has(FRESH));
    fresh.fold(0, |sum, e| {
        sum.wrapping_add(core.route_digest(e.table, &e.addr, e.len, e.group))
    })
}
