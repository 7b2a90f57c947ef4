//! UPDATE error handling: one row per kind of fault, with the verdict of RFC 7606 (or RFC 4271 where that still holds).

use routing_core::prefix::{Ip, Prefix};
use routing_core::wire::attributes;
use routing_core::wire::finding::{Disposition, ATTRIBUTE_SAMPLE, MESSAGE_SAMPLE};
use routing_core::wire::refusal::Refusal;
use routing_core::wire::terms::Terms;
use routing_core::wire::update::{decode, Changes, WITHDRAW};

mod reading;
mod verdicts;

fn terms(ebgp: bool, four: bool) -> Terms {
    Terms {
        peer_asn: if ebgp { 65002 } else { 65001 },
        local_asn: 65001,
        local_router_id: 0x0a00_0001,
        four_octet_as: four,
        families: vec![(1, 1, false), (2, 1, false)],
        aigp: true,
        ..Terms::default()
    }
}

fn attribute(flags: u8, code: u8, value: &[u8]) -> Vec<u8> {
    let mut a = vec![flags, code, value.len() as u8];
    a.extend_from_slice(value);
    a
}

fn update(attributes: &[Vec<u8>], nlri: &[u8]) -> Vec<u8> {
    raw(&[], &attributes.concat(), nlri)
}

fn raw(withdrawn: &[u8], attributes: &[u8], nlri: &[u8]) -> Vec<u8> {
    let mut body = (withdrawn.len() as u16).to_be_bytes().to_vec();
    body.extend_from_slice(withdrawn);
    body.extend_from_slice(&(attributes.len() as u16).to_be_bytes());
    body.extend_from_slice(attributes);
    body.extend_from_slice(nlri);
    let mut m = vec![0xff; 16];
    m.extend_from_slice(&(19 + body.len() as u16).to_be_bytes());
    m.push(2);
    m.extend_from_slice(&body);
    m
}

const NLRI: [u8; 4] = [24, 192, 0, 2];

fn origin() -> Vec<u8> {
    attribute(0x40, 1, &[0])
}
fn path() -> Vec<u8> {
    attribute(0x40, 2, &[2, 1, 0, 0, 0xfd, 0xea])
}
fn next_hop() -> Vec<u8> {
    attribute(0x40, 3, &[10, 0, 0, 2])
}

fn aigp(metric: u64) -> Vec<u8> {
    attribute(0x80, 26, &[&[1, 0, 11][..], &metric.to_be_bytes()].concat())
}

/// The mandatory attributes and one more.
fn with(extra: Vec<u8>) -> Changes {
    decode(
        &update(&[origin(), path(), next_hop(), extra], &NLRI),
        &terms(true, true),
    )
}

fn announced(c: &Changes) -> bool {
    c.error.is_none() && c.v4.len() == 1 && c.v4[0].attrs != WITHDRAW
}

fn withdrawn(c: &Changes) -> bool {
    c.error.is_none() && c.v4.len() == 1 && c.v4[0].attrs == WITHDRAW
}

/// The only attribute block.
fn block(c: &Changes) -> &[u8] {
    let b = &c.blocks[0];
    &c.arena[b.start as usize..b.end as usize]
}
