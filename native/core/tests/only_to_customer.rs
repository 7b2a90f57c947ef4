//! RFC 9234 5, ingress: what each role makes of a route without OTC, with the peer's, and with another's.

use routing_core::wire::finding::Disposition;
use routing_core::wire::refusal::Refusal;
use routing_core::wire::role::Role;
use routing_core::wire::terms::Terms;
use routing_core::wire::update::{decode, Changes, WITHDRAW};

const PEER: u32 = 65002;
const OTHER: u32 = 65009;

fn terms(role: Option<Role>, peer_asn: u32) -> Terms {
    Terms {
        peer_asn,
        local_asn: 65001,
        local_router_id: 0x0a00_0001,
        four_octet_as: true,
        families: vec![(1, 1, false)],
        role,
        ..Terms::default()
    }
}

/// One prefix with ORIGIN, AS_PATH, NEXT_HOP, then these.
fn update(more: &[u8]) -> Vec<u8> {
    let mut attributes = vec![0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xea];
    attributes.extend_from_slice(&[0x40, 3, 4, 10, 0, 0, 2]);
    attributes.extend_from_slice(more);
    let mut m = vec![0xff; 16];
    m.extend_from_slice(&(19 + 4 + attributes.len() as u16 + 4).to_be_bytes());
    m.extend_from_slice(&[2, 0, 0]);
    m.extend_from_slice(&(attributes.len() as u16).to_be_bytes());
    m.extend_from_slice(&attributes);
    m.extend_from_slice(&[24, 192, 0, 2]);
    m
}

fn otc(asn: u32) -> Vec<u8> {
    [&[0xc0, 35, 4][..], &asn.to_be_bytes()].concat()
}

fn leaked(c: &Changes) -> bool {
    c.v4[0].attrs == WITHDRAW && c.refused[Refusal::OtcLeak as usize] == 1
}

/// Its OTC as it is kept.
fn kept(c: &Changes) -> Option<u32> {
    let b = &c.blocks[c.v4[0].attrs as usize];
    let block = &c.arena[b.start as usize..b.end as usize];
    let at = block.windows(3).position(|w| w[1..] == [35, 4])?;
    let asn = block[at + 3..at + 7].try_into().ok()?;
    assert!(b.summary.otc);
    Some(u32::from_be_bytes(asn))
}

#[test]
fn each_role_takes_marks_or_refuses() {
    enum Told {
        Leak,
        Kept(Option<u32>),
    }
    use Told::{Kept, Leak};
    let rows = [
        (Some(Role::Provider), Kept(None), Leak, Leak),
        (Some(Role::RouteServer), Kept(None), Leak, Leak),
        (Some(Role::Peer), Kept(Some(PEER)), Kept(Some(PEER)), Leak),
        (
            Some(Role::Customer),
            Kept(Some(PEER)),
            Kept(Some(PEER)),
            Kept(Some(OTHER)),
        ),
        (
            Some(Role::RsClient),
            Kept(Some(PEER)),
            Kept(Some(PEER)),
            Kept(Some(OTHER)),
        ),
        (None, Kept(None), Kept(Some(PEER)), Kept(Some(OTHER))),
    ];
    for (role, without, with_peers, with_others) in rows {
        let messages = [update(&[]), update(&otc(PEER)), update(&otc(OTHER))];
        for (message, expected) in messages.iter().zip([without, with_peers, with_others]) {
            let c = decode(message, &terms(role, PEER));
            assert!(c.error.is_none() && c.faults.is_empty());
            match expected {
                Leak => assert!(leaked(&c), "{role:?}"),
                Kept(value) => assert_eq!(kept(&c), value, "{role:?}"),
            }
        }
    }
}

#[test]
fn it_stands_in_its_place_among_the_others() {
    // a large community and an unknown attribute around it
    let large = [0xc0, 32, 12, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
    let unknown = [0xe0, 99, 1, 7];
    let c = decode(
        &update(&[&unknown[..], &large].concat()),
        &terms(Some(Role::Customer), PEER),
    );
    let b = &c.blocks[0];
    let block = &c.arena[b.start as usize..b.end as usize];
    assert!(block.ends_with(&[&large[..], &otc(PEER), &unknown].concat()));
}

#[test]
fn of_another_length_it_withdraws_the_route_and_inside_an_as_roles_mean_nothing() {
    let c = decode(
        &update(&[0xc0, 35, 3, 0, 0, 1]),
        &terms(Some(Role::Customer), PEER),
    );
    assert_eq!(c.v4[0].attrs, WITHDRAW);
    let fault = c.faults[0].fault;
    assert_eq!(
        (fault.code, fault.disposition, fault.rfc, c.faults[0].count),
        (35, Disposition::TreatAsWithdraw, "9234 5", 1)
    );
    let c = decode(&update(&otc(OTHER)), &terms(Some(Role::Provider), 65001));
    assert!(c.refused[Refusal::OtcLeak as usize] == 0);
}
