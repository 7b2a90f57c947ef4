//! One UPDATE's path attributes, judged one by one (RFC 7606) and brought into canonical form: known attributes with the flags
//! their RFC gives, AS numbers of four octets, sorted by code, without NEXT_HOP and MP_* (these travel beside the set).

use super::attribute_rows::{
    aigp_tlv, check_numbers, FLAGS_ERROR, LENGTH_ERROR, MALFORMED_LIST, OPTIONAL_ERROR, OPT_TRANS,
    ROWS, UNRECOGNIZED,
};
use super::finding::{fault, reset, Disposition, Fault, Faults};
use super::framer::{Notification, HEADER};
use super::next_hop::NextHop;
use super::refusal::Refusal;
use super::role::Ingress;
use super::terms::Terms;
use super::{as_path, code, AS_TRANS, FLAG_EXTENDED, FLAG_OPTIONAL, FLAG_PARTIAL, FLAG_TRANSITIVE};
use crate::prefix::Ip;

pub const NO_EXPORT: u8 = 1;
pub const NO_ADVERTISE: u8 = 2;
pub const NO_EXPORT_SUBCONFED: u8 = 4;
/// RFC 9494 4.4, 4.5.
pub const LLGR_STALE: u8 = 8;
pub const NO_LLGR: u8 = 16;

/// What best-path selection and export read of a set, decoded once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    pub local_pref: Option<u32>,
    pub med: Option<u32>,
    pub originator_id: Option<u32>,
    pub neighbor_as: u32,
    pub path_len: u16,
    pub cluster_len: u16,
    pub origin: u8,
    pub well_known: u8,
    pub aigp: bool,
    /// Only to Customer (RFC 9234 5).
    pub otc: bool,
}

/// Where an attribute lies in its block.
#[derive(Clone, Copy)]
pub struct At {
    header: usize,
    value: usize,
    end: usize,
}

impl At {
    pub fn whole<'a>(&self, block: &'a [u8]) -> &'a [u8] {
        &block[self.header..self.end]
    }

    pub fn value<'a>(&self, block: &'a [u8]) -> &'a [u8] {
        &block[self.value..self.end]
    }
}

/// The result of one attribute block.
#[derive(Default)]
pub struct Block {
    pub summary: Summary,
    pub next_hop: Option<(NextHop, At)>,
    pub mp_reach: Option<At>,
    pub mp_unreach: Option<At>,
    pub seen_origin: bool,
    pub seen_path: bool,
    /// The first reason found.
    pub refused: Option<Refusal>,
    /// The block held attributes at all.
    pub any: bool,
}

/// Octets of attributes in the longest message (RFC 8654 4).
const MOST: usize = 65_535 - HEADER - 4;

fn be32(v: &[u8]) -> u32 {
    u32::from_be_bytes([v[0], v[1], v[2], v[3]])
}

/// Attributes met so far: (code, flags, value start, value end).
type Found = Vec<(u8, u8, usize, usize)>;

/// Reads one block; appends the canonical form to `out`, and to `faults` what is wrong, with the attribute's bytes. `Err` is a
/// fault that resets the session at once.
pub fn decode<'a>(
    data: &'a [u8],
    terms: &Terms,
    scratch: &mut Found,
    out: &mut Vec<u8>,
    faults: &mut Faults<'a>,
) -> Result<Block, Notification> {
    let mut block = Block::default();
    scratch.clear();
    let mut seen = [0u64; 4];
    let mut at = 0;
    while at < data.len() {
        block.any = true;
        let header = if data[at] & FLAG_EXTENDED != 0 { 4 } else { 3 };
        if data.len() - at < header {
            // RFC 7606 4: too short for a header: the list ends here
            faults.push((fault(0, MALFORMED_LIST, "7606 4"), &data[at..]));
            break;
        }
        let flags = data[at];
        let kind = data[at + 1];
        let len = if header == 4 {
            usize::from(u16::from_be_bytes([data[at + 2], data[at + 3]]))
        } else {
            usize::from(data[at + 2])
        };
        let start = at + header;
        let end = start + len;
        if end > data.len() && locates_prefixes(kind) {
            return Err(reset(faults, kind, OPTIONAL_ERROR, "7606 3 j", &data[at..]));
        }
        if end > data.len() {
            faults.push((fault(kind, LENGTH_ERROR, "7606 4"), &data[at..]));
            break;
        }
        let whole = &data[at..end];
        at = end;
        let bit = 1u64 << (kind & 63);
        if seen[usize::from(kind >> 6)] & bit != 0 {
            // RFC 7606 3 g: a second MP attribute resets, any other repetition is dropped
            if locates_prefixes(kind) {
                return Err(reset(faults, kind, MALFORMED_LIST, "7606 3 g", whole));
            }
            let repeated = Fault {
                code: kind,
                disposition: Disposition::DiscardAttribute,
                subcode: MALFORMED_LIST,
                rfc: "7606 3 g",
            };
            faults.push((repeated, whole));
            continue;
        }
        seen[usize::from(kind >> 6)] |= bit;
        let value = &data[start..end];
        let Some(row) = ROWS.iter().find(|r| r.code == kind) else {
            if flags & FLAG_OPTIONAL == 0 {
                // RFC 4271 6.3: an unrecognized well-known attribute
                return Err(reset(faults, kind, UNRECOGNIZED, "4271 6.3", whole));
            }
            // RFC 4271 5: unrecognized optional: pass on with Partial if transitive, else ignore
            if flags & FLAG_TRANSITIVE != 0 {
                scratch.push((kind, OPT_TRANS | FLAG_PARTIAL, start, end));
            }
            continue;
        };
        // RFC 5065 5.2: LOCAL_PREF comes from other Member-ASes too
        let inside = terms.internal() || terms.member() && kind == code::LOCAL_PREF;
        if row.internal_only && !inside || kind == code::AIGP && !terms.aigp {
            continue;
        }
        if terms.four_octet_as && matches!(kind, code::AS4_PATH | code::AS4_AGGREGATOR) {
            // no business between speakers of four octets, whatever is in it
            let idle = Fault {
                disposition: row.on_error,
                ..fault(kind, OPTIONAL_ERROR, "6793 4.1")
            };
            faults.push((idle, whole));
            continue;
        }
        let wrong_flags = (flags ^ row.flags) & (FLAG_OPTIONAL | FLAG_TRANSITIVE) != 0;
        if wrong_flags && locates_prefixes(kind) {
            return Err(reset(faults, kind, OPTIONAL_ERROR, "7606 5.3", whole));
        }
        if wrong_flags {
            // RFC 7606 3 c: unless the attribute's own RFC wants something else
            let fault = if kind == code::AIGP {
                Fault {
                    disposition: row.on_error,
                    ..fault(kind, FLAGS_ERROR, row.rfc)
                }
            } else {
                fault(kind, FLAGS_ERROR, "7606 3 c")
            };
            faults.push((fault, whole));
            continue;
        }
        let checked = (row.check)(value, terms).map_err(|subcode| (subcode, row.rfc));
        let checked = checked.and_then(|()| check_numbers(kind, value, terms));
        if let Err((subcode, rfc)) = checked {
            let malformed = Fault {
                code: kind,
                disposition: row.on_error,
                subcode,
                rfc,
            };
            faults.push((malformed, whole));
            continue;
        }
        let here = At {
            header: start - header,
            value: start,
            end,
        };
        match kind {
            code::MP_REACH => block.mp_reach = Some(here),
            code::MP_UNREACH => block.mp_unreach = Some(here),
            code::NEXT_HOP => {
                let hop = NextHop {
                    ip: Ip::V4(be32(value)),
                    link_local: 0,
                };
                block.next_hop = Some((hop, here));
            }
            // RFC 4271 4.3: of what is not optional and transitive, nobody can have seen a part
            _ if row.flags == OPT_TRANS => {
                scratch.push((kind, OPT_TRANS | flags & FLAG_PARTIAL, start, end));
            }
            _ => scratch.push((kind, row.flags, start, end)),
        }
    }
    if !scratch.is_sorted_by_key(|f| f.0) {
        scratch.sort_unstable_by_key(|f| f.0);
    }
    canonical(data, terms, scratch, &mut block, out);
    Ok(block)
}

/// Attributes without which the prefixes of a message are not known (RFC 7606 3 j).
fn locates_prefixes(kind: u8) -> bool {
    matches!(kind, code::MP_REACH | code::MP_UNREACH)
}

fn canonical(data: &[u8], terms: &Terms, found: &Found, block: &mut Block, out: &mut Vec<u8>) {
    let value = |code: u8| found.iter().find(|f| f.0 == code).map(|f| &data[f.2..f.3]);
    let narrow = !terms.four_octet_as;
    // RFC 6793 4.2.3: an AGGREGATOR that is not AS_TRANS voids both AS4 attributes
    let as4_valid = narrow
        && value(code::AGGREGATOR)
            .is_none_or(|v| u32::from(u16::from_be_bytes([v[0], v[1]])) == AS_TRANS);
    let s = &mut block.summary;
    let start = out.len();
    let otc = value(code::OTC).map(be32);
    let ingress = terms.role.filter(|_| terms.ebgp());
    let ingress = ingress.map_or(Ingress::AsItCame, |role| role.ingress(otc, terms.peer_asn));
    let mut mark = ingress == Ingress::Marked;
    s.otc = otc.is_some() || mark;
    for &(kind, flags, start, end) in found {
        let v = &data[start..end];
        if kind > code::OTC && std::mem::take(&mut mark) {
            push(out, OPT_TRANS, code::OTC, &terms.peer_asn.to_be_bytes());
        }
        match kind {
            code::ORIGIN => {
                s.origin = v[0];
                block.seen_origin = true;
                push(out, flags, kind, v);
            }
            code::AS_PATH => {
                block.seen_path = true;
                if narrow {
                    let mut wide = Vec::with_capacity(v.len() * 2);
                    as_path::widen(v, &mut wide);
                    if let Some(as4) = value(code::AS4_PATH).filter(|_| as4_valid) {
                        wide = as_path::merge_as4(&wide, as4);
                    }
                    path_summary(&wide, terms, s, &mut block.refused);
                    push(out, flags, kind, &wide);
                } else {
                    path_summary(v, terms, s, &mut block.refused);
                    push(out, flags, kind, v);
                }
            }
            code::MED => {
                s.med = Some(be32(v));
                push(out, flags, kind, v);
            }
            code::LOCAL_PREF => {
                s.local_pref = Some(be32(v));
                push(out, flags, kind, v);
            }
            code::AGGREGATOR if narrow => {
                let mut wide = [0u8; 8];
                wide[2..].copy_from_slice(v);
                if let Some(as4) = value(code::AS4_AGGREGATOR).filter(|_| as4_valid) {
                    wide.copy_from_slice(as4);
                }
                push(out, flags, kind, &wide);
            }
            code::COMMUNITIES => {
                for c in v.chunks_exact(4) {
                    s.well_known |= match be32(c) {
                        0xffff_ff01 => NO_EXPORT,
                        0xffff_ff02 => NO_ADVERTISE,
                        0xffff_ff03 => NO_EXPORT_SUBCONFED,
                        0xffff_0006 => LLGR_STALE,
                        0xffff_0007 => NO_LLGR,
                        _ => 0,
                    };
                }
                push(out, flags, kind, v);
            }
            code::ORIGINATOR_ID => {
                s.originator_id = Some(be32(v));
                if be32(v) == terms.local_router_id {
                    block.refused.get_or_insert(Refusal::OwnOriginator);
                }
                push(out, flags, kind, v);
            }
            code::CLUSTER_LIST => {
                s.cluster_len = (v.len() / 4) as u16;
                let ours = |c: &[u8]| be32(c) == terms.cluster_id && terms.cluster_id != 0;
                if v.chunks_exact(4).any(ours) {
                    block.refused.get_or_insert(Refusal::ClusterLoop);
                }
                push(out, flags, kind, v);
            }
            code::AIGP => {
                if let Some(tlv) = aigp_tlv(v) {
                    s.aigp = true;
                    push(out, flags, kind, tlv);
                }
            }
            // consumed above
            code::AS4_PATH | code::AS4_AGGREGATOR => {}
            _ => push(out, flags, kind, v),
        }
    }
    if mark {
        push(out, OPT_TRANS, code::OTC, &terms.peer_asn.to_be_bytes());
    }
    if ingress == Ingress::Leak {
        block.refused.get_or_insert(Refusal::OtcLeak);
    }
    // AS numbers of two octets were made longer: beyond what a message holds, so might be an attribute than its length can say
    if out.len() - start > terms.demands.attributes.min(MOST) {
        block.refused.get_or_insert(Refusal::AttributesTooLong);
    }
}

fn path_summary(path: &[u8], terms: &Terms, s: &mut Summary, refused: &mut Option<Refusal>) {
    s.path_len = as_path::length(path);
    s.neighbor_as = as_path::neighbor(path);
    let first = terms.ebgp().then_some(terms.peer_asn);
    let demands = &terms.demands;
    *refused = demands.path(path, s.path_len, terms.ourselves(), first);
}

/// One attribute with its header; the long length form only where it is needed.
#[inline]
pub fn push(out: &mut Vec<u8>, flags: u8, kind: u8, value: &[u8]) {
    push_header(out, flags, kind, value.len());
    out.extend_from_slice(value);
}

/// What stands before a value of `len` octets.
#[inline]
pub fn push_header(out: &mut Vec<u8>, flags: u8, kind: u8, len: usize) {
    if len > 255 {
        out.extend_from_slice(&[flags | FLAG_EXTENDED, kind, (len >> 8) as u8, len as u8]);
    } else {
        out.extend_from_slice(&[flags & !FLAG_EXTENDED, kind, len as u8]);
    }
}

/// The attributes of a canonical block: (flags, code, value).
pub fn iter(block: &[u8]) -> impl Iterator<Item = (u8, u8, &[u8])> {
    let mut rest = block;
    std::iter::from_fn(move || {
        let (&flags, &kind) = (rest.first()?, rest.get(1)?);
        let (header, len) = if flags & FLAG_EXTENDED != 0 {
            (4, usize::from(u16::from_be_bytes([rest[2], rest[3]])))
        } else {
            (3, usize::from(rest[2]))
        };
        let value = &rest[header..header + len];
        rest = &rest[header + len..];
        Some((flags, kind, value))
    })
}

/// The value of one attribute in a canonical block.
pub fn find(block: &[u8], kind: u8) -> Option<&[u8]> {
    iter(block).find(|a| a.1 == kind).map(|a| a.2)
}

/// The accumulated metric of a canonical block (RFC 7311 3): behind type and length of its only TLV.
pub fn aigp(block: &[u8]) -> Option<u64> {
    let value = find(block, code::AIGP)?;
    Some(u64::from_be_bytes(value.get(3..)?.try_into().ok()?))
}

/// Bytes per second of the first link-bandwidth community that tells a usable number, transitive or not
/// (draft-ietf-idr-link-bandwidth 2): two octets of type, an AS number, an IEEE float.
pub fn link_bandwidth(block: &[u8]) -> Option<f32> {
    find(block, code::EXTENDED_COMMUNITIES)?
        .chunks_exact(8)
        .filter(|c| matches!(c[..2], [0x40 | 0x00, 0x04]))
        .map(|c| f32::from_bits(be32(&c[4..])))
        .find(|b| b.is_finite() && *b > 0.0)
}
