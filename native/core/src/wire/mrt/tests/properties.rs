use proptest::prelude::*;

use super::super::Reader;
use super::*;
use crate::prefix::{Ip, Prefix};

fn sample() -> Vec<u8> {
    let one = attributes(65010, VIA_4);
    [
        bgp4mp(4, &message(2, &[0, 0, 0, 0])),
        index_table(&[(2, PEER.to_vec(), 65010), (3, vec![0x20; 16], 65020)]),
        rib(2, &[8, 10], &[(0, 0, one.clone()), (1, 0, one.clone())]),
        rib(4, &[8, 0x20], &[(1, 0, attributes(65020, VIA_6))]),
        rib(8, &[8, 10], &[(0, 7, one)]),
    ]
    .concat()
}

/// Routes of a dump: (peer, prefix length, address, path identifier, AS number, whether all is IPv6).
type Row = (u16, u8, u128, u32, u32, bool);

fn wanted(rows: &[Row], peer: u16, add_path: bool) -> Vec<(String, u32, u32)> {
    let mine = rows.iter().filter(|r| r.0 == peer);
    mine.map(|&(_, len, address, id, asn, six)| {
        let text = if six {
            Prefix::new(address, len).text()
        } else {
            Prefix::new((address >> 96) as u32, len / 4).text()
        };
        (text, if add_path { id } else { 0 }, asn)
    })
    .collect()
}

fn told(c: &Changes) -> Vec<(String, u32, u32)> {
    let asn = |attrs: u32| c.blocks[attrs as usize].summary.neighbor_as;
    let four =
        c.v4.iter()
            .map(|x| (x.prefix.text(), x.path_id, asn(x.attrs)));
    let six =
        c.v6.iter()
            .map(|x| (x.prefix.text(), x.path_id, asn(x.attrs)));
    four.chain(six).collect()
}

proptest! {
    #[test]
    fn what_a_dump_says_is_what_its_updates_say(
        rows in prop::collection::vec(
            (0..3u16, 0..=128u8, 0..0xe000_0000_0000_0000_0000_0000_0000_0000u128, any::<u32>(), 1..4u32, any::<bool>()), 0..40),
        add_path: bool,
        step in 1..50usize,
    ) {
        let peers: Vec<_> = (0..3).map(|n| (2, vec![192, 0, 2, n], 65010)).collect();
        let mut file = index_table(&peers);
        for &(peer, len, address, id, asn, six) in &rows {
            let mut nlri = Vec::new();
            let shift = if add_path { 6 } else { 0 };
            let (subtype, via) = if six {
                Prefix::new(address, len).push_nlri(&mut nlri);
                (4 + shift, VIA_6)
            } else {
                Prefix::new((address >> 96) as u32, len / 4).push_nlri(&mut nlri);
                (2 + shift, VIA_4)
            };
            file.extend(rib(subtype, &nlri, &[(peer, id, attributes(asn, via))]));
        }
        let mut reader = Reader::default();
        let found = read(&mut reader, &file, step).unwrap();
        prop_assert_eq!(reader.skipped, 0);
        let mut all = 0;
        for (row, (changes, _)) in reader.peers.iter().zip(&found) {
            let Ip::V4(address) = row.address else { panic!("{row:?}") };
            let mut want = wanted(&rows, (address & 0xff) as u16, add_path);
            let mut got = told(changes);
            // decoding parts the families; each keeps its order
            want.sort_by_key(|r| r.0.contains(':'));
            got.sort_by_key(|r| r.0.contains(':'));
            prop_assert_eq!(&got, &want);
            all += got.len();
        }
        prop_assert_eq!(all, rows.len());
    }

    #[test]
    fn broken_recordings_end_in_a_fault_inside_them_or_at_their_end(
        at in 0..4096usize, value: u8, cut in 0..4096usize,
    ) {
        let mut file = sample();
        let n = file.len();
        file[at % n] = value;
        file.truncate(n - cut % 64);
        let mut reader = Reader::default();
        for _ in 0..file.len() {
            match reader.read(&file, 1) {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(fault) => {
                    prop_assert!(fault.offset <= file.len());
                    return Ok(());
                }
            }
        }
        prop_assert!(false, "it does not end");
    }
}
