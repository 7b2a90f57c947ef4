use super::super::{Malformed, Peer, Reader};
use super::*;
use crate::prefix::Ip;

#[test]
fn recorded_messages_come_as_they_are_and_each_way_of_recording_is_a_peer_of_its_own() {
    let mut open = vec![4, 0xfd, 0xf2, 0, 180];
    open.extend_from_slice(&[9, 9, 9, 1, 0]);
    let narrow = message(2, NARROW);
    let wide = message(2, &[0, 0, 0, 0]);
    let file = [
        bgp4mp(0, &[0, 1, 0, 2]), // a state change
        bgp4mp(1, &message(1, &open)),
        bgp4mp(1, &narrow),
        bgp4mp(1, &message(4, &[])),
        bgp4mp(4, &wide),
        bgp4mp(1, &narrow),
        bgp4mp(7, &wide),
        bgp4mp(9, &wide),
    ]
    .concat();
    let mut reader = Reader::default();
    let runs = reader.read(&file, 100).unwrap().unwrap();
    let found: Vec<_> = runs
        .iter()
        .map(|r| (r.peer, &r.bytes[..], r.count))
        .collect();
    let twice = [&narrow[..], &narrow].concat();
    assert_eq!(
        found,
        vec![
            (0, &twice[..], 2),
            (1, &wide[..], 1),
            (2, &wide, 1),
            (3, &wide, 1)
        ]
    );
    let peer = Peer {
        address: Ip::from_bytes(&PEER),
        asn: 65010,
        router_id: Some(0x0909_0901),
        local_asn: Some(65001),
        four_octet_as: false,
        add_path: false,
    };
    let wide = Peer {
        four_octet_as: true,
        ..peer
    };
    let recorder = Peer {
        address: Ip::from_bytes(&LOCAL),
        asn: 65001,
        router_id: None,
        local_asn: Some(65010),
        ..wide
    };
    let add_path = Peer {
        add_path: true,
        ..wide
    };
    assert_eq!(reader.peers, vec![peer, wide, recorder, add_path]);
    assert_eq!(reader.skipped, 1);
    assert_eq!(reader.read(&file, 100).unwrap().map(|r| r.len()), None);
}

#[test]
fn microseconds_stand_before_an_extended_record() {
    let mut plain = bgp4mp(1, &message(2, NARROW));
    plain[5] = 17;
    plain[11] += 4;
    plain.splice(12..12, [0, 0, 0, 7]);
    let found = read(&mut Reader::default(), &plain, 10).unwrap();
    assert_eq!(v4(&found[0].0), ["10.0.0.0/8"]);
}

#[test]
fn a_fault_is_told_after_all_before_it_and_names_its_place() {
    let good = bgp4mp(1, &message(2, NARROW));
    let mut bad = good.clone();
    bad[12 + 16] = 0; // the marker
    let file = [good.clone(), bad].concat();
    let mut reader = Reader::default();
    assert_eq!(reader.read(&file, 10).unwrap().unwrap()[0].count, 1);
    let fault = Malformed::at(good.len() + 12 + 16, "BGP message");
    for _ in 0..2 {
        assert_eq!(reader.read(&file, 10).err(), Some(fault));
    }
    let peers = index_table(&[(2, PEER.to_vec(), 1)]);
    let a = attributes(1, VIA_4);
    let cases = [
        (rib(2, &[33, 10], &[]), 16, "prefix"),
        (rib(2, &[8, 10], &[(1, 0, a.clone())]), 20, "peer index"),
        (
            rib(2, &[8, 10], &[(0, 0, a[..12].to_vec())]),
            28 + 7,
            "attribute",
        ),
        (record(13, 2, &[&[0, 0]]), 12, "sequence number"),
    ];
    for (record, offset, what) in cases {
        let file = [&peers[..], &record].concat();
        let mut reader = Reader::default();
        let first = reader.read(&file, 1).unwrap().unwrap();
        assert!(first.is_empty());
        let fault = Malformed::at(peers.len() + offset, what);
        assert_eq!(reader.read(&file, 1).err(), Some(fault));
    }
}
