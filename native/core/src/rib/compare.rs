//! What tells two paths apart: the steps of the decision process that are an order, all but MED (RFC 4271 9.1.2.2, RFC 4456 9,
//! RFC 5004, RFC 7311 4.1). How they make a selection is `select.rs`.

use std::cmp::Ordering;

use super::options::Options;
use super::select::{Candidate, Step};

/// `Less`: the first of two is better; and the step that tells them apart.
pub type Verdict = (Ordering, Step);

/// The first of these steps at which two differ.
macro_rules! steps {
    ($($step:ident: $order:expr;)*) => {{
        $(
            let order = $order;
            if order != Ordering::Equal {
                return (order, Step::$step);
            }
        )*
        (Ordering::Equal, Step::Only)
    }};
}

/// The steps before MED.
#[inline]
pub fn by_preference(a: &Candidate, b: &Candidate, o: &Options) -> Verdict {
    let (x, y) = (&a.info.summary, &b.info.summary);
    steps! {
        Stale: a.stale.cmp(&b.stale); // RFC 9494 4.3
        Weight: b.source.weight.cmp(&a.source.weight);
        LocalPref: b.local_pref(o).cmp(&a.local_pref(o)); // RFC 4271 9.1.1: the degree of preference
        Aigp: if x.aigp || y.aigp { a.aigp().cmp(&b.aigp()) } else { Ordering::Equal }; // RFC 7311 4.1
        AsPathLength: if o.as_path_ignore { Ordering::Equal } else { x.path_len.cmp(&y.path_len) }; // RFC 4271 9.1.2.2 a
        Origin: x.origin.cmp(&y.origin); // b
    }
}

/// The steps between MED and those that only break a tie.
#[inline]
pub fn by_nearness(a: &Candidate, b: &Candidate) -> Verdict {
    steps! {
        EbgpOverIbgp: b.source.ebgp.cmp(&a.source.ebgp); // RFC 4271 9.1.2.2 d
        IgpMetric: a.igp_metric.cmp(&b.igp_metric); // e
    }
}

/// The steps that tell any two apart, between paths that are both external or both internal.
#[inline]
pub fn by_tie_break(a: &Candidate, b: &Candidate, o: &Options) -> Verdict {
    let (x, y) = (&a.info.summary, &b.info.summary);
    let external = a.source.ebgp;
    let (oldest, router_id) = (
        o.prefer_oldest && external,
        o.compare_router_id || !external,
    );
    steps! {
        Oldest: if oldest { a.given.since.cmp(&b.given.since) } else { Ordering::Equal }; // RFC 5004
        RouterId: if router_id { a.router_id().cmp(&b.router_id()) } else { Ordering::Equal }; // RFC 4271 9.1.2.2 f, RFC 4456 9
        ClusterListLength: x.cluster_len.cmp(&y.cluster_len); // RFC 4456 9
        PeerAddress: a.source.address.cmp(&b.source.address); // RFC 4271 9.1.2.2 g
        PathId: a.given.path_id.cmp(&b.given.path_id);
        Source: a.given.source.cmp(&b.given.source);
    }
}

/// All steps of the kinds that are not BGP: a source of those gives one path of a prefix.
pub fn by_metric(a: &Candidate, b: &Candidate) -> Verdict {
    steps! {
        Distance: a.distance().cmp(&b.distance());
        Metric: a.info.metric.cmp(&b.info.metric);
        Source: a.given.source.cmp(&b.given.source);
    }
}
