//! An audit and the kernel's own news put right what others did, and neither sees what is not there.
use proptest::prelude::*;

use super::super::netlink::RTM_DELNEXTHOP;
use super::super::{AgentFib, Drift, State};
use super::fixture::*;
use super::foreign::{key, Foreign};
use super::kernel::{Kernel, Route};
use super::properties::step;
use super::world::{Step, World};

/// Audit a kernel as it stands, nexthops then routes, and put right what was found.
fn audit(fib: &mut AgentFib, kernel: &mut Kernel) -> (Drift, Drift) {
    fib.audit_begin(false);
    fib.audit_nexthops(&kernel.dump_nexthops());
    let nexthops = fib.audit_end();
    drain(fib, kernel);
    fib.audit_begin(true);
    fib.audit_routes(&kernel.dump_routes());
    let routes = fib.audit_end();
    drain(fib, kernel);
    (nexthops, routes)
}

fn filled() -> (AgentFib, Kernel) {
    let (mut fib, mut kernel) = (model(), Kernel::default());
    group(&mut fib, 1, &[(1, 1, 0), (2, 1, 0)]);
    group(&mut fib, 2, &[(3, 1, 0)]);
    (0..9).for_each(|n| put(&mut fib, n, 1));
    (0..9).for_each(|n| put6(&mut fib, n, 2));
    drain(&mut fib, &mut kernel);
    (fib, kernel)
}

#[test]
fn deleted_replaced_and_foreign_routes_are_counted_and_put_right() {
    let (mut fib, mut kernel) = filled();
    let before = kernel.routes.clone();
    kernel.routes.remove(&key(false, 1));
    kernel.routes.remove(&key(true, 2));
    kernel.routes.get_mut(&key(false, 3)).unwrap().group = None;
    kernel.routes.get_mut(&key(false, 3)).unwrap().kind = 7;
    kernel.routes.insert(
        key(true, 99),
        Route {
            kind: 7,
            group: None,
        },
    );
    let (_, drift) = audit(&mut fib, &mut kernel);
    assert_eq!(
        (
            drift.compared,
            drift.missing,
            drift.different,
            drift.foreign,
            drift.held
        ),
        (17, 2, 1, 1, 0)
    );
    assert_eq!(kernel.routes, before);
}

#[test]
fn nothing_is_written_where_nothing_differs() {
    let (mut fib, mut kernel) = filled();
    let written = kernel.log.len();
    audit(&mut fib, &mut kernel);
    assert_eq!(kernel.log.len(), written);
}

#[test]
fn a_prefix_that_drifts_again_is_contested_told_and_tried_only_at_the_audit_after() {
    let (mut fib, mut kernel) = filled();
    let steal = |kernel: &mut Kernel| assert!(kernel.routes.remove(&key(false, 1)).is_some());
    steal(&mut kernel);
    assert_eq!(audit(&mut fib, &mut kernel).1.held, 0);
    steal(&mut kernel);
    let (_, drift) = audit(&mut fib, &mut kernel);
    assert_eq!((drift.missing, drift.held, drift.contested), (1, 1, 1));
    assert_eq!(drift.names, ["20.1.0.0/16"]);
    assert_eq!(drift.failures[0].3, 16);
    assert_eq!(state(&mut fib, 1), Some(State::Failed));
    assert!(!kernel.routes.contains_key(&key(false, 1)));
    let (_, drift) = audit(&mut fib, &mut kernel);
    assert_eq!((drift.missing, drift.held, drift.contested), (0, 0, 1));
    assert!(kernel.routes.contains_key(&key(false, 1)));
    for _ in 0..12 {
        audit(&mut fib, &mut kernel);
    }
    assert_eq!(
        audit(&mut fib, &mut kernel).1.contested,
        0,
        "it is forgotten after a while"
    );
    steal(&mut kernel);
    assert_eq!(audit(&mut fib, &mut kernel).1.held, 0);
}

#[test]
fn what_was_found_at_start_and_is_taken_away_cannot_be_repaired_before_a_controller_speaks() {
    let (_, mut kernel) = filled();
    let mut fib = model();
    fib.adopt_nexthops(&kernel.dump_nexthops());
    fib.adopt_routes(&kernel.dump_routes());
    kernel.routes.remove(&key(false, 1));
    let (nexthops, drift) = audit(&mut fib, &mut kernel);
    assert_eq!(nexthops, Drift::default());
    assert_eq!((drift.missing, drift.held, drift.contested), (1, 1, 0));
    assert_eq!(audit(&mut fib, &mut kernel).1.held, 0);
    assert_eq!(kernel.routes.len(), 17);
}

#[test]
fn what_the_controller_asks_again_is_written_though_it_was_held() {
    let (mut fib, mut kernel) = filled();
    for _ in 0..2 {
        kernel.routes.remove(&key(false, 1));
        audit(&mut fib, &mut kernel);
    }
    put(&mut fib, 1, 1);
    drain(&mut fib, &mut kernel);
    assert!(kernel.routes.contains_key(&key(false, 1)));
}

#[test]
fn a_flush_of_all_nexthops_is_rebuilt_from_the_news_alone() {
    let (mut fib, mut kernel) = filled();
    let before = kernel.clone();
    let singles: Vec<u32> = kernel.singles.keys().copied().collect();
    let news: Vec<u8> = singles
        .iter()
        .chain(kernel.groups.keys())
        .flat_map(|&id| kernel.nexthop_message(RTM_DELNEXTHOP, id))
        .collect();
    kernel.shrink(&singles.iter().copied().collect());
    kernel.singles.clear();
    assert!(kernel.routes.is_empty());
    // the deleted singletons emptied the groups already when the kernel says so of the groups
    assert_eq!(fib.nexthop_events(&news).0, singles.len());
    drain(&mut fib, &mut kernel);
    assert_eq!(
        (&kernel.routes, &kernel.groups, &kernel.singles),
        (&before.routes, &before.groups, &before.singles)
    );
    assert!(!kernel.log[before.log.len()..]
        .iter()
        .any(|(kind, _)| *kind == RTM_DELNEXTHOP));
}

#[test]
fn news_of_a_group_that_ended_with_its_singleton_in_the_same_read_is_nothing_new() {
    let (_, kernel) = filled();
    let mut again = model();
    again.adopt_nexthops(&kernel.dump_nexthops()); // no route is on them, and no stream names them
    drain(&mut again, &mut kernel.clone());
    let ids = kernel.singles.keys().chain(kernel.groups.keys());
    let news: Vec<u8> = ids
        .chain(kernel.singles.keys())
        .flat_map(|&id| kernel.nexthop_message(RTM_DELNEXTHOP, id))
        .collect();
    assert_eq!(again.nexthop_events(&news), (kernel.singles.len(), 0));
    assert!(again.next_batch(1 << 18, 0).unwrap().is_none());
}

#[test]
fn lost_news_of_a_flush_is_found_by_the_audit_of_nexthops_alone() {
    let (mut fib, mut kernel) = filled();
    let before = kernel.clone();
    let singles = std::mem::take(&mut kernel.singles);
    kernel.shrink(&singles.keys().copied().collect());
    fib.audit_begin(false);
    fib.audit_nexthops(&kernel.dump_nexthops());
    let drift = fib.audit_end();
    assert_eq!((drift.nexthops_missing, drift.held), (singles.len(), 0));
    drain(&mut fib, &mut kernel);
    assert_eq!(
        (&kernel.routes, &kernel.groups),
        (&before.routes, &before.groups)
    );
}

#[test]
fn an_audit_that_was_given_up_judges_nothing() {
    let (mut fib, _) = filled();
    fib.audit_begin(true);
    fib.audit_routes(&[]);
    fib.audit_abandon();
    assert_eq!(fib.audit_end(), Drift::default());
    assert!(fib.next_batch(1 << 18, 0).unwrap().is_none());
}

fn foreign() -> impl Strategy<Value = Foreign> {
    prop_oneof![
        4 => (any::<bool>(), 0u8..10).prop_map(|(v6, n)| Foreign::DeleteRoute(v6, n)),
        4 => (any::<bool>(), 0u8..12, prop::option::of(0usize..8))
            .prop_map(|(v6, n, group)| Foreign::PutRoute(v6, n, group)),
        3 => (0usize..12).prop_map(Foreign::DeleteNexthop),
        2 => (0usize..8).prop_map(Foreign::MoveNexthop),
        1 => (0u32..3).prop_map(Foreign::NewNexthop),
        1 => (0u32..3, 0usize..8).prop_map(|(id, n)| Foreign::NewGroup(id, n)),
    ]
}

fn alone() -> impl Strategy<Value = Step> {
    prop_oneof![12 => step(), 4 => Just(Step::Audit), 3 => Just(Step::Slice)]
}

fn among_others() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => alone(),
        4 => foreign().prop_map(Step::Foreign),
        4 => Just(Step::Event),
        1 => Just(Step::Overrun),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_audit_sees_no_drift_where_nobody_else_writes(steps in prop::collection::vec(alone(), 1..150)) {
        let mut world = World::new();
        for step in steps {
            world.run(step);
        }
        world.finish();
        world.whole_audit();
        for drift in &world.drifts {
            let seen = Drift { compared: drift.compared, ..Drift::default() };
            prop_assert_eq!(drift, &seen);
        }
        world.finish();
        world.check();
    }

    #[test]
    fn whatever_others_do_to_the_kernel_audits_and_its_news_put_right(
        steps in prop::collection::vec(among_others(), 1..150)
    ) {
        let mut world = World::new();
        for step in steps {
            world.run(step);
        }
        world.audit_until_clean();
        world.check();
        world.forget_all();
    }
}
