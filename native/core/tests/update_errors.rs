//! UPDATE error handling: one row per kind of fault, with the verdict of RFC 7606 (or RFC 4271 where that still holds).

use routing_core::prefix::{Ip, Prefix};
use routing_core::wire::attributes;
use routing_core::wire::finding::{Disposition, ATTRIBUTE_SAMPLE, MESSAGE_SAMPLE};
use routing_core::wire::refusal::Refusal;
use routing_core::wire::terms::Terms;
use routing_core::wire::update::{decode, Changes, WITHDRAW};

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

#[test]
fn a_well_formed_update_is_announced_with_canonical_attributes() {
    let c = decode(
        &update(&[next_hop(), path(), origin()], &NLRI),
        &terms(true, true),
    );
    assert!(announced(&c) && c.faults.is_empty());
    let b = &c.blocks[0];
    assert_eq!(b.next_hop.ip, Ip::V4(0x0a00_0002));
    let expected = [origin(), path()].concat();
    assert_eq!(&c.arena[b.start as usize..b.end as usize], &expected[..]);
    assert_eq!(c.v4[0].prefix, Prefix::new(0xc000_0200, 24));
}

#[test]
fn malformed_attributes_get_the_verdict_of_their_rfc() {
    let four = [0, 0, 0, 1];
    let rows: Vec<(&str, Vec<u8>, Disposition)> = vec![
        (
            "7606 7.4",
            attribute(0x80, 4, &[1, 2, 3]),
            Disposition::TreatAsWithdraw,
        ),
        (
            "7606 7.6",
            attribute(0x40, 6, &[1]),
            Disposition::DiscardAttribute,
        ),
        (
            "7606 7.7",
            attribute(0xc0, 7, &[1, 2, 3]),
            Disposition::DiscardAttribute,
        ),
        (
            "7606 7.8",
            attribute(0xc0, 8, &[1, 2, 3]),
            Disposition::TreatAsWithdraw,
        ),
        (
            "7606 7.8",
            attribute(0xc0, 8, &[]),
            Disposition::TreatAsWithdraw,
        ),
        (
            "7606 7.14",
            attribute(0xc0, 16, &[1, 2, 3, 4]),
            Disposition::TreatAsWithdraw,
        ),
        (
            "8092 6",
            attribute(0xc0, 32, &four),
            Disposition::TreatAsWithdraw,
        ),
        (
            "7606 3 c",
            attribute(0x40, 4, &four),
            Disposition::TreatAsWithdraw,
        ),
        ("7606 3 g", origin(), Disposition::DiscardAttribute),
        // no AIGP TLV; one of another length; one cut short; behind a TLV that cannot be; transitive; all ones (3.2)
        (
            "7311 3",
            attribute(0x80, 26, &[2, 0, 3]),
            Disposition::DiscardAttribute,
        ),
        (
            "7311 3",
            attribute(0x80, 26, &[1, 0, 7, 0, 0, 0, 5]),
            Disposition::DiscardAttribute,
        ),
        (
            "7311 3",
            attribute(0x80, 26, &aigp(5)[3..13]),
            Disposition::DiscardAttribute,
        ),
        (
            "7311 3",
            attribute(0x80, 26, &[&[2, 0, 2], &aigp(5)[3..]].concat()),
            Disposition::DiscardAttribute,
        ),
        (
            "7311 3",
            attribute(0xc0, 26, &aigp(5)[3..]),
            Disposition::DiscardAttribute,
        ),
        ("7311 3", aigp(u64::MAX), Disposition::DiscardAttribute),
    ];
    for (rfc, extra, disposition) in rows {
        let c = with(extra.clone());
        assert_eq!(c.faults.len(), 1, "{rfc} {extra:?}");
        assert_eq!(c.faults[0].fault.rfc, rfc, "{extra:?}");
        assert_eq!(c.faults[0].fault.disposition, disposition, "{extra:?}");
        let expected = if disposition == Disposition::DiscardAttribute {
            announced(&c)
        } else {
            withdrawn(&c)
        };
        assert!(expected, "{rfc} {extra:?}");
    }
}

#[test]
fn malformed_mandatory_attributes_withdraw_the_route() {
    let cases = [
        vec![attribute(0x40, 1, &[3]), path(), next_hop()],
        vec![attribute(0x40, 1, &[0, 0]), path(), next_hop()],
        vec![
            origin(),
            attribute(0x40, 2, &[2, 2, 0, 0, 0, 1]),
            next_hop(),
        ],
        vec![
            origin(),
            attribute(0x40, 2, &[9, 1, 0, 0, 0, 1]),
            next_hop(),
        ],
        vec![origin(), attribute(0x40, 2, &[2, 0]), next_hop()],
        vec![origin(), path(), attribute(0x40, 3, &[10, 0, 0])],
        vec![origin(), path(), attribute(0x40, 3, &[224, 0, 0, 1])],
        vec![path(), next_hop()],
        vec![origin(), next_hop()],
        vec![origin(), path()],
    ];
    for case in cases {
        let c = decode(&update(&case, &NLRI), &terms(true, true));
        assert!(withdrawn(&c), "{case:?}: {:?}", c.faults);
        assert!(!c.faults.is_empty(), "{case:?}");
    }
}

#[test]
fn an_attribute_that_overruns_the_list_withdraws_and_loses_no_prefix() {
    let mut attributes = [origin(), path(), next_hop()].concat();
    attributes.extend_from_slice(&[0x80, 4, 200, 1]);
    let c = decode(&raw(&[], &attributes, &NLRI), &terms(true, true));
    assert!(withdrawn(&c));
    assert_eq!(c.faults[0].fault.rfc, "7606 4");
}

#[test]
fn what_cannot_be_located_resets_the_session() {
    let t = terms(true, true);
    let subcode = |m: &[u8]| decode(m, &t).error.map(|n| (n.code, n.subcode));
    // NLRI with a length over 32, and one that ends early: RFC 7606 3 j, 5.3
    assert_eq!(
        subcode(&update(&[origin(), path(), next_hop()], &[33, 1, 2, 3, 4])),
        Some((3, 10))
    );
    assert_eq!(
        subcode(&update(&[origin(), path(), next_hop()], &[24, 192])),
        Some((3, 10))
    );
    // lengths that lie: RFC 4271 6.3
    let mut m = raw(&[], &[], &[]);
    m[19] = 9;
    assert_eq!(subcode(&m), Some((3, 1)));
    // an unknown well-known attribute
    assert_eq!(
        subcode(&update(&[attribute(0x40, 99, &[1])], &NLRI)),
        Some((3, 2))
    );
    // two MP_REACH_NLRI: RFC 7606 3 g; a next hop of impossible length: 7.11
    let reach = attribute(0x80, 14, &[0, 2, 1, 5, 1, 2, 3, 4, 5, 0]);
    assert_eq!(
        subcode(&update(std::slice::from_ref(&reach), &[])),
        Some((3, 9))
    );
    assert_eq!(subcode(&update(&[reach.clone(), reach], &[])), Some((3, 1)));
}

#[test]
fn attributes_that_are_nobodys_business_go_whatever_is_in_them() {
    // RFC 6793 4.1: from a speaker of four octets
    for (flags, value) in [(0xc0, &[2, 1, 0, 1, 0, 1][..]), (0xc0, &[1]), (0x40, &[])] {
        let c = with(attribute(flags, 17, value));
        assert!(announced(&c));
        let found = c.faults[0].fault;
        let verdict = (found.code, found.disposition, found.rfc);
        assert_eq!(verdict, (17, Disposition::DiscardAttribute, "6793 4.1"));
    }
    // RFC 4271 4.3: Partial is for what is optional and transitive
    let all = [
        attribute(0x60, 1, &[0]),
        path(),
        next_hop(),
        attribute(0xe0, 8, &[0, 1, 0, 2]),
    ];
    let c = decode(&update(&all, &NLRI), &terms(true, true));
    assert!(announced(&c) && c.faults.is_empty());
    assert_eq!(
        block(&c),
        [origin(), path(), attribute(0xe0, 8, &[0, 1, 0, 2])].concat()
    );
}

#[test]
fn a_fault_without_reachable_prefixes_resets_the_session() {
    // RFC 7606 5.2: the announcement may be what was lost
    let bad_med = attribute(0x80, 4, &[1]);
    let empty_reach = attribute(
        0x80,
        14,
        &[
            0, 2, 1, 16, 0x20, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0,
        ],
    );
    for attributes in [bad_med.clone(), [bad_med.clone(), empty_reach].concat()] {
        let c = decode(&raw(&NLRI, &attributes, &[]), &terms(true, true));
        assert_eq!(c.error.map(|n| (n.code, n.subcode)), Some((3, 5)));
        let found: Vec<_> = c
            .faults
            .iter()
            .map(|f| (f.fault.code, f.fault.rfc))
            .collect();
        assert_eq!(found, [(4, "7606 7.4"), (4, "7606 5.2")]);
    }
    // a discarded attribute is no such fault, and missing attributes are not when nothing is announced
    let c = decode(
        &raw(&NLRI, &attribute(0x40, 6, &[1]), &[]),
        &terms(true, true),
    );
    assert!(withdrawn(&c) && c.faults.len() == 1);
}

#[test]
fn prefixes_that_nobody_can_announce_are_ignored_and_their_neighbours_are_not() {
    let nlri = [&[8, 224][..], &NLRI].concat();
    let c = decode(
        &update(&[origin(), path(), next_hop()], &nlri),
        &terms(true, true),
    );
    assert!(announced(&c));
    let found = c.faults[0].fault;
    assert_eq!(
        (found.disposition, found.subcode),
        (Disposition::IgnorePrefix, 10)
    );
}

#[test]
fn next_hops_that_no_host_has_withdraw_what_is_announced() {
    let reach = |hop: [u8; 16]| [&[0, 2, 1, 16][..], &hop, &[0, 32, 0x20, 1, 0xd, 0xb8]].concat();
    let mut loopback = [0; 16];
    loopback[15] = 1;
    let mut multicast = [0; 16];
    multicast[..2].copy_from_slice(&[0xff, 2]);
    for hop in [[0; 16], loopback, multicast] {
        let all = [
            attribute(0x80, 14, &reach(hop)),
            origin(),
            path(),
            next_hop(),
        ];
        let c = decode(&update(&all, &NLRI), &terms(true, true));
        // with everything else that the message announces
        assert!(withdrawn(&c) && c.v6.len() == 1 && c.v6[0].attrs == WITHDRAW);
        assert_eq!((c.faults[0].fault.code, c.faults[0].fault.subcode), (14, 8));
    }
    // RFC 4760 3: beside MP_REACH_NLRI alone, NEXT_HOP says nothing
    let mut global = [0; 16];
    global[0] = 0x20;
    let all = [
        attribute(0x80, 14, &reach(global)),
        origin(),
        path(),
        attribute(0x40, 3, &[0; 4]),
    ];
    let c = decode(&update(&all, &[]), &terms(true, true));
    assert!(c.faults.is_empty() && c.v6[0].attrs != WITHDRAW);
}

#[test]
fn prefixes_that_cannot_be_located_leave_only_a_reset() {
    // RFC 7606 3 j and 5.3: MP_* with wrong flags, or beyond the end of the attributes
    let reach = [
        0, 2, 1, 16, 0x20, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0,
    ];
    for kind in [14, 15] {
        let value = if kind == 14 {
            &reach[..]
        } else {
            &[0, 2, 1][..]
        };
        for flags in [0xc0, 0x40, 0] {
            let all = [attribute(flags, kind, value), origin(), path(), next_hop()];
            let c = decode(&update(&all, &NLRI), &terms(true, true));
            assert_eq!(c.error.map(|n| (n.code, n.subcode)), Some((3, 9)));
        }
        let mut cut = [origin(), path(), next_hop(), attribute(0x80, kind, value)].concat();
        cut.pop();
        let c = decode(&raw(&[], &cut, &NLRI), &terms(true, true));
        assert_eq!(c.error.map(|n| (n.code, n.subcode)), Some((3, 9)));
        assert_eq!(c.faults[0].fault.rfc, "7606 3 j");
    }
}

#[test]
fn internal_attributes_from_an_external_peer_are_dropped_in_silence() {
    let extra = attribute(0x40, 5, &[0, 0, 0, 200]);
    let c = with(extra.clone());
    assert!(announced(&c) && c.faults.is_empty());
    assert_eq!(c.blocks[0].summary.local_pref, None);
    let all = [origin(), path(), next_hop(), extra];
    let c = decode(&update(&all, &NLRI), &terms(false, true));
    assert_eq!(c.blocks[0].summary.local_pref, Some(200));
}

#[test]
fn our_own_as_in_the_path_turns_the_route_into_a_withdrawal() {
    let looped = attribute(0x40, 2, &[2, 2, 0, 0, 0xfd, 0xea, 0, 0, 0xfd, 0xe9]);
    let c = decode(
        &update(&[origin(), looped, next_hop()], &NLRI),
        &terms(true, true),
    );
    assert!(withdrawn(&c));
    let refused: u32 = c.refused.iter().sum();
    let by_own_as = c.refused[Refusal::OwnAs as usize];
    assert_eq!((by_own_as, refused, c.faults.len()), (1, 1, 0));
}

#[test]
fn unknown_transitive_attributes_go_on_with_partial_and_others_do_not() {
    let c = with(attribute(0xc0, 200, &[7]));
    let b = &c.blocks[0];
    let bytes = &c.arena[b.start as usize..b.end as usize];
    assert!(bytes.ends_with(&[0xe0, 200, 1, 7]), "{bytes:?}");
    let c = with(attribute(0x80, 201, &[7]));
    assert!(announced(&c));
    assert!(!c.arena.windows(2).any(|w| w == [0x80, 201]));
}

#[test]
fn two_octet_peers_are_widened_and_merged() {
    let narrow_path = attribute(0x40, 2, &[2, 2, 0xfd, 0xea, 0x5b, 0xa0]);
    let as4 = attribute(0xc0, 17, &[2, 1, 0, 1, 0, 1]);
    let c = decode(
        &update(&[origin(), narrow_path, next_hop(), as4], &NLRI),
        &terms(true, false),
    );
    assert!(announced(&c));
    assert_eq!(c.blocks[0].summary.path_len, 2);
    assert!(c.arena.ends_with(&[2, 2, 0, 0, 0xfd, 0xea, 0, 1, 0, 1]));
}

#[test]
fn as_zero_makes_a_path_a_withdrawal_and_an_aggregator_void() {
    let verdict = |attributes: &[Vec<u8>], four: bool| {
        let c = decode(&update(attributes, &NLRI), &terms(true, four));
        let found: Vec<_> = c
            .faults
            .iter()
            .map(|f| (f.fault.code, f.fault.disposition, f.fault.rfc))
            .collect();
        (announced(&c), withdrawn(&c), found, c)
    };
    let withdraw = |code| vec![(code, Disposition::TreatAsWithdraw, "7607 2")];
    let discard = |code| vec![(code, Disposition::DiscardAttribute, "7607 2")];
    // as the last of a sequence, and in a set
    for path in [
        &[2, 2, 0, 0, 0xfd, 0xea, 0, 0, 0, 0][..],
        &[2, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0],
    ] {
        let (_, withdrawn, found, _) =
            verdict(&[origin(), attribute(0x40, 2, path), next_hop()], true);
        assert!(withdrawn, "{path:?}");
        assert_eq!(found, withdraw(2));
    }
    let narrow =
        |asns: &[u8]| attribute(0x40, 2, &[&[2, (asns.len() / 2) as u8][..], asns].concat());
    let (_, withdrawn, found, _) =
        verdict(&[origin(), narrow(&[0xfd, 0xea, 0, 0]), next_hop()], false);
    assert!(withdrawn);
    assert_eq!(found, withdraw(2));
    // 256 is not 0, whichever octet is looked at
    let (announced, _, found, _) = verdict(&[origin(), narrow(&[1, 0, 0, 1]), next_hop()], false);
    assert!(announced && found.is_empty());

    let aggregator = attribute(0xc0, 7, &[0, 0, 0, 0, 10, 0, 0, 9]);
    let (announced, _, found, c) = verdict(&[origin(), path(), next_hop(), aggregator], true);
    assert!(announced);
    assert_eq!(found, discard(7));
    assert_eq!(block(&c), [origin(), path()].concat());

    // RFC 6793 6: of an old speaker, AS4_PATH and AS4_AGGREGATOR go, and AS_PATH and AGGREGATOR stay as they are
    let trans = narrow(&[0xfd, 0xea, 0x5b, 0xa0]);
    let as4 = attribute(0xc0, 17, &[2, 1, 0, 0, 0, 0]);
    let (announced, _, found, c) = verdict(&[origin(), trans.clone(), next_hop(), as4], false);
    assert!(announced);
    assert_eq!(found, discard(17));
    assert!(block(&c).ends_with(&[2, 2, 0, 0, 0xfd, 0xea, 0, 0, 0x5b, 0xa0]));
    let old = attribute(0xc0, 7, &[0x5b, 0xa0, 10, 0, 0, 9]);
    let as4 = attribute(0xc0, 18, &[0, 0, 0, 0, 10, 0, 0, 9]);
    let (announced, _, found, c) = verdict(&[origin(), trans, next_hop(), old, as4], false);
    assert!(announced);
    assert_eq!(found, discard(18));
    assert!(block(&c).ends_with(&[0, 0, 0x5b, 0xa0, 10, 0, 0, 9]));
}

/// The only attribute block.
fn block(c: &Changes) -> &[u8] {
    let b = &c.blocks[0];
    &c.arena[b.start as usize..b.end as usize]
}

#[test]
fn aigp_is_kept_as_its_first_tlv_and_only_where_it_was_agreed() {
    let two = [&[9, 0, 4, 0], &aigp(u64::MAX - 1)[3..], &aigp(7)[3..], &[1]].concat();
    let c = with(attribute(0x80, 26, &two));
    assert!(announced(&c) && c.faults.is_empty());
    assert!(c.blocks[0].summary.aigp);
    assert!(block(&c).ends_with(&aigp(u64::MAX - 1)));
    assert_eq!(attributes::aigp(block(&c)), Some(u64::MAX - 1));
    let without = Terms {
        aigp: false,
        ..terms(true, true)
    };
    // RFC 7311 3.2: as an unrecognized attribute that is not transitive, whatever is wrong with it
    for flags in [0x80, 0xc0] {
        let all = [origin(), path(), next_hop(), attribute(flags, 26, &two)];
        let c = decode(&update(&all, &NLRI), &without);
        assert!(announced(&c) && c.faults.is_empty());
        assert!(!c.blocks[0].summary.aigp);
        assert_eq!(block(&c), [origin(), path()].concat());
    }
}

#[test]
fn link_bandwidth_is_the_first_usable_number() {
    let told = |rows: &[(u8, u8, u32)]| {
        let mut value = Vec::new();
        for &(kind, subtype, bits) in rows {
            value.extend_from_slice(&[kind, subtype, 0xfd, 0xe8]);
            value.extend_from_slice(&bits.to_be_bytes());
        }
        attributes::link_bandwidth(block(&with(attribute(0xc0, 16, &value))))
    };
    let bits = f32::to_bits;
    assert_eq!(told(&[(0x40, 4, bits(1.25e9))]), Some(1.25e9));
    assert_eq!(told(&[(0, 4, bits(0.5)), (0x40, 4, bits(2.0))]), Some(0.5));
    let unusable = [f32::NAN, f32::INFINITY, 0.0, -1.0].map(|b| (0x40, 4, bits(b)));
    assert_eq!(told(&unusable), None);
    assert_eq!(told(&[(0, 2, bits(3.0)), (0x41, 4, bits(3.0))]), None);
    assert_eq!(attributes::link_bandwidth(block(&with(aigp(1)))), None);
}

/// What becomes of 192.0.2.0/24 in MP_REACH_NLRI of IPv4 with a next hop of so many octets.
fn reached(octets: u8, extended: &[(u16, u8)]) -> Changes {
    let mut reach = vec![0, 1, 1, octets];
    reach.extend((0..octets).map(|i| if i < 16 { 0x20 } else { 0xfe }));
    reach.push(0);
    reach.extend_from_slice(&NLRI);
    let terms = Terms {
        extended_next_hop: extended.to_vec(),
        ..terms(true, true)
    };
    let all = [attribute(0x80, 14, &reach), origin(), path()];
    decode(&update(&all, &[]), &terms)
}

#[test]
fn ipv6_next_hops_of_ipv4_prefixes_are_taken_where_agreed_and_reset_the_session_else() {
    // RFC 8950 3: 16 octets, or 32 with a link-local address
    let c = reached(16, &[(1, 1)]);
    assert!(announced(&c));
    assert_eq!(c.blocks[0].next_hop.ip, Ip::V6(0x20 * (u128::MAX / 255)));
    assert_eq!(c.blocks[0].next_hop.link_local, 0);
    let c = reached(32, &[(2, 1), (1, 1)]);
    assert!(announced(&c));
    assert_eq!(c.blocks[0].next_hop.link_local, 0xfe * (u128::MAX / 255));
    assert!(announced(&reached(4, &[(1, 1)])) && announced(&reached(4, &[])));
    // RFC 7606 7.11: a length that the family does not have
    for (octets, extended) in [
        (16, &[][..]),
        (32, &[(2, 1)]),
        (24, &[(1, 1)]),
        (48, &[(1, 1)]),
        (8, &[(1, 1)]),
        (0, &[(1, 1)]),
    ] {
        let error = reached(octets, extended).error;
        let subcode = error.map(|n| (n.code, n.subcode));
        assert_eq!(subcode, Some((3, 9)), "{octets}");
    }
}

#[test]
fn end_of_rib_is_seen_for_both_families() {
    let mut stream = raw(&[], &[], &[]);
    stream.extend(update(&[attribute(0x80, 15, &[0, 2, 1])], &[]));
    let c = decode(&stream, &terms(true, true));
    assert_eq!(c.end_of_rib, vec![(1, 1), (2, 1)]);
    assert_eq!((c.v4.len(), c.v6.len()), (0, 0));
}

#[test]
fn ipv6_travels_in_mp_attributes() {
    let mut reach = vec![0, 2, 1, 32];
    reach.extend_from_slice(&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    reach.extend_from_slice(&[0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    reach.extend_from_slice(&[0, 32, 0x20, 1, 0xd, 0xb8]);
    let c = decode(
        &update(&[attribute(0x80, 14, &reach), origin(), path()], &[]),
        &terms(true, true),
    );
    assert_eq!(c.v6.len(), 1);
    assert_eq!(c.v6[0].prefix.text(), "2001:db8::/32");
    assert_eq!(c.blocks[0].next_hop.ip.text(), "2001:db8::1");
    let unreach = attribute(0x80, 15, &[0, 2, 1, 32, 0x20, 1, 0xd, 0xb8]);
    let c = decode(&update(&[unreach], &[]), &terms(true, true));
    assert_eq!((c.v6.len(), c.v6[0].attrs), (1, WITHDRAW));
}

#[test]
fn a_kind_of_finding_keeps_the_bytes_of_its_first_attribute_and_message() {
    let bad = |value: &[u8]| {
        update(
            &[origin(), path(), next_hop(), attribute(0xc0, 8, value)],
            &NLRI,
        )
    };
    let first = bad(&[1, 2, 3]);
    let run = [
        first.clone(),
        bad(&[4, 5, 6]),
        update(&[origin(), next_hop()], &NLRI),
    ]
    .concat();
    let c = decode(&run, &terms(true, true));
    let kept: Vec<_> = c
        .faults
        .iter()
        .map(|f| (f.fault.code, f.count, f.attribute.clone()))
        .collect();
    // of a missing AS_PATH: the attributes that are there
    assert_eq!(
        kept,
        [
            (8, 2, attribute(0xc0, 8, &[1, 2, 3])),
            (2, 1, [origin(), next_hop()].concat())
        ]
    );
    assert_eq!(c.faults[0].message, first);
    assert_eq!(c.faults[1].message, update(&[origin(), next_hop()], &NLRI));
}

#[test]
fn what_resets_the_session_is_a_finding_with_its_message() {
    // a prefix length of 33
    let message = update(&[origin(), path(), next_hop()], &[33, 10, 0, 0, 0, 0]);
    let c = decode(&message, &terms(true, true));
    let found = &c.faults[0];
    assert_eq!(
        (found.fault.code, found.fault.disposition, found.count),
        (0, Disposition::SessionReset, 1)
    );
    assert_eq!((c.faults.len(), &found.message), (1, &message));
}

#[test]
fn bytes_of_a_finding_are_bounded() {
    let mut long = vec![0xd0, 8];
    long.extend_from_slice(&9001u16.to_be_bytes());
    long.resize(4 + 9001, 7);
    let message = update(&[origin(), path(), next_hop(), long.clone()], &NLRI);
    let c = decode(&message, &terms(true, true));
    let found = &c.faults[0];
    assert_eq!(found.attribute, long[..ATTRIBUTE_SAMPLE]);
    assert_eq!(found.message, message[..MESSAGE_SAMPLE]);
}
