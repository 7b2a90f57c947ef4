//! What of a well-formed UPDATE is taken, and in which form.

use super::*;

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
