//! Recordings made byte by byte.

mod dumps;
mod properties;
mod recorded;

use super::{Malformed, Reader};
use crate::wire::terms::Terms;
use crate::wire::update::{decode, Changes};

fn record(kind: u16, subtype: u16, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let mut r = vec![0; 4];
    r.extend_from_slice(&kind.to_be_bytes());
    r.extend_from_slice(&subtype.to_be_bytes());
    r.extend_from_slice(&(body.len() as u32).to_be_bytes());
    r.extend_from_slice(&body);
    r
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut m = vec![0xff; 16];
    m.extend_from_slice(&(19 + body.len() as u16).to_be_bytes());
    m.push(kind);
    m.extend_from_slice(body);
    m
}

const PEER: [u8; 4] = [192, 0, 2, 1];
const LOCAL: [u8; 4] = [192, 0, 2, 9];
/// 10.0.0.0/8 by AS 65010, two octets each.
const NARROW: &[u8] = &[
    0, 0, 0, 18, 0x40, 1, 1, 0, 0x40, 2, 4, 2, 1, 0xfd, 0xf2, 0x40, 3, 4, 192, 0, 2, 1, 8, 10,
];

fn bgp4mp(subtype: u16, message: &[u8]) -> Vec<u8> {
    let wide = matches!(subtype, 4 | 7 | 9 | 11);
    let asn = |n: u16| {
        if wide {
            u32::from(n).to_be_bytes().to_vec()
        } else {
            n.to_be_bytes().to_vec()
        }
    };
    let parts = [
        &asn(65010)[..],
        &asn(65001),
        &[0, 0, 0, 1],
        &PEER,
        &LOCAL,
        message,
    ];
    record(16, subtype, &parts)
}

/// A collector of these peers: (flags, address, AS number).
fn index_table(peers: &[(u8, Vec<u8>, u32)]) -> Vec<u8> {
    let mut body = vec![9, 9, 9, 9, 0, 4];
    body.extend_from_slice(b"view");
    body.extend_from_slice(&(peers.len() as u16).to_be_bytes());
    for (n, (flags, address, asn)) in peers.iter().enumerate() {
        body.extend_from_slice(&[*flags, 9, 0, 0, n as u8]);
        body.extend_from_slice(address);
        let asn = asn.to_be_bytes();
        body.extend_from_slice(if flags & 2 != 0 { &asn } else { &asn[2..] });
    }
    record(13, 1, &[&body])
}

/// One prefix with (peer, path identifier, attributes) each.
fn rib(subtype: u16, nlri: &[u8], entries: &[(u16, u32, Vec<u8>)]) -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend_from_slice(nlri);
    body.extend_from_slice(&(entries.len() as u16).to_be_bytes());
    for (peer, path_id, attributes) in entries {
        body.extend_from_slice(&peer.to_be_bytes());
        body.extend_from_slice(&[0; 4]);
        if subtype >= 8 {
            body.extend_from_slice(&path_id.to_be_bytes());
        }
        body.extend_from_slice(&(attributes.len() as u16).to_be_bytes());
        body.extend_from_slice(attributes);
    }
    record(13, subtype, &[&body])
}

/// ORIGIN and AS_PATH of one AS, then `rest`.
fn attributes(asn: u32, rest: &[u8]) -> Vec<u8> {
    let mut a = vec![0x40, 1, 1, 0, 0x40, 2, 6, 2, 1];
    a.extend_from_slice(&asn.to_be_bytes());
    a.extend_from_slice(rest);
    a
}

const VIA_4: &[u8] = &[0x40, 3, 4, 192, 0, 2, 1];
/// 2001:db8::1 as RFC 6396 4.3.4 has it.
const VIA_6: &[u8] = &[
    0x80, 14, 17, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
];

/// The whole recording, `step` records at a time: per peer what its UPDATEs say, and how many of them.
fn read(reader: &mut Reader, data: &[u8], step: usize) -> Result<Vec<(Changes, usize)>, Malformed> {
    let mut bytes: Vec<(Vec<u8>, usize)> = Vec::new();
    while let Some(runs) = reader.read(data, step)? {
        for run in runs {
            let at = run.peer as usize;
            if bytes.len() <= at {
                bytes.resize(at + 1, (Vec::new(), 0));
            }
            bytes[at].0.extend_from_slice(&run.bytes);
            bytes[at].1 += run.count;
        }
    }
    let decoded = bytes.iter().zip(&reader.peers).map(|((bytes, count), p)| {
        let terms = Terms {
            peer_asn: 64999,
            local_asn: 64998,
            four_octet_as: p.four_octet_as,
            families: vec![(1, 1, p.add_path), (2, 1, p.add_path)],
            aigp: true,
            extended_next_hop: vec![(1, 1)],
            ..Terms::default()
        };
        let changes = decode(bytes, &terms);
        assert_eq!((&changes.error, changes.faults.len()), (&None, 0));
        assert_eq!(changes.updates as usize, *count);
        (changes, *count)
    });
    Ok(decoded.collect())
}

fn v4(c: &Changes) -> Vec<String> {
    c.v4.iter().map(|x| x.prefix.text()).collect()
}
