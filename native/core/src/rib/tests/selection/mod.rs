//! Selection without tables: routes as plain values, made candidates for one comparison.

mod properties;
mod used;

use crate::prefix::Ip;
use crate::rib::choice::{choose, explain, Choice};
use crate::rib::infos::{InfoId, Infos, Key};
use crate::rib::options::Options;
use crate::rib::select::{leader, select, Candidate, Step};
use crate::rib::source::{Kind, Source};
use crate::rib::table::Path;
use crate::wire::attributes::{push, Summary};
use crate::wire::code;
use crate::wire::next_hop::NextHop;

/// What of a path selection looks at.
#[derive(Clone, Debug)]
pub(super) struct Route {
    kind: Kind,
    source: u32,
    path_id: u32,
    since: u32,
    weight: u16,
    ebgp: bool,
    router_id: u32,
    address: Ip,
    distance: u32,
    metric: u32,
    /// A number for the next hop, and how far it is.
    next_hop: u32,
    igp_metric: u32,
    as_path: Vec<u8>,
    aigp: Option<u64>,
    summary: Summary,
}

/// An external path of BGP; equal to any other but for its source.
pub fn route(source: u32) -> Route {
    Route {
        kind: Kind::Bgp,
        source,
        path_id: 5,
        since: 5,
        weight: 5,
        ebgp: true,
        router_id: 5,
        address: Ip::V4(5),
        distance: 20,
        metric: 5,
        next_hop: source,
        igp_metric: 5,
        as_path: vec![1],
        aigp: None,
        summary: Summary {
            neighbor_as: 65001,
            path_len: 5,
            cluster_len: 5,
            ..Summary::default()
        },
    }
}

impl Route {
    fn but(mut self, change: impl FnOnce(&mut Route)) -> Route {
        change(&mut self);
        self
    }

    fn other(self, kind: Kind, distance: u32) -> Route {
        self.but(|r| (r.kind, r.distance) = (kind, distance))
    }
}

/// The routes, stored as tables do; the slot of each is its place.
pub struct Stored(Vec<(Path, InfoId, Source, u32)>, Infos);

impl Stored {
    pub fn of(routes: &[Route]) -> Stored {
        let mut infos = Infos::default();
        let rows = routes.iter().map(|r| {
            let mut attributes = Vec::new();
            push(&mut attributes, 0x40, code::AS_PATH, &r.as_path);
            if let Some(n) = r.aigp {
                let tlv = [&[1, 0, 11][..], &n.to_be_bytes()].concat();
                push(&mut attributes, 0x80, code::AIGP, &tlv);
            }
            let key = Key {
                kind: r.kind,
                next_hops: r.next_hop,
                distance: None,
                metric: r.metric,
                tag: r.source << 16 | r.path_id, // no two are one
                attributes: &attributes,
                told: NextHop::default(),
            };
            let summary = Summary {
                aigp: r.aigp.is_some(),
                ..r.summary
            };
            let (info, _) = infos.intern(key, summary);
            let path = Path {
                source: r.source,
                path_id: r.path_id,
                info,
                since: r.since,
                next: 0,
            };
            let source = Source {
                ebgp: r.ebgp,
                router_id: r.router_id,
                address: r.address,
                distance: r.distance,
                weight: r.weight,
                ..Source::own(r.kind, 0)
            };
            (path, info, source, r.igp_metric)
        });
        Stored(rows.collect(), infos)
    }

    pub fn in_order(&self, order: &[usize]) -> Vec<Candidate<'_>> {
        let rows = order.iter().map(|&at| {
            let (given, info, source, igp_metric) = &self.0[at];
            Candidate {
                path: at as u32,
                igp_metric: *igp_metric,
                stale: false,
                given,
                info: &self.1[*info],
                source,
            }
        });
        rows.collect()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// Best, deciding step, and the step of each loser by its slot.
pub type Selected = Option<(u32, Step, Vec<(u32, Step)>)>;

pub fn selected(mut c: Vec<Candidate>, o: &Options) -> Selected {
    let mut lost = Vec::new();
    let (best, step) = select(&mut c, o, &mut |p, s| lost.push((p, s)))?;
    lost.sort();
    Some((best, step, lost))
}

/// Of two, in whichever order they come and however they are compared.
fn duel(a: Route, b: Route, o: &Options) -> (u32, Step) {
    let stored = Stored::of(&[a, b]);
    let results = [[0, 1], [1, 0]].map(|order| {
        let c = stored.in_order(&order);
        let seen = leader(c.iter().copied(), o).unwrap_or_else(|_| panic!("an order"));
        let (best, step, lost) = selected(c, o).expect("one is best");
        assert_eq!(seen, Some((best, step)));
        assert_eq!(lost, [(1 - best, step)]);
        (best, step)
    });
    assert_eq!(results[0], results[1]);
    results[0]
}

fn chosen(routes: &[Route], o: &Options) -> Choice {
    let stored = Stored::of(routes);
    let order: Vec<usize> = (0..routes.len()).collect();
    let explained = explain(&mut stored.in_order(&order), o, &mut |_, _| {});
    let chosen = choose(&mut stored.in_order(&order), o);
    assert_eq!(chosen, explained);
    chosen.expect("one is best")
}

#[test]
fn of_two_paths_the_first_step_that_tells_them_apart_decides_whatever_the_later_ones_say() {
    /// Makes a route better or worse than it is.
    type Make = fn(&mut Route, bool);
    let steps: [(Step, Make); 14] = [
        (Step::Weight, |r, good| r.weight = if good { 6 } else { 4 }),
        // RFC 4271 9.1.1
        (Step::LocalPref, |r, good| {
            r.summary.local_pref = Some(if good { 101 } else { 99 })
        }),
        // RFC 7311 4.1
        (Step::Aigp, |r, good| {
            r.aigp = Some(if good { 40 } else { 60 })
        }),
        // RFC 4271 9.1.2.2 a
        (Step::AsPathLength, |r, good| {
            r.summary.path_len = if good { 4 } else { 6 }
        }),
        // b
        (Step::Origin, |r, good| {
            r.summary.origin = if good { 0 } else { 1 }
        }),
        // c
        (Step::Med, |r, good| {
            r.summary.med = Some(if good { 0 } else { 1 })
        }),
        // d
        (Step::EbgpOverIbgp, |r, good| r.ebgp = good),
        // e
        (Step::IgpMetric, |r, good| {
            r.igp_metric = if good { 4 } else { 6 }
        }),
        // RFC 5004 3
        (Step::Oldest, |r, good| r.since = if good { 4 } else { 6 }),
        // RFC 4271 9.1.2.2 f
        (Step::RouterId, |r, good| {
            r.router_id = if good { 4 } else { 6 }
        }),
        // RFC 4456 9
        (Step::ClusterListLength, |r, good| {
            r.summary.cluster_len = if good { 4 } else { 6 }
        }),
        // RFC 4271 9.1.2.2 g
        (Step::PeerAddress, |r, good| {
            r.address = if good { Ip::V4(u32::MAX) } else { Ip::V6(1) }
        }),
        (Step::PathId, |r, good| r.path_id = if good { 4 } else { 6 }),
        (Step::Source, |r, good| r.source = if good { 4 } else { 6 }),
    ];
    let o = Options {
        prefer_oldest: true,
        ..Options::default()
    };
    for (at, (step, change)) in steps.iter().enumerate() {
        let [a, b] = [true, false].map(|good| {
            let mut r = route(5);
            change(&mut r, good);
            let later = &steps[at + 1..];
            later.iter().for_each(|(_, change)| change(&mut r, !good));
            r
        });
        assert_eq!(duel(a, b, &o), (0, *step));
    }
}

#[test]
fn a_reflected_route_has_the_router_id_of_its_originator() {
    // RFC 4456 9
    let reflected = route(1).but(|r| (r.router_id, r.summary.originator_id) = (9, Some(4)));
    let found = duel(reflected, route(2), &Options::default());
    assert_eq!(found, (0, Step::RouterId));
}

#[test]
fn a_missing_local_pref_is_the_default_and_a_missing_med_the_least_or_the_greatest() {
    let told = |pref| route(1).but(|r| r.summary.local_pref = Some(pref));
    let o = Options::default();
    assert_eq!(duel(told(99), route(2), &o), (1, Step::LocalPref));
    let low = Options {
        default_local_pref: 98,
        ..o
    };
    assert_eq!(duel(told(99), route(2), &low), (0, Step::LocalPref));
    let with = |med| route(2).but(|r| r.summary.med = Some(med));
    assert_eq!(duel(with(0), route(3), &o), (0, Step::Source)); // RFC 4271 9.1.2.2 c
    assert_eq!(duel(with(1), route(3), &o), (1, Step::Med));
    let worst = Options {
        missing_med_as_worst: true,
        ..o
    };
    assert_eq!(duel(with(u32::MAX - 1), route(1), &worst), (0, Step::Med));
    assert_eq!(duel(with(u32::MAX), route(1), &worst), (1, Step::Source));
}

#[test]
fn med_is_compared_within_one_neighbouring_as_unless_always() {
    let [a, b] = [(1, 9), (2, 8)]
        .map(|(n, med)| route(n).but(|r| (r.summary.neighbor_as, r.summary.med) = (n, Some(med))));
    let stored = Stored::of(&[a, b]);
    let o = Options::default();
    // Neither order of two is asked for where MED tells some apart and not others
    assert!(leader(stored.in_order(&[0, 1]).into_iter(), &o).is_err());
    let found = selected(stored.in_order(&[1, 0]), &o);
    assert_eq!(found, Some((0, Step::Source, vec![(1, Step::Source)])));
    let always = Options {
        always_compare_med: true,
        ..o
    };
    let found = leader(stored.in_order(&[0, 1]).into_iter(), &always);
    assert_eq!(found.ok(), Some(Some((1, Step::Med))));
}

#[test]
fn med_eliminates_from_the_set_before_nearness_is_looked_at() {
    // Each beats another when only two are compared; RFC 4271 9.1.2.2 c takes the far one with the high MED out first
    let rows = [(1, 10, 1), (2, 0, 2), (1, 5, 3)];
    let routes = rows.map(|(asn, med, metric)| {
        route(metric).but(|r| {
            (r.summary.neighbor_as, r.summary.med) = (asn, Some(med));
            r.igp_metric = metric;
        })
    });
    let stored = Stored::of(&routes);
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let found = selected(stored.in_order(&order), &Options::default());
        let lost = vec![(0, Step::Med), (2, Step::IgpMetric)];
        assert_eq!(found, Some((1, Step::IgpMetric, lost)));
    }
}

#[test]
fn aigp_counts_with_the_way_to_the_next_hop_and_without_it_a_path_goes() {
    // RFC 7311 4.1
    let o = Options::default();
    let aigp = |n, metric| route(1).but(|r| (r.aigp, r.igp_metric) = (Some(n), metric));
    assert_eq!(duel(aigp(10, 9), aigp(19, 1), &o), (0, Step::Aigp));
    assert_eq!(duel(aigp(10, 9), aigp(18, 1), &o), (1, Step::IgpMetric));
    let far = aigp(u64::MAX, 0).but(|r| r.summary.path_len = 9);
    assert_eq!(duel(far.clone(), route(2), &o), (0, Step::Aigp));
    // The sum does not wrap
    assert_eq!(
        duel(far, aigp(u64::MAX - 1, 7), &o),
        (1, Step::AsPathLength)
    );
}

#[test]
fn the_knobs_take_steps_out() {
    let o = Options::default();
    let long = route(1).but(|r| r.summary.path_len = 9);
    let ignore = Options {
        as_path_ignore: true,
        ..o
    };
    assert_eq!(duel(long.clone(), route(2), &o), (1, Step::AsPathLength));
    assert_eq!(duel(long, route(2), &ignore), (0, Step::Source));
    let old = route(2).but(|r| r.since = 1);
    let young = route(3).but(|r| r.router_id = 1);
    let oldest = Options {
        prefer_oldest: true,
        ..o
    };
    let alike = Options {
        compare_router_id: false,
        ..o
    };
    assert_eq!(duel(old.clone(), young.clone(), &o), (1, Step::RouterId));
    assert_eq!(duel(old.clone(), young.clone(), &oldest), (0, Step::Oldest));
    assert_eq!(duel(old.clone(), young.clone(), &alike), (0, Step::Source));
    // RFC 5004 3: between external paths only
    let [old, young] = [old, young].map(|r| r.but(|r| r.ebgp = false));
    for o in [oldest, alike] {
        assert_eq!(duel(old.clone(), young.clone(), &o), (1, Step::RouterId));
    }
}

#[test]
fn between_kinds_the_distance_decides_and_then_the_kind() {
    let o = Options::default();
    let rows = [
        route(1).other(Kind::Bgp, 20),
        route(2).other(Kind::Static, 20),
        route(3).other(Kind::Static, 30),
        route(4).other(Kind::Connected, 40),
    ];
    let stored = Stored::of(&rows);
    let found = selected(stored.in_order(&[0, 1, 2, 3]), &o);
    let lost = vec![
        (0, Step::Protocol),
        (2, Step::Distance),
        (3, Step::Distance),
    ];
    assert_eq!(found, Some((1, Step::Protocol, lost)));
    assert!(leader(stored.in_order(&[0, 1]).into_iter(), &o).is_err());
    // A distance that wins leaves it to no other step
    let nearest = Stored::of(&[rows[0].clone(), rows[3].clone()]);
    let found = selected(nearest.in_order(&[1, 0]), &o);
    assert_eq!(found, Some((0, Step::Distance, vec![(1, Step::Distance)])));
}

#[test]
fn of_static_routes_the_distance_the_metric_and_the_older_source_decide() {
    let o = Options::default();
    let one = |n| route(n).other(Kind::Static, 5);
    assert_eq!(
        duel(one(2), one(1).other(Kind::Static, 6), &o),
        (0, Step::Distance)
    );
    assert_eq!(
        duel(one(2), one(1).but(|r| r.metric = 6), &o),
        (0, Step::Metric)
    );
    assert_eq!(duel(one(2), one(1), &o), (1, Step::Source));
}
