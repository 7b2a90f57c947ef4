//! The bytes, their order and their number.
use super::super::netlink::*;
use super::super::{AgentFib, State};
use super::fixture::*;
use super::kernel::Kernel;

#[test]
#[cfg(target_endian = "little")]
fn the_first_batch_is_these_bytes() {
    let mut fib = model();
    group(&mut fib, 1, &[(1, 3, 0)]);
    put(&mut fib, 7, 1);
    let dst = [&[0x20, 7][..], &[0; 14]].concat();
    assert_eq!(
        fib.put_routes(2, &dst, &[16], &1u32.to_le_bytes(), &[1]),
        Ok(vec![(0, "an IPv6 route cannot use an IPv4 next hop")])
    );
    let (bytes, first, last) = fib.next_batch(1 << 18, 0).unwrap().unwrap();
    assert_eq!((first, last), (1, 3));
    let nexthop = concat!(
        "30000000", "6800", "0105", "01000000",
        "00000000", // RTM_NEWNEXTHOP, request create replace
        "0200c900", "04000000", // AF_INET, protocol 201, onlink
        "0800", "0100", "e8030000", "0800", "0500", "0a000000", "0800", "0600", "0a000001"
    );
    let group = concat!(
        "2c000000", "6800", "0105", "02000000", "00000000", //
        "0000c900", "00000000", "0800", "0100", "e9030000", "0c00", "0200", "e8030000", "02000000"
    );
    let route = concat!(
        "34000000", "1800", "0505", "03000000", "00000000", // RTM_NEWROUTE, also ack
        "02100000", "fec90001", "00000000", //
        "0800", "0100", "14070000", "0800", "0600", "32000000", "0800", "1e00", "e9030000"
    );
    // the IPv6 route cannot use an IPv4 nexthop: nothing is written for it
    assert_eq!(hex(&bytes), [nexthop, group, route].concat());
    let mut kernel = Kernel::default();
    assert!(fib
        .batch_done(&kernel.apply(&bytes, first, last))
        .is_empty());
    assert_eq!(
        fib.route(2, &[&[0x20, 7][..], &[0; 14]].concat(), 16)
            .unwrap()
            .state,
        State::Unresolved
    );
    delete(&mut fib, 7);
    let (bytes, ..) = fib.next_batch(1 << 18, 0).unwrap().unwrap();
    let withdraw = concat!(
        "2c000000", "1900", "0500", "04000000",
        "00000000", // RTM_DELROUTE, ack; any scope and type, no nexthop id
        "02100000", "fec9ff00", "00000000", "0800", "0100", "14070000", "0800", "0600", "32000000"
    );
    assert_eq!(hex(&bytes), withdraw);
}

#[test]
fn tables_beyond_255_travel_as_an_attribute() {
    let mut fib = AgentFib::new("me", 1000, 201, 50, 1000);
    fib.put_groups(&[(1, &[1; 16], 3, &[])]).unwrap();
    put(&mut fib, 1, 1);
    let (bytes, ..) = fib.next_batch(1 << 18, 0).unwrap().unwrap();
    let message = messages(&bytes).next().unwrap();
    assert_eq!((message.body[4], message.body[7]), (0, RTN_UNREACHABLE));
    assert!(attributes(&message.body[RTMSG..])
        .any(|(kind, value)| (kind, value) == (RTA_TABLE, &1000u32.to_ne_bytes())));
}

#[test]
fn a_batch_keeps_to_its_size_and_only_one_is_outstanding() {
    let (mut fib, mut kernel) = (model(), Kernel::default());
    group(&mut fib, 1, &[(1, 1, 0)]);
    (0..100).for_each(|number| put(&mut fib, number, 1));
    let mut batches = 0;
    while let Some((bytes, first, last)) = fib.next_batch(500, 0).unwrap() {
        assert!(bytes.len() <= 500);
        assert!(fib.next_batch(500, 0).is_err());
        assert!(fib
            .batch_done(&kernel.apply(&bytes, first, last))
            .is_empty());
        batches += 1;
    }
    assert!((11..20).contains(&batches));
    assert_eq!(
        (kernel.routes.len(), fib.installed(), fib.pending()),
        (100, 100, 0)
    );
}

#[test]
fn a_group_in_use_is_replaced_before_new_ones_and_before_any_route() {
    let (mut fib, mut kernel) = (model(), Kernel::default());
    group(&mut fib, 1, &[(1, 1, 0)]);
    put(&mut fib, 1, 1);
    drain(&mut fib, &mut kernel);
    let used = kernel_group(&mut fib, 1);
    kernel.log.clear();
    (2..6).for_each(|number| put(&mut fib, number, 1));
    delete(&mut fib, 1);
    group(&mut fib, 9, &[(1, 7, 0)]);
    put(&mut fib, 8, 9);
    group(&mut fib, 1, &[(2, 1, 0)]);
    drain(&mut fib, &mut kernel);
    let kinds: Vec<u16> = kernel.log.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds[..3], [RTM_NEWNEXTHOP; 3]);
    assert_eq!(
        kernel.log[1].1, used,
        "the singleton, then the group in use, then the new one"
    );
    assert_eq!(
        kinds[3..],
        [vec![RTM_NEWROUTE; 5], vec![RTM_DELROUTE]].concat()
    );
}

#[test]
fn what_changes_twice_is_written_once_and_what_changes_back_not_at_all() {
    let (mut fib, mut kernel) = (model(), Kernel::default());
    group(&mut fib, 1, &[(1, 1, 0)]);
    group(&mut fib, 2, &[(2, 1, 0)]);
    put(&mut fib, 1, 1);
    put(&mut fib, 2, 1);
    drain(&mut fib, &mut kernel);
    kernel.log.clear();
    for id in [2, 1, 2, 1] {
        put(&mut fib, 1, id);
        put(&mut fib, 2, 3 - id);
    }
    drain(&mut fib, &mut kernel);
    assert_eq!(
        kernel
            .log
            .iter()
            .filter(|(kind, _)| *kind == RTM_NEWROUTE)
            .count(),
        1
    );
    assert_ne!(kernel_group(&mut fib, 1), kernel_group(&mut fib, 2));
}

#[test]
fn what_may_have_been_deleted_is_written_again_where_it_is_wanted_again() {
    for lost in 0..3 {
        let mut fib = model();
        let mut kernel = Kernel::default();
        group(&mut fib, 1, &[(1, 1, 0)]);
        put(&mut fib, 7, 1);
        drain(&mut fib, &mut kernel);
        delete(&mut fib, 7);
        fib.drop_groups(&[1]);
        for at in 0..=lost {
            let (bytes, first, last) = fib.next_batch(1 << 18, 0).unwrap().unwrap();
            let replies = kernel.apply(&bytes, first, last);
            fib.batch_done(if at == lost { &[] } else { &replies });
        }
        group(&mut fib, 1, &[(1, 1, 0)]);
        put(&mut fib, 7, 1);
        assert_eq!(drain(&mut fib, &mut kernel), [], "{lost}");
        assert_eq!(state(&mut fib, 7), Some(State::Installed));
        assert_eq!(
            (
                kernel.routes.len(),
                kernel.groups.len(),
                kernel.singles.len()
            ),
            (1, 1, 1)
        );
    }
}
