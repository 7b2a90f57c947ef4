//! IPv6 groups change by removing members or by pointing singletons elsewhere where every group with them agrees.
use super::super::netlink::*;
use super::super::AgentFib;
use super::fixture::*;
use super::kernel::Kernel;

fn address(last: u8) -> Vec<u8> {
    [&[0xfe, 0x80][..], &[0; 13], &[last]].concat()
}

/// Adjacencies 11 to 14 behind p0 (11, 13) and p1 (12, 14), groups 1 and 2 with members of equal weight, two IPv6 routes each.
fn box_of(groups: [&[u32]; 2]) -> (AgentFib, Kernel) {
    let (mut fib, mut kernel) = (model(), Kernel::default());
    for id in 11..15u32 {
        let port = if id % 2 == 1 { "p0" } else { "p1" };
        fib.put_adjacencies(&[(id, "me", port, &address(id as u8), 0)])
            .unwrap();
    }
    for (id, list) in (1..).zip(groups) {
        change(&mut fib, id, list);
        (0..2).for_each(|n| put6(&mut fib, 10 * id as u8 + n, id));
    }
    drain(&mut fib, &mut kernel);
    kernel.log.clear();
    (fib, kernel)
}

fn change(fib: &mut AgentFib, id: u32, list: &[u32]) {
    let list: Vec<_> = list.iter().map(|&id| (id, 1, 0)).collect();
    group(fib, id, &list);
}

fn id6(fib: &mut AgentFib, number: u8) -> u32 {
    let dst = [&[0x20, number][..], &[0; 14]].concat();
    fib.route(2, &dst, 16).unwrap().kernel_group.unwrap()
}

/// What the kernel has for the first route of both groups: the last bytes of gateways.
fn forwards(fib: &mut AgentFib, kernel: &Kernel) -> [Vec<u8>; 2] {
    [10, 20].map(|number| {
        let members = gateways(kernel, id6(fib, number)).into_iter();
        members.map(|(gateway, _)| gateway[15]).collect()
    })
}

/// (singletons written, groups written, objects deleted, routes written)
fn written(kernel: &Kernel) -> [usize; 4] {
    let count = |kind, group: bool| {
        let log = kernel.log.iter();
        log.filter(|(k, id)| *k == kind && kernel.groups.contains_key(id) == group)
            .count()
    };
    [
        count(RTM_NEWNEXTHOP, false),
        count(RTM_NEWNEXTHOP, true),
        count(RTM_DELNEXTHOP, false),
        kernel
            .log
            .iter()
            .filter(|(k, _)| *k < RTM_NEWNEXTHOP)
            .count(),
    ]
}

#[test]
fn a_hop_that_no_group_wants_leaves_all_of_them_with_one_message() {
    let (mut fib, mut kernel) = box_of([&[11, 12], &[11, 13, 14]]);
    change(&mut fib, 1, &[12]);
    change(&mut fib, 2, &[13, 14]);
    assert_eq!(drain(&mut fib, &mut kernel), []);
    assert_eq!(written(&kernel), [0, 0, 1, 0]);
    assert_eq!(forwards(&mut fib, &kernel), [vec![12], vec![13, 14]]);
    assert_eq!(kernel.singles.len(), 3);
}

#[test]
fn a_hop_that_another_group_keeps_is_taken_out_by_replacing_the_group() {
    let (mut fib, mut kernel) = box_of([&[11, 12], &[11, 13]]);
    change(&mut fib, 1, &[12]);
    drain(&mut fib, &mut kernel);
    assert_eq!(written(&kernel), [0, 1, 0, 0]);
    assert_eq!(forwards(&mut fib, &kernel), [vec![12], vec![11, 13]]);
}

#[test]
fn a_hop_that_takes_the_place_of_another_everywhere_takes_its_singleton() {
    let (mut fib, mut kernel) = box_of([&[11], &[11, 13]]);
    let singletons: Vec<u32> = kernel.singles.keys().copied().collect();
    change(&mut fib, 1, &[12]);
    change(&mut fib, 2, &[12, 13]);
    drain(&mut fib, &mut kernel);
    assert_eq!(written(&kernel), [1, 0, 0, 0]);
    assert_eq!(forwards(&mut fib, &kernel), [vec![12], vec![12, 13]]);
    assert_eq!(
        singletons,
        kernel.singles.keys().copied().collect::<Vec<_>>()
    );
    change(&mut fib, 1, &[11]);
    change(&mut fib, 2, &[11, 13]);
    drain(&mut fib, &mut kernel);
    assert_eq!(forwards(&mut fib, &kernel), [vec![11], vec![11, 13]]);
}

#[test]
fn a_hop_that_takes_the_place_of_another_in_one_group_of_two_is_a_singleton_of_its_own() {
    let (mut fib, mut kernel) = box_of([&[11], &[11]]);
    change(&mut fib, 1, &[12]);
    drain(&mut fib, &mut kernel);
    assert_eq!(written(&kernel), [1, 1, 0, 0]);
    assert_eq!(forwards(&mut fib, &kernel), [vec![12], vec![11]]);
}

#[test]
fn a_refused_change_of_a_singleton_leaves_the_routes_where_they_were_until_it_may() {
    let (mut fib, mut kernel) = box_of([&[11], &[13]]);
    kernel.unreachable_gateways.insert(address(12));
    change(&mut fib, 1, &[12]);
    drain(&mut fib, &mut kernel);
    assert_eq!(forwards(&mut fib, &kernel), [vec![11], vec![13]]);
    kernel.unreachable_gateways.clear();
    change(&mut fib, 1, &[12]);
    assert_eq!(drain(&mut fib, &mut kernel), []);
    assert_eq!(forwards(&mut fib, &kernel), [vec![12], vec![13]]);
    assert_eq!((kernel.singles.len(), kernel.routes.len()), (2, 4));
}

#[test]
fn a_port_that_is_lost_before_its_singleton_could_change_costs_its_routes_a_rewrite() {
    let (mut fib, mut kernel) = box_of([&[11], &[12]]);
    kernel.carrier(10, false);
    change(&mut fib, 1, &[14]);
    drain(&mut fib, &mut kernel);
    fib.set_port("p0", 10, false);
    assert_eq!(drain(&mut fib, &mut kernel), []);
    assert_eq!(forwards(&mut fib, &kernel), [vec![14], vec![12]]);
    assert_eq!(kernel.routes.len(), 4);
}

#[test]
fn where_the_answer_to_a_shortcut_is_lost_every_group_is_written_whole() {
    for change_to in [&[12][..], &[12, 14]] {
        let (mut fib, mut kernel) = box_of([&[11, 12], &[11, 13]]);
        change(&mut fib, 1, change_to);
        change(&mut fib, 2, &[13]);
        let (bytes, first, last) = fib.next_batch(1 << 18, 0).unwrap().unwrap();
        kernel.apply(&bytes, first, last);
        fib.batch_done(&[]);
        // and somebody wants it again
        change(&mut fib, 2, &[11, 13]);
        drain(&mut fib, &mut kernel);
        let wanted = change_to.iter().map(|&id| id as u8).collect();
        assert_eq!(forwards(&mut fib, &kernel), [wanted, vec![11, 13]]);
    }
}

#[test]
fn where_each_group_has_its_backup_beside_a_failed_primary_is_one_message_for_all() {
    let (mut fib, mut kernel) = box_of([&[], &[]]);
    fib.set_weights(true, true);
    group(&mut fib, 1, &[(11, 1, 0), (12, 1, 1)]);
    group(&mut fib, 2, &[(11, 1, 0), (14, 1, 1)]);
    drain(&mut fib, &mut kernel);
    assert_eq!(forwards(&mut fib, &kernel), [vec![11, 12], vec![11, 14]]);
    kernel.log.clear();
    change(&mut fib, 1, &[12]);
    change(&mut fib, 2, &[14]);
    drain(&mut fib, &mut kernel);
    assert_eq!(written(&kernel), [0, 0, 1, 0]);
    assert_eq!(forwards(&mut fib, &kernel), [vec![12], vec![14]]);
}

#[test]
fn groups_under_ipv4_routes_are_replaced_which_costs_nothing() {
    let (mut fib, mut kernel) = (model(), Kernel::default());
    group(&mut fib, 1, &[(1, 1, 0), (2, 1, 0)]);
    put(&mut fib, 1, 1);
    drain(&mut fib, &mut kernel);
    kernel.log.clear();
    group(&mut fib, 1, &[(2, 1, 0)]);
    drain(&mut fib, &mut kernel);
    let kinds: Vec<u16> = kernel.log.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [RTM_NEWNEXTHOP, RTM_DELNEXTHOP]);
}

#[test]
fn routes_that_are_to_go_are_flushed_with_their_hop_only_where_that_is_cheaper() {
    for (many, flushed) in [(false, true), (true, false)] {
        let (mut fib, mut kernel) = box_of([&[11], &[11, 12]]);
        if many {
            (30..50).for_each(|number| put6(&mut fib, number, 1));
        } else {
            (30..50).for_each(|number| put6(&mut fib, number, 2));
        }
        drain(&mut fib, &mut kernel);
        kernel.log.clear();
        change(&mut fib, 1, &[]);
        change(&mut fib, 2, &[12]);
        drain(&mut fib, &mut kernel);
        assert_eq!(kernel.log[0].0 == RTM_DELNEXTHOP, flushed);
        assert_eq!(kernel.routes.len(), if many { 2 } else { 22 });
        assert_eq!((fib.pending(), kernel.groups.len()), (0, 1));
    }
}
