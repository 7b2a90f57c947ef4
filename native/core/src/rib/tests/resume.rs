use super::fixture::{engine, prefix};
use crate::digest::{ShardSet, Sums};
use crate::prefix::AnyPrefix;
use crate::rib::engine::Engine;
use crate::rib::source::Kind;

/// Rows, groups and ends of routes that a consumer is told.
fn read(e: &mut Engine, consumer: u32) -> (usize, usize, usize) {
    let mut told = (0, 0, 0);
    while let Some(delta) = e.fib_read(consumer, 2) {
        told.0 += delta.count;
        told.1 += delta.groups.len();
        let ops = delta.routes.iter().flat_map(|c| &c.op);
        told.2 += ops.filter(|&&op| op == 0).count();
    }
    told
}

fn sums(e: &Engine) -> Vec<u8> {
    e.instances[0].v4.fib_sums.to_bytes()
}

fn filled() -> (Engine, u32) {
    let mut e = engine();
    let s = e.source(Kind::Static, 0);
    for n in 0..50 {
        e.blackhole(s, &format!("10.{n}.0.0/16"));
    }
    (e, s)
}

#[test]
fn what_an_agent_holds_already_is_not_read_again_but_groups_are() {
    let (mut e, s) = filled();
    let held = sums(&e);
    let (c, equal) = e.fib_resume(&[(1, &held)]);
    assert!(equal[0].0 == 1 && equal[0].1.is_all() && equal.len() == 1);
    assert!(!e.fib_state(c).0, "groups are to be read yet");
    assert_eq!(read(&mut e, c), (0, 1, 0));
    assert!(e.fib_state(c).0);
    e.delete_path(s, prefix("10.3.0.0/16"));
    assert_eq!(read(&mut e, c), (1, 0, 1));
}

#[test]
fn only_the_shards_that_differ_are_read() {
    let (mut e, s) = filled();
    let held = sums(&e);
    e.blackhole(s, "10.77.0.0/16");
    e.delete_path(s, prefix("10.7.0.0/16"));
    let (c, equal) = e.fib_resume(&[(1, &held), (2, &[]), (999, &held)]);
    let AnyPrefix::V4(new) = prefix("10.77.0.0/16") else {
        panic!("IPv4")
    };
    let AnyPrefix::V4(gone) = prefix("10.7.0.0/16") else {
        panic!("IPv4")
    };
    let differs = [e.core.shard_of(new), e.core.shard_of(gone)];
    for shard in 0..1024 {
        assert_eq!(equal[0].1.has(shard), !differs.contains(&shard));
    }
    assert_eq!((equal.len(), equal[1]), (2, (2, ShardSet::default())));
    let t = &e.instances[0].v4;
    let routed = t.entries.iter().filter(|x| x.group != crate::rib::NONE);
    let within = routed.filter(|x| differs.contains(&e.core.shard_of(x.prefix)));
    let rows = within.count();
    assert_eq!(read(&mut e, c), (rows, 1, 0));
}

#[test]
fn who_holds_nothing_is_told_everything() {
    let (mut e, _) = filled();
    let none = Sums::default().to_bytes();
    let (c, _) = e.fib_resume(&[(1, &none)]);
    assert_eq!(read(&mut e, c).0, 50);
    let (c, equal) = e.fib_resume(&[]);
    assert_eq!((read(&mut e, c).0, equal.len()), (50, 0));
}
