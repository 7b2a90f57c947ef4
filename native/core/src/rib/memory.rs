//! How much there is of everything.

use super::engine::Engine;
use super::fib::FibConsumer;
use super::table::Table;
use super::value::{int, Value};
use crate::prefix::Addr;

/// What a hash table takes with room for so many: a slot and a control byte each, and an eighth of them stays empty.
pub fn hashed<T>(capacity: usize) -> usize {
    capacity * 8 / 7 * (size_of::<T>() + 1)
}

impl Engine {
    /// Bytes by kind, from what is allocated; what the allocator adds is not in it. One walk over infos, groups and trackers.
    pub fn memory(&self) -> Value {
        let (mut prefixes, mut paths, mut logs, mut tracked) = (0, 0, 0, 0);
        for i in &self.instances {
            prefixes += i.v4.prefix_bytes() + i.v6.prefix_bytes();
            paths += i.v4.path_bytes() + i.v6.path_bytes();
            logs += i.v4.log_bytes() + i.v6.log_bytes();
            tracked += i.v4.tracked.bytes() + i.v6.tracked.bytes();
        }
        let readers = self.watches.iter().flatten().map(|w| w.told.bytes());
        logs += self.exports.bytes() + readers.sum::<usize>();
        logs += self
            .fib
            .iter()
            .flatten()
            .map(FibConsumer::bytes)
            .sum::<usize>();
        let mut kinds = vec![
            ("prefixes", prefixes),
            ("paths", paths),
            ("attribute_sets", self.core.infos.bytes()),
            ("groups", self.core.hops.groups.bytes()),
            ("next_hops", self.core.hops.bytes() + tracked),
            ("logs", logs),
        ];
        kinds.push(("total", kinds.iter().map(|k| k.1).sum()));
        let rows = kinds.into_iter().map(|(kind, n)| (kind, int(n as i64)));
        Value::Map(rows.collect())
    }

    /// Sums over all instances.
    pub fn counts(&self) -> Value {
        let (mut v4, mut v6) = ([0; 4], [0; 4]);
        for i in &self.instances {
            add_counts(&i.v4, &mut v4);
            add_counts(&i.v6, &mut v6);
        }
        let family = |n: [i64; 4]| {
            let names = ["prefixes", "paths", "fib", "fib_log"];
            Value::Map(names.into_iter().zip(n.map(int)).collect())
        };
        let hops = &self.core.hops;
        Value::Map(vec![
            ("ipv4", family(v4)),
            ("ipv6", family(v6)),
            ("attribute_sets", int(self.core.infos.len() as i64)),
            (
                "attribute_bytes",
                int(self.core.infos.attribute_bytes() as i64),
            ),
            ("groups", int(hops.groups.iter().count() as i64)),
            ("tracked_next_hops", int(hops.tracked_count() as i64)),
        ])
    }
}

fn add_counts<A: Addr>(t: &Table<A>, sum: &mut [i64; 4]) {
    let here = [
        t.populated as i64,
        t.path_count() as i64,
        t.fib_count as i64,
        t.fib_log.len() as i64,
    ];
    sum.iter_mut().zip(here).for_each(|(s, n)| *s += n);
}
