//! What outlives the agent beside the kernel: which kernel group stands for which key, since the kernel keeps a number of 32 bits only;
//! and the few routes that have no nexthop object (addresses of this box, unreachable ones, unresolved ones). With it an agent that
//! starts again can say, by keys, what it holds. It need not be the newest: an id never stands for two keys, as ids only count up, and
//! what is wrong or missing makes the sums of its shard differ, so that the stream says it again.
use std::collections::HashMap;

use super::groups::{le32, Group};
use super::lowering::Outcome;
use super::routes::{refuse, RouteTable, LIVE, NO_GROUP, UNREACHABLE, WANTED};
use super::{AgentFib, Core, Family, Kind};

const MAGIC: &[u8] = b"fib-memory-1";
const KEY: usize = 16;
/// Key, AFI, id.
const GROUP: usize = KEY + 1 + 4;
/// Of routes without a nexthop object only so many are worth writing down.
const MOST_ROUTES: usize = 8192;

/// What a memory says, as read.
#[derive(Default)]
struct Memory<'a> {
    next: u32,
    groups: &'a [u8],
    v4: &'a [u8],
    v6: &'a [u8],
}

impl<'a> Memory<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (next, rest) = rest.split_at_checked(4)?;
        let (groups, rest) = part(rest, GROUP)?;
        let (v4, rest) = part(rest, 5 + KEY)?;
        let (v6, rest) = part(rest, 17 + KEY)?;
        rest.is_empty().then_some(Self {
            next: le32(next),
            groups,
            v4,
            v6,
        })
    }
}

/// Rows of one size behind their number, and what follows.
fn part(bytes: &[u8], row: usize) -> Option<(&[u8], &[u8])> {
    let (count, rest) = bytes.split_at_checked(4)?;
    rest.split_at_checked((le32(count) as usize).checked_mul(row)?)
}

impl AgentFib {
    /// Whether `memory` would say something else than it last did.
    pub fn unsaved(&self) -> bool {
        self.core.unsaved
    }

    pub fn memory(&mut self) -> Vec<u8> {
        let core = &mut self.core;
        core.unsaved = false;
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&core.objects.next.to_le_bytes());
        let mut rows = Vec::new();
        for (_, kernel) in core.objects.groups.iter() {
            if let Some((group, family)) = kernel.owner {
                rows.extend_from_slice(&core.groups[group].key);
                rows.push(family.table() as u8);
                rows.extend_from_slice(&kernel.id.to_le_bytes());
            }
        }
        write(&mut out, &rows, GROUP);
        write(&mut out, &core.without_object(&self.v4), 5 + KEY);
        write(&mut out, &core.without_object(&self.v6), 17 + KEY);
        out
    }

    /// After the dumps: what they found gets the keys that a memory has for it. How many routes now have one. Bytes that make no sense
    /// are of no use and do no harm.
    pub fn recall(&mut self, bytes: &[u8]) -> usize {
        let memory = Memory::parse(bytes).unwrap_or_default();
        let core = &mut self.core;
        core.objects.next = core.objects.next.max(memory.next);
        let mut keys = HashMap::new();
        for row in memory.groups.chunks_exact(GROUP) {
            let mut key = [0; KEY];
            key.copy_from_slice(&row[..KEY]);
            keys.insert((le32(&row[KEY + 1..]), u32::from(row[KEY])), key);
        }
        let known =
            recall_kernel(core, &mut self.v4, &keys) + recall_kernel(core, &mut self.v6, &keys);
        if known == 0 {
            return 0; // the kernel has none of it: it has started anew since
        }
        known
            + recall_rest(core, &mut self.v4, memory.v4)
            + recall_rest(core, &mut self.v6, memory.v6)
    }
}

fn write(out: &mut Vec<u8>, rows: &[u8], row: usize) {
    out.extend_from_slice(&((rows.len() / row) as u32).to_le_bytes());
    out.extend_from_slice(rows);
}

/// Routes on kernel groups that the memory knows join the groups of their keys.
fn recall_kernel<const N: usize>(
    core: &mut Core,
    routes: &mut RouteTable<N>,
    keys: &HashMap<(u32, u32), [u8; KEY]>,
) -> usize {
    let family = RouteTable::<N>::FAMILY;
    let mut slots: HashMap<u32, Option<u32>> = HashMap::new();
    let mut known = 0;
    for i in 0..routes.entries.len() as u32 {
        let e = routes.entries[i as usize];
        if e.group != NO_GROUP || !e.has(WANTED) {
            continue;
        }
        let Some(id) = core.objects.groups.get(e.kernel).map(|g| g.id) else {
            continue;
        };
        let slot = *slots.entry(e.kernel).or_insert_with(|| {
            let key = keys.get(&(id, family.table()))?;
            core.recall_group(*key, family, e.kernel)
        });
        if let Some(slot) = slot {
            core.groups[slot].routes[family.at()] += 1;
            routes.edit(i, |e| e.group = slot);
            known += 1;
        }
    }
    known
}

/// Routes that no nexthop object names.
fn recall_rest<const N: usize>(core: &mut Core, routes: &mut RouteTable<N>, rows: &[u8]) -> usize {
    let family = RouteTable::<N>::FAMILY;
    let mut known = 0;
    for row in rows.chunks_exact(N + 1 + KEY) {
        let (mut addr, mut key) = ([0; N], [0; KEY]);
        addr.copy_from_slice(&row[..N]);
        key.copy_from_slice(&row[N + 1..]);
        let len = row[N];
        if refuse(&addr, len).is_some() {
            continue;
        }
        let i = routes.find_or_insert(family.table(), addr, len);
        let e = routes.entries[i as usize];
        let bare = e.flags == LIVE || e.kernel == UNREACHABLE;
        if e.group != NO_GROUP || !bare {
            continue;
        }
        let slot = core.named(key);
        core.groups[slot].routes[family.at()] += 1;
        routes.edit(i, |e| {
            e.group = slot;
            e.flags |= WANTED;
        });
        known += 1;
    }
    known
}

impl Core {
    /// The group of this key; a new one has no content until the stream tells it.
    fn named(&mut self, key: [u8; KEY]) -> u32 {
        if let Some(&slot) = self.group_keys.get(&key) {
            return slot;
        }
        let slot = self.groups.insert(Group {
            recalled: true,
            ..Group::new(key, Kind::Ip)
        });
        self.group_keys.insert(key, slot);
        slot
    }

    /// The group of this key has this kernel group, unless it has another.
    fn recall_group(&mut self, key: [u8; KEY], family: Family, kernel: u32) -> Option<u32> {
        let slot = self.named(key);
        let group = &mut self.groups[slot];
        let found = self.objects.groups.get_mut(kernel)?;
        if group.kernel[family.at()].is_some() || found.owner.is_some() {
            return None;
        }
        group.kernel[family.at()] = Some(kernel);
        group.outcome[family.at()] = Outcome::Kernel(kernel);
        found.owner = Some((slot, family));
        found.stale = false;
        Some(slot)
    }

    fn without_object<const N: usize>(&self, routes: &RouteTable<N>) -> Vec<u8> {
        let at = RouteTable::<N>::FAMILY.at();
        let bare = |g: &Group| g.routes[at] > 0 && !matches!(g.outcome[at], Outcome::Kernel(_));
        let count: usize = self
            .groups
            .iter()
            .filter(|(_, g)| bare(g))
            .map(|(_, g)| g.routes[at] as usize)
            .sum();
        let mut rows = Vec::new();
        if count == 0 || count > MOST_ROUTES {
            return rows;
        }
        for e in routes
            .entries
            .iter()
            .filter(|e| e.has(WANTED) && e.group != NO_GROUP)
        {
            let group = &self.groups[e.group];
            if bare(group) {
                rows.extend_from_slice(&e.addr);
                rows.push(e.len);
                rows.extend_from_slice(&group.key);
            }
        }
        rows
    }

    /// Nothing is known of these kernel groups but that they are gone: routes of recalled groups wait for what the stream says.
    pub(super) fn forget_recalled(&mut self, flushed: &[bool]) {
        for (kernel, found) in self.objects.groups.iter() {
            if let Some((slot, family)) = found.owner.filter(|_| flushed[kernel as usize]) {
                let group = &mut self.groups[slot];
                if group.recalled {
                    group.outcome[family.at()] = Outcome::Unset;
                }
            }
        }
    }
}
