use proptest::prelude::*;

use super::fixture::{engine, field, ip, number, prefix, words, Said};
use crate::prefix::{AnyPrefix, Prefix};
use crate::rib::criteria::Criteria;
use crate::rib::engine::Engine;
use crate::rib::instance::Family;
use crate::rib::query::Page;
use crate::rib::source::Kind;
use crate::rib::value::Value;
use crate::wire::communities::Community;

fn page(after: Option<AnyPrefix>, limit: usize, best_only: bool) -> Page {
    Page {
        after,
        limit,
        best_only,
    }
}

fn shown(rows: &[Value]) -> Vec<(String, i64)> {
    rows.iter()
        .map(|r| {
            let prefix = words(field(r, "prefix")).to_owned();
            (prefix, number(field(r, "source")))
        })
        .collect()
}

fn prefixes(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|r| words(field(r, "prefix"))).collect()
}

fn all(e: &mut Engine, criteria: &Criteria) -> Vec<(String, i64)> {
    let (rows, last) = e.query(0, 1, criteria, &page(None, 1000, false));
    assert_eq!(last, None);
    shown(&rows)
}

#[test]
fn pages_come_in_the_order_of_prefixes_and_never_cut_one() {
    let mut e = engine();
    let (a, b) = (e.source(Kind::Static, 0), e.source(Kind::Static, 0));
    for what in [
        "10.2.0.0/16",
        "10.0.0.0/8",
        "9.0.0.0/8",
        "10.0.0.0/16",
        "10.0.0.0/9",
    ] {
        e.blackhole(a, what);
    }
    e.blackhole(b, "10.0.0.0/8");
    let any = Criteria::default();
    let (rows, last) = e.query(0, 1, &any, &page(None, 2, false));
    let wanted = [("9.0.0.0/8", 1), ("10.0.0.0/8", 1), ("10.0.0.0/8", 2)];
    let wanted = wanted.map(|(p, s)| (p.to_owned(), s));
    assert_eq!(shown(&rows), wanted);
    assert_eq!(last, Some(prefix("10.0.0.0/8")));
    let (rows, last) = e.query(0, 1, &any, &page(last, 2, true));
    assert_eq!(prefixes(&rows), ["10.0.0.0/9", "10.0.0.0/16"]);
    assert_eq!(last, Some(prefix("10.0.0.0/16")));
    let (rows, last) = e.query(0, 1, &any, &page(last, 1, true));
    assert_eq!((prefixes(&rows), last), (vec!["10.2.0.0/16"], None));
    let (rows, last) = e.query(0, 1, &any, &page(None, 0, true));
    assert_eq!(
        (prefixes(&rows), last),
        (vec!["9.0.0.0/8"], Some(prefix("9.0.0.0/8")))
    );
    assert_eq!(e.query(0, 2, &any, &page(None, 9, false)).0.len(), 0);
}

#[test]
fn a_losing_path_tells_the_step_it_lost_at_and_an_unusable_one_why() {
    let mut e = engine();
    let (s, p) = (e.source(Kind::Static, 0), e.source(Kind::Bgp, 0));
    e.blackhole(s, "10.0.0.0/8");
    e.announce(p, "10.0.0.0/8", "192.0.2.1", Said::default());
    let rows = e.query(0, 1, &Criteria::default(), &page(None, 9, false)).0;
    assert_eq!(words(field(&rows[0], "step")), "only");
    assert_eq!(field(&rows[0], "best"), &Value::Bool(true));
    assert!(words(field(&rows[1], "step")).starts_with("next hop unresolved: 192.0.2.1"));
    assert_eq!(field(&rows[1], "group"), &Value::Null);
    e.blackhole(s, "192.0.2.0/24");
    e.settled();
    let rows = e.query(0, 1, &Criteria::default(), &page(None, 9, false)).0;
    assert_eq!(words(field(&rows[0], "step")), "distance");
    assert_eq!(words(field(&rows[1], "step")), "distance");
    assert_eq!(words(field(&rows[1], "role")), "");
}

#[test]
fn criteria_hold_for_the_path_of_the_row() {
    let mut e = engine();
    let (s, p, q) = (
        e.source(Kind::Static, 0),
        e.source(Kind::Bgp, 0),
        e.source(Kind::Bgp, 0),
    );
    e.blackhole(s, "10.1.0.0/16");
    e.announce(
        p,
        "10.1.0.0/16",
        "192.0.2.1",
        Said {
            as_path: &[65001, 7, 9],
            communities: &[0xfde9_0064],
        },
    );
    let said = Said {
        as_path: &[65002, 9, 8],
        communities: &[],
    };
    e.announce(q, "10.2.0.0/16", "192.0.2.1", said);
    let of = |e: &mut Engine, c: Criteria| all(e, &c);
    let one = |p: &str, s: i64| vec![(p.to_owned(), s)];
    let mut c = Criteria {
        as_in_path: Some(9),
        ..Criteria::default()
    };
    assert_eq!(of(&mut e, c.clone()).len(), 2);
    c.origin_as = Some(9);
    assert_eq!(of(&mut e, c.clone()), one("10.1.0.0/16", 2));
    c.neighbor_as = Some(65002);
    assert_eq!(of(&mut e, c), []);
    let c = Criteria {
        neighbor_as: Some(65002),
        ..Criteria::default()
    };
    assert_eq!(of(&mut e, c), one("10.2.0.0/16", 3));
    let c = Criteria {
        communities: vec![Community::parse("65001:100").expect("a community")],
        ..Criteria::default()
    };
    assert_eq!(of(&mut e, c.clone()), one("10.1.0.0/16", 2));
    assert_eq!(e.query(0, 1, &c, &page(None, 9, true)).0, []); // not of the best path
    let c = Criteria {
        protocols: vec![Kind::Static],
        within: Some(prefix("10.0.0.0/8")),
        ..Criteria::default()
    };
    assert_eq!(of(&mut e, c), one("10.1.0.0/16", 1));
    let c = Criteria {
        within: Some(prefix("10.1.0.0/17")),
        ..Criteria::default()
    };
    assert_eq!(of(&mut e, c), []);
    let c = Criteria {
        within: Some(prefix("2001:db8::/32")),
        ..Criteria::default()
    };
    assert_eq!(of(&mut e, c), []);
}

#[test]
fn covering_routes_are_the_best_ones_longest_first() {
    let mut e = engine();
    let red = e.add_instance(true).expect("a number");
    let (s, r, p) = (
        e.source(Kind::Static, 0),
        e.source(Kind::Static, red),
        e.source(Kind::Bgp, 0),
    );
    for what in ["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24"] {
        e.blackhole(s, what);
    }
    e.blackhole(r, "10.0.0.0/9");
    e.announce(p, "10.1.0.0/17", "2.2.2.2", Said::default());
    e.delete_path(s, prefix("0.0.0.0/0")); // what is left is an entry without a usable path at most
    let rows = e.covering(0, prefix("10.1.0.0/16"));
    assert_eq!(prefixes(&rows), ["10.1.0.0/16", "10.0.0.0/8"]);
    let rows = e.covering(red.into(), prefix("10.1.0.0/16"));
    assert_eq!(prefixes(&rows), ["10.0.0.0/9"]);
    assert_eq!(
        e.longest_match(0, ip("10.1.1.9")),
        Some(prefix("10.1.1.0/24"))
    );
    assert_eq!(e.longest_match(0, ip("11.0.0.1")), None);
    assert_eq!(
        e.longest_match(red.into(), ip("10.1.1.9")),
        Some(prefix("10.0.0.0/9"))
    );
}

proptest! {
    #[test]
    fn pages_of_any_size_join_to_the_whole(
        given in proptest::collection::vec((0..6u8, 6..=12u8, 0..3u32), 1..60),
        limit in 1..8usize,
        best_only in any::<bool>(),
    ) {
        let mut e = engine();
        for _ in 0..3 {
            e.source(Kind::Static, 0);
        }
        for &(top, len, s) in &given {
            e.blackhole(s + 1, &format!("{}.0.0.0/{len}", top << 4));
        }
        let any = Criteria::default();
        let whole = e.query(0, 1, &any, &page(None, usize::MAX, best_only)).0;
        let keys: Vec<Prefix<u32>> = whole
            .iter()
            .filter_map(|r| u32::narrow(prefix(words(field(r, "prefix")))))
            .collect();
        prop_assert!(keys.is_sorted());
        let mut joined = Vec::new();
        let mut after = None;
        loop {
            let (rows, last) = e.query(0, 1, &any, &page(after, limit, best_only));
            prop_assert!(best_only && rows.len() <= limit || !best_only && rows.len() < limit + 3);
            joined.extend(rows);
            after = last;
            if after.is_none() {
                break;
            }
        }
        prop_assert_eq!(joined, whole);
    }
}

#[test]
fn pages_of_a_large_table_follow_its_changes() {
    let mut e = engine();
    e.source(Kind::Static, 0);
    let p = |n: u32| format!("10.{}.{}.0/24", n >> 8, n & 0xff);
    for n in (0..6000).rev() {
        e.blackhole(1, &p(2 * n));
    }
    let any = Criteria::default();
    let (first, mut after) = e.query(0, 1, &any, &page(None, 1000, true));
    assert_eq!(prefixes(&first).last(), Some(&p(1998).as_str()));
    let (second, last) = e.query(0, 1, &any, &page(after, 1000, true));
    assert_eq!(prefixes(&second).last(), Some(&p(3998).as_str()));
    after = last;
    for n in [4000, 4002, 11_998] {
        e.withdraw(1, &p(n));
    }
    for n in [3997, 4002, 4003, 4001] {
        e.blackhole(1, &p(n)); // one behind, one back again, two new ones
    }
    e.blackhole(1, "10.0.0.0/8");
    let (third, _) = e.query(0, 1, &any, &page(after, 4, true));
    assert_eq!(prefixes(&third), [4001, 4002, 4003, 4004].map(p));
    let whole = e.query(0, 1, &any, &page(None, usize::MAX, true)).0;
    let mut joined = Vec::new();
    after = None;
    loop {
        let (rows, last) = e.query(0, 1, &any, &page(after, 777, true));
        joined.extend(rows);
        after = last;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(joined, whole);
    let inside = Criteria {
        within: Some(prefix("10.16.0.0/16")),
        ..Criteria::default()
    };
    let (rows, last) = e.query(
        0,
        1,
        &inside,
        &page(Some(prefix("10.15.0.0/24")), 200, true),
    );
    assert_eq!(
        (prefixes(&rows)[0], rows.len(), last),
        ("10.16.0.0/24", 128, None)
    );
}
