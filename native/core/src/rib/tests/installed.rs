use super::fixture::{engine, export, export_several, prefix, terms, Said};
use crate::rib::engine::Engine;
use crate::rib::export_terms::ALL_PATHS;
use crate::rib::options::Setting;
use crate::rib::source::Kind;
use crate::wire::terms::Terms;
use crate::wire::update::{decode, WITHDRAW};

fn wait(e: &mut Engine, on: bool) {
    let mut o = e.instances[0].v4.options;
    o.set("advertise_installed", Setting::Switch(on))
        .expect("an option");
    e.set_options(0, o);
    e.settled();
}

/// A router that waits for its boxes, and a peer that gives routes.
fn router() -> (Engine, u32) {
    let mut e = engine();
    wait(&mut e, true);
    let s = e.source(Kind::Static, 0);
    e.blackhole(s, "192.0.2.0/24");
    let giver = e.source(Kind::Bgp, 0);
    (e, giver)
}

fn give(e: &mut Engine, giver: u32, what: &str) {
    e.announce(giver, what, "192.0.2.1", Said::default());
}

/// What a peer is told, to the end: "+" or "-" and the prefix, "end" for the End-of-RIB marker.
pub fn told(e: &mut Engine, consumer: u32) -> Vec<String> {
    told_of(e, consumer, terms())
}

pub fn told_of(e: &mut Engine, consumer: u32, terms: Terms) -> Vec<String> {
    let theirs = Terms {
        local_asn: 65001,
        ..terms
    };
    let mut out = Vec::new();
    while let Some((bytes, messages)) = e.export_read(consumer, 100) {
        let changes = decode(&bytes, &theirs);
        assert!(changes.error.is_none());
        let end = bytes.ends_with(&[0, 23, 2, 0, 0, 0, 0]);
        assert!(messages > 0 || bytes.is_empty());
        for c in changes.v4 {
            let sign = if c.attrs == WITHDRAW { '-' } else { '+' };
            out.push(format!("{sign}{}", c.prefix.text()));
        }
        if end {
            out.push("end".into());
        }
    }
    out
}

/// Reads everything for a box, and answers it.
fn install(e: &mut Engine, consumer: u32) {
    read(e, consumer);
    let read = e.fib_reads(consumer);
    e.fib_installed(consumer, read);
}

fn read(e: &mut Engine, consumer: u32) {
    while e.fib_read(consumer, 100).is_some() {}
}

#[test]
fn a_new_prefix_is_told_once_every_box_has_it_and_its_changes_and_its_end_at_once() {
    let (mut e, giver) = router();
    let (a, b) = (e.fib_open(), e.fib_open());
    install(&mut e, a);
    install(&mut e, b);
    let peer = e.source(Kind::Bgp, 0);
    let out = export(&mut e, peer);
    assert_eq!(told(&mut e, out), ["end"]);
    give(&mut e, giver, "9.0.0.0/8");
    assert!(told(&mut e, out).is_empty());
    install(&mut e, a);
    assert!(told(&mut e, out).is_empty());
    read(&mut e, b);
    assert!(told(&mut e, out).is_empty());
    install(&mut e, b);
    assert_eq!(told(&mut e, out), ["+9.0.0.0/8"]);
    let longer = Said {
        as_path: &[65002],
        ..Said::default()
    };
    e.announce(giver, "9.0.0.0/8", "192.0.2.2", longer);
    assert_eq!(told(&mut e, out), ["+9.0.0.0/8"]);
    e.withdraw(giver, "9.0.0.0/8");
    assert_eq!(told(&mut e, out), ["-9.0.0.0/8"]);
    install(&mut e, a);
    install(&mut e, b);
    assert!(told(&mut e, out).is_empty());
    e.settled();
    assert!(e.instances[0].v4.fib_log.is_empty());
    assert!(e.instances[0].v4.answered.log.is_empty());
}

#[test]
fn answers_to_an_earlier_read_are_not_answers_to_what_came_since() {
    let (mut e, giver) = router();
    let a = e.fib_open();
    install(&mut e, a);
    let peer = e.source(Kind::Bgp, 0);
    let out = export(&mut e, peer);
    told(&mut e, out);
    give(&mut e, giver, "9.0.0.0/8");
    read(&mut e, a);
    let first = e.fib_reads(a);
    give(&mut e, giver, "8.0.0.0/8");
    read(&mut e, a);
    assert!(told(&mut e, out).is_empty());
    e.fib_installed(a, first);
    assert_eq!(told(&mut e, out), ["+9.0.0.0/8"]);
    e.fib_installed(a, first + 1);
    assert_eq!(told(&mut e, out), ["+8.0.0.0/8"]);
}

#[test]
fn only_who_is_to_send_packets_to_us_waits() {
    let (mut e, _) = router();
    let a = e.fib_open();
    install(&mut e, a);
    let giver = e.source(Kind::Bgp, 0);
    let connected = e.source(Kind::Connected, 0);
    let (near, far) = (e.source(Kind::Bgp, 0), e.source(Kind::Bgp, 0));
    e.core.sources[far as usize].ebgp = false;
    e.set_networks::<u32>(0, &[prefix("10.1.0.0/16"), prefix("7.0.0.0/8")]);
    let to_us = export(&mut e, near);
    let unchanged = export_within(&mut e, far);
    assert_eq!(told(&mut e, to_us), ["end"]);
    assert_eq!(told(&mut e, unchanged), ["end"]);
    give(&mut e, giver, "9.0.0.0/8");
    assert!(told(&mut e, to_us).is_empty());
    assert_eq!(told(&mut e, unchanged), ["+9.0.0.0/8"]);
    // What the kernel has of its own, and what we drop ourselves
    e.connect(connected, "10.1.0.0/16");
    let statics = e.source(Kind::Static, 0);
    e.blackhole(statics, "7.0.0.0/8");
    assert_eq!(told(&mut e, to_us), ["+10.1.0.0/16"]);
    assert_eq!(told(&mut e, unchanged), ["+10.1.0.0/16"]);
    install(&mut e, a);
    let mut late = told(&mut e, to_us);
    late.sort();
    assert_eq!(late, ["+7.0.0.0/8", "+9.0.0.0/8"]);
    // Told of once alone
    let rest = told(&mut e, unchanged);
    assert!(rest.contains(&"+7.0.0.0/8".into()), "{rest:?}");
}

fn export_within(e: &mut Engine, peer: u32) -> u32 {
    let out = export(e, peer);
    let (terms, _, c, _) = e.export_terms(out).expect("open");
    let mut terms = terms.clone();
    let ourselves = c.ourselves.clone();
    terms.ebgp = false;
    e.export_close(out);
    e.export_open(peer, terms, ourselves)
}

#[test]
fn a_box_that_is_not_waited_for_holds_up_nobody() {
    let (mut e, giver) = router();
    let (a, b) = (e.fib_open(), e.fib_open());
    install(&mut e, a);
    install(&mut e, b);
    let peer = e.source(Kind::Bgp, 0);
    let out = export(&mut e, peer);
    told(&mut e, out);
    give(&mut e, giver, "9.0.0.0/8");
    install(&mut e, a);
    assert!(told(&mut e, out).is_empty());
    e.fib_wait(b, false);
    assert_eq!(told(&mut e, out), ["+9.0.0.0/8"]);
    give(&mut e, giver, "8.0.0.0/8");
    assert!(told(&mut e, out).is_empty());
    e.fib_wait(a, false); // nobody is left to wait for
    assert_eq!(told(&mut e, out), ["+8.0.0.0/8"]);
    give(&mut e, giver, "7.0.0.0/8");
    assert_eq!(told(&mut e, out), ["+7.0.0.0/8"]);
    e.fib_wait(a, true);
    give(&mut e, giver, "6.0.0.0/8");
    assert!(told(&mut e, out).is_empty());
    install(&mut e, a);
    assert_eq!(told(&mut e, out), ["+6.0.0.0/8"]);
}

#[test]
fn the_end_of_the_initial_table_follows_the_last_answer() {
    let (mut e, giver) = router();
    give(&mut e, giver, "9.0.0.0/8");
    give(&mut e, giver, "8.0.0.0/8");
    let peer = e.source(Kind::Bgp, 0);
    let out = export(&mut e, peer);
    // No box has come yet: it is waited for
    assert!(told(&mut e, out).is_empty());
    assert!(e.export_backlog(out) > 0);
    let a = e.fib_open();
    read(&mut e, a);
    assert!(told(&mut e, out).is_empty());
    give(&mut e, giver, "7.0.0.0/8");
    let first = e.fib_reads(a);
    e.fib_installed(a, first);
    let mut all = told(&mut e, out);
    assert_eq!(all.pop().as_deref(), Some("end"));
    all.sort();
    assert_eq!(all, ["+8.0.0.0/8", "+9.0.0.0/8"]);
    assert_eq!(e.export_backlog(out), 0);
    install(&mut e, a);
    assert_eq!(told(&mut e, out), ["+7.0.0.0/8"]);
}

#[test]
fn the_end_of_the_initial_table_follows_a_prefix_of_it_that_changes_while_it_waits() {
    let (mut e, giver) = router();
    let a = e.fib_open();
    install(&mut e, a);
    give(&mut e, giver, "9.0.0.0/8");
    give(&mut e, giver, "8.0.0.0/8");
    read(&mut e, a);
    let peer = e.source(Kind::Bgp, 0);
    let out = export(&mut e, peer);
    assert!(told(&mut e, out).is_empty());
    let first = e.fib_reads(a);
    e.announce(giver, "9.0.0.0/8", "192.0.2.2", Said::default());
    e.announce(giver, "8.0.0.0/8", "192.0.2.2", Said::default());
    read(&mut e, a);
    e.fib_installed(a, first);
    assert!(told(&mut e, out).is_empty());
    e.withdraw(giver, "8.0.0.0/8"); // nothing is waited for any more once it is gone
    install(&mut e, a);
    assert_eq!(told(&mut e, out), ["+9.0.0.0/8", "end"]);
}

#[test]
fn what_many_answers_bring_at_once_is_told_in_slices_and_the_end_after_it() {
    const MANY: u32 = 20_000;
    for how in 0..3 {
        let (mut e, giver) = router();
        let (a, b) = (e.fib_open(), e.fib_open());
        install(&mut e, a);
        install(&mut e, b);
        for n in 0..MANY {
            let what = format!("10.{}.{}.0/24", n >> 8, n & 255);
            give(&mut e, giver, &what);
        }
        install(&mut e, a);
        read(&mut e, b);
        let peer = e.source(Kind::Bgp, 0);
        let out = export(&mut e, peer);
        assert!(told(&mut e, out).is_empty());
        match how {
            0 => e.fib_wait(b, false),
            1 => e.fib_close(b),
            _ => {
                let mut o = e.instances[0].v4.options;
                o.set("advertise_installed", Setting::Switch(false))
                    .expect("an option");
                e.set_options(0, o);
            }
        }
        let at_once = told(&mut e, out);
        assert!(at_once.len() < MANY as usize / 2, "{}", at_once.len());
        let mut all = at_once;
        while e.step(1000) {
            all.extend(told(&mut e, out));
        }
        all.extend(told(&mut e, out));
        assert_eq!(all.pop().as_deref(), Some("end"));
        assert_eq!(all.len(), MANY as usize);
        if how > 0 {
            assert!(e.instances[0].v4.fib_log.len() < 20);
        }
    }
}

#[test]
fn a_box_that_joins_others_is_waited_for_once_it_has_everything() {
    let (mut e, giver) = router();
    let a = e.fib_open();
    install(&mut e, a);
    let peer = e.source(Kind::Bgp, 0);
    let out = export(&mut e, peer);
    told(&mut e, out);
    let b = e.fib_open();
    give(&mut e, giver, "9.0.0.0/8");
    install(&mut e, a);
    assert_eq!(told(&mut e, out), ["+9.0.0.0/8"]);
    install(&mut e, b);
    give(&mut e, giver, "8.0.0.0/8");
    install(&mut e, a);
    assert!(told(&mut e, out).is_empty());
    install(&mut e, b);
    assert_eq!(told(&mut e, out), ["+8.0.0.0/8"]);
}

#[test]
fn what_a_box_could_not_install_is_withdrawn_until_it_could() {
    let (mut e, giver) = router();
    let (a, b) = (e.fib_open(), e.fib_open());
    install(&mut e, a);
    install(&mut e, b);
    let peer = e.source(Kind::Bgp, 0);
    let out = export(&mut e, peer);
    told(&mut e, out);
    give(&mut e, giver, "9.0.0.0/8");
    let table = e.instances[0].v4.id;
    install(&mut e, a);
    // It never got there
    e.fib_failed(b, table, prefix("9.0.0.0/8"), true);
    install(&mut e, b);
    assert!(told(&mut e, out).is_empty());
    e.fib_failed(b, table, prefix("9.0.0.0/8"), false);
    install(&mut e, a);
    install(&mut e, b);
    assert_eq!(told(&mut e, out), ["+9.0.0.0/8"]);
    // It was there, and is no more
    for failing in [a, b] {
        e.fib_failed(failing, table, prefix("9.0.0.0/8"), true);
    }
    assert_eq!(told(&mut e, out), ["-9.0.0.0/8"]);
    e.fib_failed(b, table, prefix("9.0.0.0/8"), false);
    install(&mut e, a);
    install(&mut e, b);
    assert!(told(&mut e, out).is_empty());
    e.fib_close(a); // and who could not is gone
    install(&mut e, b);
    assert_eq!(told(&mut e, out), ["+9.0.0.0/8"]);
}

#[test]
fn a_prefix_that_goes_and_comes_back_unnoticed_by_the_boxes_is_not_new() {
    let (mut e, giver) = router();
    let a = e.fib_open();
    give(&mut e, giver, "9.0.0.0/8");
    install(&mut e, a);
    let peer = e.source(Kind::Bgp, 0);
    let out = export(&mut e, peer);
    assert_eq!(told(&mut e, out), ["+9.0.0.0/8", "end"]);
    e.withdraw(giver, "9.0.0.0/8");
    give(&mut e, giver, "9.0.0.0/8");
    assert_eq!(told(&mut e, out), ["+9.0.0.0/8"]);
    e.withdraw(giver, "9.0.0.0/8");
    read(&mut e, a);
    give(&mut e, giver, "9.0.0.0/8");
    assert_eq!(told(&mut e, out), ["-9.0.0.0/8"]);
    install(&mut e, a);
    assert_eq!(told(&mut e, out), ["+9.0.0.0/8"]);
}

#[test]
fn peers_that_take_several_paths_wait_too() {
    let (mut e, giver) = router();
    let other = e.source(Kind::Bgp, 0);
    let a = e.fib_open();
    install(&mut e, a);
    let peer = e.source(Kind::Bgp, 0);
    let out = export_several(&mut e, peer, ALL_PATHS);
    let several = || Terms {
        families: vec![(1, 1, true)],
        ..terms()
    };
    assert_eq!(told_of(&mut e, out, several()), ["end"]);
    give(&mut e, giver, "9.0.0.0/8");
    give(&mut e, other, "9.0.0.0/8");
    assert!(told_of(&mut e, out, several()).is_empty());
    install(&mut e, a);
    assert_eq!(
        told_of(&mut e, out, several()),
        ["+9.0.0.0/8", "+9.0.0.0/8"]
    );
}

#[test]
fn what_was_held_is_told_although_another_path_of_it_came_since() {
    let (mut e, giver) = router();
    let other = e.source(Kind::Bgp, 0);
    let a = e.fib_open();
    install(&mut e, a);
    let (one, two) = (e.source(Kind::Bgp, 0), e.source(Kind::Bgp, 0));
    let best = export(&mut e, one);
    let all = export_several(&mut e, two, ALL_PATHS);
    let several = || Terms {
        families: vec![(1, 1, true)],
        ..terms()
    };
    told(&mut e, best);
    told_of(&mut e, all, several());
    give(&mut e, giver, "9.0.0.0/8");
    assert!(told(&mut e, best).is_empty());
    assert!(told_of(&mut e, all, several()).is_empty());
    let longer = Said {
        as_path: &[65002, 65003, 65004],
        ..Said::default()
    };
    e.announce(other, "9.0.0.0/8", "192.0.2.1", longer);
    install(&mut e, a);
    assert_eq!(told(&mut e, best), ["+9.0.0.0/8"]);
    let mut paths = told_of(&mut e, all, several());
    paths.dedup();
    assert_eq!(paths, ["+9.0.0.0/8"]);
    assert_eq!(e.adj_rib_out(all, 9).len(), 2);
}

#[test]
fn who_no_longer_wants_to_wait_tells_what_waits() {
    let (mut e, giver) = router();
    let peer = e.source(Kind::Bgp, 0);
    let out = export(&mut e, peer);
    give(&mut e, giver, "9.0.0.0/8");
    assert!(told(&mut e, out).is_empty());
    wait(&mut e, false);
    assert_eq!(told(&mut e, out), ["+9.0.0.0/8", "end"]);
    assert!(e.instances[0].v4.fib_log.is_empty());
    wait(&mut e, true);
    give(&mut e, giver, "9.0.0.0/8");
    assert!(told(&mut e, out).is_empty());
    give(&mut e, giver, "8.0.0.0/8");
    assert!(told(&mut e, out).is_empty());
}

#[test]
fn a_peer_that_reads_nothing_does_not_keep_every_prefix_that_ever_was_installed() {
    let (mut e, giver) = router();
    let a = e.fib_open();
    install(&mut e, a);
    let (one, two) = (e.source(Kind::Bgp, 0), e.source(Kind::Bgp, 0));
    let (stalled, busy) = (export(&mut e, one), export(&mut e, two));
    told(&mut e, stalled);
    told(&mut e, busy);
    for n in 0..8_000u32 {
        let what = format!("10.{}.0.0/16", n % 16);
        give(&mut e, giver, &what);
        e.export_read(busy, 10);
        install(&mut e, a);
        e.export_read(busy, 10);
        if n + 1 < 8_000 {
            e.withdraw(giver, &what);
        }
        install(&mut e, a);
    }
    let t = &e.instances[0].v4;
    assert!(t.answered.log.len() < 4200, "{}", t.answered.log.len());
    let news = told(&mut e, stalled);
    assert!(news.contains(&"+10.15.0.0/16".into()), "{}", news.len());
    assert!(e.instances[0].v4.answered.log.len() <= 1);
}
