use super::fixture::{engine, export, export_several, terms, Said};
use super::installed::{told, told_of};
use crate::rib::engine::Engine;
use crate::rib::export_terms::ALL_PATHS;
use crate::rib::source::Kind;
use crate::wire::terms::Terms;

fn router() -> (Engine, u32) {
    let mut e = engine();
    let s = e.source(Kind::Static, 0);
    e.blackhole(s, "192.0.2.0/24");
    let giver = e.source(Kind::Bgp, 0);
    (e, giver)
}

fn give(e: &mut Engine, giver: u32, numbers: std::ops::Range<u32>) -> Vec<String> {
    let give = |n| {
        let what = format!("{n}.0.0.0/8");
        e.announce(giver, &what, "192.0.2.1", Said::default());
        format!("+{what}")
    };
    numbers.map(give).collect()
}

#[test]
fn what_comes_before_a_peer_first_reads_is_told_once_and_before_the_end_marker() {
    for (several, paths) in [(0, false), (ALL_PATHS, true)] {
        let (mut e, giver) = router();
        let peers = [e.source(Kind::Bgp, 0), e.source(Kind::Bgp, 0)];
        let readers = peers.map(|peer| export_several(&mut e, peer, several));
        let mut table = give(&mut e, giver, 10..13);
        table.push("end".into());
        for reader in readers {
            let theirs = Terms {
                families: vec![(1, 1, paths)],
                ..terms()
            };
            assert_eq!(told_of(&mut e, reader, theirs), table);
        }
    }
}

#[test]
fn peers_of_a_group_that_opened_before_the_table_came_share_its_first_stretch() {
    let (mut e, giver) = router();
    let peers = [e.source(Kind::Bgp, 0), e.source(Kind::Bgp, 0)];
    let [first, second] = peers.map(|peer| export(&mut e, peer));
    give(&mut e, giver, 10..14);
    let read = e.export_read(first, 2);
    give(&mut e, giver, 20..21);
    assert_eq!(e.export_read(second, 2), read);
    let rest = ["+12.0.0.0/8", "+13.0.0.0/8", "+20.0.0.0/8", "end"];
    assert_eq!(told(&mut e, second), rest);
    assert_eq!(told(&mut e, first), rest);
}

#[test]
fn a_peer_that_reads_late_is_told_the_whole_table_of_then_before_the_end_marker() {
    let (mut e, giver) = router();
    let peers = [e.source(Kind::Bgp, 0), e.source(Kind::Bgp, 0)];
    let [first, late] = peers.map(|peer| export(&mut e, peer));
    let mut table = give(&mut e, giver, 10..20);
    while e.export_read(first, 1).is_some() {}
    let more = give(&mut e, giver, 20..24);
    while e.export_read(first, 1).is_some() {}
    table.extend(more);
    table.push("end".into());
    assert_eq!(told(&mut e, late), table);
}

#[test]
fn what_comes_while_an_initial_table_is_told_is_told_once() {
    let (mut e, giver) = router();
    let peer = e.source(Kind::Bgp, 0);
    let out = export(&mut e, peer);
    give(&mut e, giver, 10..13);
    assert!(e.export_read(out, 1).is_some());
    let more = give(&mut e, giver, 20..22);
    let rest = ["+11.0.0.0/8", "+12.0.0.0/8", &more[0], &more[1], "end"];
    assert_eq!(told(&mut e, out), rest);
    e.export_again(out);
    give(&mut e, giver, 22..23);
    let again = [&["+10.0.0.0/8"], &rest[..4], &["+22.0.0.0/8", "end"]].concat();
    assert_eq!(told(&mut e, out), again);
}
