//! What is used beside the best path: multipath members and backup.

use super::*;

fn used(routes: &[Route], o: &Options) -> (u32, Vec<u32>, Option<u32>) {
    let c = chosen(routes, o);
    (c.best, c.rest, c.backup)
}

/// External paths with these router ids, in slots of their order.
fn tied(router_ids: &[u32]) -> Vec<Route> {
    let rows = router_ids.iter().zip(1..);
    rows.map(|(&id, n)| route(n).but(|r| r.router_id = id))
        .collect()
}

fn multipath() -> Options {
    Options {
        multipath_ebgp: 8,
        ..Options::default()
    }
}

#[test]
fn members_come_in_the_order_of_the_tie_breakers_and_no_more_than_allowed() {
    let rows = tied(&[3, 1, 4, 2]);
    assert_eq!(used(&rows, &multipath()), (1, vec![3, 0, 2], None));
    let two = Options {
        multipath_ebgp: 2,
        ..multipath()
    };
    assert_eq!(used(&rows, &two), (1, vec![3], None));
    let none = Options {
        multipath_ebgp: 1,
        multipath_ibgp: 9,
        ..multipath()
    };
    assert_eq!(used(&rows, &none), (1, vec![], None));
    let internal: Vec<Route> = rows
        .iter()
        .map(|r| r.clone().but(|r| r.ebgp = false))
        .collect();
    assert_eq!(used(&internal, &none), (1, vec![3, 0, 2], None));
}

#[test]
fn age_and_router_id_order_members_only_where_they_are_compared() {
    let mut rows = tied(&[3, 1, 2]);
    rows[2].since = 1;
    let oldest = Options {
        prefer_oldest: true,
        ..multipath()
    };
    assert_eq!(used(&rows, &oldest), (2, vec![1, 0], None));
    let alike = Options {
        compare_router_id: false,
        ..multipath()
    };
    assert_eq!(used(&rows, &alike), (0, vec![1, 2], None));
}

#[test]
fn what_lost_before_the_tie_breakers_is_no_member_and_another_as_path_only_if_relaxed() {
    let mut rows = tied(&[1, 2, 3, 4]);
    rows[1].igp_metric = 6;
    rows[2].as_path = vec![2];
    assert_eq!(used(&rows, &multipath()), (0, vec![3], None));
    let relaxed = Options {
        multipath_relax: true,
        ..multipath()
    };
    assert_eq!(used(&rows, &relaxed), (0, vec![2, 3], None));
}

#[test]
fn only_bgp_has_members_and_a_backup() {
    let rows: Vec<Route> = tied(&[1, 2]);
    let o = Options {
        backup: true,
        ..multipath()
    };
    let other = rows.iter().map(|r| r.clone().other(Kind::Static, 1));
    let rows: Vec<Route> = other.chain(rows.clone()).collect();
    assert_eq!(used(&rows, &o), (0, vec![], None));
    // Not even where a path of BGP wins over them are the others its backup
    let mut near = rows;
    near.iter_mut()
        .filter(|r| r.kind == Kind::Static)
        .for_each(|r| r.distance = 30);
    assert_eq!(used(&near, &o), (2, vec![3], None));
    assert_eq!(used(&near[..3], &o), (2, vec![], None));
}

#[test]
fn the_backup_is_the_best_path_with_a_next_hop_that_no_member_has() {
    let mut rows = tied(&[1, 2, 3, 4, 5]);
    let o = Options {
        multipath_ebgp: 2,
        backup: true,
        ..multipath()
    };
    assert_eq!(used(&rows, &o), (0, vec![1], Some(2)));
    rows[2].next_hop = rows[1].next_hop;
    assert_eq!(used(&rows, &o), (0, vec![1], Some(3)));
    rows[4].summary.local_pref = Some(99);
    rows[3].next_hop = rows[0].next_hop;
    assert_eq!(used(&rows, &o), (0, vec![1], Some(4)));
    rows[4].next_hop = rows[0].next_hop;
    assert_eq!(used(&rows, &o), (0, vec![1], None));
}

#[test]
fn the_backup_is_selected_from_the_set_that_the_members_leave() {
    // Without the best path, MED no longer takes the second out
    let rows: Vec<Route> = [(1, 0, 1), (1, 1, 2), (2, 0, 3)]
        .map(|(asn, med, metric)| {
            route(metric).but(|r| {
                (r.summary.neighbor_as, r.summary.med) = (asn, Some(med));
                r.igp_metric = metric;
            })
        })
        .to_vec();
    let o = Options {
        backup: true,
        ..Options::default()
    };
    assert_eq!(used(&rows, &o), (0, vec![], Some(1)));
}
