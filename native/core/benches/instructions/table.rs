//! A table that looks like the Internet's, as `tests/lab/tables.py` makes it: prefix lengths as there, about five prefixes to an
//! attribute set. The same bytes in every run.

use std::collections::BTreeSet;

use routing_core::prefix::Ip;

/// As many octets of UPDATEs as one read brings.
const RUN: usize = 262_144;
const MAX_MESSAGE: usize = 4096;
const HEADER: usize = 19;

/// Share of each length in percent.
const LENGTHS_V4: [(u8, u64); 7] = [
    (16, 3),
    (19, 5),
    (20, 5),
    (21, 6),
    (22, 13),
    (23, 10),
    (24, 58),
];
const LENGTHS_V6: [(u8, u64); 6] = [(29, 3), (32, 16), (36, 8), (40, 9), (44, 12), (48, 52)];

/// SplitMix64: good enough, and ours, so that no new version of anything draws other numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    fn percent(&mut self, share: u64) -> bool {
        self.below(100) < share
    }
}

/// Prefixes that are announced alike.
struct Set {
    /// AS_PATH behind the neighbour's own number.
    path: Vec<u32>,
    /// ORIGIN, and what comes behind NEXT_HOP.
    origin: u8,
    rest: Vec<u8>,
    /// Each with its length octet.
    nlri: Vec<Vec<u8>>,
}

pub struct Table {
    pub afi: u16,
    pub len: usize,
    sets: Vec<Set>,
}

/// Who announces a table.
pub struct Neighbor {
    pub asn: u32,
    pub next_hop: Ip,
    /// How often it prepends itself to a set's path.
    pub prepends: fn(usize) -> usize,
}

impl Table {
    pub fn new(afi: u16, len: usize) -> Table {
        let mut random = Random(u64::from(afi));
        let prefixes = draw(&mut random, afi, len);
        let mut sets = Vec::new();
        let mut rest = &prefixes[..];
        while !rest.is_empty() {
            let size = match random.below(100) {
                0..45 => 1,
                45..90 => 2 + random.below(7),
                _ => 9 + random.below(31),
            };
            let (these, more) = rest.split_at(rest.len().min(size as usize));
            sets.push(set(&mut random, these.to_vec()));
            rest = more;
        }
        Table { afi, len, sets }
    }

    /// UPDATE messages that announce it, in runs of whole messages.
    pub fn announced(&self, by: &Neighbor) -> Vec<Vec<u8>> {
        let mut runs = Runs::default();
        for (at, set) in self.sets.iter().enumerate() {
            let mut path = vec![by.asn; 1 + (by.prepends)(at)];
            path.extend(&set.path);
            let nlri = set.nlri.concat();
            let mut attributes = Vec::new();
            let hop = by.next_hop.to_bytes();
            if self.afi == 2 {
                // RFC 7606 5.1: MP_REACH_NLRI comes first
                let reach = [&[0, 2, 1, 16], &hop[..], &[0], &nlri].concat();
                attribute(&mut attributes, 0x80, 14, &reach);
            }
            attribute(&mut attributes, 0x40, 1, &[set.origin]);
            let numbers: Vec<u8> = path.iter().flat_map(|a| a.to_be_bytes()).collect();
            attribute(
                &mut attributes,
                0x40,
                2,
                &[&[2, path.len() as u8], &numbers[..]].concat(),
            );
            if self.afi == 1 {
                attribute(&mut attributes, 0x40, 3, &hop);
            }
            attributes.extend(&set.rest);
            runs.message(&[], &attributes, if self.afi == 1 { &nlri } else { &[] });
        }
        runs.0
    }

    /// UPDATE messages that withdraw it, each as long as may be.
    pub fn withdrawn(&self) -> Vec<Vec<u8>> {
        let mut runs = Runs::default();
        let mut send = |nlri: &[u8]| {
            if self.afi == 1 {
                runs.message(nlri, &[], &[]);
            } else {
                let mut attributes = Vec::new();
                attribute(&mut attributes, 0x80, 15, &[&[0, 2, 1], nlri].concat());
                runs.message(&[], &attributes, &[]);
            }
        };
        let mut nlri = Vec::new();
        for one in self.sets.iter().flat_map(|s| &s.nlri) {
            if nlri.len() + one.len() > MAX_MESSAGE - HEADER - 20 {
                send(&nlri);
                nlri.clear();
            }
            nlri.extend(one);
        }
        send(&nlri);
        runs.0
    }
}

#[derive(Default)]
struct Runs(Vec<Vec<u8>>);

impl Runs {
    fn message(&mut self, withdrawn: &[u8], attributes: &[u8], nlri: &[u8]) {
        let len = HEADER + 4 + withdrawn.len() + attributes.len() + nlri.len();
        assert!(len <= MAX_MESSAGE);
        if self.0.last().is_none_or(|run| run.len() + len > RUN) {
            self.0.push(Vec::with_capacity(RUN));
        }
        let Some(run) = self.0.last_mut() else { return };
        run.extend([0xff; 16]);
        run.extend((len as u16).to_be_bytes());
        run.push(2);
        for part in [withdrawn, attributes] {
            run.extend((part.len() as u16).to_be_bytes());
            run.extend(part);
        }
        run.extend(nlri);
    }
}

fn attribute(out: &mut Vec<u8>, flags: u8, code: u8, value: &[u8]) {
    match u8::try_from(value.len()) {
        Ok(len) => out.extend([flags, code, len]),
        Err(_) => {
            out.extend([flags | 0x10, code]);
            out.extend((value.len() as u16).to_be_bytes());
        }
    }
    out.extend(value);
}

/// Distinct prefixes, in no order.
fn draw(random: &mut Random, afi: u16, len: usize) -> Vec<Vec<u8>> {
    let (shares, front): (&[(u8, u64)], u8) = match afi {
        1 => (&LENGTHS_V4, 0),
        _ => (&LENGTHS_V6, 0x20),
    };
    let mut seen = BTreeSet::new();
    let mut out = Vec::with_capacity(len);
    while out.len() < len {
        let mut share = random.below(100);
        let mut bits = shares[0].0;
        for &(length, percent) in shares {
            bits = length;
            if share < percent {
                break;
            }
            share -= percent;
        }
        let mut address = random.below(1 << 56).to_be_bytes();
        // 11/8 to 99/8, or 2000::/8: nothing that the laboratory's own links have
        address[0] = match front {
            0 => 11 + address[7] % 89,
            front => front,
        };
        let keep = u64::MAX << (64 - u32::from(bits));
        let address = (u64::from_be_bytes(address) & keep).to_be_bytes();
        let octets = [&[bits], &address[..usize::from(bits).div_ceil(8)]].concat();
        if seen.insert(octets.clone()) {
            out.push(octets);
        }
    }
    out
}

fn set(random: &mut Random, nlri: Vec<Vec<u8>>) -> Set {
    let mut path: Vec<u32> = (0..1 + random.below(5))
        .map(|_| 200 + random.below(60_000) as u32)
        .collect();
    if random.percent(15) {
        let last = path[path.len() - 1];
        path.extend(vec![last; 1 + random.below(3) as usize]);
    }
    let mut rest = Vec::new();
    if random.percent(20) {
        attribute(
            &mut rest,
            0x80,
            4,
            &(random.below(200) as u32).to_be_bytes(),
        );
    }
    let tags: Vec<u8> = (0..random.below(5).saturating_sub(1))
        .flat_map(|_| (path[0] << 16 | random.below(900) as u32).to_be_bytes())
        .collect();
    if !tags.is_empty() {
        attribute(&mut rest, 0xc0, 8, &tags);
    }
    if random.percent(12) {
        let large: Vec<u8> = (0..24).map(|_| random.below(200) as u8).collect();
        attribute(&mut rest, 0xc0, 32, &large);
    }
    Set {
        path,
        origin: if random.percent(92) { 0 } else { 2 },
        rest,
        nlri,
    }
}
