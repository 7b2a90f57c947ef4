use std::collections::BTreeMap;

use proptest::prelude::*;

use super::fixture::{engine, field, number, prefix, words};
use crate::rib::engine::Engine;
use crate::rib::source::Kind;
use crate::rib::value::Value;

/// Prefixes inside each other, and addresses in them: next hops that may depend on each other in every way.
const PREFIXES: [&str; 9] = [
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.1.0/24",
    "10.1.1.1/32",
    "10.2.0.0/16",
    "10.2.2.0/24",
    "10.2.2.2/32",
    "10.3.0.0/16",
];
const NEXT_HOPS: [&str; 5] = ["10.1.1.1", "10.2.2.2", "10.3.0.1", "10.1.2.1", "10.2.1.1"];

#[derive(Clone, Copy, Debug)]
enum Said {
    Via(usize),
    Connected,
    Nothing,
}

fn said() -> impl Strategy<Value = Said> {
    prop_oneof![
        6 => (0..NEXT_HOPS.len()).prop_map(Said::Via),
        1 => Just(Said::Connected),
        2 => Just(Said::Nothing),
    ]
}

fn say(e: &mut Engine, source: u32, at: usize, said: Said) {
    match said {
        Said::Via(n) => e.via(source, PREFIXES[at], NEXT_HOPS[n]),
        Said::Connected => e.connect(source, PREFIXES[at]),
        Said::Nothing => e.delete_path(source, prefix(PREFIXES[at])),
    }
}

/// All next hops without their history, by address.
fn resolved(e: &Engine) -> Vec<String> {
    let mut rows: Vec<String> = e
        .next_hop_rows()
        .iter()
        .map(|row| {
            let of = |name| format!("{:?}", field(row, name));
            let gateways = match field(row, "adjacencies") {
                Value::List(rows) => rows.iter().map(|r| format!("{:?}", field(r, "gateway"))),
                other => panic!("no list: {other:?}"),
            };
            let parts = ["address", "resolved", "via", "metric", "reason"].map(of);
            parts
                .into_iter()
                .chain(gateways)
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    rows.sort();
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_slices_the_settling_was_cut_into_it_comes_to_what_follows_from_the_paths(
        changes in prop::collection::vec((0..2usize, 0..PREFIXES.len(), said(), 0..4usize, 1..30usize), 1..40),
    ) {
        let mut e = engine();
        let sources = [e.source(Kind::Static, 0), e.source(Kind::Static, 0)];
        let mut last: BTreeMap<(usize, usize), Said> = BTreeMap::new();
        for (source, at, said, steps, budget) in changes {
            say(&mut e, sources[source], at, said);
            for _ in 0..steps {
                e.step(budget);
            }
            last.insert((source, at), said);
        }
        while e.step(3) {}
        let mut fresh = engine();
        let sources = [fresh.source(Kind::Static, 0), fresh.source(Kind::Static, 0)];
        for ((source, at), said) in last {
            say(&mut fresh, sources[source], at, said);
        }
        fresh.settled();
        prop_assert_eq!(resolved(&e), resolved(&fresh));
    }
}

fn row(e: &Engine, address: &str) -> Value {
    let rows = e.next_hop_rows();
    let found = rows
        .into_iter()
        .find(|r| words(field(r, "address")) == address);
    found.expect("a next hop of this address")
}

#[test]
fn two_next_hops_that_only_reach_each_other_are_let_go_with_what_first_reached_them() {
    let mut e = engine();
    let (connected, s) = (e.source(Kind::Connected, 0), e.source(Kind::Static, 0));
    e.connect(connected, "10.1.1.0/24");
    e.via(s, "10.2.2.2/32", "10.1.1.1");
    e.via(s, "10.1.0.0/16", "10.2.2.2");
    e.settled();
    assert_eq!(field(&row(&e, "10.2.2.2"), "resolved"), &Value::Bool(true));
    e.delete_path(connected, prefix("10.1.1.0/24"));
    e.settled();
    assert_eq!(words(field(&row(&e, "10.1.1.1"), "reason")), "no route");
    assert_eq!(words(field(&row(&e, "10.2.2.2"), "reason")), "no route");
    e.connect(connected, "10.1.1.0/24");
    e.settled();
    assert_eq!(field(&row(&e, "10.2.2.2"), "resolved"), &Value::Bool(true));
}

#[test]
fn a_next_hop_tells_when_and_how_it_last_changed() {
    let mut e = engine();
    let (connected, s) = (e.source(Kind::Connected, 0), e.source(Kind::Static, 0));
    e.via(s, "192.0.2.0/24", "10.1.1.1");
    assert_eq!(
        words(field(&row(&e, "10.1.1.1"), "change")),
        "unresolved: no route"
    );
    e.set_time(7);
    e.connect(connected, "10.1.0.0/16");
    e.settled();
    let now = row(&e, "10.1.1.1");
    assert_eq!(words(field(&now, "change")), "resolved via 10.1.0.0/16");
    assert_eq!(number(field(&now, "changed")), 7);
    e.set_time(9);
    e.connect(connected, "10.1.1.0/24");
    e.settled();
    let now = row(&e, "10.1.1.1");
    assert_eq!(words(field(&now, "change")), "now via 10.1.1.0/24");
    assert_eq!(number(field(&now, "changed")), 9);
}

#[test]
fn a_shorter_prefix_than_the_one_a_next_hop_resolves_by_does_not_touch_it() {
    let mut e = engine();
    let (connected, s) = (e.source(Kind::Connected, 0), e.source(Kind::Static, 0));
    e.connect(connected, "10.1.0.0/16");
    e.via(s, "192.0.2.0/24", "10.1.1.1");
    e.settled();
    e.via(s, "0.0.0.0/0", "10.1.1.9");
    assert!(!e.step(1), "nothing is left to look at");
}
