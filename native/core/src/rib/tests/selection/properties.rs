//! Selection against the text of the RFCs, one step after the other, and whatever the order of the candidates.

use proptest::prelude::*;

use super::*;

fn routes() -> impl Strategy<Value = Vec<Route>> {
    let one = (
        (0..6u8, 0..2u16, any::<bool>(), 0..3u32),
        (0..2u32, 0..2u32, 0..2u32, 0..3u32),
        (prop::option::weighted(0.2, 0..2u64), 0..2u16, 0..2u8),
        (prop::option::of(0..3u32), 0..3u32, 0..2u16, 0..2u8),
        prop::option::weighted(0.3, 99..102u32),
    );
    let built = one.prop_map(|(who, how, bgp, more, local_pref)| {
        let kind = match who.0 {
            0 => Kind::Connected,
            1 => Kind::Static,
            _ => Kind::Bgp,
        };
        route(0).but(|r| {
            (r.kind, r.weight, r.ebgp, r.next_hop) = (kind, who.1 / 2, who.2, who.3);
            (r.since, r.router_id, r.igp_metric, r.metric) = how;
            (r.distance, r.address) = (how.3, Ip::V4(how.2));
            (r.aigp, r.summary.path_len, r.summary.origin) = bgp;
            (r.summary.med, r.summary.neighbor_as, r.summary.cluster_len) =
                (more.0, more.1, more.2);
            (r.summary.local_pref, r.as_path) = (local_pref, vec![more.3]);
        })
    });
    prop::collection::vec(built, 1..9).prop_map(|mut rows| {
        // Only a peer gives several paths of a prefix: two each here
        for (r, n) in rows.iter_mut().zip(0..) {
            (r.source, r.path_id) = match r.kind {
                Kind::Bgp => (n / 2, n % 2),
                _ => (n, 0),
            };
        }
        rows
    })
}

fn options() -> impl Strategy<Value = Options> {
    (
        prop::array::uniform7(any::<bool>()),
        1..4usize,
        1..4usize,
        99..102u32,
    )
        .prop_map(
            |(on, multipath_ebgp, multipath_ibgp, default_local_pref)| Options {
                always_compare_med: on[0],
                missing_med_as_worst: on[1],
                as_path_ignore: on[2],
                compare_router_id: on[3],
                prefer_oldest: on[4],
                multipath_relax: on[5],
                backup: on[6],
                default_local_pref,
                multipath_ebgp,
                multipath_ibgp,
                ..Options::default()
            },
        )
}

type Keep<'a> = Box<dyn Fn(&Route, &[&Route]) -> bool + 'a>;

/// A step that keeps the routes with the least key.
fn least<'a, K: Ord>(key: impl Fn(&Route) -> K + 'a) -> Keep<'a> {
    Box::new(move |r, all| all.iter().all(|x| key(r) <= key(x)))
}

fn steps(kind: Kind, o: &Options) -> Vec<(Step, Keep<'_>)> {
    if kind != Kind::Bgp {
        return vec![
            (Step::Distance, least(|r| r.distance)),
            (Step::Metric, least(|r| r.metric)),
            (Step::Source, least(|r| r.source)),
        ];
    }
    let med = |r: &Route| match (r.summary.med, o.missing_med_as_worst) {
        (Some(med), _) => med,
        (None, worst) => u32::from(worst) * u32::MAX,
    };
    let pref = |r: &Route| r.summary.local_pref.unwrap_or(o.default_local_pref);
    vec![
        (Step::Weight, least(|r| !r.weight)),
        (Step::LocalPref, least(move |r| !pref(r))),
        (Step::Aigp, least(|r| r.aigp.is_none())),
        (
            Step::Aigp,
            least(|r| r.aigp.map(|n| n + u64::from(r.igp_metric))),
        ),
        (
            Step::AsPathLength,
            least(|r| u16::from(!o.as_path_ignore) * r.summary.path_len),
        ),
        (Step::Origin, least(|r| r.summary.origin)),
        (
            Step::Med,
            Box::new(move |r, all| {
                let same = |x: &Route| {
                    o.always_compare_med || x.summary.neighbor_as == r.summary.neighbor_as
                };
                all.iter().all(|x| !same(x) || med(r) <= med(x))
            }),
        ),
        (Step::EbgpOverIbgp, least(|r| !r.ebgp)),
        (Step::IgpMetric, least(|r| r.igp_metric)),
        (
            Step::Oldest,
            least(|r| u32::from(o.prefer_oldest && r.ebgp) * r.since),
        ),
        (
            Step::RouterId,
            least(|r| u32::from(o.compare_router_id || !r.ebgp) * r.router_id),
        ),
        (Step::ClusterListLength, least(|r| r.summary.cluster_len)),
        (Step::PeerAddress, least(|r| r.address)),
        (Step::PathId, least(|r| r.path_id)),
        (Step::Source, least(|r| r.source)),
    ]
}

/// What is left, and the last step at which one went; each that goes is noted.
fn eliminate<'r>(
    mut left: Vec<(u32, &'r Route)>,
    steps: Vec<(Step, Keep)>,
    lost: &mut Vec<(u32, Step)>,
) -> ((u32, &'r Route), Step) {
    let mut decided = Step::Only;
    for (step, keep) in steps {
        let all: Vec<&Route> = left.iter().map(|x| x.1).collect();
        let (stay, go): (Vec<_>, Vec<_>) = left.into_iter().partition(|x| keep(x.1, &all));
        if !go.is_empty() {
            decided = step;
        }
        lost.extend(go.iter().map(|x| (x.0, step)));
        left = stay;
    }
    assert_eq!(left.len(), 1);
    (left[0], decided)
}

fn by_the_text(routes: &[Route], o: &Options) -> Selected {
    let mut lost = Vec::new();
    let mut winners = Vec::new();
    for kind in [Kind::Connected, Kind::Static, Kind::Bgp] {
        let all = routes.iter().enumerate().filter(|(_, r)| r.kind == kind);
        let of_kind: Vec<_> = all.map(|(at, r)| (at as u32, r)).collect();
        if !of_kind.is_empty() {
            winners.push(eliminate(of_kind, steps(kind, o), &mut lost));
        }
    }
    let (best, step) = if winners.len() == 1 {
        winners.remove(0)
    } else {
        let between: Vec<(Step, Keep)> = vec![
            (Step::Distance, least(|r| r.distance)),
            (Step::Protocol, least(|r| r.kind)),
        ];
        let firsts = winners.iter().map(|w| w.0).collect();
        eliminate(firsts, between, &mut lost)
    };
    lost.sort();
    Some((best.0, step, lost))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn selection_is_elimination_step_by_step(rows in routes(), o in options()) {
        let stored = Stored::of(&rows);
        let order: Vec<usize> = (0..stored.len()).collect();
        let wanted = by_the_text(&rows, &o);
        prop_assert_eq!(selected(stored.in_order(&order), &o), wanted.clone());
        // One look at each says the same, where it says anything
        if let Ok(found) = leader(stored.in_order(&order).into_iter(), &o) {
            prop_assert_eq!(found, wanted.map(|w| (w.0, w.1)));
        }
    }

    #[test]
    fn nothing_depends_on_the_order_of_the_candidates(
        (rows, order) in routes().prop_flat_map(|rows| {
            let order: Vec<usize> = (0..rows.len()).collect();
            (Just(rows), Just(order).prop_shuffle())
        }),
        o in options(),
    ) {
        let stored = Stored::of(&rows);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        let [a, b] = [order, sorted.clone()].map(|order| {
            choose(&mut stored.in_order(&order), &o)
        });
        let explained = explain(&mut stored.in_order(&sorted), &o, &mut |_, _| {});
        prop_assert_eq!((&a, &b), (&explained, &explained));
    }

    #[test]
    fn one_look_at_each_is_enough_unless_med_tells_some_apart_and_not_others(rows in routes(), o in options()) {
        let bgp: Vec<Route> = rows.into_iter().filter(|r| r.kind == Kind::Bgp).collect();
        let stored = Stored::of(&bgp);
        let order: Vec<usize> = (0..stored.len()).collect();
        let neighbours = bgp.iter().all(|r| r.summary.neighbor_as == bgp[0].summary.neighbor_as);
        if o.always_compare_med || neighbours {
            prop_assert!(leader(stored.in_order(&order).into_iter(), &o).is_ok());
        }
    }
}
