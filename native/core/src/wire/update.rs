//! UPDATE messages to canonical changes (RFC 4271 4.3, RFC 4760, RFC 7606). Pure: no table is touched here.

use super::attribute_rows::OPTIONAL_ERROR;
use super::attributes::{self, Block, NextHop, Summary, Terms};
use super::finding::{self, Disposition, Fault, Finding};
use super::framer::{Notification, HEADER};
use super::refusal::Refusal;
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
            finding::note(&mut changes.faults, reset(&n), &[], whole);
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
    faults: &mut Vec<(Fault, &'a [u8])>,
    c: &mut Changes,
) -> Result<(), Notification> {
    let malformed = || Notification::new(3, 1, &[]);
    let (withdrawn, at) = split(body, 0).ok_or_else(malformed)?;
    let (attrs, at) = split(body, at).ok_or_else(malformed)?;
    let nlri = &body[at..];
    if withdrawn.is_empty() && attrs.is_empty() && nlri.is_empty() {
        c.end_of_rib.push((1, 1)); // RFC 4724 2
        return Ok(());
    }
    let start = c.arena.len();
    let block = attributes::decode(attrs, terms, scratch, &mut c.arena, faults)?;
    let worst = faults.iter().map(|f| f.0.disposition).max();
    let v4_ids = terms.family(1, 1);
    let bad_network = |_| Notification::new(3, 10, &[]); // Invalid Network Field
    if let Some(ids) = v4_ids {
        for_each::<u32>(withdrawn, ids, |p, id| push(&mut c.v4, p, WITHDRAW, id))
            .map_err(bad_network)?;
    }
    if let Some((s, e)) = block.mp_unreach {
        mp_unreach(
            &attrs[s..e],
            terms,
            c,
            only_unreach(&block, withdrawn, nlri),
        )?;
    }
    let mut treat_as_withdraw =
        worst.is_some_and(|w| w >= Disposition::TreatAsWithdraw) || block.refused.is_some();
    let announces = !nlri.is_empty() || block.mp_reach.is_some();
    if announces && !(block.seen_origin && block.seen_path) {
        treat_as_withdraw = true; // RFC 7606 3 d
        if worst.is_none_or(|w| w < Disposition::TreatAsWithdraw) {
            faults.push((missing(if block.seen_origin { 2 } else { 1 }), attrs));
        }
    }
    let before = c.v4.len() + c.v6.len();
    let mut used = false;
    if let Some((s, e)) = block.mp_reach {
        used |= mp_reach(&attrs[s..e], terms, &block, start, treat_as_withdraw, c)?;
    }
    if let (false, Some(ids)) = (nlri.is_empty(), v4_ids) {
        let usable = block.next_hop.filter(|_| !treat_as_withdraw);
        if usable.is_none() && !treat_as_withdraw {
            faults.push((missing(3), attrs)); // RFC 7606 3 d: NEXT_HOP
        }
        let attrs = usable.map_or(WITHDRAW, |nh| add_block(c, &block, start, nh));
        used |= attrs != WITHDRAW;
        for_each::<u32>(nlri, ids, |p, id| push(&mut c.v4, p, attrs, id)).map_err(bad_network)?;
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

/// What cannot be read past (RFC 7606 3 b, j and 7.11): the message as a whole is at fault.
fn reset(notification: &Notification) -> Fault {
    Fault {
        code: 0,
        disposition: Disposition::SessionReset,
        subcode: notification.subcode,
        rfc: "4271 6.3",
    }
}

fn missing(code: u8) -> Fault {
    Fault {
        code,
        disposition: Disposition::TreatAsWithdraw,
        subcode: 3,
        rfc: "7606 3 d",
    }
}

fn only_unreach(block: &Block, withdrawn: &[u8], nlri: &[u8]) -> bool {
    withdrawn.is_empty() && nlri.is_empty() && block.mp_reach.is_none()
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
fn for_each<A: Addr>(
    mut field: &[u8],
    path_ids: bool,
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
        let prefix = Prefix::new(A::from_octets(&field[1..1 + n]), len);
        field = &field[1 + n..];
        // RFC 4271 6.3: a semantically wrong prefix (multicast) is ignored
        if !multicast(prefix) {
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

fn mp_error() -> Notification {
    Notification::new(3, OPTIONAL_ERROR, &[])
}

fn mp_unreach(v: &[u8], terms: &Terms, c: &mut Changes, alone: bool) -> Result<(), Notification> {
    if v.len() < 3 {
        return Err(mp_error()); // RFC 7606 7.12
    }
    let (afi, safi) = (u16::from_be_bytes([v[0], v[1]]), v[2]);
    if v.len() == 3 && alone {
        c.end_of_rib.push((afi, safi)); // RFC 4724 2
        return Ok(());
    }
    let Some(ids) = terms.family(afi, safi) else {
        return Ok(()); // not agreed: nothing of it is kept (RFC 4760 7)
    };
    match afi {
        1 => for_each::<u32>(&v[3..], ids, |p, id| push(&mut c.v4, p, WITHDRAW, id)),
        _ => for_each::<u128>(&v[3..], ids, |p, id| push(&mut c.v6, p, WITHDRAW, id)),
    }
    .map_err(|()| mp_error())
}

/// True if the attribute block came into use.
fn mp_reach(
    v: &[u8],
    terms: &Terms,
    block: &Block,
    start: usize,
    withdraw: bool,
    c: &mut Changes,
) -> Result<bool, Notification> {
    if v.len() < 5 {
        return Err(mp_error()); // RFC 7606 7.11
    }
    let (afi, safi) = (u16::from_be_bytes([v[0], v[1]]), v[2]);
    let end = 4 + usize::from(v[3]);
    if v.len() < end + 1 {
        return Err(mp_error());
    }
    let Some(ids) = terms.family(afi, safi) else {
        return Ok(false);
    };
    let extended = terms.extended_next_hop.contains(&(afi, safi));
    let next_hop = attributes::mp_next_hop(afi, &v[4..end], extended).ok_or_else(mp_error)?;
    let field = &v[end + 1..]; // one reserved octet, ignored (RFC 4760 3)
    let attrs = if withdraw {
        WITHDRAW
    } else {
        add_block(c, block, start, next_hop)
    };
    match afi {
        1 => for_each::<u32>(field, ids, |p, id| push(&mut c.v4, p, attrs, id)),
        _ => for_each::<u128>(field, ids, |p, id| push(&mut c.v6, p, attrs, id)),
    }
    .map_err(|()| mp_error())?;
    Ok(!withdraw)
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
