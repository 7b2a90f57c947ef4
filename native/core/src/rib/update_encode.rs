//! Routes to UPDATE messages as one kind of peer gets them (RFC 4271 5, 9.2; RFC 4760; RFC 6793). Attributes are written once per
//! attribute set, prefixes packed behind them as far as the message size allows.

use super::infos::Info;
use super::source::Kind;
use crate::prefix::{Addr, Ip, Prefix};
use crate::wire::attributes::{self, push};
use crate::wire::{as_path, code, FLAG_EXTENDED, FLAG_OPTIONAL, FLAG_TRANSITIVE};

const HEADER: usize = 19;

/// What a group of peers has in common: with equal terms, equal bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExportTerms {
    pub afi: u16,
    pub safi: u8,
    pub ebgp: bool,
    pub local_asn: u32,
    pub next_hop_self: bool,
    pub local_address: Ip,
    pub local_link: u128,
    pub four_octet_as: bool,
    pub max_message: usize,
    /// RFC 8950: IPv4 prefixes may have IPv6 next hops.
    pub extended_next_hop: bool,
}

impl ExportTerms {
    /// The next hop to tell for a path (RFC 4271 5.1.3): ourselves, or the path's own; `None` where it cannot be told in this family.
    pub fn next_hop(&self, info: &Info, path_next_hop: Ip) -> Option<Ip> {
        let own = self.ebgp || self.next_hop_self || info.kind != Kind::Bgp;
        let ip = if own {
            self.local_address
        } else {
            path_next_hop
        };
        match (self.afi, ip) {
            (1, Ip::V4(_)) | (2, Ip::V6(_)) => Some(ip),
            (1, Ip::V6(_)) if self.extended_next_hop => Some(ip),
            _ => None,
        }
    }
}

/// The path attributes to tell, without MP_REACH_NLRI; NEXT_HOP among them where the family is IPv4 with an IPv4 next hop.
pub fn encode_attributes(terms: &ExportTerms, info: &Info, next_hop: Ip, out: &mut Vec<u8>) {
    let mut path: &[u8] = &[];
    let mut origin = 0u8;
    if info.kind == Kind::Bgp {
        path = attributes::find(&info.attributes, code::AS_PATH).unwrap_or(&[]);
        origin = info.summary.origin;
    }
    push(out, FLAG_TRANSITIVE, code::ORIGIN, &[origin]);
    let as4 = push_path(terms, path, out);
    if let (1, Ip::V4(a)) = (terms.afi, next_hop) {
        push(out, FLAG_TRANSITIVE, code::NEXT_HOP, &a.to_be_bytes());
    }
    if let (false, Some(med)) = (terms.ebgp, info.summary.med) {
        // RFC 4271 5.1.4: a received MED does not leave the AS
        push(out, FLAG_OPTIONAL, code::MED, &med.to_be_bytes());
    }
    if !terms.ebgp {
        let pref = info.summary.local_pref.unwrap_or(100); // RFC 4271 5.1.5
        push(out, FLAG_TRANSITIVE, code::LOCAL_PREF, &pref.to_be_bytes());
    }
    let mut as4 = as4.filter(|_| !terms.four_octet_as);
    for (flags, kind, value) in attributes::iter(&info.attributes) {
        if kind > code::AS4_PATH {
            push_as4(&mut as4, out);
        }
        match kind {
            code::ORIGIN | code::AS_PATH | code::MED | code::LOCAL_PREF => {}
            // RFC 4456 8: meaningful inside the AS alone, and only on reflected routes
            code::ORIGINATOR_ID | code::CLUSTER_LIST => {}
            code::AIGP => {} // RFC 7311 3.2: only to whom it was agreed with
            code::AGGREGATOR if !terms.four_octet_as => push_narrow_aggregator(flags, value, out),
            code::EXTENDED_COMMUNITIES if terms.ebgp => push_transitive(flags, value, out),
            _ => push(out, flags, kind, value),
        }
    }
    push_as4(&mut as4, out);
}

fn push_path(terms: &ExportTerms, path: &[u8], out: &mut Vec<u8>) -> Option<Vec<u8>> {
    let prepended;
    let path = if terms.ebgp {
        let mut p = Vec::with_capacity(path.len() + 6);
        as_path::push_prepended(path, terms.local_asn, &mut p);
        prepended = p;
        &prepended[..]
    } else {
        path
    };
    if terms.four_octet_as {
        push(out, FLAG_TRANSITIVE, code::AS_PATH, path);
        return None;
    }
    let mut narrow = Vec::with_capacity(path.len());
    let lost = as_path::narrow(path, &mut narrow);
    push(out, FLAG_TRANSITIVE, code::AS_PATH, &narrow);
    lost.then(|| as_path::without_confederations(path)) // RFC 6793 4.2.2
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

/// Messages that announce `prefixes` with these attributes. False if even one prefix does not fit beside them.
pub fn announce<A: Addr>(
    terms: &ExportTerms,
    attributes: &[u8],
    next_hop: Ip,
    prefixes: &[Prefix<A>],
    out: &mut Vec<u8>,
) -> bool {
    let plain = matches!((terms.afi, next_hop), (1, Ip::V4(_)));
    let reach = reach_header(terms, next_hop);
    let fixed = fixed_size(attributes.len(), &reach);
    if !fits::<A>(terms, attributes.len(), next_hop) {
        return false;
    }
    let mut rest = prefixes;
    while !rest.is_empty() {
        let (n, bytes) = fit(rest, terms.max_message - fixed);
        let start = header(out, fixed + bytes);
        out.extend_from_slice(&[0, 0]);
        let attr_len = fixed - HEADER - 4 + if plain { 0 } else { bytes };
        out.extend_from_slice(&(attr_len as u16).to_be_bytes());
        if plain {
            out.extend_from_slice(attributes);
            rest[..n].iter().for_each(|p| p.push_nlri(out));
        } else {
            // RFC 7606 5.1: MP_REACH_NLRI comes first
            out.extend_from_slice(&[FLAG_OPTIONAL | FLAG_EXTENDED, code::MP_REACH]);
            out.extend_from_slice(&((reach.len() + bytes) as u16).to_be_bytes());
            out.extend_from_slice(&reach);
            rest[..n].iter().for_each(|p| p.push_nlri(out));
            out.extend_from_slice(attributes);
        }
        debug_assert_eq!(out.len() - start, fixed + bytes);
        rest = &rest[n..];
    }
    true
}

/// MP_REACH_NLRI up to its prefixes; empty where NEXT_HOP does.
fn reach_header(terms: &ExportTerms, next_hop: Ip) -> Vec<u8> {
    let mut reach = Vec::new();
    if matches!((terms.afi, next_hop), (1, Ip::V4(_))) {
        return reach;
    }
    reach.extend_from_slice(&terms.afi.to_be_bytes());
    reach.push(terms.safi);
    let mut nh = next_hop.to_bytes();
    if next_hop == terms.local_address && terms.local_link != 0 {
        nh.extend_from_slice(&terms.local_link.to_be_bytes()); // RFC 2545 3
    }
    reach.push(nh.len() as u8);
    reach.extend_from_slice(&nh);
    reach.push(0);
    reach
}

/// Octets of a message besides its prefixes.
fn fixed_size(attributes: usize, reach: &[u8]) -> usize {
    let mp = if reach.is_empty() { 0 } else { 4 + reach.len() };
    HEADER + 4 + attributes + mp
}

/// Whether any prefix finds room beside attributes of this length.
pub fn fits<A: Addr>(terms: &ExportTerms, attributes: usize, next_hop: Ip) -> bool {
    fixed_size(attributes, &reach_header(terms, next_hop)) + 1 + A::BYTES <= terms.max_message
}

/// Messages that withdraw `prefixes`.
pub fn withdraw<A: Addr>(terms: &ExportTerms, prefixes: &[Prefix<A>], out: &mut Vec<u8>) {
    let plain = terms.afi == 1;
    let fixed = HEADER + 4 + if plain { 0 } else { 7 };
    let mut rest = prefixes;
    while !rest.is_empty() {
        let (n, bytes) = fit(rest, terms.max_message - fixed);
        header(out, fixed + bytes);
        if plain {
            out.extend_from_slice(&(bytes as u16).to_be_bytes());
            rest[..n].iter().for_each(|p| p.push_nlri(out));
            out.extend_from_slice(&[0, 0]);
        } else {
            out.extend_from_slice(&[0, 0]);
            out.extend_from_slice(&((7 + bytes) as u16).to_be_bytes());
            out.extend_from_slice(&[FLAG_OPTIONAL | FLAG_EXTENDED, code::MP_UNREACH]);
            out.extend_from_slice(&((3 + bytes) as u16).to_be_bytes());
            out.extend_from_slice(&terms.afi.to_be_bytes());
            out.push(terms.safi);
            rest[..n].iter().for_each(|p| p.push_nlri(out));
        }
        rest = &rest[n..];
    }
}

/// RFC 4724 2: an empty UPDATE, or an empty MP_UNREACH_NLRI.
pub fn end_of_rib(afi: u16, safi: u8, out: &mut Vec<u8>) {
    if (afi, safi) == (1, 1) {
        header(out, HEADER + 4);
        out.extend_from_slice(&[0; 4]);
    } else {
        header(out, HEADER + 10);
        out.extend_from_slice(&[0, 0, 0, 6, FLAG_OPTIONAL, code::MP_UNREACH, 3]);
        out.extend_from_slice(&afi.to_be_bytes());
        out.push(safi);
    }
}

fn header(out: &mut Vec<u8>, len: usize) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0xff; 16]);
    out.extend_from_slice(&(len as u16).to_be_bytes());
    out.push(2);
    start
}

/// How many prefixes fit into `room` octets, and their size.
fn fit<A: Addr>(prefixes: &[Prefix<A>], room: usize) -> (usize, usize) {
    let mut bytes = 0;
    for (n, p) in prefixes.iter().enumerate() {
        let len = p.nlri_len();
        if bytes + len > room {
            return (n, bytes);
        }
        bytes += len;
    }
    (prefixes.len(), bytes)
}
