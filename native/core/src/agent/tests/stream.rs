//! Snapshots, digests, restarts, and rows or answers that are wrong, lost or late.
use super::super::netlink::*;
use super::super::State;
use super::fixture::*;
use super::kernel::{error_message, Kernel, Route};

#[test]
fn lost_answers_are_no_lost_routes() {
    let (mut fib, mut kernel) = (model(), Kernel::default());
    group(&mut fib, 1, &[(1, 1, 0)]);
    put(&mut fib, 1, 1);
    let (bytes, first, last) = fib.next_batch(1 << 18, 0).unwrap().unwrap();
    kernel.apply(&bytes, first, last);
    assert!(fib.batch_done(&[]).is_empty());
    delete(&mut fib, 1);
    fib.drop_groups(&[1]);
    drain(&mut fib, &mut kernel);
    assert!(kernel.routes.is_empty() && kernel.groups.is_empty() && kernel.singles.is_empty());
}

#[test]
fn rows_that_make_no_sense_are_refused_one_by_one() {
    let mut fib = model();
    group(&mut fib, 1, &[(1, 1, 0)]);
    let dst = [
        [20, 1, 0, 0],
        [20, 2, 0, 1],
        [20, 3, 0, 0],
        [20, 4, 0, 0],
        [20, 5, 0, 0],
    ]
    .concat();
    let nhg: Vec<u8> = [1u32, 1, 1, 77, 1]
        .iter()
        .flat_map(|id| id.to_le_bytes())
        .collect();
    let refused = fib
        .put_routes(1, &dst, &[16, 16, 33, 16, 16], &nhg, &[1, 1, 1, 1, 9])
        .unwrap();
    let reasons = [
        "bits beyond the prefix length are set",
        "prefix length out of range",
        "unknown group",
        "unknown operation",
    ];
    assert_eq!(refused, (1..5).zip(reasons).collect::<Vec<_>>());
    assert_eq!(fib.digest().0, 1);
    assert!(fib.put_routes(1, &dst, &[16; 4], &nhg, &[1; 5]).is_err());
    assert!(fib
        .put_routes(1, &dst[1..], &[16; 5], &nhg, &[1; 5])
        .is_err());
    assert_eq!(
        fib.put_routes(257, &[20, 0, 0, 0], &[8], &[1, 0, 0, 0], &[1])
            .unwrap()
            .len(),
        1
    );
    assert!(fib.put_routes(1, &[], &[], &[], &[]).unwrap().is_empty());
    assert_eq!(
        fib.put_groups(&[(2, &[2; 16], 0, &members(&[(66, 1, 0)]))])
            .unwrap_err()
            .0,
        "group 2: unknown adjacency 66"
    );
    assert!(
        fib.put_groups(&[(2, &[2; 15], 0, &[])]).is_err()
            && fib.put_groups(&[(2, &[2; 16], 0, &[0; 7])]).is_err()
    );
    assert!(fib
        .put_adjacencies(&[(5, "me", "p0", &[1, 2, 3], 0)])
        .is_err());
}

#[test]
fn the_digest_follows_keys_not_ids_nor_order() {
    let (mut a, mut b) = (model(), model());
    a.set_digest_key([5; 16]);
    for (fib, ids) in [(&mut a, [1, 2]), (&mut b, [20, 10])] {
        fib.put_groups(&[(ids[0], &[1; 16], 0, &[]), (ids[1], &[2; 16], 0, &[])])
            .unwrap();
    }
    put(&mut a, 1, 1);
    put(&mut a, 2, 1);
    put(&mut a, 2, 2);
    put(&mut a, 3, 1);
    delete(&mut a, 3);
    put(&mut b, 2, 10);
    put(&mut b, 1, 20);
    assert_ne!(a.digest(), b.digest());
    b.set_digest_key([5; 16]);
    assert_eq!(a.digest(), b.digest());
    assert_eq!(a.digest().0, 2);
}

#[test]
fn stale_routes_forward_until_count_and_digest_agree() {
    let (mut fib, mut kernel) = (model(), Kernel::default());
    group(&mut fib, 1, &[(1, 1, 0)]);
    put(&mut fib, 1, 1);
    put(&mut fib, 2, 1);
    drain(&mut fib, &mut kernel);
    fib.snapshot_begin(&[]);
    fib.put_adjacencies(&[(70, "me", "p0", HOPS[0].2, 0)])
        .unwrap();
    fib.put_groups(&[(7, &[1; 16], 0, &members(&[(70, 1, 0)]))])
        .unwrap();
    put(&mut fib, 2, 7);
    let (count, digest) = fib.digest();
    assert_eq!(
        (count, state(&mut fib, 1), fib.counts().stale),
        (1, Some(State::Stale), 1)
    );
    assert!(!fib.snapshot_end(count, digest ^ 1, true).0);
    assert!(fib.snapshot_end(count, digest, false).0);
    assert_eq!(
        fib.next_batch(1 << 18, 0),
        Ok(None),
        "an unchanged route costs no write, a stale one stays"
    );
    assert!(fib.snapshot_end(count, digest, true).0);
    drain(&mut fib, &mut kernel);
    assert_eq!((kernel.routes.len(), state(&mut fib, 1)), (1, None));
}

#[test]
fn what_is_kept_of_an_old_stream_counts_for_the_new_and_costs_nothing() {
    let (mut fib, mut kernel) = (model(), Kernel::default());
    fib.set_digest_key([3; 16]);
    group(&mut fib, 1, &[(1, 1, 0)]);
    (1..40).for_each(|number| put(&mut fib, number, 1));
    drain(&mut fib, &mut kernel);
    let full = fib.digest();
    let sums = fib.shard_sums();
    assert_eq!((sums[0].0, sums[0].1.root()), (1, full.1));
    let mut other = model();
    other.set_digest_key([3; 16]);
    group(&mut other, 1, &[(1, 1, 0)]);
    (2..40).for_each(|number| put(&mut other, number, 1));
    let kept = sums[0].1.equal(&other.shard_sums()[0].1.to_bytes());
    fib.snapshot_begin(&[(1, kept)]);
    let stale = fib.counts().stale;
    assert!((1..5).contains(&stale), "{stale} of one shard");
    assert_eq!(fib.digest().0, 39 - stale as u64);
    assert_eq!(fib.shard_sums()[0].1.root(), full.1, "stale ones are told");
    fib.put_adjacencies(&[(70, "me", "p0", HOPS[0].2, 0)])
        .unwrap();
    fib.put_groups(&[(7, &[1; 16], 0, &members(&[(70, 1, 0)]))])
        .unwrap();
    for number in 2..40 {
        if state(&mut fib, number) == Some(State::Stale) {
            put(&mut fib, number, 7);
        }
    }
    assert_eq!(fib.next_batch(1 << 18, 0), Ok(None));
    let wanted = other.digest();
    assert!(fib.snapshot_end(wanted.0, wanted.1, true).0);
    drain(&mut fib, &mut kernel);
    assert_eq!((kernel.routes.len(), state(&mut fib, 1)), (38, None));
}

#[test]
fn what_was_refused_of_what_is_kept_is_tried_again() {
    let (mut fib, mut kernel) = (model(), Kernel::default());
    kernel.unreachable_gateways.insert(HOPS[0].2.to_vec());
    group(&mut fib, 1, &[(1, 1, 0)]);
    put(&mut fib, 1, 1);
    assert_eq!(drain(&mut fib, &mut kernel).len(), 1);
    kernel.unreachable_gateways.clear();
    let sums = fib.shard_sums();
    let kept = [(1, sums[0].1.equal(&sums[0].1.to_bytes()))];
    fib.snapshot_begin(&kept);
    fib.put_adjacencies(&[(1, "me", "p0", HOPS[0].2, 0)])
        .unwrap();
    group(&mut fib, 1, &[(1, 1, 0)]);
    assert_eq!(drain(&mut fib, &mut kernel), []);
    assert_eq!(state(&mut fib, 1), Some(State::Installed));
}

#[test]
fn what_was_refused_is_told_again_to_a_stream_that_goes_on() {
    let (mut fib, mut kernel) = (model(), Kernel::default());
    group(&mut fib, 1, &[(1, 1, 0)]);
    put(&mut fib, 1, 1);
    kernel.unreachable_gateways.insert(HOPS[0].2.to_vec());
    assert_eq!(drain(&mut fib, &mut kernel).len(), 1);
    assert_eq!(fib.retry_failed(), 1);
    assert_eq!(drain(&mut fib, &mut kernel).len(), 1);
    assert_eq!(state(&mut fib, 1), Some(State::Failed));
    kernel.unreachable_gateways.clear();
    fib.set_port("p0", 10, false);
    fib.set_port("p0", 10, true);
    assert_eq!(drain(&mut fib, &mut kernel), []);
    assert_eq!(fib.retry_failed(), 0);
    assert_eq!(fib.next_batch(1 << 18, 0), Ok(None));
}

#[test]
fn an_agent_that_starts_again_takes_over_what_it_finds() {
    let (mut before, mut kernel) = (model(), Kernel::default());
    group(&mut before, 1, &[(1, 1, 0), (2, 2, 0)]);
    (1..4).for_each(|number| put(&mut before, number, 1));
    drain(&mut before, &mut kernel);
    kernel.routes.insert(
        (2, vec![30, 0, 0, 0], 8),
        Route {
            kind: RTN_UNREACHABLE,
            group: None,
        },
    );
    let held = kernel.groups.clone();
    let mut fib = model();
    assert_eq!(fib.adopt_nexthops(&kernel.dump_nexthops()), 3);
    assert_eq!(fib.adopt_routes(&kernel.dump_routes()), 4);
    assert_eq!(
        (fib.next_batch(1 << 18, 0), fib.counts().stale),
        (Ok(None), 4)
    );
    fib.snapshot_begin(&[]);
    let rows: Vec<_> = HOPS
        .iter()
        .map(|&(id, port, gateway)| (id, "me", port, gateway, 0))
        .collect();
    fib.put_adjacencies(&rows).unwrap();
    group(&mut fib, 1, &[(1, 1, 0), (2, 2, 0)]);
    (1..4).for_each(|number| put(&mut fib, number, 1));
    assert_eq!(
        fib.next_batch(1 << 18, 0),
        Ok(None),
        "the same again: nothing to write"
    );
    let (count, digest) = fib.digest();
    assert!(fib.snapshot_end(count, digest, true).0);
    drain(&mut fib, &mut kernel);
    assert_eq!((kernel.routes.len(), &kernel.groups), (3, &held));
}

#[test]
fn ids_that_others_use_are_never_taken() {
    let (mut fib, mut kernel) = (model(), Kernel::default());
    let mut dump = Vec::new();
    for id in [1000u32, 1001] {
        dump.extend_from_slice(
            &[
                &32u32.to_ne_bytes()[..],
                &RTM_NEWNEXTHOP.to_ne_bytes(),
                &[0; 10],
            ]
            .concat(),
        );
        dump.extend_from_slice(&[2, 0, 3, 0, 0, 0, 0, 0]);
        dump.extend_from_slice(
            &[
                &8u16.to_ne_bytes()[..],
                &NHA_ID.to_ne_bytes(),
                &id.to_ne_bytes(),
            ]
            .concat(),
        );
    }
    assert_eq!(fib.adopt_nexthops(&dump), 0);
    group(&mut fib, 1, &[(1, 1, 0)]);
    put(&mut fib, 1, 1);
    drain(&mut fib, &mut kernel);
    assert_eq!(
        (
            kernel.singles.contains_key(&1002),
            kernel.groups.contains_key(&1003)
        ),
        (true, true)
    );
}

#[test]
fn a_delete_of_what_is_gone_and_an_add_of_what_is_there_are_no_failures() {
    let (mut fib, mut kernel) = (model(), Kernel::default());
    group(&mut fib, 1, &[(1, 1, 0)]);
    put(&mut fib, 1, 1);
    drain(&mut fib, &mut kernel);
    delete(&mut fib, 1);
    let (_, first, last) = fib.next_batch(1 << 18, 0).unwrap().unwrap();
    assert_eq!(first, last);
    assert_eq!(
        fib.batch_done(&error_message(last, 3, RTM_DELROUTE, "")),
        []
    );
    assert_eq!((state(&mut fib, 1), fib.pending()), (None, 0));
    put(&mut fib, 1, 1);
    let (_, _, last) = fib.next_batch(1 << 18, 0).unwrap().unwrap();
    assert_eq!(
        fib.batch_done(&error_message(last, 17, RTM_NEWROUTE, "")),
        []
    );
    assert_eq!(state(&mut fib, 1), Some(State::Installed));
}

#[test]
fn broken_dumps_and_replies_are_survived() {
    let (mut fib, mut kernel) = (model(), Kernel::default());
    group(&mut fib, 1, &[(1, 1, 0)]);
    put(&mut fib, 1, 1);
    drain(&mut fib, &mut kernel);
    for dump in [
        kernel.dump_nexthops(),
        kernel.dump_routes(),
        error_message(1, 22, RTM_NEWROUTE, "cut"),
    ] {
        for cut in 0..dump.len() {
            let mut fresh = model();
            fresh.adopt_nexthops(&dump[..cut]);
            fresh.adopt_routes(&dump[..cut]);
            group(&mut fresh, 1, &[(1, 1, 0)]);
            put(&mut fresh, 1, 1);
            assert!(fresh.next_batch(1 << 18, 0).unwrap().is_some());
            fresh.batch_done(&dump[..cut]);
        }
    }
}
