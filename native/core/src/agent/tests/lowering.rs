//! What groups become on this box.
use super::super::netlink::*;
use super::super::{Peer, State};
use super::fixture::*;
use super::kernel::Kernel;

#[test]
fn a_refused_gateway_leaves_its_group_and_the_others_carry_on() {
    let (mut fib, mut kernel) = (model(), Kernel::default());
    kernel.unreachable_gateways.insert(HOPS[0].2.to_vec());
    group(&mut fib, 1, &[(1, 1, 0), (2, 1, 0)]);
    put(&mut fib, 1, 1);
    assert_eq!(drain(&mut fib, &mut kernel), []);
    assert_eq!(state(&mut fib, 1), Some(State::Installed));
    let id = kernel_group(&mut fib, 1);
    assert_eq!(gateways(&kernel, id), [(HOPS[1].2.to_vec(), 1)]);
    // being put again is the sign to try again
    kernel.unreachable_gateways.clear();
    group(&mut fib, 1, &[(1, 1, 0), (2, 1, 0)]);
    drain(&mut fib, &mut kernel);
    assert_eq!(kernel.groups[&id].len(), 2);
}

#[test]
fn where_every_gateway_is_refused_each_route_fails_with_the_reason_and_recovers() {
    let (mut fib, mut kernel) = (model(), Kernel::default());
    kernel.unreachable_gateways.insert(HOPS[0].2.to_vec());
    group(&mut fib, 1, &[(1, 1, 0)]);
    put(&mut fib, 1, 1);
    put(&mut fib, 2, 1);
    let failures = drain(&mut fib, &mut kernel);
    let failure = |number| {
        (
            1,
            vec![20, number, 0, 0],
            16,
            113,
            "as the test wills".to_owned(),
        )
    };
    assert_eq!(failures, [failure(1), failure(2)]);
    assert_eq!(
        (state(&mut fib, 1), fib.counts().failed, fib.pending()),
        (Some(State::Failed), 2, 0)
    );
    assert_eq!(fib.route(1, &[20, 1, 0, 0], 16).unwrap().errno, 113);
    kernel.unreachable_gateways.clear();
    group(&mut fib, 1, &[(1, 1, 0)]);
    assert_eq!(drain(&mut fib, &mut kernel), []);
    assert_eq!((kernel.routes.len(), fib.counts().failed), (2, 0));
}

#[test]
fn a_route_that_is_put_again_gives_the_next_hop_that_was_refused_another_chance() {
    let (mut fib, mut kernel) = (model(), Kernel::default());
    kernel.unreachable_gateways.insert(HOPS[0].2.to_vec());
    group(&mut fib, 1, &[(1, 1, 0)]);
    put(&mut fib, 1, 1);
    put(&mut fib, 2, 1);
    assert_eq!(drain(&mut fib, &mut kernel).len(), 2);
    assert_eq!(Vec::from_iter(fib.failed_by_errno()), [(113, 2)]);
    kernel.unreachable_gateways.clear();
    put(&mut fib, 1, 1);
    assert_eq!(drain(&mut fib, &mut kernel), []);
    assert_eq!(state(&mut fib, 1), Some(State::Installed));
    assert_eq!((kernel.routes.len(), fib.failed_by_errno().len()), (2, 0));
}

#[test]
fn backups_carry_only_when_no_primary_lowers() {
    let (mut fib, mut kernel) = (model(), Kernel::default());
    group(&mut fib, 1, &[(1, 1, 0), (2, 1, 1)]);
    put(&mut fib, 1, 1);
    drain(&mut fib, &mut kernel);
    let id = kernel_group(&mut fib, 1);
    assert_eq!(gateways(&kernel, id), [(HOPS[0].2.to_vec(), 1)]);
    kernel.carrier(10, false);
    fib.set_port("p0", 10, false);
    drain(&mut fib, &mut kernel);
    assert_eq!(gateways(&kernel, id), [(HOPS[1].2.to_vec(), 1)]);
    assert_eq!(kernel.routes.len(), 1);
}

#[test]
fn weights_above_255_keep_their_proportion() {
    let (mut fib, mut kernel) = (model(), Kernel::default());
    group(&mut fib, 1, &[(1, 60000, 0), (2, 30000, 0), (3, 1, 0)]);
    put(&mut fib, 1, 1);
    drain(&mut fib, &mut kernel);
    let id = kernel_group(&mut fib, 1);
    let weights: Vec<u16> = kernel.groups[&id].iter().map(|member| member.1).collect();
    assert_eq!(weights, [255, 127, 1]);
}

#[test]
fn where_the_kernel_has_sixteen_bits_weights_are_as_told() {
    let (mut fib, mut kernel) = (model(), Kernel::default());
    fib.set_weights(true, false);
    group(&mut fib, 1, &[(1, 60000, 0), (2, 30000, 0), (3, 1, 0)]);
    put(&mut fib, 1, 1);
    drain(&mut fib, &mut kernel);
    let id = kernel_group(&mut fib, 1);
    let weights: Vec<u16> = kernel.groups[&id].iter().map(|member| member.1).collect();
    assert_eq!(weights, [60000, 30000, 1]);
}

#[test]
fn a_weighted_backup_stands_beside_and_carries_without_a_message() {
    for (wide, most) in [(true, 65535), (false, 255)] {
        let (mut fib, mut kernel) = (model(), Kernel::default());
        fib.set_weights(wide, true);
        group(&mut fib, 1, &[(1, 1, 0), (2, 1, 1)]);
        put(&mut fib, 1, 1);
        drain(&mut fib, &mut kernel);
        let id = kernel_group(&mut fib, 1);
        let (primary, backup) = (HOPS[0].2.to_vec(), HOPS[1].2.to_vec());
        assert_eq!(
            gateways(&kernel, id),
            [(primary, most), (backup.clone(), 1)]
        );
        kernel.carrier(10, false);
        assert_eq!(
            (gateways(&kernel, id), kernel.routes.len()),
            (vec![(backup, 1)], 1)
        );
        kernel.log.clear();
        fib.set_port("p0", 10, false);
        drain(&mut fib, &mut kernel);
        // that the singleton is gone is made sure of; neither group nor route is touched
        assert_eq!(kernel.log, [(RTM_DELNEXTHOP, 1000)]);
    }
}

#[test]
fn an_owner_of_a_primary_never_repairs_over_the_fabric() {
    let (mut fib, mut kernel) = (model(), Kernel::default());
    let east = |v4| Peer {
        v4: Some(v4),
        v6: None,
    };
    fib.set_port("f", 12, true);
    fib.set_fabric(Some("f"), &[("east".into(), east([10, 9, 0, 2]))]);
    fib.put_adjacencies(&[(9, "east", "x", &[10, 7, 0, 1], 0)])
        .unwrap();
    // east would send it straight back until it is told
    group(&mut fib, 1, &[(1, 1, 0), (9, 1, 1)]);
    group(&mut fib, 2, &[(1, 1, 0), (9, 1, 1), (2, 1, 1)]);
    group(&mut fib, 3, &[(9, 1, 0), (2, 1, 1)]);
    (1..4).for_each(|id| put(&mut fib, id as u8, id));
    drain(&mut fib, &mut kernel);
    kernel.carrier(10, false);
    fib.set_port("p0", 10, false);
    drain(&mut fib, &mut kernel);
    assert_eq!(state(&mut fib, 1), Some(State::Unresolved));
    let own = (HOPS[1].2.to_vec(), 1);
    let second = kernel_group(&mut fib, 2);
    assert_eq!(gateways(&kernel, second), std::slice::from_ref(&own));
    // a box that owns none sends to the owner, and repairs with its own where the fabric is lost
    let third = kernel_group(&mut fib, 3);
    assert_eq!(gateways(&kernel, third), [(vec![10, 9, 0, 2], 1)]);
    kernel.carrier(12, false);
    fib.set_port("f", 12, false);
    drain(&mut fib, &mut kernel);
    let third = kernel_group(&mut fib, 3);
    assert_eq!(gateways(&kernel, third), [own]);
    // told that the other is primary now, it may
    fib.set_port("f", 12, true);
    kernel.carrier(12, true);
    group(&mut fib, 1, &[(9, 1, 0)]);
    drain(&mut fib, &mut kernel);
    assert_eq!(state(&mut fib, 1), Some(State::Installed));
}

#[test]
fn routes_of_another_box_go_over_the_fabric_and_come_back_with_it() {
    let (mut fib, mut kernel) = (model(), Kernel::default());
    let v6 = [0xfe; 16];
    fib.set_port("f", 12, true);
    fib.set_fabric(
        Some("f"),
        &[(
            "east".into(),
            Peer {
                v4: Some([10, 9, 0, 2]),
                v6: Some(v6),
            },
        )],
    );
    fib.put_adjacencies(&[
        (8, "east", "x", &[10, 7, 0, 1], 0),
        (9, "east", "y", &v6, 0),
    ])
    .unwrap();
    group(&mut fib, 1, &[(8, 1, 0), (9, 2, 0)]);
    group(&mut fib, 2, &[(8, 1, 0), (1, 1, 0)]);
    put(&mut fib, 1, 1);
    put(&mut fib, 2, 2);
    put6(&mut fib, 1, 1);
    drain(&mut fib, &mut kernel);
    let (far, mixed) = (kernel_group(&mut fib, 1), kernel_group(&mut fib, 2));
    assert_eq!(gateways(&kernel, far), [(vec![10, 9, 0, 2], 3)]);
    assert_eq!(
        gateways(&kernel, mixed),
        [(HOPS[0].2.to_vec(), 1)],
        "a local member keeps it local"
    );
    assert!(kernel
        .singles
        .values()
        .any(|single| single.gateway == v6 && single.flags == RTNH_F_ONLINK));
    fib.set_fabric(None, &[]);
    drain(&mut fib, &mut kernel);
    assert_eq!(
        (state(&mut fib, 1), kernel.routes.len()),
        (Some(State::Unresolved), 1)
    );
    fib.set_fabric(
        Some("f"),
        &[(
            "east".into(),
            Peer {
                v4: None,
                v6: Some(v6),
            },
        )],
    );
    drain(&mut fib, &mut kernel);
    let again = kernel_group(&mut fib, 1);
    assert_eq!(
        (gateways(&kernel, again), kernel.routes.len()),
        (vec![(v6.to_vec(), 3)], 3)
    );
}

#[test]
fn local_routes_count_as_installed_and_nothing_is_written() {
    let mut fib = model();
    fib.put_adjacencies(&[(9, "me", "p0", &[], 2)]).unwrap();
    fib.put_groups(&[(1, &[1; 16], 2, &members(&[(9, 1, 0)]))])
        .unwrap();
    put(&mut fib, 1, 1);
    assert_eq!(fib.next_batch(1 << 18, 0), Ok(None));
    assert_eq!(
        (state(&mut fib, 1), fib.installed(), fib.pending()),
        (Some(State::Local), 1, 0)
    );
}

#[test]
fn a_group_that_went_while_it_was_being_replaced_is_written_anew() {
    let (mut fib, mut kernel) = (model(), Kernel::default());
    group(&mut fib, 1, &[(1, 1, 0)]);
    group(&mut fib, 2, &[(1, 1, 0), (2, 1, 0)]);
    put(&mut fib, 1, 1);
    put(&mut fib, 2, 2);
    drain(&mut fib, &mut kernel);
    kernel.carrier(10, false);
    group(&mut fib, 1, &[(2, 1, 0)]);
    let (bytes, first, last) = fib.next_batch(1 << 18, 0).unwrap().unwrap();
    let refused = kernel.apply(&bytes, first, last);
    fib.set_port("p0", 10, false); // heard before the answer is read
    assert_eq!(fib.batch_done(&refused), []);
    assert_eq!(drain(&mut fib, &mut kernel), []);
    let id = kernel_group(&mut fib, 1);
    assert_eq!(gateways(&kernel, id), [(HOPS[1].2.to_vec(), 1)]);
    assert_eq!(kernel.routes.len(), 2);
}
