//! The FIB feed: one cursor per NCP over the tables, groups before the routes that use them, dead groups after all routes.
//! Columns are encoded here once per read; the agent lowers them for its own box.

use super::engine::Engine;
use super::feed::{before, Pos};
use super::instance::Instance;
use super::nexthop::NextHops;
use super::table::{Feed, Table, IN_FIB_LOG, VACANT};
use super::NONE;
use crate::prefix::Addr;

/// Where a consumer stands in one table: in the slab while its snapshot lasts, and in the log.
#[derive(Clone, Copy, Debug)]
pub struct Cursor {
    pub snapshot: Option<usize>,
    pub pos: Pos,
}

/// A growing set of small numbers.
#[derive(Default)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    pub fn get(&self, i: u32) -> bool {
        self.0
            .get(i as usize / 64)
            .is_some_and(|w| w >> (i % 64) & 1 == 1)
    }
    pub fn set(&mut self, i: u32, on: bool) {
        let w = i as usize / 64;
        if w >= self.0.len() {
            self.0.resize(w + 1, 0);
        }
        if on {
            self.0[w] |= 1 << (i % 64);
        } else {
            self.0[w] &= !(1 << (i % 64));
        }
    }
}

pub struct FibConsumer {
    cursors: Vec<[Cursor; 2]>,
    groups_seen: u64,
    deaths_seen: u64,
    groups_sent: Bits,
    adjacencies_sent: Bits,
}

/// `dst` 4 or 16 bytes a row, `plen` 1, `group` 4 little-endian, `op` 1 (1 put, 0 delete).
#[derive(Default)]
pub struct Columns {
    pub table: u32,
    pub dst: Vec<u8>,
    pub plen: Vec<u8>,
    pub group: Vec<u8>,
    pub op: Vec<u8>,
}

pub struct GroupRow {
    pub id: u32,
    pub key: [u8; 16],
    pub kind: u8,
    /// Per member: u32 adjacency, u16 weight, u8 role, u8 0; little-endian.
    pub members: Vec<u8>,
}

#[derive(Default)]
pub struct FibDelta {
    pub adjacencies: Vec<u32>,
    pub groups: Vec<GroupRow>,
    pub routes: Vec<Columns>,
    pub dead_groups: Vec<u32>,
    pub dead_adjacencies: Vec<u32>,
    /// A group that routes already use changed.
    pub urgent: bool,
    pub count: usize,
}

impl FibDelta {
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
            && self.count == 0
            && self.dead_groups.is_empty()
            && self.dead_adjacencies.is_empty()
    }
}

impl Engine {
    /// A new consumer at the start of a snapshot.
    pub fn fib_open(&mut self) -> u32 {
        let cursors = self.instances.iter_mut().map(open).collect();
        self.fib.push(Some(FibConsumer {
            cursors,
            groups_seen: 0,
            deaths_seen: 0,
            groups_sent: Bits::default(),
            adjacencies_sent: Bits::default(),
        }));
        (self.fib.len() - 1) as u32
    }

    /// Every consumer reads the new instance too.
    pub(super) fn fib_join(&mut self, instance: &mut Instance) {
        for c in self.fib.iter_mut().flatten() {
            c.cursors.push(open(instance));
        }
    }

    pub fn fib_close(&mut self, consumer: u32) {
        if self.fib[consumer as usize].take().is_none() {
            return;
        }
        for i in self.instances.iter_mut().filter(|i| i.v4.fib) {
            i.v4.fib_log.consumers -= 1;
            i.v6.fib_log.consumers -= 1;
        }
        self.trim_fib();
        self.reuse_dead();
    }

    /// The next stretch of the stream, at most about `max` routes; `None` when the consumer has everything.
    pub fn fib_read(&mut self, consumer: u32, max: usize) -> Option<FibDelta> {
        let mut c = self.fib.get_mut(consumer as usize)?.take()?;
        let mut delta = FibDelta::default();
        let hops = &self.core.hops;
        if hops.version > c.groups_seen {
            for (id, set) in hops.sets.iter().enumerate() {
                if set.version <= c.groups_seen || set.routes == 0 {
                    continue;
                }
                let id = id as u32;
                delta.urgent |= c.groups_sent.get(id);
                c.groups_sent.set(id, true);
                let mut members = Vec::with_capacity(set.members.len() * 8);
                for m in &set.members {
                    if !c.adjacencies_sent.get(m.adjacency) {
                        c.adjacencies_sent.set(m.adjacency, true);
                        delta.adjacencies.push(m.adjacency);
                    }
                    members.extend_from_slice(&m.adjacency.to_le_bytes());
                    members.extend_from_slice(&m.weight.to_le_bytes());
                    members.extend_from_slice(&[m.role, 0]);
                }
                delta.groups.push(GroupRow {
                    id,
                    key: set.hash,
                    kind: hops.group_kind(id) as u8,
                    members,
                });
            }
            c.groups_seen = hops.version;
        }
        let mut left = max;
        for (i, cursors) in c.cursors.iter_mut().enumerate() {
            let Instance { v4, v6 } = &mut self.instances[i];
            read_table(v4, &mut cursors[0], &mut left, &mut delta);
            read_table(v6, &mut cursors[1], &mut left, &mut delta);
        }
        let done = self.at_tail(&c);
        if done && self.core.hops.deaths > c.deaths_seen {
            c.deaths_seen = self.core.hops.deaths;
            bury(&self.core.hops, &mut c, &mut delta);
        }
        self.fib[consumer as usize] = Some(c);
        self.trim_fib();
        if !delta.dead_groups.is_empty() || !delta.dead_adjacencies.is_empty() {
            self.reuse_dead();
        }
        (!delta.is_empty() || !done).then_some(delta)
    }

    fn at_tail(&self, c: &FibConsumer) -> bool {
        self.instances.iter().zip(&c.cursors).all(|(i, [a, b])| {
            a.snapshot.is_none()
                && b.snapshot.is_none()
                && a.pos == i.v4.fib_log.tail()
                && b.pos == i.v6.fib_log.tail()
        })
    }

    /// Whether the consumer has everything, and what its model must then hold: routes and the sum of their hashes.
    pub fn fib_state(&self, consumer: u32) -> (bool, u64, u64) {
        let (mut count, mut digest) = (0, 0u64);
        for i in &self.instances {
            count += i.v4.fib_count + i.v6.fib_count;
            digest = digest
                .wrapping_add(i.v4.fib_digest)
                .wrapping_add(i.v6.fib_digest);
        }
        let done = match self.fib.get(consumer as usize) {
            Some(Some(c)) => self.at_tail(c) && c.groups_seen == self.core.hops.version,
            _ => false,
        };
        (done, count, digest)
    }

    fn trim_fib(&mut self) {
        for (i, instance) in self.instances.iter_mut().enumerate() {
            let mut v4: Vec<&mut Pos> = Vec::new();
            let mut v6: Vec<&mut Pos> = Vec::new();
            for c in self.fib.iter_mut().flatten() {
                let [a, b] = &mut c.cursors[i];
                v4.push(&mut a.pos);
                v6.push(&mut b.pos);
            }
            instance.v4.trim(Feed::Fib, &mut v4);
            instance.v6.trim(Feed::Fib, &mut v6);
        }
    }

    /// Numbers that no consumer knows any more may be used again.
    pub(super) fn reuse_dead(&mut self) {
        let known = |get: &dyn Fn(&FibConsumer) -> bool| self.fib.iter().flatten().any(get);
        let hops = &self.core.hops;
        let sets: Vec<u32> = (0..hops.sets.len() as u32)
            .filter(|&id| hops.sets[id as usize].vacant && hops.sets[id as usize].routes == 0)
            .filter(|&id| !known(&|c| c.groups_sent.get(id)))
            .collect();
        let adjacencies: Vec<u32> = (0..hops.adjacencies.len() as u32)
            .filter(|&id| hops.adjacency_refs[id as usize] == 0)
            .filter(|&id| !known(&|c| c.adjacencies_sent.get(id)))
            .collect();
        self.core.hops.set_free(sets, adjacencies);
    }
}

/// A consumer's place at the start of an instance. What is not for the FIB, or still empty, has no snapshot to wait for.
fn open(i: &mut Instance) -> [Cursor; 2] {
    fn start<A: Addr>(t: &mut Table<A>) -> Cursor {
        t.fib_log.consumers += usize::from(t.fib);
        let pos = t.fib_log.tail();
        t.fib_log.note_read(pos);
        Cursor {
            snapshot: (t.fib && !t.entries.is_empty()).then_some(0),
            pos,
        }
    }
    [start(&mut i.v4), start(&mut i.v6)]
}

fn bury(hops: &NextHops, c: &mut FibConsumer, delta: &mut FibDelta) {
    for (id, set) in hops.sets.iter().enumerate() {
        let id = id as u32;
        if set.routes == 0 && c.groups_sent.get(id) {
            c.groups_sent.set(id, false);
            delta.dead_groups.push(id);
        }
    }
    for (id, &refs) in hops.adjacency_refs.iter().enumerate() {
        let id = id as u32;
        if refs == 0 && c.adjacencies_sent.get(id) {
            c.adjacencies_sent.set(id, false);
            delta.dead_adjacencies.push(id);
        }
    }
}

fn read_table<A: Addr>(t: &mut Table<A>, c: &mut Cursor, left: &mut usize, delta: &mut FibDelta) {
    let mut columns = Columns {
        table: t.id,
        ..Columns::default()
    };
    let before_read = *left;
    if let Some(mut idx) = c.snapshot {
        while *left > 0 && idx < t.entries.len() {
            let e = &t.entries[idx];
            if e.flags & VACANT == 0 && e.group != NONE {
                row(&mut columns, e.prefix, e.group);
                *left -= 1;
            }
            idx += 1;
        }
        c.snapshot = (idx < t.entries.len()).then_some(idx);
    }
    if c.snapshot.is_none() {
        let tail = t.fib_log.tail();
        while *left > 0 && before(c.pos, tail) {
            let idx = t.fib_log.get(c.pos);
            let e = &t.entries[idx as usize];
            if e.flags & IN_FIB_LOG != 0 && e.fib_pos == c.pos {
                row(&mut columns, e.prefix, e.group);
                *left -= 1;
            }
            c.pos = c.pos.wrapping_add(1);
        }
        t.fib_log.note_read(c.pos);
    }
    delta.count += before_read - *left;
    if !columns.op.is_empty() {
        delta.routes.push(columns);
    }
}

fn row<A: Addr>(c: &mut Columns, p: crate::prefix::Prefix<A>, group: u32) {
    p.addr.push_be(&mut c.dst, A::BYTES);
    c.plen.push(p.len);
    if group == NONE {
        c.group.extend_from_slice(&[0; 4]);
        c.op.push(0);
    } else {
        c.group.extend_from_slice(&group.to_le_bytes());
        c.op.push(1);
    }
}
