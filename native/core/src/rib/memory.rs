//! How much there is of everything.

use super::engine::Engine;
use super::table::Table;
use super::value::{int, Value};
use crate::prefix::Addr;

impl Engine {
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
