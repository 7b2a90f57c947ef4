use std::collections::BTreeMap;

use proptest::prelude::*;

use super::fixture::{engine, export, field, number, prefix, words, Said};
use crate::rib::criteria::Criteria;
use crate::rib::engine::Engine;
use crate::rib::options::Options;
use crate::rib::query::Page;
use crate::rib::source::Kind;
use crate::rib::value::Value;

pub fn read(e: &mut Engine, watch: u32) -> Vec<String> {
    let rows = e.watch_read(watch, 100).unwrap_or_default();
    rows.iter()
        .map(|r| {
            let op = words(field(r, "op"));
            format!("{op} {}", words(field(r, "prefix")))
        })
        .collect()
}

fn only(protocol: Kind) -> Criteria {
    Criteria {
        protocols: vec![protocol],
        ..Criteria::default()
    }
}

#[test]
fn a_watch_tells_the_table_then_what_changes_each_prefix_in_its_last_state() {
    let mut e = engine();
    let s = e.source(Kind::Static, 0);
    e.blackhole(s, "10.0.0.0/8");
    let w = e.watch_open(0, 1, Criteria::default(), true);
    assert_eq!(read(&mut e, w), ["put 10.0.0.0/8"]);
    assert_eq!(e.watch_read(w, 100), None);
    e.blackhole(s, "20.0.0.0/8");
    e.delete_path(s, prefix("10.0.0.0/8"));
    e.blackhole(s, "30.0.0.0/8");
    e.delete_path(s, prefix("30.0.0.0/8")); // never told: nothing to take back
    e.blackhole(s, "2001:db8::/32"); // another table
    assert_eq!(read(&mut e, w), ["put 20.0.0.0/8", "delete 10.0.0.0/8"]);
    assert_eq!(e.watch_read(w, 100), None);
    assert_eq!(e.instances[0].v4.prefix_count(), 1);
    e.watch_close(w);
    e.blackhole(s, "40.0.0.0/8");
    assert!(e.instances[0].v4.rib_log.is_empty());
    assert_eq!(e.watch_read(w, 100), None);
}

#[test]
fn a_watch_without_a_beginning_hears_of_the_end_of_what_was_there_before() {
    let mut e = engine();
    let s = e.source(Kind::Static, 0);
    e.blackhole(s, "10.0.0.0/8");
    e.blackhole(s, "20.0.0.0/8");
    let all = e.watch_open(0, 1, Criteria::default(), false);
    let bgp = e.watch_open(0, 1, only(Kind::Bgp), false);
    assert_eq!(e.watch_read(all, 100), None);
    e.delete_path(s, prefix("10.0.0.0/8"));
    assert_eq!(read(&mut e, all), ["delete 10.0.0.0/8"]);
    assert_eq!(e.watch_read(bgp, 100), None);
}

#[test]
fn a_route_that_leaves_what_is_watched_is_deleted() {
    let mut e = engine();
    let (s, p) = (e.source(Kind::Static, 0), e.source(Kind::Bgp, 0));
    e.blackhole(s, "192.0.2.0/24");
    let of_bgp = Criteria {
        within: Some(prefix("10.0.0.0/8")),
        ..only(Kind::Bgp)
    };
    let w = e.watch_open(0, 1, of_bgp, true);
    e.announce(p, "10.1.0.0/16", "192.0.2.1", Said::default());
    e.announce(p, "11.1.0.0/16", "192.0.2.1", Said::default());
    e.settled();
    assert_eq!(read(&mut e, w), ["put 10.1.0.0/16"]);
    e.blackhole(s, "10.1.0.0/16"); // a better route of another protocol
    assert_eq!(read(&mut e, w), ["delete 10.1.0.0/16"]);
    e.delete_path(s, prefix("10.1.0.0/16"));
    assert_eq!(read(&mut e, w), ["put 10.1.0.0/16"]);
    // The loss of what its next hop resolves by
    e.delete_path(s, prefix("192.0.2.0/24"));
    e.settled();
    assert_eq!(read(&mut e, w), ["delete 10.1.0.0/16"]);
}

#[test]
fn another_group_for_the_same_path_is_news_to_a_watch_and_none_to_peers() {
    let mut e = engine();
    let s = e.source(Kind::Static, 0);
    let (p, q) = (e.source(Kind::Bgp, 0), e.source(Kind::Bgp, 0));
    let reader = e.source(Kind::Bgp, 0);
    let options = Options {
        multipath_ebgp: 2,
        ..Options::default()
    };
    e.set_options(0, options);
    e.blackhole(s, "192.0.2.0/24");
    e.announce(p, "10.0.0.0/8", "192.0.2.1", Said::default());
    e.settled();
    let w = e.watch_open(0, 1, only(Kind::Bgp), true);
    let x = export(&mut e, reader);
    assert_eq!(read(&mut e, w), ["put 10.0.0.0/8"]);
    assert_eq!(messages(&mut e, x), 2); // the route and the end of the table
    e.announce(q, "10.0.0.0/8", "192.0.2.2", Said::default());
    e.settled();
    assert_eq!(read(&mut e, w), ["put 10.0.0.0/8"]);
    assert_eq!(messages(&mut e, x), 0);
    // Where both came before anybody read, peers do hear
    e.withdraw(q, "10.0.0.0/8");
    e.withdraw(p, "10.0.0.0/8");
    e.settled();
    assert_eq!(messages(&mut e, x), 1);
    assert_eq!(read(&mut e, w), ["delete 10.0.0.0/8"]);
    e.announce(p, "10.0.0.0/8", "192.0.2.1", Said::default());
    assert_eq!(read(&mut e, w), ["put 10.0.0.0/8"]);
    e.announce(q, "10.0.0.0/8", "192.0.2.2", Said::default());
    assert_eq!(messages(&mut e, x), 1);
    assert_eq!(read(&mut e, w), ["put 10.0.0.0/8"]);
}

pub fn messages(e: &mut Engine, export: u32) -> usize {
    std::iter::from_fn(|| e.export_read(export, 100))
        .map(|part| part.1)
        .sum()
}

#[test]
fn memory_is_told_by_kind_and_grows_with_what_is_there() {
    let mut e = engine();
    let s = e.source(Kind::Static, 0);
    let of = |e: &Engine, kind| number(field(&e.memory(), kind));
    let before = of(&e, "total");
    for n in 0..1000u32 {
        e.blackhole(s, &format!("10.{}.{}.0/24", n >> 8, n & 255));
    }
    let kinds = [
        "prefixes",
        "paths",
        "attribute_sets",
        "groups",
        "next_hops",
        "logs",
    ];
    let sum: i64 = kinds.into_iter().map(|k| of(&e, k)).sum();
    assert_eq!(of(&e, "total"), sum);
    assert!(of(&e, "total") - before > 1000 * (32 + 20));
}

/// A table as a reader knows it.
#[derive(Default)]
struct Known(BTreeMap<String, Value>);

impl Known {
    fn take(&mut self, rows: Vec<Value>, initial: bool) {
        for r in rows {
            let name = words(field(&r, "prefix")).to_owned();
            if words(field(&r, "op")) == "put" {
                self.0.insert(name, field(&r, "source").clone());
            } else {
                let had = self.0.remove(&name).is_some();
                assert!(had || !initial, "{name} was never told");
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Act {
    Put(u32, u8),
    Delete(u32, u8),
    Lose,
    Step(usize),
    Open(bool, bool),
    Read(usize, usize),
    Close(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (1..=3u32, 0..6u8).prop_map(|(s, p)| Act::Put(s, p)),
        4 => (1..=3u32, 0..6u8).prop_map(|(s, p)| Act::Delete(s, p)),
        1 => Just(Act::Lose),
        2 => (1..8usize).prop_map(Act::Step),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(i, s)| Act::Open(i, s)),
        4 => (0..4usize, 1..4usize).prop_map(|(w, n)| Act::Read(w, n)),
        1 => (0..4usize).prop_map(Act::Close),
    ]
}

proptest! {
    #[test]
    fn whenever_it_reads_a_watch_ends_with_the_table(acts in proptest::collection::vec(act(), 1..60)) {
        let mut e = engine();
        for kind in [Kind::Connected, Kind::Static, Kind::Static] {
            e.source(kind, 0);
        }
        let mut watches: Vec<(u32, Known, bool, bool)> = Vec::new();
        for a in acts {
            match a {
                Act::Put(1, p) => e.connect(1, &format!("10.{p}.0.0/16")),
                Act::Put(s, p) => e.blackhole(s, &format!("10.{p}.0.0/16")),
                Act::Delete(s, p) => e.delete_path(s, prefix(&format!("10.{p}.0.0/16"))),
                Act::Lose => e.remove_source(3),
                Act::Step(n) => {
                    e.step(n);
                }
                Act::Open(initial, connected) => {
                    let criteria = if connected { only(Kind::Connected) } else { Criteria::default() };
                    let mut known = Known::default();
                    if !initial {
                        let page = Page { after: None, limit: usize::MAX, best_only: true };
                        e.settled();
                        for r in e.query(0, 1, &criteria, &page).0 {
                            known.0.insert(words(field(&r, "prefix")).to_owned(), field(&r, "source").clone());
                        }
                    }
                    let w = e.watch_open(0, 1, criteria, initial);
                    watches.push((w, known, initial, connected));
                }
                Act::Read(at, n) => {
                    if let Some((w, known, initial, _)) = watches.get_mut(at) {
                        let rows = e.watch_read(*w, n).unwrap_or_default();
                        prop_assert!(rows.len() <= n);
                        known.take(rows, *initial);
                    }
                }
                Act::Close(at) if at < watches.len() => e.watch_close(watches.remove(at).0),
                Act::Close(_) => {}
            }
        }
        e.settled();
        for (w, mut known, initial, connected) in watches {
            while let Some(rows) = e.watch_read(w, 2) {
                known.take(rows, initial);
            }
            let criteria = if connected { only(Kind::Connected) } else { Criteria::default() };
            let page = Page { after: None, limit: usize::MAX, best_only: true };
            let now: BTreeMap<_, _> = e.query(0, 1, &criteria, &page).0.iter()
                .map(|r| (words(field(r, "prefix")).to_owned(), field(r, "source").clone()))
                .collect();
            prop_assert_eq!(known.0, now);
        }
        let t = &e.instances[0].v4;
        prop_assert!(t.rib_log.is_empty());
        prop_assert_eq!(t.tombstones(), 0);
    }
}
