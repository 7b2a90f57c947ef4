//! The FIB feed: one cursor per NCP over the tables, groups before the routes that use them, dead groups after all routes.
//! Columns are encoded here once per read; the agent lowers them for its own box.

use super::engine::Engine;
use super::feed::{before, Pos};
use super::installed::Answers;
use super::instance::Instance;
use super::marks::{Bits, Marks};
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

pub struct FibConsumer {
    pub(super) cursors: Vec<[Cursor; 2]>,
    /// Routes it has, by slot: the end of others is no news.
    pub(super) routes_sent: Vec<[Bits; 2]>,
    /// Groups and adjacencies it was told of and not told the end of.
    groups_sent: Bits,
    adjacencies_sent: Bits,
    /// Groups that changed since it read, all there are at first.
    changed: Marks,
    /// What it may be told the end of once it has all routes.
    dying_groups: Marks,
    dying_adjacencies: Marks,
    pub(super) answers: Answers,
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
        let cursors: Vec<_> = self.instances.iter_mut().map(open).collect();
        let mut changed = Marks::default();
        let groups = self.core.hops.groups.iter();
        groups.for_each(|(id, _)| changed.insert(id));
        for i in &mut self.instances {
            (i.v4.answered.at_slowest, i.v6.answered.at_slowest) = (0, 0);
        }
        self.fib.push(Some(FibConsumer {
            routes_sent: cursors.iter().map(|_| Default::default()).collect(),
            cursors,
            groups_sent: Bits::default(),
            adjacencies_sent: Bits::default(),
            changed,
            dying_groups: Marks::default(),
            dying_adjacencies: Marks::default(),
            answers: Answers::new(&self.instances),
        }));
        (self.fib.len() - 1) as u32
    }

    /// Every consumer reads the new instance too.
    pub(super) fn fib_join(&mut self, instance: &mut Instance) {
        for c in self.fib.iter_mut().flatten() {
            c.cursors.push(open(instance));
            c.routes_sent.push(Default::default());
            c.answers.join();
        }
    }

    pub fn fib_close(&mut self, consumer: u32) {
        let Some(c) = self.fib[consumer as usize].take() else {
            return;
        };
        for i in self.instances.iter_mut().filter(|i| i.v4.fib) {
            i.v4.fib_log.consumers -= 1;
            i.v6.fib_log.consumers -= 1;
        }
        self.forget_answers(c.answers);
        self.trim_fib();
        c.groups_sent.iter().for_each(|id| self.free_group(id));
        let adjacencies = c.adjacencies_sent.iter();
        adjacencies.for_each(|id| self.free_adjacency(id));
    }

    /// The next stretch of the stream, at most about `max` routes; `None` when the consumer has everything.
    pub fn fib_read(&mut self, consumer: u32, max: usize) -> Option<FibDelta> {
        self.share_changes();
        let mut c = self.fib.get_mut(consumer as usize)?.take()?;
        let stand = c.answers.stand();
        let mut delta = FibDelta::default();
        let hops = &self.core.hops;
        for id in c.changed.take() {
            if hops.groups[id].forwarded > 0 {
                c.tell_group(hops, id, &mut delta);
            } else if c.groups_sent.get(id) {
                c.dying_groups.insert(id);
            }
        }
        let mut left = max;
        let places = c.cursors.iter_mut().zip(&mut c.routes_sent);
        for (Instance { v4, v6 }, ([a, b], [sent_a, sent_b])) in
            self.instances.iter_mut().zip(places)
        {
            read_table(v4, a, sent_a, &mut left, &mut delta);
            read_table(v6, b, sent_b, &mut left, &mut delta);
        }
        let done = self.at_tail(&c);
        if done {
            c.bury(&self.core.hops, &mut delta);
        }
        if self.instances.iter().any(|i| i.v4.answered.wanted) {
            c.answers.read(done, delta.is_empty(), c.read_to());
        }
        self.fib[consumer as usize] = Some(c);
        self.note_answers(consumer, &stand);
        self.trim_wanted = true;
        delta.dead_groups.iter().for_each(|&id| self.free_group(id));
        let adjacencies = delta.dead_adjacencies.iter();
        adjacencies.for_each(|&id| self.free_adjacency(id));
        (!delta.is_empty() || !done).then_some(delta)
    }

    /// Tells every consumer of the groups that changed and the adjacencies out of use; what none of them knows is given free.
    pub(super) fn share_changes(&mut self) {
        for id in self.core.hops.groups.changed.take() {
            self.free_group(id);
            let consumers = self.fib.iter_mut().flatten();
            consumers.for_each(|c| c.changed.insert(id));
        }
        for id in self.core.hops.adjacencies.unused.take() {
            self.free_adjacency(id);
            let consumers = self.fib.iter_mut().flatten();
            consumers.for_each(|c| c.dying_adjacencies.insert(id));
        }
    }

    /// A number out of use that no consumer knows any more may be used again.
    fn free_group(&mut self, id: u32) {
        let mut consumers = self.fib.iter().flatten();
        if !consumers.any(|c| c.groups_sent.get(id)) {
            self.core.hops.free_group(id);
        }
    }

    fn free_adjacency(&mut self, id: u32) {
        let mut consumers = self.fib.iter().flatten();
        if !consumers.any(|c| c.adjacencies_sent.get(id)) {
            self.core.hops.adjacencies.free(id);
        }
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
                .wrapping_add(i.v4.fib_sums.root())
                .wrapping_add(i.v6.fib_sums.root());
        }
        let done = match self.fib.get(consumer as usize) {
            Some(Some(c)) => {
                self.at_tail(c) && c.changed.is_empty() && self.core.hops.groups.changed.is_empty()
            }
            _ => false,
        };
        (done, count, digest)
    }

    pub(super) fn trim_fib(&mut self) {
        self.trim_wanted = false;
        for (i, instance) in self.instances.iter_mut().enumerate() {
            let mut v4: Vec<&mut Pos> = Vec::new();
            let mut v6: Vec<&mut Pos> = Vec::new();
            let wanted = instance.v4.answered.wanted;
            for c in self.fib.iter_mut().flatten() {
                let [a, b] = &mut c.cursors[i];
                v4.push(&mut a.pos);
                v6.push(&mut b.pos);
                for [a, b] in c.answers.positions(i).filter(|_| wanted) {
                    v4.push(a);
                    v6.push(b);
                }
            }
            let mut answered4 = std::mem::take(&mut instance.v4.answered);
            let mut answered6 = std::mem::take(&mut instance.v6.answered);
            if wanted {
                v4.extend(answered4.positions());
                v6.extend(answered6.positions());
            }
            if instance.v4.trim(Feed::Fib, &mut v4) {
                answered4.at_slowest = 0;
            }
            if instance.v6.trim(Feed::Fib, &mut v6) {
                answered6.at_slowest = 0;
            }
            (instance.v4.answered, instance.v6.answered) = (answered4, answered6);
        }
    }
}

impl FibConsumer {
    /// Whether it has a route that stands in this slot, and so must hear of its end.
    pub(super) fn has(&self, instance: usize, afi: u16, slot: u32) -> bool {
        let sent = self.routes_sent.get(instance);
        sent.is_some_and(|s| s[usize::from(afi) - 1].get(slot))
    }

    pub(super) fn bytes(&self) -> usize {
        let routes = self.routes_sent.iter().flatten().map(Bits::bytes);
        routes.sum::<usize>()
            + self.groups_sent.bytes()
            + self.adjacencies_sent.bytes()
            + self.changed.bytes()
            + self.dying_groups.bytes()
            + self.dying_adjacencies.bytes()
    }

    /// Where it has come to in the logs, `None` where its snapshot goes on.
    fn read_to(&self) -> Vec<[Option<Pos>; 2]> {
        let place = |c: &Cursor| c.snapshot.is_none().then_some(c.pos);
        let places = self.cursors.iter();
        places.map(|[a, b]| [place(a), place(b)]).collect()
    }

    fn tell_group(&mut self, hops: &NextHops, id: u32, delta: &mut FibDelta) {
        let group = &hops.groups[id];
        delta.urgent |= self.groups_sent.get(id);
        self.groups_sent.set(id, true);
        let mut members = Vec::with_capacity(group.members.len() * 8);
        for m in &group.members {
            if !self.adjacencies_sent.get(m.adjacency) {
                self.adjacencies_sent.set(m.adjacency, true);
                delta.adjacencies.push(m.adjacency);
            }
            members.extend_from_slice(&m.adjacency.to_le_bytes());
            members.extend_from_slice(&m.weight.to_le_bytes());
            members.extend_from_slice(&[m.role, 0]);
        }
        delta.groups.push(GroupRow {
            id,
            key: group.key,
            kind: hops.group_kind(id) as u8,
            members,
        });
    }

    /// It has all routes: what none of them uses any more ends.
    fn bury(&mut self, hops: &NextHops, delta: &mut FibDelta) {
        for id in self.dying_groups.take() {
            if hops.groups[id].forwarded == 0 && self.groups_sent.get(id) {
                self.groups_sent.set(id, false);
                delta.dead_groups.push(id);
            }
        }
        for id in self.dying_adjacencies.take() {
            if !hops.adjacencies.in_use(id) && self.adjacencies_sent.get(id) {
                self.adjacencies_sent.set(id, false);
                delta.dead_adjacencies.push(id);
            }
        }
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

fn read_table<A: Addr>(
    t: &mut Table<A>,
    c: &mut Cursor,
    sent: &mut Bits,
    left: &mut usize,
    delta: &mut FibDelta,
) {
    let mut columns = Columns {
        table: t.id,
        ..Columns::default()
    };
    let before_read = *left;
    if let Some(mut idx) = c.snapshot {
        while *left > 0 && idx < t.entries.len() {
            let e = &t.entries[idx];
            if e.flags & VACANT == 0 && e.group != NONE && !sent.get(idx as u32) {
                row(&mut columns, e.prefix, e.group);
                sent.set(idx as u32, true);
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
            let live = e.flags & IN_FIB_LOG != 0 && e.fib_pos == c.pos;
            if live && (e.group != NONE || sent.get(idx)) {
                sent.set(idx, e.group != NONE);
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
