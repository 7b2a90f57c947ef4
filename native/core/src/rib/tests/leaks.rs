use proptest::prelude::*;

use super::fixture::{engine, field, list, number, prefix, words, Said};
use crate::rib::engine::Engine;
use crate::rib::leak::{Range, Rule};
use crate::rib::source::Kind;
use crate::rib::value::Value;

fn paths(e: &Engine, instance: usize, what: &str) -> Vec<(i64, bool)> {
    let Some(found) = e.lookup(instance, prefix(what)) else {
        return Vec::new();
    };
    let rows = list(field(&found, "paths"));
    rows.iter()
        .map(|p| {
            (
                number(field(p, "source")),
                *field(p, "best") == Value::Bool(true),
            )
        })
        .collect()
}

fn within(top: &str, least: u8, greatest: u8) -> Rule {
    Rule {
        protocols: Vec::new(),
        prefixes: vec![Range {
            top: prefix(top),
            least,
            greatest,
        }],
    }
}

#[test]
fn a_leak_copies_what_is_there_and_what_comes_and_takes_it_back_with_the_path() {
    let mut e = engine();
    let red = e.add_instance(true).expect("a number");
    let s = e.source(Kind::Static, red);
    e.blackhole(s, "10.1.0.0/16");
    e.add_leak(red, 0, Rule::default());
    assert!(e.step(1));
    e.settled();
    assert_eq!(paths(&e, 0, "10.1.0.0/16"), [(1, true)]);
    e.blackhole(s, "2001:db8::/32");
    assert_eq!(paths(&e, 0, "2001:db8::/32"), [(1, true)]);
    e.delete_path(s, prefix("10.1.0.0/16"));
    assert_eq!(paths(&e, 0, "10.1.0.0/16"), []);
    e.remove_source(s);
    e.settled();
    assert_eq!(paths(&e, 0, "2001:db8::/32"), []);
    assert_eq!(e.instances[0].v6.path_count(), 0);
    assert!(e.core.infos.is_empty());
}

#[test]
fn leaked_paths_are_not_leaked_again() {
    let mut e = engine();
    let red = e.add_instance(true).expect("a number");
    let blue = e.add_instance(true).expect("a number");
    e.add_leak(0, red, Rule::default());
    e.add_leak(red, 0, Rule::default());
    e.add_leak(red, blue, Rule::default());
    let (a, b) = (e.source(Kind::Static, 0), e.source(Kind::Static, red));
    e.blackhole(a, "10.0.0.0/8");
    e.blackhole(b, "10.0.0.0/8");
    e.settled();
    assert_eq!(paths(&e, 0, "10.0.0.0/8"), [(1, true), (2, false)]);
    assert_eq!(paths(&e, red.into(), "10.0.0.0/8"), [(1, true), (2, false)]);
    assert_eq!(paths(&e, blue.into(), "10.0.0.0/8"), [(2, true)]);
    assert_eq!(e.core.sources[a as usize].paths, [1, 0]);
    assert_eq!(e.core.sources[b as usize].paths, [1, 0]);
}

#[test]
fn a_removed_leak_leaves_what_another_one_justifies() {
    let mut e = engine();
    let red = e.add_instance(true).expect("a number");
    let s = e.source(Kind::Static, red);
    for what in ["10.1.0.0/16", "10.2.0.0/16", "10.2.0.0/24"] {
        e.blackhole(s, what);
    }
    let all = e.add_leak(red, 0, Rule::default());
    let some = e.add_leak(red, 0, within("10.2.0.0/16", 17, 24));
    e.settled();
    assert_eq!(e.instances[0].v4.path_count(), 3);
    assert!(e.remove_leak(all));
    assert!(!e.remove_leak(all));
    e.settled();
    assert_eq!(paths(&e, 0, "10.2.0.0/24"), [(1, true)]);
    assert_eq!(e.instances[0].v4.path_count(), 1);
    assert!(e.remove_leak(some));
    e.settled();
    assert_eq!(e.instances[0].v4.path_count(), 0);
    // Nothing is copied any more
    e.blackhole(s, "10.2.1.0/24");
    assert_eq!(e.instances[0].v4.path_count(), 0);
}

#[test]
fn a_path_withdrawn_between_two_leaks_leaves_no_copy() {
    let mut e = engine();
    let red = e.add_instance(true).expect("a number");
    let s = e.source(Kind::Static, red);
    e.blackhole(s, "10.1.0.0/16");
    let first = e.add_leak(red, 0, Rule::default());
    e.settled();
    e.remove_leak(first);
    e.delete_path(s, prefix("10.1.0.0/16"));
    e.add_leak(red, 0, Rule::default());
    e.settled();
    assert_eq!(paths(&e, 0, "10.1.0.0/16"), []);
}

#[test]
fn protocols_filter_and_addresses_of_our_own_stay() {
    let mut e = engine();
    let red = e.add_instance(true).expect("a number");
    let (c, s) = (e.source(Kind::Connected, red), e.source(Kind::Static, red));
    let connected = Rule {
        protocols: vec![Kind::Connected],
        prefixes: Vec::new(),
    };
    e.add_leak(red, 0, connected);
    e.connect(c, "10.0.0.0/24");
    e.connected(c, "10.0.0.1/32", true);
    e.blackhole(s, "10.9.0.0/16");
    e.settled();
    assert_eq!(paths(&e, 0, "10.0.0.0/24"), [(1, true)]);
    assert_eq!(paths(&e, 0, "10.0.0.1/32"), []);
    assert_eq!(paths(&e, 0, "10.9.0.0/16"), []);
    // It becomes one of our own addresses: the copy goes
    e.connected(c, "10.0.0.0/24", true);
    assert_eq!(paths(&e, 0, "10.0.0.0/24"), []);
}

#[test]
fn the_next_hop_of_a_leaked_path_resolves_where_its_source_is() {
    let mut e = engine();
    let red = e.add_instance(true).expect("a number");
    e.add_leak(red, 0, within("20.0.0.0/8", 8, 32));
    let (c, p) = (e.source(Kind::Connected, red), e.source(Kind::Bgp, red));
    let said = Said {
        as_path: &[65001],
        ..Said::default()
    };
    e.announce(p, "20.0.0.0/8", "10.0.0.9", said);
    e.settled();
    assert_eq!(paths(&e, 0, "20.0.0.0/8"), [(2, false)]);
    e.connect(c, "10.0.0.0/24");
    e.settled();
    assert_eq!(paths(&e, 0, "20.0.0.0/8"), [(2, true)]);
    // A next hop of the target may in turn resolve by what was leaked to it
    let s = e.source(Kind::Static, 0);
    e.via(s, "30.0.0.0/8", "20.1.1.1");
    e.settled();
    let found = e.lookup(0, prefix("30.0.0.0/8")).expect("a route");
    let path = &list(field(&found, "paths"))[0];
    let hop = &list(field(path, "next_hops"))[0];
    assert_eq!(words(field(hop, "via")), "20.0.0.0/8");
    let adjacency = &list(field(hop, "adjacencies"))[0];
    assert_eq!(words(field(adjacency, "gateway")), "10.0.0.9");
    e.withdraw(p, "20.0.0.0/8");
    e.settled();
    assert_eq!(paths(&e, 0, "30.0.0.0/8"), [(3, false)]);
}

#[derive(Clone, Debug)]
enum Act {
    Put(u32, u8),
    Local(u32, u8),
    Delete(u32, u8),
    Leak(u16, u16, u8),
    Unleak(u32),
    Step(usize),
    Lose(u32),
}

const PLACES: [&str; 4] = ["10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24", "20.0.0.0/8"];

fn act() -> impl Strategy<Value = Act> {
    let instance = 0..3u16;
    prop_oneof![
        4 => (1..=3u32, 0..4u8).prop_map(|(s, p)| Act::Put(s, p)),
        1 => (1..=3u32, 0..4u8).prop_map(|(s, p)| Act::Local(s, p)),
        2 => (1..=3u32, 0..4u8).prop_map(|(s, p)| Act::Delete(s, p)),
        2 => (instance.clone(), instance, 0..3u8).prop_map(|(a, b, r)| Act::Leak(a, b, r)),
        2 => (1..8u32).prop_map(Act::Unleak),
        3 => (1..6usize).prop_map(Act::Step),
        1 => (1..=3u32).prop_map(Act::Lose),
    ]
}

proptest! {
    #[test]
    fn whatever_came_in_whatever_order_a_table_holds_what_the_leaks_say(acts in proptest::collection::vec(act(), 1..40)) {
        let mut e = engine();
        e.add_instance(true);
        e.add_instance(false);
        for instance in 0..3 {
            e.source(Kind::Connected, instance);
        }
        let mut said: Vec<(u32, u8, bool)> = Vec::new();
        let mut leaks: Vec<(u32, u16, u16, u8)> = Vec::new();
        let mut lost = Vec::new();
        let rules = [Rule::default(), within("10.0.0.0/8", 9, 16), within("10.1.0.0/16", 16, 24)];
        for a in acts {
            match a {
                Act::Put(s, p) | Act::Local(s, p) => {
                    let local = matches!(a, Act::Local(..));
                    e.connected(s, PLACES[usize::from(p)], local);
                    if !lost.contains(&s) {
                        said.retain(|x| (x.0, x.1) != (s, p));
                        said.push((s, p, local));
                    }
                }
                Act::Delete(s, p) => {
                    e.delete_path(s, prefix(PLACES[usize::from(p)]));
                    said.retain(|x| (x.0, x.1) != (s, p));
                }
                Act::Leak(from, to, _) if from == to => {}
                Act::Leak(from, to, r) => {
                    let n = e.add_leak(from, to, rules[usize::from(r)].clone());
                    leaks.push((n, from, to, r));
                }
                Act::Unleak(n) => {
                    let known = leaks.iter().any(|l| l.0 == n);
                    prop_assert_eq!(e.remove_leak(n), known);
                    leaks.retain(|l| l.0 != n);
                }
                Act::Step(n) => {
                    e.step(n);
                }
                Act::Lose(s) => {
                    e.remove_source(s);
                    said.retain(|x| x.0 != s);
                    lost.push(s);
                }
            }
        }
        e.settled();
        let takes = |r: u8, p: u8| match r {
            0 => true,
            1 => p == 1,
            _ => p == 1 || p == 2,
        };
        for instance in 0..3u16 {
            for (p, place) in PLACES.iter().enumerate() {
                let p = p as u8;
                let mut wanted: Vec<i64> = said
                    .iter()
                    .filter(|&&(s, at, local)| {
                        let home = s as u16 - 1;
                        let leaked = leaks.iter().any(|&(_, from, to, r)| {
                            (from, to) == (home, instance) && takes(r, p) && !local
                        });
                        at == p && (home == instance || leaked)
                    })
                    .map(|x| x.0.into())
                    .collect();
                wanted.sort_unstable();
                let found: Vec<i64> = paths(&e, instance.into(), place).iter().map(|x| x.0).collect();
                prop_assert_eq!(found, wanted, "{} in {}", place, instance);
            }
        }
        for s in 1..=3u32 {
            let given = said.iter().filter(|x| x.0 == s).count();
            prop_assert_eq!(e.core.sources[s as usize].paths, [given as u32, 0]);
        }
    }
}
