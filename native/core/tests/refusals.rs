//! Routes that are well-formed and yet not taken, by what is asked of a peer's routes.

use routing_core::wire::refusal::{Demands, Refusal};
use routing_core::wire::terms::Terms;
use routing_core::wire::update::{decode, Changes, WITHDRAW};

const LOCAL: u32 = 65001;
const PEER: u32 = 65002;
const SET: u8 = 1;
const SEQUENCE: u8 = 2;
type Segments<'a> = &'a [(u8, &'a [u32])];

fn terms(demands: Demands) -> Terms {
    Terms {
        peer_asn: PEER,
        local_asn: LOCAL,
        four_octet_as: true,
        families: vec![(1, 1, false)],
        demands,
        ..Terms::default()
    }
}

/// One prefix with ORIGIN, NEXT_HOP, these segments of AS_PATH, and these attributes.
fn update(segments: Segments, more: &[u8]) -> Vec<u8> {
    let mut path = Vec::new();
    for (kind, asns) in segments {
        path.extend_from_slice(&[*kind, asns.len() as u8]);
        asns.iter().for_each(|a| path.extend(a.to_be_bytes()));
    }
    update_of(&path, more)
}

/// The same with this AS_PATH.
fn update_of(path: &[u8], more: &[u8]) -> Vec<u8> {
    let mut attributes = vec![0x40, 1, 1, 0, 0x50, 2];
    attributes.extend((path.len() as u16).to_be_bytes());
    attributes.extend(path);
    attributes.extend([0x40, 3, 4, 10, 0, 0, 2]);
    attributes.extend(more);
    let mut m = vec![0xff; 16];
    m.extend((19 + 4 + attributes.len() as u16 + 4).to_be_bytes());
    m.extend([2, 0, 0]);
    m.extend((attributes.len() as u16).to_be_bytes());
    m.extend(attributes);
    m.extend([24, 192, 0, 2]);
    m
}

/// The only reason for which its one route was refused; `None`: it was taken.
fn refused(c: &Changes) -> Option<Refusal> {
    assert!(c.error.is_none() && c.faults.is_empty(), "{:?}", c.faults);
    let found = Refusal::NAMES.iter().zip(c.refused);
    let found: Vec<_> = found.filter(|n| n.1 > 0).collect();
    assert_eq!(c.v4[0].attrs == WITHDRAW, !found.is_empty());
    assert!(found.iter().all(|n| n.1 == 1) && found.len() < 2);
    let reasons = [
        Refusal::OwnAs,
        Refusal::FirstAs,
        Refusal::AsPathTooLong,
        Refusal::AttributesTooLong,
    ];
    let (name, _) = found.first()?;
    let reason = reasons
        .iter()
        .find(|&&r| Refusal::NAMES[r as usize] == **name);
    Some(*reason.expect("one of these"))
}

fn of(demands: Demands, segments: Segments) -> Option<Refusal> {
    refused(&decode(&update(segments, &[]), &terms(demands)))
}

#[test]
fn an_external_peers_own_as_must_stand_first_where_that_is_asked() {
    let asked = Demands {
        first_as: true,
        ..Demands::default()
    };
    let cases: [(Segments, bool); 5] = [
        (&[(SEQUENCE, &[PEER, 65003])], true),
        (&[(SEQUENCE, &[65003, PEER])], false),
        (&[(SET, &[PEER])], false),
        (&[(SET, &[65003]), (SEQUENCE, &[PEER])], false),
        (&[], false),
    ];
    for (path, taken) in cases {
        let reason = (!taken).then_some(Refusal::FirstAs);
        assert_eq!(of(asked, path), reason, "{path:?}");
        assert_eq!(of(Demands::default(), path), None, "{path:?}");
    }
    let internal = Terms {
        peer_asn: LOCAL,
        ..terms(asked)
    };
    let c = decode(&update(&[(SEQUENCE, &[65003])], &[]), &internal);
    assert_eq!(refused(&c), None);
}

#[test]
fn our_own_as_may_be_there_as_often_as_was_allowed() {
    for allowed in 0..3 {
        let demands = Demands {
            own_as: allowed,
            ..Demands::default()
        };
        for there in 0..4 {
            let mut path = vec![PEER];
            path.extend(vec![LOCAL; there]);
            let reason = (there > allowed).then_some(Refusal::OwnAs);
            assert_eq!(of(demands, &[(SEQUENCE, &path)]), reason);
            // in a set too
            let apart: [(u8, &[u32]); 2] = [(SEQUENCE, &[PEER]), (SET, &path[1..])];
            assert_eq!(of(demands, &apart[..1 + there.min(1)]), reason);
        }
    }
}

#[test]
fn a_path_may_be_as_long_as_was_said_with_a_set_as_one() {
    let demands = Demands {
        as_path: 3,
        ..Demands::default()
    };
    let set: (u8, &[u32]) = (SET, &[7, 8, 9, 10]);
    assert_eq!(of(demands, &[(SEQUENCE, &[PEER, 2]), set]), None);
    let four = of(demands, &[(SEQUENCE, &[PEER, 2, 3]), set]);
    assert_eq!(four, Some(Refusal::AsPathTooLong));
}

#[test]
fn attributes_may_take_as_much_as_was_said_whatever_they_say() {
    // ORIGIN and AS_PATH are 4 and 9 octets as they are kept, NEXT_HOP none
    let unknown = [0xe0, 99, 5, 1, 2, 3, 4, 5];
    let bytes = update(&[(SEQUENCE, &[PEER])], &unknown);
    for (limit, reason) in [(21, None), (20, Some(Refusal::AttributesTooLong))] {
        let demands = Demands {
            attributes: limit,
            ..Demands::default()
        };
        assert_eq!(refused(&decode(&bytes, &terms(demands))), reason);
    }
}

#[test]
fn a_path_of_two_octet_numbers_that_four_octets_make_longer_than_an_attribute_is_refused() {
    let narrow = |segments: usize| {
        let mut path = Vec::new();
        for _ in 0..segments {
            path.extend([SET, 255]);
            path.extend([0xfd, 0xea].repeat(255));
        }
        let bytes = update_of(&path, &[]);
        let two_octets = Terms {
            four_octet_as: false,
            ..terms(Demands::default())
        };
        refused(&decode(&bytes, &two_octets))
    };
    assert_eq!(narrow(64), None);
    assert_eq!(narrow(65), Some(Refusal::AttributesTooLong));
    assert_eq!(narrow(127), Some(Refusal::AttributesTooLong));
}

#[test]
fn the_first_reason_is_the_one_that_counts() {
    let demands = Demands {
        first_as: true,
        as_path: 1,
        attributes: 1,
        ..Demands::default()
    };
    let looped = of(demands, &[(SEQUENCE, &[65003, LOCAL])]);
    assert_eq!(looped, Some(Refusal::OwnAs));
    let strange = of(demands, &[(SEQUENCE, &[65003, 65004])]);
    assert_eq!(strange, Some(Refusal::FirstAs));
    let long = of(demands, &[(SEQUENCE, &[PEER, 65004])]);
    assert_eq!(long, Some(Refusal::AsPathTooLong));
}
