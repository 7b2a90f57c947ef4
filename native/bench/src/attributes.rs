//! Path attributes in one form, however they were written, so that two of them are the same set or are not.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

pub const ORIGIN: u8 = 1;
pub const AS_PATH: u8 = 2;
pub const NEXT_HOP: u8 = 3;
pub const MED: u8 = 4;
pub const LOCAL_PREF: u8 = 5;
pub const AGGREGATOR: u8 = 7;
pub const COMMUNITIES: u8 = 8;
pub const MP_REACH: u8 = 14;
pub const MP_UNREACH: u8 = 15;
const EXTENDED_COMMUNITIES: u8 = 16;
const AS4_PATH: u8 = 17;
const AS4_AGGREGATOR: u8 = 18;
const IPV6_EXTENDED_COMMUNITIES: u8 = 25;
const LARGE_COMMUNITIES: u8 = 32;

const AS_SET: u8 = 1;
const AS_SEQUENCE: u8 = 2;
const CONFED_SET: u8 = 4;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Attributes {
    /// Segments (type, AS numbers); neighbouring sequences are one, sets are sorted.
    pub path: Vec<(u8, Vec<u32>)>,
    /// All others by code, ascending; the next hop is at NEXT_HOP wherever it was told. Flags do not count.
    values: Vec<(u8, Vec<u8>)>,
}

impl Attributes {
    pub fn set(&mut self, code: u8, value: &[u8]) {
        match self.values.binary_search_by_key(&code, |(known, _)| *known) {
            Ok(at) => self.values[at].1 = value.to_vec(),
            Err(at) => self.values.insert(at, (code, value.to_vec())),
        }
    }

    pub fn remove(&mut self, code: u8) {
        if code == AS_PATH {
            self.path.clear();
        }
        self.values.retain(|(known, _)| *known != code);
    }

    /// One attribute of an UPDATE.
    pub fn read(&mut self, code: u8, value: &[u8]) -> Result<(), String> {
        match code {
            AS_PATH => self.path = read_path(value)?,
            // RFC 6793 4.1: between speakers with four octets both are discarded.
            AS4_PATH | AS4_AGGREGATOR => (),
            COMMUNITIES => self.set(code, &sorted::<4>(value)?),
            EXTENDED_COMMUNITIES => self.set(code, &sorted::<8>(value)?),
            IPV6_EXTENDED_COMMUNITIES => self.set(code, &sorted::<20>(value)?),
            LARGE_COMMUNITIES => self.set(code, &sorted::<12>(value)?),
            _ => self.set(code, value),
        }
        Ok(())
    }

    /// As a speaker of this AS tells it on (RFC 4271 5.1.2).
    pub fn prepend(&mut self, asn: u32) {
        match self.path.first_mut() {
            Some((AS_SEQUENCE, numbers)) => numbers.insert(0, asn),
            _ => self.path.insert(0, (AS_SEQUENCE, vec![asn])),
        }
    }
}

/// RFC 1997, 4360, 5701, 8092: a set, so neither order nor repetition counts.
fn sorted<const N: usize>(value: &[u8]) -> Result<Vec<u8>, String> {
    if value.len() % N != 0 {
        return Err(format!(
            "communities of {N} octets in an attribute of {}",
            value.len()
        ));
    }
    let mut members: Vec<&[u8]> = value.chunks_exact(N).collect();
    members.sort_unstable();
    members.dedup();
    Ok(members.concat())
}

fn read_path(mut value: &[u8]) -> Result<Vec<(u8, Vec<u32>)>, String> {
    let mut path: Vec<(u8, Vec<u32>)> = Vec::new();
    while let [kind, count, rest @ ..] = value {
        let octets = rest
            .get(..usize::from(*count) * 4)
            .ok_or("an AS_PATH that ends in a segment")?;
        let mut numbers: Vec<u32> = octets
            .chunks_exact(4)
            .map(|n| u32::from_be_bytes([n[0], n[1], n[2], n[3]]))
            .collect();
        match path.last_mut() {
            Some((AS_SEQUENCE, before)) if *kind == AS_SEQUENCE => before.append(&mut numbers),
            _ => {
                if matches!(*kind, AS_SET | CONFED_SET) {
                    numbers.sort_unstable();
                }
                path.push((*kind, numbers));
            }
        }
        value = &rest[octets.len()..];
    }
    if value.is_empty() {
        Ok(path)
    } else {
        Err("an AS_PATH that ends in a segment".to_string())
    }
}

impl fmt::Display for Attributes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "path")?;
        for (kind, numbers) in &self.path {
            let numbers = numbers.iter().map(u32::to_string).collect::<Vec<_>>();
            match *kind {
                AS_SEQUENCE => write!(out, " {}", numbers.join(" "))?,
                AS_SET => write!(out, " {{{}}}", numbers.join(","))?,
                other => write!(out, " segment {other} ({})", numbers.join(" "))?,
            }
        }
        for (code, value) in &self.values {
            match (*code, &value[..]) {
                (ORIGIN, [value]) => write!(out, "; origin {value}")?,
                (NEXT_HOP, value) => write!(out, "; next hop {}", Address(value))?,
                (MED, &[a, b, c, d]) => write!(out, "; MED {}", u32::from_be_bytes([a, b, c, d]))?,
                (LOCAL_PREF, &[a, b, c, d]) => {
                    write!(out, "; LOCAL_PREF {}", u32::from_be_bytes([a, b, c, d]))?
                }
                (AGGREGATOR, &[a, b, c, d, ref router @ ..]) => {
                    write!(
                        out,
                        "; aggregator {} {}",
                        u32::from_be_bytes([a, b, c, d]),
                        Address(router)
                    )?;
                }
                (code, value) => {
                    write!(out, "; attribute {code} ")?;
                    value
                        .iter()
                        .try_for_each(|octet| write!(out, "{octet:02x}"))?;
                }
            }
        }
        Ok(())
    }
}

struct Address<'a>(&'a [u8]);

impl fmt::Display for Address<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Ok(octets) = <[u8; 4]>::try_from(self.0) {
            write!(out, "{}", Ipv4Addr::from(octets))
        } else if let Ok(octets) = <[u8; 16]>::try_from(self.0) {
            write!(out, "{}", Ipv6Addr::from(octets))
        } else {
            write!(out, "{:?}", self.0)
        }
    }
}

#[cfg(test)]
impl Attributes {
    pub fn get(&self, code: u8) -> Option<&[u8]> {
        self.values
            .iter()
            .find(|(known, _)| *known == code)
            .map(|(_, value)| &value[..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(octets: &[u8]) -> Attributes {
        let mut attributes = Attributes::default();
        attributes.read(AS_PATH, octets).unwrap();
        attributes
    }

    #[test]
    fn neighbouring_sequences_are_one_and_sets_have_no_order() {
        let split = path(&[
            2, 1, 0, 0, 0, 1, 2, 1, 0, 6, 0, 2, 1, 2, 0, 0, 0, 9, 0, 0, 0, 8,
        ]);
        assert_eq!(
            split,
            path(&[2, 2, 0, 0, 0, 1, 0, 6, 0, 2, 1, 2, 0, 0, 0, 8, 0, 0, 0, 9])
        );
        assert_eq!(split.to_string(), "path 1 393218 {8,9}");
        assert!(Attributes::default()
            .read(AS_PATH, &[2, 2, 0, 0, 0, 1])
            .is_err());
        assert!(Attributes::default().read(AS_PATH, &[2]).is_err());
    }

    #[test]
    fn a_speaker_puts_itself_into_the_first_sequence_or_before_a_set() {
        let mut sequence = path(&[2, 1, 0, 0, 0, 7]);
        sequence.prepend(65001);
        assert_eq!(sequence.path, [(2, vec![65001, 7])]);
        let mut set = path(&[1, 1, 0, 0, 0, 7]);
        set.prepend(65001);
        assert_eq!(set.path, [(2, vec![65001]), (1, vec![7])]);
    }

    #[test]
    fn communities_are_sets() {
        let mut one = Attributes::default();
        one.read(COMMUNITIES, &[0, 1, 0, 2, 0, 0, 0, 9, 0, 1, 0, 2])
            .unwrap();
        assert_eq!(one.get(COMMUNITIES), Some(&[0, 0, 0, 9, 0, 1, 0, 2][..]));
        assert!(one.read(LARGE_COMMUNITIES, &[0; 11]).is_err());
        one.read(AS4_PATH, &[2, 1, 0, 0, 0, 1]).unwrap();
        assert_eq!((one.get(AS4_PATH), one.path.len()), (None, 0));
    }

    #[test]
    fn a_set_reads_well_in_an_example() {
        let mut one = path(&[2, 1, 0, 0, 0, 7]);
        one.read(AGGREGATOR, &[0, 0, 0, 7, 193, 0, 1, 1]).unwrap();
        one.read(MED, &[0, 0, 1, 0]).unwrap();
        one.read(ORIGIN, &[2]).unwrap();
        one.read(NEXT_HOP, &[10, 9, 0, 1]).unwrap();
        one.read(COMMUNITIES, &[0, 1, 0, 2]).unwrap();
        let told = "path 7; origin 2; next hop 10.9.0.1; MED 256; aggregator 7 193.0.1.1; attribute 8 00010002";
        assert_eq!(one.to_string(), told);
        one.remove(AS_PATH);
        one.remove(MED);
        assert_eq!((one.path.len(), one.get(MED)), (0, None));
    }
}
