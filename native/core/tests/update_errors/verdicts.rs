//! A row for each kind of fault, and what is kept of it.

use super::*;

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
