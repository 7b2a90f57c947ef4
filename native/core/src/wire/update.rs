//! UPDATE messages to canonical changes (RFC 4271 4.3, RFC 4760, RFC 7606). Pure: no table is touched here.

use super::attribute_rows::{
    INVALID_NETWORK, INVALID_NEXT_HOP, MALFORMED_LIST, MISSING, OPTIONAL_ERROR,
};
use super::attributes::{self, Block, Summary};
use super::code;
use super::finding::{self, fault, reset, Disposition, Fault, Faults, Finding};
use super::framer::{Notification, HEADER};
use super::next_hop::{mp_next_hop, NextHop};
use super::refusal::Refusal;
use super::terms::Terms;
use crate::prefix::{Addr, Ip, Prefix};

pub const WITHDRAW: u32 = u32::MAX;

/// One attribute set as an UPDATE carried it; `start..end` lies in `Changes::arena`.
#[derive(Clone, Copy, Debug)]
pub struct AttrBlock {
    pub start: u32,
    pub end: u32,
    pub next_hop: NextHop,
    pub summary: Summary,
}

/// One prefix announced with block `attrs`, or withdrawn (`WITHDRAW`).
#[derive(Clone, Copy, Debug)]
pub struct Change<A> {
    pub prefix: Prefix<A>,
    pub attrs: u32,
    pub path_id: u32,
}

/// What a run of UPDATEs says, in canonical form: the only input of the RIB from BGP.
#[derive(Default)]
pub struct Changes {
    pub arena: Vec<u8>,
    pub blocks: Vec<AttrBlock>,
    pub v4: Vec<Change<u32>>,
    pub v6: Vec<Change<u128>>,
    pub end_of_rib: Vec<(u16, u8)>,
    pub faults: Vec<Finding>,
    pub updates: u32,
    pub announced: u32,
    pub withdrawn: u32,
    /// Announcements turned into withdrawals because the path loops (RFC 4271 9.1.2, RFC 4456 8).
    pub refused: [u32; Refusal::NAMES.len()],
    pub error: Option<Notification>,
}

/// Decodes a run of whole UPDATE messages as `Framer` hands it out. Stops at the first fault that resets the session.
pub fn decode(bytes: &[u8], terms: &Terms) -> Changes {
    let mut changes = Changes::default();
    let mut scratch = Vec::with_capacity(16);
    let mut faults = Vec::new();
    let mut at = 0;
    while bytes.len() - at >= HEADER {
        let len = usize::from(u16::from_be_bytes([bytes[at + 16], bytes[at + 17]]));
        if len < HEADER || bytes.len() - at < len {
            changes.error = Some(Notification::new(1, 2, &bytes[at + 16..at + 18]));
            break;
        }
        changes.updates += 1;
        faults.clear();
        let whole = &bytes[at..at + len];
        let result = message(
            &whole[HEADER..],
            terms,
            &mut scratch,
            &mut faults,
            &mut changes,
        );
        for (fault, attribute) in &faults {
            finding::note(&mut changes.faults, *fault, attribute, whole);
        }
        if let Err(n) = result {
            changes.error = Some(n);
            break;
        }
        at += len;
    }
    changes
}

fn split(body: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let len = usize::from(u16::from_be_bytes([*body.get(at)?, *body.get(at + 1)?]));
    let part = body.get(at + 2..at + 2 + len)?;
    Some((part, at + 2 + len))
}

fn message<'a>(
    body: &'a [u8],
    terms: &Terms,
    scratch: &mut Vec<(u8, u8, usize, usize)>,
    faults: &mut Faults<'a>,
    c: &mut Changes,
) -> Result<(), Notification> {
    let Some((withdrawn, attrs, nlri)) = fields(body) else {
        return Err(reset(faults, 0, MALFORMED_LIST, "7606 3 b", &[]));
    };
    if withdrawn.is_empty() && attrs.is_empty() && nlri.is_empty() {
        c.end_of_rib.push((1, 1)); // RFC 4724 2
        return Ok(());
    }
    let start = c.arena.len();
    let block = attributes::decode(attrs, terms, scratch, &mut c.arena, faults)?;
    let reach = match block.mp_reach {
        Some(at) => match Reach::read(at.value(attrs), terms) {
            Ok(reach) => Some((reach, at.whole(attrs))),
            Err(rfc) => return Err(mp_error(faults, code::MP_REACH, rfc, at.whole(attrs))),
        },
        None => None,
    };
    let told = reach.as_ref().is_some_and(|(r, _)| !r.nlri.is_empty());
    judge(&block, reach.as_ref().filter(|_| told), nlri, attrs, faults);
    let worst = faults.iter().max_by_key(|f| f.0.disposition).copied();
    let worst = worst.filter(|w| w.0.disposition >= Disposition::TreatAsWithdraw);
    if let (Some((worst, octets)), false) = (worst, told || !nlri.is_empty()) {
        // RFC 7606 5.2: what should be withdrawn may have been lost with the fault
        return Err(reset(faults, worst.code, worst.subcode, "7606 5.2", octets));
    }
    let v4_ids = terms.family(1, 1);
    if let Some(ids) = v4_ids {
        let take = |p, id| push(&mut c.v4, p, WITHDRAW, id);
        for_each::<u32>(withdrawn, ids, faults, take)
            .map_err(|()| bad_network(faults, withdrawn))?;
    }
    if let Some(at) = block.mp_unreach {
        let alone = withdrawn.is_empty() && nlri.is_empty() && reach.is_none();
        mp_unreach(at.value(attrs), terms, c, alone, faults)
            .map_err(|()| mp_error(faults, code::MP_UNREACH, "7606 5.3", at.whole(attrs)))?;
    }
    let usable = worst.is_none() && block.refused.is_none();
    let before = c.v4.len() + c.v6.len();
    let mut used = false;
    if let Some((
        Reach {
            afi,
            agreed: Some((ids, next_hop)),
            nlri,
        },
        whole,
    )) = reach
    {
        let attrs = if usable {
            add_block(c, &block, start, next_hop)
        } else {
            WITHDRAW
        };
        used |= usable;
        match afi {
            1 => for_each::<u32>(nlri, ids, faults, |p, id| push(&mut c.v4, p, attrs, id)),
            _ => for_each::<u128>(nlri, ids, faults, |p, id| push(&mut c.v6, p, attrs, id)),
        }
        .map_err(|()| mp_error(faults, code::MP_REACH, "7606 5.3", whole))?;
    }
    if let (false, Some(ids)) = (nlri.is_empty(), v4_ids) {
        let next_hop = block.next_hop.filter(|_| usable);
        let attrs = next_hop.map_or(WITHDRAW, |(hop, _)| add_block(c, &block, start, hop));
        used |= attrs != WITHDRAW;
        let take = |p, id| push(&mut c.v4, p, attrs, id);
        for_each::<u32>(nlri, ids, faults, take).map_err(|()| bad_network(faults, nlri))?;
    }
    if !used {
        c.arena.truncate(start);
    }
    let n = (c.v4.len() + c.v6.len() - before) as u32;
    if let Some(reason) = block.refused {
        c.refused[reason as usize] += n;
    }
    Ok(())
}

/// Withdrawn routes, path attributes, NLRI; `None`: their lengths exceed the message (RFC 4271 6.3).
fn fields(body: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (withdrawn, at) = split(body, 0)?;
    let (attrs, at) = split(body, at)?;
    Some((withdrawn, attrs, &body[at..]))
}

/// Faults that show only when the attributes are seen together with what they announce, here or in MP_REACH_NLRI (`reach`, with
/// its octets): missing ones (RFC 7606 3 d) and next hops that no host has (RFC 4271 6.3). Where all routes are in MP_REACH_NLRI,
/// NEXT_HOP says nothing (RFC 4760 3).
fn judge<'a>(
    block: &Block,
    reach: Option<&(Reach, &'a [u8])>,
    nlri: &[u8],
    attrs: &'a [u8],
    faults: &mut Faults<'a>,
) {
    let here = !nlri.is_empty();
    let announces = here || reach.is_some();
    for (kind, wanted) in [
        (code::ORIGIN, announces && !block.seen_origin),
        (code::AS_PATH, announces && !block.seen_path),
        (code::NEXT_HOP, here && block.next_hop.is_none()),
    ] {
        // a malformed one is there
        if wanted && !faults.iter().any(|f| f.0.code == kind) {
            faults.push((fault(kind, MISSING, "7606 3 d"), attrs));
        }
    }
    let hops = [
        block
            .next_hop
            .filter(|_| here)
            .map(|(hop, at)| (code::NEXT_HOP, hop, at.whole(attrs))),
        reach.and_then(|(r, whole)| Some((code::MP_REACH, r.agreed?.1, *whole))),
    ];
    for (kind, hop, whole) in hops.into_iter().flatten() {
        if !hop.is_host() {
            faults.push((fault(kind, INVALID_NEXT_HOP, "4271 6.3"), whole));
        }
    }
}

fn bad_network<'a>(faults: &mut Faults<'a>, field: &'a [u8]) -> Notification {
    reset(faults, 0, INVALID_NETWORK, "7606 5.3", field)
}

/// RFC 4760 7.
fn mp_error<'a>(
    faults: &mut Faults<'a>,
    code: u8,
    rfc: &'static str,
    whole: &'a [u8],
) -> Notification {
    reset(faults, code, OPTIONAL_ERROR, rfc, whole)
}

fn add_block(c: &mut Changes, block: &Block, start: usize, next_hop: NextHop) -> u32 {
    c.blocks.push(AttrBlock {
        start: start as u32,
        end: c.arena.len() as u32,
        next_hop,
        summary: block.summary,
    });
    (c.blocks.len() - 1) as u32
}

#[inline]
fn push<A: Addr>(list: &mut Vec<Change<A>>, prefix: Prefix<A>, attrs: u32, path_id: u32) {
    list.push(Change {
        prefix,
        attrs,
        path_id,
    });
}

/// RFC 4271 4.3: length octet and as many octets as it needs. `Err`: the field cannot be parsed.
#[inline]
fn for_each<'a, A: Addr>(
    mut field: &'a [u8],
    path_ids: bool,
    faults: &mut Faults<'a>,
    mut f: impl FnMut(Prefix<A>, u32),
) -> Result<(), ()> {
    while !field.is_empty() {
        let mut id = 0;
        if path_ids {
            if field.len() < 5 {
                return Err(());
            }
            id = u32::from_octets(&field[..4]);
            field = &field[4..];
        }
        let len = field[0];
        let n = usize::from(len).div_ceil(8);
        if len > A::BITS || field.len() < 1 + n {
            return Err(());
        }
        let octets;
        (octets, field) = field.split_at(1 + n);
        let prefix = Prefix::new(A::from_octets(&octets[1..]), len);
        if multicast(prefix) {
            // RFC 4271 6.3: a semantically wrong prefix is ignored
            let nowhere = Fault {
                disposition: Disposition::IgnorePrefix,
                ..fault(0, INVALID_NETWORK, "4271 6.3")
            };
            faults.push((nowhere, octets));
        } else {
            f(prefix, id);
        }
    }
    Ok(())
}

fn multicast<A: Addr>(p: Prefix<A>) -> bool {
    match p.addr.wrap() {
        Ip::V4(a) => p.len >= 4 && a >> 28 == 0xe,
        Ip::V6(a) => p.len >= 8 && a >> 120 == 0xff,
        Ip::None => false,
    }
}

/// `Err`: its prefixes cannot be located.
fn mp_unreach<'a>(
    v: &'a [u8],
    terms: &Terms,
    c: &mut Changes,
    alone: bool,
    faults: &mut Faults<'a>,
) -> Result<(), ()> {
    let (&[high, low, safi], nlri) = v.split_first_chunk().ok_or(())?; // RFC 7606 5.3: three octets
    let afi = u16::from_be_bytes([high, low]);
    if nlri.is_empty() && alone {
        c.end_of_rib.push((afi, safi)); // RFC 4724 2
        return Ok(());
    }
    let Some(ids) = terms.family(afi, safi) else {
        return Ok(()); // not agreed: nothing of it is kept (RFC 4760 7)
    };
    match afi {
        1 => for_each::<u32>(nlri, ids, faults, |p, id| push(&mut c.v4, p, WITHDRAW, id)),
        _ => for_each::<u128>(nlri, ids, faults, |p, id| push(&mut c.v6, p, WITHDRAW, id)),
    }
}

/// MP_REACH_NLRI, taken apart (RFC 4760 3).
struct Reach<'a> {
    afi: u16,
    /// Whether NLRI carry path identifiers, and the next hop; `None`: the family was not agreed.
    agreed: Option<(bool, NextHop)>,
    nlri: &'a [u8],
}

impl Reach<'_> {
    /// `Err`: its prefixes cannot be located, by this clause.
    fn read<'a>(v: &'a [u8], terms: &Terms) -> Result<Reach<'a>, &'static str> {
        if v.len() < 5 {
            return Err("7606 5.3");
        }
        let (afi, safi) = (u16::from_be_bytes([v[0], v[1]]), v[2]);
        let end = 4 + usize::from(v[3]);
        let nlri = v.get(end + 1..).ok_or("7606 7.11")?; // one reserved octet, ignored (RFC 4760 3)
        let agreed = match terms.family(afi, safi) {
            Some(ids) => {
                let extended = terms.extended_next_hop.contains(&(afi, safi));
                let hop = mp_next_hop(afi, &v[4..end], extended).ok_or("7606 7.11")?;
                Some((ids, hop))
            }
            None => None,
        };
        Ok(Reach { afi, agreed, nlri })
    }
}

impl Changes {
    /// Announcements and withdrawals, counted once decoding is over.
    pub fn count(&mut self) {
        let v4 = self.v4.iter().filter(|c| c.attrs == WITHDRAW).count();
        let v6 = self.v6.iter().filter(|c| c.attrs == WITHDRAW).count();
        self.withdrawn = (v4 + v6) as u32;
        self.announced = (self.v4.len() + self.v6.len()) as u32 - self.withdrawn;
    }
}
