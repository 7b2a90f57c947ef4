//! Routes to UPDATE messages as one kind of peer gets them (RFC 4271 5, 9.2; RFC 4760; RFC 6793). Attributes are written once per
//! attribute set, prefixes packed behind them as far as the message size allows.

use super::infos::Info;
use super::source::Kind;
use crate::prefix::{Addr, Ip, Prefix};
use crate::wire::attributes::{self, push};
use crate::wire::role::Role;
use crate::wire::{as_path, code, FLAG_EXTENDED, FLAG_OPTIONAL, FLAG_TRANSITIVE};

const HEADER: usize = 19;

/// Where a session puts us as next hop (RFC 4271 5.1.3, RFC 2545 3): members of a group differ in this alone.
#[derive(Clone, Copy, Debug)]
pub struct Ourselves {
    pub address: Ip,
    /// Beside an IPv6 address on a shared link, 0 where there is none.
    pub link_local: u128,
}

impl Ourselves {
    pub fn shape(&self) -> Shape {
        match self.address {
            Ip::V6(_) if self.link_local != 0 => Shape::Both,
            Ip::V6(_) => Shape::V6,
            _ => Shape::V4,
        }
    }

    /// As a message has it: as long as its shape says.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = self.address.to_bytes();
        if self.shape() == Shape::Both {
            out.extend_from_slice(&self.link_local.to_be_bytes());
        }
        out
    }
}

/// What of `Ourselves` changes where the other octets of a message stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    V4 = 4,
    V6 = 16,
    Both = 32,
}

/// What a group of peers has in common: with equal terms, equal bytes but for our own address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExportTerms {
    pub afi: u16,
    pub safi: u8,
    pub ebgp: bool,
    pub local_asn: u32,
    pub next_hop_self: bool,
    pub ourselves: Shape,
    pub four_octet_as: bool,
    pub max_message: usize,
    /// RFC 8950: IPv4 prefixes may have IPv6 next hops.
    pub extended_next_hop: bool,
    /// RFC 7311 3.2: AIGP may be told.
    pub aigp: bool,
    /// Ours (RFC 9234).
    pub role: Option<Role>,
    /// What iBGP peers are told of a route that came without LOCAL_PREF.
    pub default_local_pref: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NextHop {
    /// Each member's own address: written as zeros, and noted.
    Ourselves,
    Other(Ip),
}

/// Under what a best path is told, besides its attributes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    pub next_hop: NextHop,
    pub origin: u8,
    /// Of the way to the path's own next hop.
    pub igp_metric: u32,
}

impl ExportTerms {
    /// The next hop to tell for a path (RFC 4271 5.1.3): ourselves, or the path's own; `None` where it cannot be told in this family.
    pub fn next_hop(&self, info: &Info, path_next_hop: Ip) -> Option<NextHop> {
        let ours = self.ebgp
            || self.next_hop_self
            || info.kind != Kind::Bgp
            || path_next_hop.is_link_local(); // of another link than the peer's
        let (next_hop, four) = if ours {
            (NextHop::Ourselves, self.ourselves == Shape::V4)
        } else {
            (
                NextHop::Other(path_next_hop),
                matches!(path_next_hop, Ip::V4(_)),
            )
        };
        let told = match self.afi {
            1 => four || self.extended_next_hop,
            _ => !four,
        };
        told.then_some(next_hop)
    }

    /// Whether NEXT_HOP tells it, and not MP_REACH_NLRI.
    fn plain(&self, next_hop: NextHop) -> bool {
        self.afi == 1
            && match next_hop {
                NextHop::Ourselves => self.ourselves == Shape::V4,
                NextHop::Other(ip) => matches!(ip, Ip::V4(_)),
            }
    }

    fn next_hop_bytes(&self, next_hop: NextHop) -> Vec<u8> {
        match next_hop {
            NextHop::Ourselves => vec![0; self.ourselves as usize],
            NextHop::Other(ip) => ip.to_bytes(),
        }
    }
}

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
        let address = terms.next_hop_bytes(told.next_hop);
        push(out, FLAG_TRANSITIVE, code::NEXT_HOP, &address);
        ours = (told.next_hop == NextHop::Ourselves).then(|| out.len() - address.len());
    }
    if let (false, Some(med)) = (terms.ebgp, info.summary.med) {
        // RFC 4271 5.1.4: a received MED does not leave the AS
        push(out, FLAG_OPTIONAL, code::MED, &med.to_be_bytes());
    }
    if !terms.ebgp {
        let pref = info.summary.local_pref.unwrap_or(terms.default_local_pref); // RFC 4271 5.1.5
        push(out, FLAG_TRANSITIVE, code::LOCAL_PREF, &pref.to_be_bytes());
    }
    let mut as4 = as4.filter(|_| !terms.four_octet_as);
    let mut mark = terms.ebgp && !info.summary.otc && terms.role.is_some_and(Role::marks);
    for (flags, kind, value) in attributes::iter(&info.attributes) {
        if kind > code::AS4_PATH {
            push_as4(&mut as4, out);
        }
        if kind > code::OTC && std::mem::take(&mut mark) {
            push_otc(terms, out);
        }
        match kind {
            code::ORIGIN | code::AS_PATH | code::MED | code::LOCAL_PREF => {}
            // RFC 4456 8: meaningful inside the AS alone, and only on reflected routes
            code::ORIGINATOR_ID | code::CLUSTER_LIST => {}
            code::AIGP => push_aigp(terms, info, told, out),
            code::AGGREGATOR if !terms.four_octet_as => push_narrow_aggregator(flags, value, out),
            code::EXTENDED_COMMUNITIES if terms.ebgp => push_transitive(flags, value, out),
            _ => push(out, flags, kind, value),
        }
    }
    push_as4(&mut as4, out);
    if mark {
        push_otc(terms, out);
    }
    ours
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
        NextHop::Ourselves => told.igp_metric.into(),
        NextHop::Other(_) => 0,
    };
    let mut tlv = vec![1, 0, 11];
    tlv.extend_from_slice(&metric.saturating_add(way).to_be_bytes());
    push(out, FLAG_OPTIONAL, code::AIGP, &tlv);
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

/// Attributes as one bucket of prefixes has them.
pub struct Encoded<'a> {
    pub attributes: &'a [u8],
    /// Where in them our own address belongs.
    pub ours: Option<usize>,
    pub next_hop: NextHop,
}

/// Messages that announce `prefixes` with these attributes: how many, none if even one prefix does not fit beside them. `ours` gets
/// the places of our own address.
pub fn announce<A: Addr>(
    terms: &ExportTerms,
    encoded: &Encoded<'_>,
    prefixes: &[Prefix<A>],
    out: &mut Vec<u8>,
    ours: &mut Vec<usize>,
) -> usize {
    let attributes = encoded.attributes;
    let plain = terms.plain(encoded.next_hop);
    let reach = reach_header(terms, encoded.next_hop);
    let fixed = fixed_size(attributes.len(), &reach);
    if !fits::<A>(terms, attributes.len(), encoded.next_hop) {
        return 0;
    }
    let mut messages = 0;
    let mut rest = prefixes;
    while !rest.is_empty() {
        let (n, bytes) = fit(rest, terms.max_message - fixed);
        let start = header(out, fixed + bytes);
        out.extend_from_slice(&[0, 0]);
        let attr_len = fixed - HEADER - 4 + if plain { 0 } else { bytes };
        out.extend_from_slice(&(attr_len as u16).to_be_bytes());
        if plain {
            ours.extend(encoded.ours.map(|at| out.len() + at));
            out.extend_from_slice(attributes);
            rest[..n].iter().for_each(|p| p.push_nlri(out));
        } else {
            // RFC 7606 5.1: MP_REACH_NLRI comes first
            out.extend_from_slice(&[FLAG_OPTIONAL | FLAG_EXTENDED, code::MP_REACH]);
            out.extend_from_slice(&((reach.len() + bytes) as u16).to_be_bytes());
            if encoded.next_hop == NextHop::Ourselves {
                ours.push(out.len() + REACH_ADDRESS);
            }
            out.extend_from_slice(&reach);
            rest[..n].iter().for_each(|p| p.push_nlri(out));
            out.extend_from_slice(attributes);
        }
        debug_assert_eq!(out.len() - start, fixed + bytes);
        rest = &rest[n..];
        messages += 1;
    }
    messages
}

/// Where the next hop stands in MP_REACH_NLRI: behind family and length (RFC 4760 3).
const REACH_ADDRESS: usize = 4;

/// MP_REACH_NLRI up to its prefixes; empty where NEXT_HOP does.
fn reach_header(terms: &ExportTerms, next_hop: NextHop) -> Vec<u8> {
    let mut reach = Vec::new();
    if terms.plain(next_hop) {
        return reach;
    }
    let address = terms.next_hop_bytes(next_hop);
    reach.extend_from_slice(&terms.afi.to_be_bytes());
    reach.extend_from_slice(&[terms.safi, address.len() as u8]);
    reach.extend_from_slice(&address);
    reach.push(0);
    reach
}

/// Octets of a message besides its prefixes.
fn fixed_size(attributes: usize, reach: &[u8]) -> usize {
    let mp = if reach.is_empty() { 0 } else { 4 + reach.len() };
    HEADER + 4 + attributes + mp
}

/// Whether any prefix finds room beside attributes of this length.
pub fn fits<A: Addr>(terms: &ExportTerms, attributes: usize, next_hop: NextHop) -> bool {
    fixed_size(attributes, &reach_header(terms, next_hop)) + 1 + A::BYTES <= terms.max_message
}

/// Messages that withdraw `prefixes`: how many.
pub fn withdraw<A: Addr>(terms: &ExportTerms, prefixes: &[Prefix<A>], out: &mut Vec<u8>) -> usize {
    let plain = terms.afi == 1;
    let fixed = HEADER + 4 + if plain { 0 } else { 7 };
    let mut messages = 0;
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
        messages += 1;
    }
    messages
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
