//! A FIB consumer that does not start from nothing: its agent has said, as sums of shards, what it holds. What is equal counts as told.

use super::core::Core;
use super::engine::Engine;
use super::fib::Cursor;
use super::marks::Bits;
use super::table::{Table, VACANT};
use super::NONE;
use crate::digest::ShardSet;
use crate::prefix::Addr;

impl Engine {
    /// As `fib_open`, for an agent with these sums, by table as `Sums::to_bytes` has them. Routes of shards with equal sums are not
    /// read; groups and adjacencies all are. Gives the consumer and, of each of those tables, the shards that are equal. One pass over
    /// the tables: a change that comes after it finds every route of an equal shard marked as told, so that its end is told too.
    pub fn fib_resume(&mut self, sums: &[(u32, &[u8])]) -> (u32, Vec<(u32, ShardSet)>) {
        let consumer = self.fib_open();
        let mut equal = Vec::new();
        let Some(Some(c)) = self.fib.get_mut(consumer as usize) else {
            return (consumer, equal);
        };
        let places = c.cursors.iter_mut().zip(&mut c.routes_sent);
        for (i, ([a, b], [sent_a, sent_b])) in self.instances.iter().zip(places) {
            equal.extend(mark(&self.core, &i.v4, sums, a, sent_a));
            equal.extend(mark(&self.core, &i.v6, sums, b, sent_b));
        }
        (consumer, equal)
    }
}

fn mark<A: Addr>(
    core: &Core,
    t: &Table<A>,
    sums: &[(u32, &[u8])],
    cursor: &mut Cursor,
    sent: &mut Bits,
) -> Option<(u32, ShardSet)> {
    let (_, theirs) = sums.iter().find(|(table, _)| *table == t.id && t.fib)?;
    let equal = t.fib_sums.equal(theirs);
    let all = equal.is_all();
    for (slot, e) in t.entries.iter().enumerate() {
        let routed = e.flags & VACANT == 0 && e.group != NONE;
        if routed && (all || equal.has(core.shard_of(e.prefix))) {
            sent.set(slot as u32, true);
        }
    }
    if all {
        cursor.snapshot = None;
    }
    Some((t.id, equal))
}
