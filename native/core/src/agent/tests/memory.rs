//! What an agent knows in its next life.
use super::super::netlink::RTM_NEWROUTE;
use super::super::{AgentFib, State};
use super::fixture::*;
use super::kernel::Kernel;

/// Killed and started again: what the kernel holds, and what was written down.
fn reborn(kernel: &Kernel, memory: &[u8]) -> AgentFib {
    let mut fib = model();
    fib.adopt_nexthops(&kernel.dump_nexthops());
    fib.adopt_routes(&kernel.dump_routes());
    fib.recall(memory);
    fib.set_digest_key([3; 16]);
    fib
}

/// One route over two ports, one of this box itself, one of no use, one unreachable.
fn grown() -> (AgentFib, Kernel) {
    let (mut fib, mut kernel) = (model(), Kernel::default());
    fib.set_digest_key([3; 16]);
    group(&mut fib, 1, &[(1, 1, 0), (2, 2, 0)]);
    fib.put_adjacencies(&[(8, "me", "lo", &[], 2), (9, "me", "p7", &[10, 7, 0, 1], 0)])
        .unwrap();
    let rows = [(8, 2), (9, 0)].map(|(id, kind)| (id, kind, members(&[(id, 1, 0)])));
    for (id, kind, packed) in &rows {
        fib.put_groups(&[(*id, &[*id as u8; 16], *kind, packed)])
            .unwrap();
    }
    fib.put_groups(&[(6, &[6; 16], 3, &[])]).unwrap();
    for (number, id) in [(1, 1), (2, 1), (3, 8), (4, 9), (5, 6)] {
        put(&mut fib, number, id);
    }
    put6(&mut fib, 1, 8);
    drain(&mut fib, &mut kernel);
    assert_eq!(kernel.routes.len(), 3);
    (fib, kernel)
}

#[test]
fn an_agent_that_starts_again_knows_by_key_all_that_it_held() {
    let (mut before, mut kernel) = grown();
    assert!(before.unsaved());
    let memory = before.memory();
    assert!(!before.unsaved());
    let mut fib = reborn(&kernel, &memory);
    assert_eq!(
        (fib.next_batch(1 << 18, 0), fib.unsaved()),
        (Ok(None), false)
    );
    let (wanted, found) = (before.shard_sums(), fib.shard_sums());
    let kept: Vec<_> = wanted
        .iter()
        .zip(&found)
        .map(|((table, a), (_, b))| (*table, a.equal(&b.to_bytes())))
        .collect();
    assert!(kept.iter().all(|(_, set)| set.is_all()));
    fib.snapshot_begin(&kept);
    fib.put_adjacencies(&[(1, "me", "p0", HOPS[0].2, 0), (2, "me", "p1", HOPS[1].2, 0)])
        .unwrap();
    fib.put_adjacencies(&[(8, "me", "lo", &[], 2), (9, "me", "p7", &[10, 7, 0, 1], 0)])
        .unwrap();
    group(&mut fib, 1, &[(1, 1, 0), (2, 2, 0)]);
    for (id, kind) in [(8, 2), (9, 0)] {
        fib.put_groups(&[(id, &[id as u8; 16], kind, &members(&[(id, 1, 0)]))])
            .unwrap();
    }
    fib.put_groups(&[(6, &[6; 16], 3, &[])]).unwrap();
    let (count, digest) = before.digest();
    assert!(fib.snapshot_end(count, digest, true).0);
    let held = (kernel.routes.clone(), kernel.groups.clone());
    assert_eq!(fib.next_batch(1 << 18, 0), Ok(None), "nothing to write");
    assert_eq!((&kernel.routes, &kernel.groups), (&held.0, &held.1));
    fib.set_port("p7", 17, true);
    drain(&mut fib, &mut kernel);
    assert_eq!(kernel.routes.len(), 4, "what was of no use then");
}

#[test]
fn what_a_lost_port_took_before_the_stream_spoke_comes_back_with_it() {
    let (mut before, mut kernel) = (model(), Kernel::default());
    group(&mut before, 1, &[(1, 1, 0)]);
    put(&mut before, 1, 1);
    drain(&mut before, &mut kernel);
    let mut fib = reborn(&kernel, &before.memory());
    for up in [false, true] {
        kernel.carrier(10, up);
        fib.set_port("p0", 10, up);
        drain(&mut fib, &mut kernel);
    }
    assert!(kernel.routes.is_empty());
    let sums = fib.shard_sums();
    let all = [(1, sums[0].1.equal(&sums[0].1.to_bytes()))];
    fib.snapshot_begin(&all);
    fib.put_adjacencies(&[(1, "me", "p0", HOPS[0].2, 0)])
        .unwrap();
    group(&mut fib, 1, &[(1, 1, 0)]);
    drain(&mut fib, &mut kernel);
    assert_eq!(kernel.routes.len(), 1);
}

#[test]
fn a_group_whose_content_has_changed_meanwhile_is_rewritten_and_its_routes_are_not() {
    let (mut before, mut kernel) = (model(), Kernel::default());
    group(&mut before, 1, &[(1, 1, 0)]);
    put(&mut before, 1, 1);
    drain(&mut before, &mut kernel);
    let mut fib = reborn(&kernel, &before.memory());
    let sums = fib.shard_sums();
    fib.snapshot_begin(&[(1, sums[0].1.equal(&sums[0].1.to_bytes()))]);
    fib.put_adjacencies(&[(2, "me", "p1", HOPS[1].2, 0)])
        .unwrap();
    group(&mut fib, 1, &[(2, 1, 0)]);
    let routes = kernel.routes.clone();
    kernel.log.clear();
    drain(&mut fib, &mut kernel);
    assert!(kernel.log.iter().all(|(kind, _)| *kind != RTM_NEWROUTE));
    assert_eq!(kernel.routes, routes);
    let id = kernel.groups.keys().next().copied().unwrap();
    assert_eq!(gateways(&kernel, id), [(HOPS[1].2.to_vec(), 1)]);
}

#[test]
fn a_memory_of_another_life_of_the_kernel_or_of_nonsense_is_of_no_use() {
    let (mut before, kernel) = grown();
    let memory = before.memory();
    let mut fib = reborn(&Kernel::default(), &memory);
    assert_eq!((fib.counts().stale, fib.shard_sums()[0].1.root()), (0, 0));
    group(&mut fib, 1, &[(1, 1, 0)]);
    put(&mut fib, 1, 1);
    let mut new = Kernel::default();
    drain(&mut fib, &mut new);
    let highest = kernel.groups.keys().chain(kernel.singles.keys()).max();
    assert!(new.groups.keys().chain(new.singles.keys()).min() > highest);
    for cut in 0..memory.len() {
        let fib = reborn(&kernel, &memory[..cut]);
        assert_eq!(fib.shard_sums()[0].1.root(), 0);
    }
}

#[test]
fn what_is_remembered_is_lowered_also_while_the_kernel_refuses_something() {
    let (mut before, mut kernel) = grown();
    let mut fib = reborn(&kernel, &before.memory());
    fib.snapshot_begin(&[]);
    kernel.unreachable_gateways.insert(vec![10, 9, 9, 9]);
    fib.put_adjacencies(&[
        (20, "me", "p0", &[10, 9, 9, 9], 0),
        (9, "me", "p0", HOPS[0].2, 0),
    ])
    .unwrap();
    group(&mut fib, 20, &[(20, 1, 0)]);
    put(&mut fib, 9, 20);
    assert_eq!(drain(&mut fib, &mut kernel).len(), 1);
    group(&mut fib, 9, &[(9, 1, 0)]);
    put(&mut fib, 4, 9);
    drain(&mut fib, &mut kernel);
    assert_eq!(state(&mut fib, 4), Some(State::Installed));
}
