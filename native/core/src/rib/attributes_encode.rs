//! The path attributes of a route as one kind of peer is told them (RFC 4271 5, RFC 6793 4.2). Written once per attribute set.

use std::borrow::Cow;

use super::export_terms::{ExportTerms, NextHop, Told};
use super::infos::Info;
use crate::prefix::Ip;
use crate::wire::attributes::{self, push, push_header};
use crate::wire::role::Role;
use crate::wire::{as_path, code, FLAG_OPTIONAL, FLAG_TRANSITIVE};

/// The path attributes to tell, without MP_REACH_NLRI; NEXT_HOP among them where the family is IPv4 with an IPv4 next hop. Where in
/// `out` our own address belongs.
pub fn encode_attributes(
    terms: &ExportTerms,
    info: &Info,
    told: &Told,
    out: &mut Vec<u8>,
) -> Option<usize> {
    push(out, FLAG_TRANSITIVE, code::ORIGIN, &[told.origin]);
    let as4 = push_path(terms, info.as_path(), out);
    let mut ours = None;
    if terms.plain(told.next_hop) {
        let other = match told.next_hop {
            NextHop::Other(Ip::V4(a)) => Some(a),
            _ => None,
        };
        let address = other.unwrap_or(0).to_be_bytes();
        push(out, FLAG_TRANSITIVE, code::NEXT_HOP, &address);
        ours = other.is_none().then(|| out.len() - address.len());
    }
    if let (false, Some(med)) = (terms.ebgp, info.summary.med) {
        // RFC 4271 5.1.4: a received MED does not leave the AS
        push(out, FLAG_OPTIONAL, code::MED, &med.to_be_bytes());
    }
    if !terms.ebgp {
        let pref = info.summary.local_pref.unwrap_or(terms.default_local_pref); // RFC 4271 5.1.5
        push(out, FLAG_TRANSITIVE, code::LOCAL_PREF, &pref.to_be_bytes());
    }
    let mut reflected = told.reflected;
    let mut as4 = as4.filter(|_| !terms.four_octet_as);
    let mut mark = terms.ebgp && !info.summary.otc && terms.role.is_some_and(Role::marks);
    let mut stale = told.stale;
    for (flags, kind, value) in attributes::iter(&info.attributes) {
        if kind >= code::COMMUNITIES && std::mem::take(&mut stale) {
            let known = if kind == code::COMMUNITIES {
                value
            } else {
                &[]
            };
            push_stale(known, out);
            if kind == code::COMMUNITIES {
                continue;
            }
        }
        if kind >= code::ORIGINATOR_ID {
            push_reflected(terms, info, &mut reflected, out);
        }
        if kind > code::AS4_PATH {
            push_as4(&mut as4, out);
        }
        if kind > code::OTC && std::mem::take(&mut mark) {
            push_otc(terms, out);
        }
        match kind {
            code::ORIGIN | code::AS_PATH | code::MED | code::LOCAL_PREF => {}
            // RFC 4456 8: meaningful inside the AS alone; of a reflected route they are written already
            code::ORIGINATOR_ID | code::CLUSTER_LIST => {}
            code::AIGP => push_aigp(terms, info, told, out),
            code::AGGREGATOR if !terms.four_octet_as => push_narrow_aggregator(flags, value, out),
            code::EXTENDED_COMMUNITIES if terms.ebgp => push_transitive(flags, value, out),
            _ => push(out, flags, kind, value),
        }
    }
    if stale {
        push_stale(&[], out);
    }
    push_reflected(terms, info, &mut reflected, out);
    push_as4(&mut as4, out);
    if mark {
        push_otc(terms, out);
    }
    ours
}

/// RFC 4456 8: who brought the route into the AS, where nobody said so before, and ourselves in front of the clusters it came through.
fn push_reflected(terms: &ExportTerms, info: &Info, by: &mut Option<u32>, out: &mut Vec<u8>) {
    let Some(router_id) = by.take() else { return };
    let originator = info.summary.originator_id.unwrap_or(router_id);
    push(
        out,
        FLAG_OPTIONAL,
        code::ORIGINATOR_ID,
        &originator.to_be_bytes(),
    );
    let mut clusters = terms.cluster_id.to_be_bytes().to_vec();
    clusters.extend(
        attributes::find(&info.attributes, code::CLUSTER_LIST)
            .into_iter()
            .flatten(),
    );
    push(out, FLAG_OPTIONAL, code::CLUSTER_LIST, &clusters);
}

/// RFC 9494 4.3: LLGR_STALE, with the communities that the route has.
fn push_stale(communities: &[u8], out: &mut Vec<u8>) {
    let all = [communities, &0xffff_0006_u32.to_be_bytes()].concat();
    push(
        out,
        FLAG_OPTIONAL | FLAG_TRANSITIVE,
        code::COMMUNITIES,
        &all,
    );
}

/// RFC 9234 5, egress 1.
fn push_otc(terms: &ExportTerms, out: &mut Vec<u8>) {
    let flags = FLAG_OPTIONAL | FLAG_TRANSITIVE;
    push(out, flags, code::OTC, &terms.local_asn.to_be_bytes());
}

/// RFC 7311 3.4: whoever makes himself the next hop adds his way to the one that he was told.
fn push_aigp(terms: &ExportTerms, info: &Info, told: &Told, out: &mut Vec<u8>) {
    let Some(metric) = info.aigp().filter(|_| terms.aigp) else {
        return;
    };
    let way = match told.next_hop {
        NextHop::Ourselves | NextHop::Near(..) => told.igp_metric.into(),
        NextHop::Other(_) => 0,
    };
    let mut tlv = vec![1, 0, 11];
    tlv.extend_from_slice(&metric.saturating_add(way).to_be_bytes());
    push(out, FLAG_OPTIONAL, code::AIGP, &tlv);
}

/// AS_PATH; what AS4_PATH has to tell besides.
fn push_path(terms: &ExportTerms, path: &[u8], out: &mut Vec<u8>) -> Option<Vec<u8>> {
    let (path, own_segment) = if terms.ebgp {
        let path = as_path::without_confederations(path);
        let edited = terms.path_edit.edited(&path, terms.local_asn);
        (edited.map_or(path, Cow::Owned), Some(as_path::SEQUENCE))
    } else {
        let own_segment = terms.member.then_some(as_path::CONFED_SEQUENCE);
        (Cow::Borrowed(path), own_segment)
    };
    let len = own_segment.map_or(path.len(), |kind| as_path::prepended_len(&path, kind));
    let push_whole = |out: &mut Vec<u8>| match own_segment {
        Some(kind) => as_path::push_prepended(&path, kind, terms.local_asn, out),
        None => out.extend_from_slice(&path),
    };
    if terms.four_octet_as {
        push_header(out, FLAG_TRANSITIVE, code::AS_PATH, len);
        push_whole(out);
        return None;
    }
    let mut path = Vec::with_capacity(len);
    push_whole(&mut path);
    let mut narrow = Vec::with_capacity(len);
    let lost = as_path::narrow(&path, &mut narrow);
    push(out, FLAG_TRANSITIVE, code::AS_PATH, &narrow);
    // RFC 6793 4.2.2: what was lost inside a confederation's segments cannot be told
    let as4 = lost.then(|| as_path::without_confederations(&path).into_owned());
    as4.filter(|path| as_path::narrow(path, &mut Vec::new()))
}

fn push_as4(as4: &mut Option<Vec<u8>>, out: &mut Vec<u8>) {
    if let Some(path) = as4.take() {
        push(out, FLAG_OPTIONAL | FLAG_TRANSITIVE, code::AS4_PATH, &path);
    }
}

fn push_narrow_aggregator(flags: u8, value: &[u8], out: &mut Vec<u8>) {
    let mut narrow = Vec::with_capacity(6);
    if value[..2] == [0, 0] {
        narrow.extend_from_slice(&value[2..4]);
    } else {
        narrow.extend_from_slice(&(crate::wire::AS_TRANS as u16).to_be_bytes());
    }
    narrow.extend_from_slice(&value[4..]);
    push(out, flags, code::AGGREGATOR, &narrow);
    if value[..2] != [0, 0] {
        push(out, flags, code::AS4_AGGREGATOR, value); // RFC 6793 4.2.2
    }
}

/// RFC 4360 6: non-transitive extended communities stay in the AS.
fn push_transitive(flags: u8, value: &[u8], out: &mut Vec<u8>) {
    let kept: Vec<u8> = value
        .chunks_exact(8)
        .filter(|c| c[0] & 0x40 == 0)
        .flatten()
        .copied()
        .collect();
    if !kept.is_empty() {
        push(out, flags, code::EXTENDED_COMMUNITIES, &kept);
    }
}
