//! AS_PATH in four-octet form: length, first AS, loops, merge with AS4_PATH, text (RFC 4271 4.3 b, RFC 5065, RFC 6793).

use std::borrow::Cow;

use super::AS_TRANS;

pub const SET: u8 = 1;
pub const SEQUENCE: u8 = 2;
pub const CONFED_SEQUENCE: u8 = 3;
pub const CONFED_SET: u8 = 4;

/// Segments of a well-formed path: (type, AS numbers).
pub fn segments(path: &[u8]) -> impl Iterator<Item = (u8, impl Iterator<Item = u32> + '_)> + '_ {
    let mut rest = path;
    std::iter::from_fn(move || {
        let (&kind, &n) = (rest.first()?, rest.get(1)?);
        let end = 2 + usize::from(n) * 4;
        let body = rest.get(2..end)?;
        rest = &rest[end..];
        Some((
            kind,
            body.chunks_exact(4)
                .map(|c| u32::from_be_bytes([c[0], c[1], c[2], c[3]])),
        ))
    })
}

/// Whether `path` is made of whole segments of known types, with AS numbers of `width` octets (RFC 7606 7.2).
pub fn well_formed(mut path: &[u8], width: usize) -> bool {
    while !path.is_empty() {
        if path.len() < 2 || !(SET..=CONFED_SET).contains(&path[0]) || path[1] == 0 {
            return false;
        }
        let end = 2 + usize::from(path[1]) * width;
        if path.len() < end {
            return false;
        }
        path = &path[end..];
    }
    true
}

/// Whether a well-formed path names AS 0, which nobody is (RFC 7607).
pub fn names_zero(path: &[u8], width: usize) -> bool {
    let mut rest = path;
    while rest.len() >= 2 {
        let end = 2 + usize::from(rest[1]) * width;
        if rest[2..end]
            .chunks_exact(width)
            .any(|asn| asn.iter().all(|&octet| octet == 0))
        {
            return true;
        }
        rest = &rest[end..];
    }
    false
}

/// Whether a well-formed path has segments that stay inside a confederation (RFC 5065 3).
pub fn confederates(path: &[u8], width: usize) -> bool {
    let mut rest = path;
    while rest.len() >= 2 {
        if rest[0] > SEQUENCE {
            return true;
        }
        rest = &rest[2 + usize::from(rest[1]) * width..];
    }
    false
}

/// A two-octet path as a four-octet one.
pub fn widen(path: &[u8], out: &mut Vec<u8>) {
    let mut rest = path;
    while rest.len() >= 2 {
        let end = 2 + usize::from(rest[1]) * 2;
        out.extend_from_slice(&rest[..2]);
        for c in rest[2..end].chunks_exact(2) {
            out.extend_from_slice(&[0, 0, c[0], c[1]]);
        }
        rest = &rest[end..];
    }
}

/// RFC 4271 9.1.2.2 a: a set counts one; RFC 5065 5.3: confederation segments count nothing.
pub fn length(path: &[u8]) -> u16 {
    let mut n = 0usize;
    for (kind, asns) in segments(path) {
        n += match kind {
            SEQUENCE => asns.count(),
            SET => 1,
            _ => 0,
        };
    }
    n.min(usize::from(u16::MAX)) as u16
}

/// The neighbouring AS for comparing MED: the first AS of a path that starts with a sequence, else 0.
pub fn neighbor(path: &[u8]) -> u32 {
    for (kind, mut asns) in segments(path) {
        match kind {
            SEQUENCE => return asns.next().unwrap_or(0),
            SET => return 0,
            _ => {}
        }
    }
    0
}

/// Who announced the route first: the last AS of a path that ends with a sequence; a set does not tell.
pub fn origin(path: &[u8]) -> Option<u32> {
    let (kind, asns) = segments(path).last()?;
    if kind == SEQUENCE {
        asns.last()
    } else {
        None
    }
}

/// How often a path names us, who are not the same within a confederation.
pub fn occurrences(path: &[u8], (outside, inside): (u32, u32)) -> usize {
    let own = |kind| {
        if kind < CONFED_SEQUENCE {
            outside
        } else {
            inside
        }
    };
    let in_each = segments(path).map(|(kind, asns)| asns.filter(|&a| a == own(kind)).count());
    in_each.sum()
}

pub fn contains(path: &[u8], asn: u32) -> bool {
    segments(path).any(|(_, mut asns)| asns.any(|a| a == asn))
}

/// RFC 6793 4.2.3: the leading part of AS_PATH that AS4_PATH does not know, then AS4_PATH. Both in four-octet form.
pub fn merge_as4(path: &[u8], as4: &[u8]) -> Vec<u8> {
    let (n, n4) = (length(path), length(as4));
    if n < n4 {
        return path.to_vec();
    }
    let mut keep = usize::from(n - n4);
    let mut out = Vec::with_capacity(path.len() + as4.len());
    // Where its last segment starts: there may be thousands
    let mut last = 0;
    for (kind, asns) in segments(path) {
        let asns: Vec<u32> = asns.collect();
        let weight = match kind {
            SEQUENCE => asns.len(),
            SET => 1,
            _ => 0,
        };
        let part = match kind {
            SEQUENCE => &asns[..asns.len().min(keep)],
            SET if keep == 0 => &[],
            _ => &asns[..],
        };
        if !part.is_empty() {
            last = out.len();
            out.extend_from_slice(&[kind, part.len() as u8]);
            for a in part {
                out.extend_from_slice(&a.to_be_bytes());
            }
        }
        if weight > keep {
            break;
        }
        keep -= weight;
    }
    // AS4_PATH must not carry confederation segments (RFC 6793 6): skip them.
    for (kind, asns) in segments(as4) {
        if kind > SEQUENCE {
            continue;
        }
        let asns: Vec<u32> = asns.collect();
        let room = !out.is_empty() && usize::from(out[last + 1]) + asns.len() <= 255;
        if kind == SEQUENCE && room && out[last] == SEQUENCE {
            out[last + 1] += asns.len() as u8;
        } else {
            last = out.len();
            out.extend_from_slice(&[kind, asns.len() as u8]);
        }
        asns.iter()
            .for_each(|a| out.extend_from_slice(&a.to_be_bytes()));
    }
    out
}

/// Writes `path` with `asn` in front, in a segment of this kind (RFC 4271 5.1.2 b, RFC 5065 4.1).
pub fn push_prepended(path: &[u8], kind: u8, asn: u32, out: &mut Vec<u8>) {
    let [a, b, c, d] = asn.to_be_bytes();
    if joins(path, kind) {
        out.extend_from_slice(&[kind, path[1] + 1, a, b, c, d]);
        out.extend_from_slice(&path[2..]);
    } else {
        out.extend_from_slice(&[kind, 1, a, b, c, d]);
        out.extend_from_slice(path);
    }
}

/// Octets of what `push_prepended` writes.
pub fn prepended_len(path: &[u8], kind: u8) -> usize {
    path.len() + if joins(path, kind) { 4 } else { 6 }
}

/// Whether one more number in front is part of the path's first segment.
fn joins(path: &[u8], kind: u8) -> bool {
    path.len() >= 2 && path[0] == kind && path[1] < 255
}

/// The path as AS4_PATH may carry it (RFC 6793 3), and as it leaves a confederation (RFC 5065 4.1).
pub fn without_confederations(path: &[u8]) -> Cow<'_, [u8]> {
    if !confederates(path, 4) {
        return Cow::Borrowed(path);
    }
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while rest.len() >= 2 {
        let end = 2 + usize::from(rest[1]) * 4;
        if rest[0] <= SEQUENCE {
            out.extend_from_slice(&rest[..end]);
        }
        rest = &rest[end..];
    }
    Cow::Owned(out)
}

/// The two-octet form, AS_TRANS where a number does not fit; true if any did not.
pub fn narrow(path: &[u8], out: &mut Vec<u8>) -> bool {
    let mut lost = false;
    let mut rest = path;
    while rest.len() >= 2 {
        let end = 2 + usize::from(rest[1]) * 4;
        out.extend_from_slice(&rest[..2]);
        for c in rest[2..end].chunks_exact(4) {
            if c[0] == 0 && c[1] == 0 {
                out.extend_from_slice(&c[2..]);
            } else {
                out.extend_from_slice(&(AS_TRANS as u16).to_be_bytes());
                lost = true;
            }
        }
        rest = &rest[end..];
    }
    lost
}

/// As people write it: `65001 65002 {1,2} (65003) [65004 65005]`.
pub fn text(path: &[u8]) -> String {
    let mut parts = Vec::new();
    for (kind, asns) in segments(path) {
        let asns: Vec<String> = asns.map(|a| a.to_string()).collect();
        parts.push(match kind {
            SEQUENCE => asns.join(" "),
            SET => format!("{{{}}}", asns.join(",")),
            CONFED_SEQUENCE => format!("({})", asns.join(" ")),
            _ => format!("[{}]", asns.join(" ")),
        });
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seq(asns: &[u32]) -> Vec<u8> {
        let mut v = vec![SEQUENCE, asns.len() as u8];
        asns.iter()
            .for_each(|a| v.extend_from_slice(&a.to_be_bytes()));
        v
    }

    #[test]
    fn as4_path_replaces_the_tail_that_it_knows() {
        let merged = merge_as4(
            &seq(&[65001, AS_TRANS, AS_TRANS]),
            &seq(&[4_200_000_001, 4_200_000_002]),
        );
        assert_eq!(text(&merged), "65001 4200000001 4200000002");
        // RFC 6793 4.2.3: a longer AS4_PATH is ignored
        let merged = merge_as4(&seq(&[65001]), &seq(&[1, 2]));
        assert_eq!(text(&merged), "65001");
        let merged = merge_as4(&seq(&[AS_TRANS]), &seq(&[4_200_000_001]));
        assert_eq!(text(&merged), "4200000001");
    }

    #[test]
    fn sequences_of_as4_path_join_the_one_before_them_while_there_is_room() {
        let joined = merge_as4(&seq(&[1, 2, 3]), &[seq(&[8]), seq(&[9])].concat());
        assert_eq!(joined, seq(&[1, 8, 9]));
        let set = [SET, 1, 0, 0, 0, 7];
        let apart = merge_as4(
            &seq(&[1, 2, 3]),
            &[seq(&[8]), set.to_vec(), seq(&[9])].concat(),
        );
        assert_eq!(apart, [seq(&[8]), set.to_vec(), seq(&[9])].concat());
        let full = merge_as4(&[seq(&[7; 255]), seq(&[1])].concat(), &seq(&[9]));
        assert_eq!(full, [seq(&[7; 255]), seq(&[9])].concat());
    }

    #[test]
    fn sets_count_one_and_confederations_nothing() {
        let mut p = seq(&[1, 2, 3]);
        p.extend_from_slice(&[SET, 2, 0, 0, 0, 7, 0, 0, 0, 8]);
        assert_eq!(length(&p), 4);
        assert_eq!(text(&p), "1 2 3 {7,8}");
        assert_eq!(neighbor(&p), 1);
        let mut c = vec![CONFED_SEQUENCE, 1, 0, 0, 0, 9];
        c.extend(&p);
        assert_eq!((length(&c), neighbor(&c)), (4, 1));
        assert_eq!(neighbor(&[SET, 1, 0, 0, 0, 7]), 0);
        assert_eq!(
            (origin(&p), origin(&seq(&[1, 2])), origin(&[])),
            (None, Some(2), None)
        );
    }

    #[test]
    fn prepending_starts_a_new_segment_only_where_it_must() {
        let mut out = Vec::new();
        push_prepended(&seq(&[2]), SEQUENCE, 1, &mut out);
        assert_eq!(out, seq(&[1, 2]));
        out.clear();
        push_prepended(&seq(&[7; 255]), SEQUENCE, 1, &mut out);
        assert_eq!(length(&out), 256);
        assert!(well_formed(&out, 4));
    }
}
