use super::fixture::{engine, export, field, prefix, words, Said};
use crate::prefix::AnyPrefix;
use crate::rib::engine::Engine;
use crate::rib::instance::Family;
use crate::rib::source::{Kind, Source};
use crate::rib::table::Path;
use crate::rib::value::Value;

const WHERE: &str = "203.0.113.0/24";
const HOP: &str = "10.0.0.1";

/// An engine with the way to `HOP`, and two peers.
fn router() -> (Engine, u32, u32) {
    let mut e = engine();
    let connected = e.source(Kind::Connected, 0);
    e.connect(connected, "10.0.0.0/24");
    let (first, second) = (e.source(Kind::Bgp, 0), e.source(Kind::Bgp, 0));
    (e, first, second)
}

fn from(asn: u32) -> Said<'static> {
    let path: &'static [u32] = Box::leak(Box::new([asn]));
    Said {
        as_path: path,
        ..Said::default()
    }
}

fn announce(e: &mut Engine, source: u32, n: u32, said: Said<'_>) {
    let what = format!("20.{}.{}.0/24", n >> 8, n & 255);
    e.announce(source, &what, HOP, said);
}

fn path(e: &Engine, source: u32, what: &str) -> Option<Value> {
    let row = e.lookup(0, prefix(what))?;
    let Value::List(paths) = field(&row, "paths") else {
        panic!("paths");
    };
    let given = |p: &&Value| *field(p, "source") == Value::Int(source.into());
    paths.iter().find(given).cloned()
}

fn is_stale(e: &Engine, source: u32, what: &str) -> bool {
    *field(&path(e, source, what).expect("a path"), "stale") == Value::Bool(true)
}

fn counts(e: &Engine, source: u32) -> (u32, u32) {
    let s = &e.core.sources[source as usize];
    (s.paths[0], s.kept[0].stale())
}

fn generations(e: &Engine) -> usize {
    <u32 as Family>::table(&e.instances[0]).generations.bytes()
}

#[test]
fn a_path_told_again_is_fresh_and_nobody_hears_of_it() {
    let (mut e, first, second) = router();
    e.set_time(5);
    e.announce(first, WHERE, HOP, from(65001));
    let (boxes, peer) = (e.fib_open(), export(&mut e, second));
    while e.fib_read(boxes, 100).is_some() || e.export_read(peer, 100).is_some() {}
    e.set_time(60);
    e.mark_stale::<u32>(first);
    assert!(is_stale(&e, first, WHERE));
    assert_eq!(counts(&e, first), (1, 1));
    e.announce(first, WHERE, HOP, from(65001));
    assert!(!is_stale(&e, first, WHERE));
    assert_eq!(counts(&e, first), (1, 0));
    e.sweep_stale::<u32>(first);
    e.settled();
    let row = path(&e, first, WHERE).expect("it stays");
    assert_eq!(*field(&row, "since"), Value::Int(5));
    assert!(e.fib_read(boxes, 100).is_none());
    assert!(e.export_read(peer, 100).is_none());
}

#[test]
fn what_is_not_told_again_goes_with_the_sweep_and_not_before() {
    let (mut e, first, _) = router();
    for n in 0..300 {
        announce(&mut e, first, n, from(65001));
    }
    e.mark_stale::<u32>(first);
    for n in 0..100 {
        announce(&mut e, first, n, from(65001));
    }
    announce(&mut e, first, 100, from(65009));
    e.withdraw(first, "20.0.101.0/24");
    announce(&mut e, first, 300, from(65001));
    e.settled();
    assert_eq!(counts(&e, first), (300, 198));
    e.sweep_stale::<u32>(first);
    assert_eq!(counts(&e, first), (102, 0));
    e.settled();
    assert_eq!(e.instances[0].v4.populated, 103);
    assert!(
        path(&e, first, "20.0.100.0/24").is_some() && path(&e, first, "20.0.102.0/24").is_none()
    );
}

#[test]
fn generations_are_kept_while_something_is_stale_and_cost_nothing_else() {
    assert_eq!(size_of::<Path>(), 20);
    let (mut e, first, second) = router();
    for n in 0..300 {
        announce(&mut e, first, n, from(65001));
        announce(&mut e, second, n, from(65002));
    }
    assert_eq!(generations(&e), 0);
    e.mark_stale::<u32>(first);
    assert_eq!(generations(&e), 0);
    announce(&mut e, first, 299, from(65001));
    assert!(generations(&e) > 0);
    e.sweep_stale::<u32>(first);
    e.settled();
    assert_eq!(generations(&e), 0);
    assert_eq!(counts(&e, first), (1, 0));
}

#[test]
fn a_session_lost_a_thousand_times_tells_stale_from_fresh_from_gone() {
    let (mut e, first, second) = router();
    announce(&mut e, second, 7, from(65002));
    e.mark_stale::<u32>(second);
    for n in 0..1000 {
        announce(&mut e, first, n, from(65001));
        e.mark_stale::<u32>(first);
        if n == 900 {
            e.sweep_stale::<u32>(first);
            e.step(3);
        }
    }
    announce(&mut e, first, 1000, from(65001));
    assert_eq!(counts(&e, first), (100, 99));
    for (n, stale) in [(901, true), (999, true), (1000, false)] {
        assert_eq!(
            is_stale(&e, first, &format!("20.{}.{}.0/24", n >> 8, n & 255)),
            stale
        );
    }
    assert!(path(&e, first, "20.3.132.0/24").is_none());
    assert!(is_stale(&e, second, "20.0.7.0/24"));
    e.settled();
    e.sweep_stale::<u32>(first);
    e.settled();
    assert_eq!(counts(&e, first), (1, 0));
}

#[test]
fn long_lived_stale_paths_lose_to_any_other_and_those_that_bar_it_go() {
    let (mut e, first, second) = router();
    e.announce(first, WHERE, HOP, from(65001));
    e.announce(
        second,
        WHERE,
        HOP,
        Said {
            as_path: &[65002, 65003],
            ..Said::default()
        },
    );
    let barred = Said {
        as_path: &[65001],
        communities: &[0xffff_0007],
    };
    e.announce(first, "198.51.100.0/24", HOP, barred);
    let best =
        |e: &Engine| words(field(&path(e, first, WHERE).expect("a path"), "reason")).to_owned();
    assert_eq!(best(&e), "as-path-length");
    e.mark_stale::<u32>(first);
    e.settled();
    assert_eq!(best(&e), "as-path-length");
    e.set_long_lived::<u32>(first, true);
    e.settled();
    assert_eq!(best(&e), "stale");
    let row = path(&e, second, WHERE).expect("a path");
    assert_eq!(words(field(&row, "reason")), "stale");
    assert!(path(&e, first, "198.51.100.0/24").is_none());
    assert_eq!(counts(&e, first), (1, 1));
    e.announce(first, WHERE, HOP, from(65001));
    e.settled();
    assert_eq!(best(&e), "as-path-length");
}

#[test]
fn another_router_id_of_the_next_session_is_compared() {
    let (mut e, first, second) = router();
    e.announce(first, WHERE, HOP, from(65001));
    e.announce(second, WHERE, HOP, from(65001));
    let role = |e: &Engine, s| words(field(&path(e, s, WHERE).expect("a path"), "role")).to_owned();
    assert_eq!(
        (role(&e, first), role(&e, second)),
        ("best".into(), String::new())
    );
    let peer = Source {
        router_id: u32::MAX,
        ..e.core.sources[first as usize].clone()
    };
    e.renew_peer(first, peer.clone());
    e.settled();
    assert_eq!(
        (role(&e, first), role(&e, second)),
        (String::new(), "best".into())
    );
    e.renew_peer(first, peer);
    assert!(!e.step(1));
}

#[test]
fn a_leaked_path_is_as_stale_as_the_one_that_it_is_of() {
    let (mut e, first, _) = router();
    let inside = e.add_instance(true).expect("a number");
    e.add_leak(0, inside, Default::default());
    e.announce(first, WHERE, HOP, from(65001));
    let AnyPrefix::V4(p) = prefix(WHERE) else {
        panic!("IPv4")
    };
    let age = |e: &Engine| {
        let t = &e.instances[usize::from(inside)].v4;
        let at = t.path_of(t.find(&p)?, first, 0)?;
        Some(e.core.is_stale(t, at, &t.paths[at as usize]))
    };
    e.mark_stale::<u32>(first);
    assert_eq!(age(&e), Some(true));
    e.announce(first, WHERE, HOP, from(65001));
    assert_eq!(age(&e), Some(false));
    e.mark_stale::<u32>(first);
    e.sweep_stale::<u32>(first);
    e.settled();
    assert_eq!(age(&e), None);
}
