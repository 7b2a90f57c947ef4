//! UPDATE messages (RFC 4271 4.3, RFC 4760): prefixes packed behind attributes as far as the message size allows.

use super::export_terms::{ExportTerms, NextHop};
use super::nlri::Nlri;
use crate::prefix::Addr;
use crate::wire::{code, FLAG_EXTENDED, FLAG_OPTIONAL};

const HEADER: usize = 19;

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
    prefixes: Nlri<'_, A>,
    out: &mut Vec<u8>,
    ours: &mut Vec<(usize, NextHop)>,
) -> usize {
    let attributes = encoded.attributes;
    let plain = terms.plain(encoded.next_hop);
    let reach = reach_header(terms, encoded.next_hop);
    let reach = reach.octets();
    let fixed = fixed_size(attributes.len(), reach.len());
    if !fits::<A>(terms, attributes.len(), encoded.next_hop) {
        return 0;
    }
    let mut messages = 0;
    let mut rest = prefixes;
    while !rest.is_empty() {
        let (n, bytes) = rest.fit(terms.max_message - fixed);
        if plain {
            header(out, fixed + bytes, 0);
            out.extend_from_slice(&(attributes.len() as u16).to_be_bytes());
            let at = encoded.ours.map(|at| out.len() + at);
            ours.extend(at.map(|at| (at, encoded.next_hop)));
            out.extend_from_slice(attributes);
            rest = rest.write(n, out);
        } else {
            // RFC 7606 5.1: MP_REACH_NLRI comes first
            multiprotocol(out, code::MP_REACH, reach.len() + bytes, attributes.len());
            if !matches!(encoded.next_hop, NextHop::Other(_)) {
                ours.push((out.len() + REACH_ADDRESS, encoded.next_hop));
            }
            out.extend_from_slice(reach);
            rest = rest.write(n, out);
            out.extend_from_slice(attributes);
        }
        messages += 1;
    }
    messages
}

/// Everything before the value of a first attribute of multiprotocol prefixes, with `more` octets of attributes behind it.
fn multiprotocol(out: &mut Vec<u8>, code: u8, value: usize, more: usize) {
    let long = value > 255;
    let attributes = 3 + usize::from(long) + value + more;
    header(out, HEADER + 4 + attributes, 0);
    out.extend_from_slice(&(attributes as u16).to_be_bytes());
    if long {
        out.extend_from_slice(&[FLAG_OPTIONAL | FLAG_EXTENDED, code]);
        out.extend_from_slice(&(value as u16).to_be_bytes());
    } else {
        out.extend_from_slice(&[FLAG_OPTIONAL, code, value as u8]);
    }
}

/// Where the next hop stands in MP_REACH_NLRI: behind family and length (RFC 4760 3).
const REACH_ADDRESS: usize = 4;

/// MP_REACH_NLRI up to its prefixes; empty where NEXT_HOP does.
struct Reach {
    octets: [u8; REACH_ADDRESS + 32 + 1],
    len: usize,
}

impl Reach {
    fn octets(&self) -> &[u8] {
        &self.octets[..self.len]
    }
}

fn reach_header(terms: &ExportTerms, next_hop: NextHop) -> Reach {
    let mut reach = Reach {
        octets: [0; REACH_ADDRESS + 32 + 1],
        len: 0,
    };
    if terms.plain(next_hop) {
        return reach;
    }
    let (address, len) = terms.next_hop_octets(next_hop);
    reach.octets[..2].copy_from_slice(&terms.afi.to_be_bytes());
    reach.octets[2..REACH_ADDRESS].copy_from_slice(&[terms.safi, len as u8]);
    reach.octets[REACH_ADDRESS..REACH_ADDRESS + 32].copy_from_slice(&address);
    reach.len = REACH_ADDRESS + len + 1;
    reach
}

/// Octets of a message besides its prefixes, at most.
fn fixed_size(attributes: usize, reach: usize) -> usize {
    let mp = if reach == 0 { 0 } else { 4 + reach };
    HEADER + 4 + attributes + mp
}

/// Whether any prefix finds room beside attributes of this length.
pub fn fits<A: Addr>(terms: &ExportTerms, attributes: usize, next_hop: NextHop) -> bool {
    let id = if terms.add_path == 0 { 0 } else { 4 };
    let reach = reach_header(terms, next_hop).octets().len();
    fixed_size(attributes, reach) + id + 1 + A::BYTES <= terms.max_message
}

/// Messages that withdraw `prefixes`: how many.
pub fn withdraw<A: Addr>(terms: &ExportTerms, prefixes: Nlri<'_, A>, out: &mut Vec<u8>) -> usize {
    let plain = terms.afi == 1;
    let fixed = HEADER + 4 + if plain { 0 } else { 7 };
    let mut messages = 0;
    let mut rest = prefixes;
    while !rest.is_empty() {
        let (n, bytes) = rest.fit(terms.max_message - fixed);
        if plain {
            header(out, fixed + bytes, bytes);
            rest = rest.write(n, out);
            out.extend_from_slice(&[0, 0]);
        } else {
            multiprotocol(out, code::MP_UNREACH, 3 + bytes, 0);
            out.extend_from_slice(&terms.afi.to_be_bytes());
            out.push(terms.safi);
            rest = rest.write(n, out);
        }
        messages += 1;
    }
    messages
}

/// RFC 4724 2: an empty UPDATE, or an empty MP_UNREACH_NLRI.
pub fn end_of_rib(afi: u16, safi: u8, out: &mut Vec<u8>) {
    if (afi, safi) == (1, 1) {
        header(out, HEADER + 4, 0);
        out.extend_from_slice(&[0; 2]);
    } else {
        header(out, HEADER + 10, 0);
        out.extend_from_slice(&[0, 6, FLAG_OPTIONAL, code::MP_UNREACH, 3]);
        out.extend_from_slice(&afi.to_be_bytes());
        out.push(safi);
    }
}

/// Up to the withdrawn prefixes, with so many octets of them.
fn header(out: &mut Vec<u8>, len: usize, withdrawn: usize) {
    let mut octets = [0xff; HEADER + 2];
    octets[16..18].copy_from_slice(&(len as u16).to_be_bytes());
    octets[18] = 2;
    octets[HEADER..].copy_from_slice(&(withdrawn as u16).to_be_bytes());
    out.extend_from_slice(&octets);
}
