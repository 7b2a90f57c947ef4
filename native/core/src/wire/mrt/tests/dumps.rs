use super::super::Reader;
use super::*;

fn next_hop_6(c: &Changes, at: usize) -> String {
    c.blocks[c.v6[at].attrs as usize].next_hop.ip.text()
}

#[test]
fn a_table_dump_is_told_peer_by_peer_and_equal_attributes_share_a_message() {
    let peers = [
        (2, PEER.to_vec(), 65010),
        (0, LOCAL.to_vec(), 65020),
        (3, vec![0x20; 16], 4_200_000_000),
    ];
    let (one, two) = (attributes(65010, VIA_4), attributes(65020, VIA_4));
    let six = attributes(4_200_000_000, VIA_6);
    let file = [
        index_table(&peers),
        rib(2, &[8, 10], &[(0, 0, one.clone()), (1, 0, two.clone())]),
        rib(2, &[8, 11], &[(0, 0, one.clone())]),
        rib(2, &[0], &[(0, 0, two)]),
        rib(4, &[16, 0x20, 1], &[(2, 0, six.clone())]),
        rib(4, &[16, 0x20, 2], &[(2, 0, six)]),
        rib(3, &[8, 12], &[(0, 0, one)]), // multicast
    ]
    .concat();
    for step in 1..8 {
        let mut reader = Reader::default();
        let found = read(&mut reader, &file, step).unwrap();
        assert_eq!(v4(&found[0].0), ["10.0.0.0/8", "11.0.0.0/8", "0.0.0.0/0"]);
        assert_eq!(v4(&found[1].0), ["10.0.0.0/8"]);
        assert_eq!(found[2].0.v6[1].prefix.text(), "2002::/16");
        assert_eq!(next_hop_6(&found[2].0, 1), "2001:db8::1");
        if step == 7 {
            assert_eq!((found[0].1, found[1].1, found[2].1), (2, 1, 1));
        }
        let rows: Vec<_> = reader.peers.iter().map(|p| (p.asn, p.router_id)).collect();
        let id = |n: u32| Some(0x0900_0000 + n);
        assert_eq!(
            rows,
            vec![(65010, id(0)), (65020, id(1)), (4_200_000_000, id(2))]
        );
        assert!(reader.peers.iter().all(|p| p.four_octet_as));
        assert_eq!(reader.skipped, 1);
    }
}

#[test]
fn mp_reach_is_put_right_whole_or_abbreviated_and_an_entry_without_next_hop_is_skipped() {
    let mut whole = vec![0x80, 14, 23, 0, 2, 1];
    whole.extend_from_slice(&VIA_6[3..]);
    whole.extend_from_slice(&[0, 8, 0x20]); // reserved, and a prefix that is of no interest
    let both = [VIA_4, VIA_6].concat();
    let no_length = [0x80, 14, 3, 2, 1, 1];
    let peers = [(2, PEER.to_vec(), 1)];
    let file = [
        index_table(&peers),
        rib(4, &[8, 0x20], &[(0, 0, attributes(1, &whole))]),
        rib(4, &[8, 0x21], &[(0, 0, attributes(1, &both))]),
        rib(4, &[8, 0x22], &[(0, 0, attributes(1, VIA_4))]),
        rib(4, &[8, 0x23], &[(0, 0, attributes(1, &no_length))]),
        rib(2, &[8, 10], &[(0, 0, attributes(1, VIA_6))]), // RFC 8950
        rib(2, &[8, 11], &[(0, 0, attributes(1, &both))]),
        rib(2, &[8, 12], &[(0, 0, attributes(1, &[]))]),
    ]
    .concat();
    let mut reader = Reader::default();
    let (c, _) = read(&mut reader, &file, 100).unwrap().remove(0);
    assert_eq!(
        (next_hop_6(&c, 0), next_hop_6(&c, 1)),
        ("2001:db8::1".into(), "2001:db8::1".into())
    );
    assert_eq!(c.v6.len(), 2);
    let hops: Vec<_> =
        c.v4.iter()
            .map(|x| c.blocks[x.attrs as usize].next_hop.ip.text())
            .collect();
    assert_eq!(v4(&c), ["10.0.0.0/8", "11.0.0.0/8"]);
    assert_eq!(hops, ["2001:db8::1", "192.0.2.1"]);
    assert_eq!(reader.skipped, 3);
}

#[test]
fn path_identifiers_and_plain_entries_of_one_peer_are_two_rows() {
    let one = attributes(65010, VIA_4);
    let file = [
        index_table(&[(2, PEER.to_vec(), 65010)]),
        rib(8, &[8, 10], &[(0, 7, one.clone()), (0, 8, one.clone())]),
        rib(2, &[8, 10], &[(0, 0, one)]),
    ]
    .concat();
    let mut reader = Reader::default();
    let found = read(&mut reader, &file, 100).unwrap();
    let ids: Vec<_> = found[0].0.v4.iter().map(|c| c.path_id).collect();
    assert_eq!((ids, found[0].1, found[1].0.v4.len()), (vec![7, 8], 1, 1));
    assert_eq!(
        (reader.peers[0].add_path, reader.peers[1].add_path),
        (true, false)
    );
}

#[test]
fn the_first_version_of_table_dumps_has_as_numbers_of_two_octets() {
    let attributes = &NARROW[4..22];
    let body: &[&[u8]] = &[
        &[0, 0, 0, 1, 10, 0, 0, 0, 8, 1, 0, 0, 0, 0],
        &PEER,
        &[0xfd, 0xf2, 0, 18],
        attributes,
    ];
    let mut reader = Reader::default();
    let found = read(&mut reader, &record(12, 1, body), 1).unwrap();
    assert_eq!(v4(&found[0].0), ["10.0.0.0/8"]);
    let p = &reader.peers[0];
    assert_eq!((p.asn, p.four_octet_as, p.router_id), (65010, false, None));
}

#[test]
fn messages_stay_within_4096_octets_unless_one_prefix_needs_more() {
    let unknown = |n: u16| [VIA_4, &[0xd0, 99], &n.to_be_bytes(), &vec![1; n.into()]].concat();
    let peers = index_table(&[(2, PEER.to_vec(), 65010)]);
    for (octets, limit, messages) in [(100, 4096, 3), (5000, 65535, 1)] {
        let block = attributes(65010, &unknown(octets));
        let mut file = peers.clone();
        for n in 0..2500u16 {
            let [a, b] = n.to_be_bytes();
            file.extend(rib(2, &[24, 10, a, b], &[(0, 0, block.clone())]));
        }
        let mut reader = Reader::default();
        let run = reader.read(&file, 10_000).unwrap().unwrap().remove(0);
        let mut sizes = Vec::new();
        let mut at = 0;
        while at < run.bytes.len() {
            sizes.push(usize::from(u16::from_be_bytes([
                run.bytes[at + 16],
                run.bytes[at + 17],
            ])));
            at += sizes[sizes.len() - 1];
        }
        assert_eq!((sizes.len(), run.count), (messages, messages));
        assert!(sizes.iter().all(|&n| n <= limit), "{sizes:?}");
    }
    let too_long = attributes(65010, &unknown(65_500));
    let file = [peers, rib(2, &[8, 10], &[(0, 0, too_long)])].concat();
    let mut reader = Reader::default();
    assert_eq!(reader.read(&file, 10).unwrap().unwrap().len(), 0);
    assert_eq!(reader.skipped, 1);
}
