use std::collections::BTreeSet;

use proptest::prelude::*;

use super::fixture::{engine, export, field, prefix, terms, words, Said};
use super::watches::{messages, read};
use crate::prefix::{AnyPrefix, Prefix};
use crate::rib::criteria::Criteria;
use crate::rib::engine::Engine;
use crate::rib::instance::Family;
use crate::rib::source::Kind;
use crate::wire::terms::Terms;
use crate::wire::update::{decode, WITHDRAW};

#[test]
fn a_reader_that_reads_no_more_holds_up_no_more_than_it_knows() {
    let mut e = engine();
    let s = e.source(Kind::Static, 0);
    e.blackhole(s, "9.0.0.0/8");
    e.blackhole(s, "8.0.0.0/8");
    let stalled = e.watch_open(0, 1, Criteria::default(), true);
    let busy = e.watch_open(0, 1, Criteria::default(), true);
    assert_eq!(read(&mut e, stalled), ["put 9.0.0.0/8", "put 8.0.0.0/8"]);
    e.delete_path(s, prefix("9.0.0.0/8"));
    // Ever new prefixes come and go
    for n in 0..25_000u32 {
        let what = format!("10.{}.{}.0/24", n >> 8, n & 255);
        e.blackhole(s, &what);
        if n % 3 == 0 {
            e.watch_read(busy, 10);
        }
        e.delete_path(s, prefix(&what));
        e.step(100);
    }
    // And the same ones change again and again while one reads and one does not
    for n in 0..90_000u32 {
        let what = if n % 2 == 0 { "9.0.0.0/8" } else { "7.0.0.0/8" };
        e.blackhole(s, what);
        e.watch_read(busy, 10);
        e.delete_path(s, prefix(what));
    }
    e.settled();
    let t = &e.instances[0].v4;
    assert!(t.entries.len() < 15_000, "{} slots", t.entries.len());
    assert!(t.rib_log.len() < 80_000, "{} records", t.rib_log.len());
    assert!(t.freed.is_empty());
    let told = read(&mut e, stalled);
    assert_eq!(told, ["delete 9.0.0.0/8"]);
    while e.watch_read(busy, 100).is_some() {}
    assert!(e.instances[0].v4.rib_log.is_empty());
    assert_eq!(e.instances[0].v4.prefix_count(), 1);
}

#[test]
fn a_box_that_reads_no_more_holds_up_no_more_than_it_has() {
    let mut e = engine();
    let s = e.source(Kind::Static, 0);
    e.blackhole(s, "9.0.0.0/8");
    let stalled = e.fib_open();
    assert_eq!(e.fib_read(stalled, 100).map(|d| d.count), Some(1));
    e.delete_path(s, prefix("9.0.0.0/8"));
    for n in 0..25_000u32 {
        let what = format!("10.{}.{}.0/24", n >> 8, n & 255);
        e.blackhole(s, &what);
        e.delete_path(s, prefix(&what));
        e.step(100);
    }
    let t = &e.instances[0].v4;
    assert!(t.entries.len() < 15_000, "{} slots", t.entries.len());
    assert!(t.fib_log.len() < 80_000, "{} records", t.fib_log.len());
    let delta = e.fib_read(stalled, 100).expect("the end of a route");
    assert_eq!((delta.count, &delta.routes[0].op[..]), (1, &[0][..]));
    while e.fib_read(stalled, 100).is_some() {}
    assert_eq!(e.fib_state(stalled), (true, 0, 0));
    e.settled();
    assert!(e.instances[0].v4.fib_log.is_empty());
}

#[test]
fn a_peer_that_reads_no_more_holds_up_no_more_than_it_was_told_whatever_the_others_of_its_group_read(
) {
    let mut e = engine();
    let s = e.source(Kind::Static, 0);
    let p = e.source(Kind::Bgp, 0);
    e.blackhole(s, "192.0.2.0/24");
    let mine = ["9.0.0.0/8", "8.0.0.0/8"];
    for what in mine {
        e.announce(p, what, "192.0.2.1", Said::default());
    }
    let (a, b) = (e.source(Kind::Bgp, 0), e.source(Kind::Bgp, 0));
    let (stalled, busy) = (export(&mut e, a), export(&mut e, b));
    assert_eq!(messages(&mut e, stalled), 2);
    assert_eq!(messages(&mut e, busy), 2);
    for n in 0..25_000u32 {
        let what = format!("10.{}.{}.0/24", n >> 8, n & 255);
        e.announce(p, &what, "192.0.2.1", Said::default());
        e.export_read(busy, 100);
        e.withdraw(p, &what);
        e.export_read(busy, 100);
        e.step(100);
    }
    e.withdraw(p, mine[0]);
    e.settled();
    let t = &e.instances[0].v4;
    assert!(t.entries.len() < 15_000, "{} slots", t.entries.len());
    assert!(t.rib_log.len() < 80_000, "{} records", t.rib_log.len());
    // What the stalled peer still hears: the end of what it has, and withdrawals that came too late for the last walk
    let mut ended = Vec::new();
    while let Some((bytes, _)) = e.export_read(stalled, 100) {
        let changes = decode(&bytes, &terms());
        assert_eq!(changes.announced, 0);
        ended.extend(changes.v4.into_iter().map(|c| AnyPrefix::V4(c.prefix)));
    }
    assert!(ended.contains(&prefix(mine[0])));
    assert!(!ended.contains(&prefix(mine[1])));
    while e.export_read(busy, 100).is_some() {}
    assert!(e.instances[0].v4.rib_log.is_empty());
    assert_eq!(e.instances[0].v4.tombstones(), 0);
}

/// A reader of any kind, and the prefixes it knows of.
enum Reader {
    Watch(u32),
    Box(u32),
    Peer(u32),
}

impl Reader {
    /// Reads once; false when there is nothing.
    fn read(&self, e: &mut Engine, max: usize, known: &mut BTreeSet<Prefix<u32>>) -> bool {
        let mut note = |there: bool, p: Prefix<u32>| {
            if there {
                known.insert(p);
            } else {
                // A peer may be told once too often, the others never
                let had = known.remove(&p);
                assert!(
                    had || matches!(self, Reader::Peer(_)),
                    "{p:?} was never told"
                );
            }
        };
        match *self {
            Reader::Watch(n) => {
                let Some(rows) = e.watch_read(n, max) else {
                    return false;
                };
                for r in rows {
                    let p = u32::narrow(prefix(words(field(&r, "prefix"))));
                    note(words(field(&r, "op")) == "put", p.expect("IPv4"));
                }
            }
            Reader::Box(n) => {
                let Some(delta) = e.fib_read(n, max) else {
                    return false;
                };
                for c in delta.routes {
                    for (at, dst) in c.dst.chunks(4).enumerate() {
                        let p = AnyPrefix::from_bytes(dst, c.plen[at]).and_then(u32::narrow);
                        note(c.op[at] == 1, p.expect("IPv4"));
                    }
                }
            }
            Reader::Peer(n) => {
                let Some((bytes, _)) = e.export_read(n, max) else {
                    return false;
                };
                let theirs = Terms {
                    local_asn: 65001,
                    ..terms()
                };
                for c in decode(&bytes, &theirs).v4 {
                    note(c.attrs != WITHDRAW, c.prefix);
                }
            }
        }
        true
    }
}

#[derive(Clone, Debug)]
enum Act {
    Announce(u8),
    Withdraw(u8),
    Open(u8),
    Resume,
    Read(usize, usize),
    Close(usize),
    Bury(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => (0..12u8).prop_map(Act::Announce),
        5 => (0..12u8).prop_map(Act::Withdraw),
        1 => (0..3u8).prop_map(Act::Open),
        1 => Just(Act::Resume),
        4 => (0..6usize, 1..4usize).prop_map(|(r, n)| Act::Read(r, n)),
        1 => (0..6usize).prop_map(Act::Close),
        2 => (1..8usize).prop_map(Act::Bury),
    ]
}

proptest! {
    #[test]
    fn every_reader_ends_with_the_table_though_nobody_waits_for_what_it_does_not_know(
        acts in proptest::collection::vec(act(), 1..80)
    ) {
        let mut e = engine();
        let (s, p) = (e.source(Kind::Static, 0), e.source(Kind::Bgp, 0));
        e.blackhole(s, "192.0.2.0/24");
        let named = |n: u8| format!("10.{n}.0.0/16");
        let mut readers: Vec<(Reader, BTreeSet<Prefix<u32>>)> = Vec::new();
        for a in acts.into_iter().chain([Act::Bury(1000)]) {
            match a {
                Act::Announce(n) => e.announce(p, &named(n), "192.0.2.1", Said::default()),
                Act::Withdraw(n) => e.withdraw(p, &named(n)),
                Act::Open(kind) => {
                    let reader = match kind {
                        0 => Reader::Watch(e.watch_open(0, 1, Criteria::default(), true)),
                        1 => Reader::Box(e.fib_open()),
                        _ => {
                            let peer = e.source(Kind::Bgp, 0);
                            Reader::Peer(export(&mut e, peer))
                        }
                    };
                    readers.push((reader, BTreeSet::new()));
                }
                Act::Resume => {
                    let t = &e.instances[0].v4;
                    let (id, sums) = (t.id, t.fib_sums.to_bytes());
                    let has = t.entries.iter().filter(|x| x.group != crate::rib::NONE);
                    let has = has.map(|x| x.prefix).collect();
                    let (n, _) = e.fib_resume(&[(id, &sums)]);
                    readers.push((Reader::Box(n), has));
                }
                Act::Read(at, n) => {
                    if let Some((reader, known)) = readers.get_mut(at) {
                        reader.read(&mut e, n, known);
                    }
                }
                Act::Close(at) if at < readers.len() => match readers.remove(at).0 {
                    Reader::Watch(n) => e.watch_close(n),
                    Reader::Box(n) => e.fib_close(n),
                    Reader::Peer(n) => e.export_close(n),
                },
                Act::Close(_) => {}
                Act::Bury(slots) => {
                    e.instances[0].v4.patience = 0;
                    e.settle();
                    e.step(slots);
                }
            }
        }
        e.settled();
        let t = &e.instances[0].v4;
        let there = t.entries.iter().filter(|x| x.group != crate::rib::NONE);
        let there: BTreeSet<_> = there.map(|x| x.prefix).collect();
        for (reader, mut known) in readers {
            while reader.read(&mut e, 2, &mut known) {}
            let mut wanted = there.clone();
            if let Reader::Peer(_) = reader {
                wanted.retain(|p| p.len == 16); // the static route is not told
            }
            prop_assert_eq!(known, wanted);
        }
        e.settled();
        let t = &e.instances[0].v4;
        prop_assert!(t.rib_log.is_empty() && t.fib_log.is_empty());
        prop_assert_eq!(t.tombstones(), 0);
    }
}
