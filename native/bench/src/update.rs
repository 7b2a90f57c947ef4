//! UPDATE messages read (RFC 4271 4.3, RFC 4760, RFC 6793): independent of the router under test.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::attributes::{Attributes, MP_REACH, MP_UNREACH, NEXT_HOP};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The address, without what is beyond the length; IPv4 is the upper end of the first word. Words of 64 bits: a
    /// table of these is a third smaller than one of 128, and what a check costs is waiting for memory.
    words: [u64; 2],
    length: u8,
    afi: u8,
}

impl Prefix {
    pub fn is_ipv6(&self) -> bool {
        self.afi == 2
    }
}

impl Hash for Prefix {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // IPv4, and IPv6 as it is announced, is told apart by the first word and the length.
        state.write_u64(self.words[0] ^ u64::from(self.length));
        if self.length > 64 {
            state.write_u64(self.words[1]);
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.afi {
            1 => write!(out, "{}", Ipv4Addr::from((self.words[0] >> 32) as u32))?,
            _ => {
                let bits = u128::from(self.words[0]) << 64 | u128::from(self.words[1]);
                write!(out, "{}", Ipv6Addr::from(bits))?;
            }
        }
        write!(out, "/{}", self.length)
    }
}

#[derive(Debug, Default)]
pub struct Update {
    pub withdrawn: Vec<Prefix>,
    /// At most two: the classic field, and MP_REACH_NLRI, each with its next hop.
    pub reached: Vec<(Attributes, Vec<Prefix>)>,
}

/// What the body of an UPDATE says, or what is wrong with it.
pub fn read(body: &[u8]) -> Result<Update, String> {
    let (withdrawn, rest) = counted(body).ok_or("withdrawn routes longer than their message")?;
    let (mut list, classic) = counted(rest).ok_or("path attributes longer than their message")?;
    let mut update = Update::default();
    prefixes(withdrawn, 1, &mut update.withdrawn)?;
    let mut attributes = Attributes::default();
    let mut seen = [false; 256];
    let mut reach = None;
    while let [flags, code, rest @ ..] = list {
        let parted = if flags & 0x10 != 0 {
            counted(rest)
        } else {
            rest.split_first()
                .and_then(|(n, rest)| rest.split_at_checked(usize::from(*n)))
        };
        let (value, rest) =
            parted.ok_or_else(|| format!("attribute {code} longer than the list"))?;
        list = rest;
        if std::mem::replace(&mut seen[usize::from(*code)], true) {
            return Err(format!("attribute {code} twice"));
        }
        match *code {
            MP_REACH => reach = Some(read_reach(value)?),
            MP_UNREACH => {
                let (afi, nlri) = family(value)?;
                prefixes(nlri, afi, &mut update.withdrawn)?;
            }
            code => attributes.read(code, value)?,
        }
    }
    if !list.is_empty() {
        return Err("an octet behind the last attribute".to_string());
    }
    if let Some((next_hop, nlri)) = reach.filter(|(_, nlri)| !nlri.is_empty()) {
        let mut own = attributes.clone();
        own.set(NEXT_HOP, next_hop);
        update.reached.push((own, nlri));
    }
    if !classic.is_empty() {
        let mut nlri = Vec::new();
        prefixes(classic, 1, &mut nlri)?;
        update.reached.push((attributes, nlri));
    }
    Ok(update)
}

/// RFC 4760 3. The next hop is its global part (RFC 2545 3).
fn read_reach(value: &[u8]) -> Result<(&[u8], Vec<Prefix>), String> {
    let (afi, rest) = family(value)?;
    let parted = rest
        .split_first()
        .and_then(|(length, rest)| rest.split_at_checked(usize::from(*length)));
    let (next_hop, rest) = parted.ok_or("a next hop longer than MP_REACH_NLRI")?;
    let (_reserved, nlri) = rest
        .split_first()
        .ok_or("MP_REACH_NLRI ends behind the next hop")?;
    let mut reached = Vec::new();
    prefixes(nlri, afi, &mut reached)?;
    Ok((&next_hop[..next_hop.len().min(16)], reached))
}

fn family(value: &[u8]) -> Result<(u8, &[u8]), String> {
    match value {
        [0, afi @ (1 | 2), 1, rest @ ..] => Ok((*afi, rest)),
        _ => Err(format!(
            "a family that was not agreed: {:?}",
            &value[..value.len().min(3)]
        )),
    }
}

/// What a length of two octets counts, and the rest.
fn counted(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = data.split_at_checked(2)?;
    rest.split_at_checked(usize::from(u16::from_be_bytes([length[0], length[1]])))
}

fn prefixes(mut data: &[u8], afi: u8, out: &mut Vec<Prefix>) -> Result<(), String> {
    let longest = if afi == 1 { 32 } else { 128 };
    while let [length, rest @ ..] = data {
        let octets = rest
            .get(..usize::from(length.div_ceil(8)))
            .filter(|_| *length <= longest);
        let octets =
            octets.ok_or_else(|| format!("a prefix of {length} bits in {} octets", rest.len()))?;
        let mut address = [0; 16];
        address[..octets.len()].copy_from_slice(octets);
        let mask = u128::MAX.checked_shl(128 - u32::from(*length)).unwrap_or(0);
        let bits = u128::from_be_bytes(address) & mask;
        let words = [(bits >> 64) as u64, bits as u64];
        out.push(Prefix {
            words,
            length: *length,
            afi,
        });
        data = &rest[octets.len()..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(list: &[Prefix]) -> Vec<String> {
        list.iter().map(Prefix::to_string).collect()
    }

    #[test]
    fn the_classic_fields() {
        let body = [
            &[0, 3, 16, 10, 1][..],
            &[
                0, 18, 0x40, 1, 1, 0, 0x50, 2, 0, 0, 0x40, 3, 4, 10, 9, 0, 1, 0x80, 4, 0,
            ][..],
            &[0, 25, 10, 2, 3, 0xff, 32, 1, 2, 3, 4][..],
        ]
        .concat();
        let update = read(&body).unwrap();
        assert_eq!(told(&update.withdrawn), ["10.1.0.0/16"]);
        assert_eq!(
            told(&update.reached[0].1),
            ["0.0.0.0/0", "10.2.3.128/25", "1.2.3.4/32"]
        );
        assert_eq!(update.reached[0].0.get(NEXT_HOP), Some(&[10, 9, 0, 1][..]));
    }

    #[test]
    fn ipv6_with_both_next_hops_beside_ipv4() {
        let mut reach = vec![0, 2, 1, 32, 0x20, 1];
        reach.extend([0; 29]);
        reach.extend([9, 0, 48, 0x20, 1, 0xd, 0xb8, 0, 7, 0]);
        let mut list = vec![0x90, 14, 0, reach.len() as u8];
        list.extend(reach);
        list.extend([
            0x80, 15, 8, 0, 2, 1, 32, 0x20, 1, 0xd, 0xb9, 0x40, 3, 4, 10, 9, 0, 1,
        ]);
        let body = [&[0, 0, 0, list.len() as u8][..], &list, &[8, 11]].concat();
        let update = read(&body).unwrap();
        assert_eq!(told(&update.withdrawn), ["2001:db9::/32"]);
        assert_eq!(told(&update.reached[0].1), ["2001:db8:7::/48", "::/0"]);
        assert_eq!(update.reached[0].0.get(NEXT_HOP).map(<[u8]>::len), Some(16));
        assert_eq!(told(&update.reached[1].1), ["11.0.0.0/8"]);
        assert_eq!(update.reached[1].0.get(NEXT_HOP), Some(&[10, 9, 0, 1][..]));
    }

    #[test]
    fn no_octets_make_it_panic_and_short_ones_are_refused() {
        let whole = [0, 0, 0, 7, 0x40, 3, 4, 10, 9, 0, 1, 24, 10, 1, 2];
        assert!(read(&whole).is_ok());
        for end in [0, 1, 3, 4, 5, 8, 10, 13, 14] {
            assert!(read(&whole[..end]).is_err(), "{end}");
        }
        assert!(read(&[0, 0, 0, 0, 33, 1, 2, 3, 4, 5])
            .unwrap_err()
            .contains("33 bits"));
        assert!(read(&[0, 0, 0, 6, 0x40, 1, 0, 0x40, 1, 0])
            .unwrap_err()
            .contains("twice"));
        assert!(read(&[0, 0, 0, 6, 0x80, 15, 3, 0, 1, 2])
            .unwrap_err()
            .contains("family"));
        let mut state = 1_u64;
        for _ in 0..20_000 {
            let body: Vec<u8> = (0..40)
                .map(|at| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1_442_695_040_888_963_407);
                    if at % 4 == 0 {
                        0
                    } else {
                        (state >> 58) as u8
                    }
                })
                .collect();
            let _ = read(&body);
        }
    }
}
