//! What the controller says: adjacencies, groups, routes as columns, snapshots, digests.
use super::groups::le32;
use super::hop::Gateway;
use super::routes::{
    refuse, Class, RouteTable, ABSENT, FAILED, FRESH, INFLIGHT, NO_GROUP, QUEUED, UNKNOWN, WANTED,
};
use super::{Adjacency, AgentFib, Core, Kind};
use crate::digest::route_hash;

/// (id, owner, port, gateway or empty for on-link, kind)
pub type AdjacencyRow<'a> = (u32, &'a str, &'a str, &'a [u8], u8);
/// (id, key, kind, packed members)
pub type GroupRow<'a> = (u32, &'a [u8], u8, &'a [u8]);

const OP_DELETE: u8 = 0;
const OP_PUT: u8 = 1;
/// Rows that are looked up together.
const TOGETHER: usize = 32;

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
        let rows = (plen, nhg, op);
        let refused = if dst.len() == 4 * n {
            put_column(&mut self.core, &mut self.v4, table, dst, rows)
        } else if dst.len() == 16 * n {
            put_column(&mut self.core, &mut self.v6, table, dst, rows)
        } else {
            return Err(Refused(format!(
                "columns differ: {n} lengths, {} bytes of addresses",
                dst.len()
            )));
        };
        self.arrange_ahead();
        Ok(refused)
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

impl Core {
    pub(super) fn route_digest<const N: usize>(
        &self,
        table: u32,
        addr: &[u8; N],
        len: u8,
        group: u32,
    ) -> u64 {
        route_hash(&self.digest_key, table, addr, len, &self.groups[group].key)
    }
}

fn put_column<const N: usize>(
    core: &mut Core,
    routes: &mut RouteTable<N>,
    table: u32,
    dst: &[u8],
    (lengths, ids, ops): (&[u8], &[u8], &[u8]),
) -> Vec<(usize, &'static str)> {
    let mut refused = Vec::new();
    routes.reserve_for(lengths.len());
    let mut last: Option<(u32, (u32, bool))> = None;
    let rows = lengths.iter().zip(ids.chunks_exact(4)).zip(ops);
    for (index, (((&len, id), &op), address)) in rows.zip(dst.chunks_exact(N)).enumerate() {
        if index % TOGETHER == 0 {
            let end = lengths.len().min(index + TOGETHER);
            routes.warm(table, &dst[index * N..end * N], &lengths[index..end]);
        }
        let id = le32(id);
        let mut addr = [0; N];
        addr.copy_from_slice(address);
        let known = match last {
            Some((known, found)) if known == id => Some(found),
            _ if op == OP_PUT => core
                .group_ids
                .get(&id)
                .map(|&slot| (slot, core.suits(slot, RouteTable::<N>::FAMILY))),
            _ => None,
        };
        let reason = if table != RouteTable::<N>::FAMILY.table() {
            Some("this box has no kernel table for it")
        } else {
            refuse(&addr, len)
        };
        match (reason, op, known) {
            (Some(reason), ..) => refused.push((index, reason)),
            (None, OP_PUT, Some((slot, suits))) => {
                last = Some((id, (slot, suits)));
                put_route(core, routes, table, addr, len, slot);
                // it counts, as the controller counts it, and waits for its group to become another
                if !suits {
                    refused.push((index, "an IPv6 route cannot use an IPv4 next hop"));
                }
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
    if e.has(FAILED) {
        core.forgive_group(group);
        core.mark_dirty(group);
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

/// IPv4 in an order far from ascending: 400,000 deletes took Linux 6.18 0.6 s so and 4.6 s in ascending order. IPv6 in the order
/// it has: there ascending was the faster.
fn sweep_routes<const N: usize>(core: &mut Core, routes: &mut RouteTable<N>) {
    let n = routes.entries.len() as u64;
    let mut stride = if N == 4 { (n * 5 / 8) | 1 } else { 1 };
    while n > 0 && gcd(stride, n) > 1 {
        stride += 2;
    }
    let mut at = 0;
    for _ in 0..n {
        if routes.entries[at as usize].class() == Class::Stale {
            delete_route(core, routes, at as u32);
        }
        at = (at + stride) % n;
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 {
        a
    } else {
        gcd(b, a % b)
    }
}
