//! The attributes this speaker knows, a row each: flags, what makes a value malformed, what follows then (RFC 7606 7).

use super::finding::Disposition;
use super::terms::Terms;
use super::{as_path, code, FLAG_OPTIONAL, FLAG_TRANSITIVE};

const WELL_KNOWN: u8 = FLAG_TRANSITIVE;
pub const OPT_TRANS: u8 = FLAG_OPTIONAL | FLAG_TRANSITIVE;
const OPT: u8 = FLAG_OPTIONAL;
/// Subcodes of RFC 4271 6.3.
pub const MALFORMED_LIST: u8 = 1;
pub const UNRECOGNIZED: u8 = 2;
pub const MISSING: u8 = 3;
pub const FLAGS_ERROR: u8 = 4;
pub const LENGTH_ERROR: u8 = 5;
const INVALID_ORIGIN: u8 = 6;
pub const INVALID_NEXT_HOP: u8 = 8;
pub const OPTIONAL_ERROR: u8 = 9;
pub const INVALID_NETWORK: u8 = 10;
pub const MALFORMED_PATH: u8 = 11;

pub struct Row {
    pub code: u8,
    pub flags: u8,
    pub check: fn(&[u8], &Terms) -> Result<(), u8>,
    pub on_error: Disposition,
    pub rfc: &'static str,
    /// Not accepted from an external peer: silently dropped (RFC 7606 7.5, 7.9, 7.10).
    pub internal_only: bool,
}

macro_rules! row {
    ($code:expr, $flags:expr, $check:expr, $on:ident, $rfc:expr) => {
        row!($code, $flags, $check, $on, $rfc, false)
    };
    ($code:expr, $flags:expr, $check:expr, $on:ident, $rfc:expr, $internal:expr) => {
        Row {
            code: $code,
            flags: $flags,
            check: $check,
            on_error: Disposition::$on,
            rfc: $rfc,
            internal_only: $internal,
        }
    };
}

/// Every attribute this speaker knows: its flags, what makes it malformed, what follows then.
pub const ROWS: &[Row] = &[
    row!(
        code::ORIGIN,
        WELL_KNOWN,
        check_origin,
        TreatAsWithdraw,
        "7606 7.1"
    ),
    row!(
        code::AS_PATH,
        WELL_KNOWN,
        check_as_path,
        TreatAsWithdraw,
        "7606 7.2"
    ),
    row!(
        code::NEXT_HOP,
        WELL_KNOWN,
        check_four,
        TreatAsWithdraw,
        "7606 7.3"
    ),
    row!(code::MED, OPT, check_four, TreatAsWithdraw, "7606 7.4"),
    row!(
        code::LOCAL_PREF,
        WELL_KNOWN,
        check_four,
        TreatAsWithdraw,
        "7606 7.5",
        true
    ),
    row!(
        code::ATOMIC_AGGREGATE,
        WELL_KNOWN,
        check_empty,
        DiscardAttribute,
        "7606 7.6"
    ),
    row!(
        code::AGGREGATOR,
        OPT_TRANS,
        check_aggregator,
        DiscardAttribute,
        "7606 7.7"
    ),
    row!(
        code::COMMUNITIES,
        OPT_TRANS,
        check_fours,
        TreatAsWithdraw,
        "7606 7.8"
    ),
    row!(
        code::ORIGINATOR_ID,
        OPT,
        check_four,
        TreatAsWithdraw,
        "7606 7.9",
        true
    ),
    row!(
        code::CLUSTER_LIST,
        OPT,
        check_fours,
        TreatAsWithdraw,
        "7606 7.10",
        true
    ),
    row!(code::MP_REACH, OPT, check_any, SessionReset, "7606 7.11"),
    row!(code::MP_UNREACH, OPT, check_any, SessionReset, "7606 7.12"),
    row!(
        code::EXTENDED_COMMUNITIES,
        OPT_TRANS,
        check_eights,
        TreatAsWithdraw,
        "7606 7.14"
    ),
    row!(
        code::AS4_PATH,
        OPT_TRANS,
        check_as4_path,
        DiscardAttribute,
        "6793 6"
    ),
    row!(
        code::AS4_AGGREGATOR,
        OPT_TRANS,
        check_eight,
        DiscardAttribute,
        "6793 6"
    ),
    row!(code::AIGP, OPT, check_aigp, DiscardAttribute, "7311 3"),
    row!(
        code::LARGE_COMMUNITIES,
        OPT_TRANS,
        check_twelves,
        TreatAsWithdraw,
        "8092 6"
    ),
    row!(code::OTC, OPT_TRANS, check_four, TreatAsWithdraw, "9234 5"),
];

/// What well-formed AS numbers may not say: the subcode and clause of the `Err`; what follows is the row's (RFC 7606 7, RFC 6793 6).
pub fn check_numbers(kind: u8, v: &[u8], t: &Terms) -> Result<(), (u8, &'static str)> {
    let width = t.width();
    let zero = |asn: &[u8]| asn.iter().all(|&octet| octet == 0);
    match kind {
        code::AS_PATH if as_path::names_zero(v, width) => Err((MALFORMED_PATH, "7607 2")),
        code::AS_PATH if !t.may_tell(v) => Err((MALFORMED_PATH, "5065 5")),
        code::AS4_PATH if as_path::names_zero(v, 4) => Err((MALFORMED_PATH, "7607 2")),
        code::AGGREGATOR if zero(&v[..width]) => Err((OPTIONAL_ERROR, "7607 2")),
        code::AS4_AGGREGATOR if zero(&v[..4]) => Err((OPTIONAL_ERROR, "7607 2")),
        _ => Ok(()),
    }
}

fn check_any(_: &[u8], _: &Terms) -> Result<(), u8> {
    Ok(())
}
fn length(ok: bool) -> Result<(), u8> {
    if ok {
        Ok(())
    } else {
        Err(LENGTH_ERROR)
    }
}
fn check_four(v: &[u8], _: &Terms) -> Result<(), u8> {
    length(v.len() == 4)
}
fn check_empty(v: &[u8], _: &Terms) -> Result<(), u8> {
    length(v.is_empty())
}
fn check_eight(v: &[u8], _: &Terms) -> Result<(), u8> {
    length(v.len() == 8)
}
fn check_fours(v: &[u8], _: &Terms) -> Result<(), u8> {
    length(!v.is_empty() && v.len() % 4 == 0)
}
fn check_eights(v: &[u8], _: &Terms) -> Result<(), u8> {
    length(!v.is_empty() && v.len() % 8 == 0)
}
fn check_twelves(v: &[u8], _: &Terms) -> Result<(), u8> {
    length(!v.is_empty() && v.len() % 12 == 0)
}
fn check_aggregator(v: &[u8], t: &Terms) -> Result<(), u8> {
    length(v.len() == if t.four_octet_as { 8 } else { 6 })
}
fn check_origin(v: &[u8], _: &Terms) -> Result<(), u8> {
    length(v.len() == 1)?;
    if v[0] <= 2 {
        Ok(())
    } else {
        Err(INVALID_ORIGIN)
    }
}
fn check_as_path(v: &[u8], t: &Terms) -> Result<(), u8> {
    if as_path::well_formed(v, t.width()) {
        Ok(())
    } else {
        Err(MALFORMED_PATH)
    }
}
fn check_as4_path(v: &[u8], _: &Terms) -> Result<(), u8> {
    if !v.is_empty() && as_path::well_formed(v, 4) {
        Ok(())
    } else {
        Err(MALFORMED_PATH)
    }
}
/// RFC 7311 3 and, of the metric that is none, 3.2.
fn check_aigp(v: &[u8], _: &Terms) -> Result<(), u8> {
    let tlv = aigp_tlv(v).filter(|tlv| tlv[3..] != [0xff; 8]);
    tlv.map(|_| ()).ok_or(OPTIONAL_ERROR)
}

/// RFC 7311 3: the first AIGP TLV, of type 1 and of length 11 with its header; further ones say nothing.
pub fn aigp_tlv(v: &[u8]) -> Option<&[u8]> {
    let mut rest = v;
    while let [kind, high, low, ..] = *rest {
        let len = usize::from(u16::from_be_bytes([high, low]));
        let tlv = rest.get(..len).filter(|t| t.len() >= 3)?;
        if kind == 1 {
            return (len == 11).then_some(tlv);
        }
        rest = &rest[len..];
    }
    None
}
