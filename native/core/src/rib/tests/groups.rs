use super::fixture::{engine, field, list, number, prefix, words, Said};
use crate::rib::engine::Engine;
use crate::rib::fib::FibDelta;
use crate::rib::options::{Options, Setting};
use crate::rib::source::Kind;
use crate::rib::value::Value;

const TOLD: &str = "203.0.113.0/24";

/// Two peers, each behind a network of its own, give one prefix; the first is the better one.
struct Two {
    e: Engine,
    connected: u32,
    first: u32,
    second: u32,
}

fn two(options: &[(&str, Setting)]) -> Two {
    let mut e = engine();
    let mut o = Options::default();
    for (name, value) in options {
        o.set(name, *value).expect("an option");
    }
    e.set_options(0, o);
    let connected = e.source(Kind::Connected, 0);
    e.connect(connected, "10.1.0.0/24");
    e.connect(connected, "10.2.0.0/24");
    let (first, second) = (e.source(Kind::Bgp, 0), e.source(Kind::Bgp, 0));
    let path = |n| [65001, n];
    e.announce(second, TOLD, "10.2.0.2", said(&path(2)));
    e.announce(first, TOLD, "10.1.0.2", said(&path(1)));
    e.settled();
    Two {
        e,
        connected,
        first,
        second,
    }
}

fn said(as_path: &[u32]) -> Said<'_> {
    Said {
        as_path,
        ..Said::default()
    }
}

const BACKUP: (&str, Setting) = ("backup", Setting::Switch(true));

/// Of the group of the prefix both give: (gateway, weight, role).
fn members(e: &Engine) -> Vec<(String, i64, i64)> {
    let row = e.lookup(0, prefix(TOLD)).expect("a route");
    members_of(field(&row, "group"))
}

fn members_of(group: &Value) -> Vec<(String, i64, i64)> {
    let one = |m: &Value| {
        let gateway = words(field(m, "gateway")).to_owned();
        (
            gateway,
            number(field(m, "weight")),
            number(field(m, "role")),
        )
    };
    list(field(group, "members")).iter().map(one).collect()
}

fn group(e: &Engine) -> (i64, String) {
    let row = e.lookup(0, prefix(TOLD)).expect("a route");
    let group = field(&row, "group");
    (
        number(field(group, "id")),
        words(field(group, "key")).to_owned(),
    )
}

fn read_all(e: &mut Engine, consumer: u32) -> Vec<FibDelta> {
    std::iter::from_fn(|| e.fib_read(consumer, 8192)).collect()
}

#[test]
fn the_key_is_the_references_key() {
    let mut t = two(&[BACKUP]);
    assert_eq!(group(&t.e).1, "d7f6023915d0adea2d0c8ba20b61545a");
    t.e.withdraw(t.second, TOLD);
    t.e.settled();
    assert_eq!(group(&t.e).1, "49d3c75c887c0a2a960f1f50f9b05a3b");
}

#[test]
fn a_backup_stands_behind_the_best_and_takes_over_when_that_does_not_resolve() {
    let mut t = two(&[BACKUP]);
    let before = group(&t.e);
    assert_eq!(
        members(&t.e),
        [("10.1.0.2".into(), 1, 0), ("10.2.0.2".into(), 1, 1)]
    );
    let consumer = t.e.fib_open();
    read_all(&mut t.e, consumer);
    t.e.delete_path(t.connected, prefix("10.1.0.0/24"));
    let told = t.e.fib_read(consumer, 8192).expect("the group");
    assert!(told.urgent);
    assert_eq!(told.count, 1, "the connected route alone");
    assert_eq!(told.groups.len(), 1);
    assert_eq!(i64::from(told.groups[0].id), before.0);
    assert_eq!(told.groups[0].members[4..], [1, 0, 0, 0]);
    t.e.settled();
    assert_eq!(members(&t.e), [("10.2.0.2".into(), 1, 0)]);
}

#[test]
fn a_lost_peer_moves_its_groups_before_any_route() {
    let mut t = two(&[BACKUP]);
    let consumer = t.e.fib_open();
    read_all(&mut t.e, consumer);
    t.e.remove_source(t.first);
    let told = t.e.fib_read(consumer, 8192).expect("the groups");
    assert!(told.urgent && told.count == 0);
    assert_eq!(told.groups.len(), 1);
    assert_eq!(members(&t.e), [("10.2.0.2".into(), 1, 0)]);
    t.e.settled();
    let told = read_all(&mut t.e, consumer);
    assert_eq!(told.iter().map(|d| d.count).sum::<usize>(), 1);
    let dead: Vec<u32> = told.into_iter().flat_map(|d| d.dead_groups).collect();
    assert_eq!(dead.len(), 1);
}

#[test]
fn a_group_whose_givers_are_all_lost_keeps_what_it_has() {
    let mut t = two(&[BACKUP]);
    let (id, _) = group(&t.e);
    t.e.remove_source(t.second);
    t.e.remove_source(t.first);
    let groups = t.e.group_rows();
    let kept = groups.iter().find(|g| number(field(g, "id")) == id);
    assert_eq!(
        members_of(kept.expect("the group")),
        [("10.1.0.2".into(), 1, 0), ("10.2.0.2".into(), 1, 1)]
    );
    t.e.settled();
    assert!(t.e.lookup(0, prefix(TOLD)).is_none());
    assert_eq!(t.e.group_rows().len(), 1, "that of the connected routes");
}

#[test]
fn the_next_session_of_a_lost_peer_is_the_same_giver() {
    let mut t = two(&[BACKUP]);
    let address = t.e.core.sources[t.first as usize].clone();
    t.e.remove_source(t.first);
    assert_eq!(members(&t.e).len(), 1);
    t.e.add_source(address);
    assert_eq!(members(&t.e).len(), 2);
    t.e.settled();
    assert_eq!(members(&t.e), [("10.2.0.2".into(), 1, 0)]);
}

#[test]
fn paths_used_together_are_one_group_whoever_came_first() {
    let both = [
        ("multipath_ebgp", Setting::Number(2)),
        ("multipath_relax", Setting::Switch(true)),
    ];
    let t = two(&both);
    assert_eq!(
        members(&t.e),
        [("10.1.0.2".into(), 1, 0), ("10.2.0.2".into(), 1, 0)]
    );
    let mut other = two(&both);
    other.e.withdraw(other.first, TOLD);
    other
        .e
        .announce(other.first, TOLD, "10.1.0.2", said(&[65001, 1]));
    other.e.settled();
    assert_eq!(group(&other.e).1, group(&t.e).1);
}

#[test]
fn a_next_hop_with_two_givers_stays_while_one_of_them_does() {
    let mut t = two(&[BACKUP, ("multipath_ebgp", Setting::Number(2))]);
    let third = t.e.source(Kind::Bgp, 0);
    t.e.announce(third, TOLD, "10.1.0.2", said(&[65001, 1]));
    t.e.settled();
    let both = [("10.1.0.2".into(), 1, 0), ("10.2.0.2".into(), 1, 1)];
    assert_eq!(members(&t.e), both);
    t.e.remove_source(t.first);
    assert_eq!(members(&t.e), both);
    t.e.remove_source(third);
    assert_eq!(
        members(&t.e),
        both[1..]
            .iter()
            .map(|m| (m.0.clone(), 1, 0))
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_group_that_no_route_uses_ends_after_its_routes_and_its_number_is_used_again() {
    let mut t = two(&[]);
    let consumer = t.e.fib_open();
    read_all(&mut t.e, consumer);
    let (id, _) = group(&t.e);
    t.e.withdraw(t.first, TOLD);
    let told =
        t.e.fib_read(consumer, 8192)
            .expect("the other group and the route");
    assert_eq!((told.groups.len(), told.count), (1, 1));
    assert_eq!(
        told.dead_groups
            .iter()
            .map(|&g| i64::from(g))
            .collect::<Vec<_>>(),
        [id]
    );
    t.e.announce(t.first, "198.51.100.0/24", "10.1.0.9", Said::default());
    let row = t.e.lookup(0, prefix("198.51.100.0/24")).expect("a route");
    assert_eq!(number(field(field(&row, "group"), "id")), id);
}

#[test]
fn a_group_that_comes_back_before_its_end_was_told_keeps_its_number() {
    let mut t = two(&[]);
    let consumer = t.e.fib_open();
    read_all(&mut t.e, consumer);
    let before = group(&t.e);
    t.e.withdraw(t.first, TOLD);
    t.e.announce(t.first, TOLD, "10.1.0.2", said(&[65001, 1]));
    t.e.settled();
    assert_eq!(group(&t.e), before);
    for told in read_all(&mut t.e, consumer) {
        assert!(!told.dead_groups.iter().any(|&g| i64::from(g) == before.0));
    }
}
