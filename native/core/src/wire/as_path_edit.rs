//! What is done to an AS_PATH before an external peer is told it with our own AS in front.

use super::as_path::{segments, CONFED_SEQUENCE};

/// What becomes of AS numbers for private use (RFC 6996 5).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PrivateAs {
    #[default]
    Kept,
    Removed,
    /// Our own stands in their place, so that the path stays as long as it was.
    Replaced,
}

/// Peers that need none of it have equal values, whatever their AS.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PathEdit {
    private: PrivateAs,
    /// Our AS stands in the place of the peer's: it would take the route for a loop.
    overriding: bool,
    /// Never removed as a private one, or the peer could not see a loop; 0 where that makes no difference.
    peer_asn: u32,
}

fn is_private(asn: u32) -> bool {
    matches!(asn, 64512..=65534 | 4_200_000_000..=4_294_967_294)
}

impl PathEdit {
    pub fn new(private: PrivateAs, overriding: bool, peer_asn: u32) -> PathEdit {
        let matters = overriding || private != PrivateAs::Kept && is_private(peer_asn);
        PathEdit {
            private,
            overriding,
            peer_asn: if matters { peer_asn } else { 0 },
        }
    }

    fn of(&self, asn: u32, own: u32) -> Option<u32> {
        if asn == self.peer_asn {
            return Some(if self.overriding { own } else { asn });
        }
        match self.private {
            PrivateAs::Removed if is_private(asn) => None,
            PrivateAs::Replaced if is_private(asn) => Some(own),
            _ => Some(asn),
        }
    }

    /// `None`: the path stays as it is. Segments of a confederation are not looked at, those that lose all their numbers vanish.
    pub fn edited(&self, path: &[u8], own: u32) -> Option<Vec<u8>> {
        if *self == PathEdit::default() {
            return None;
        }
        let mut out = Vec::with_capacity(path.len());
        for (kind, asns) in segments(path) {
            let start = out.len();
            out.extend_from_slice(&[kind, 0]);
            let whole = kind >= CONFED_SEQUENCE;
            let kept = asns.filter_map(|a| if whole { Some(a) } else { self.of(a, own) });
            kept.for_each(|a| out.extend_from_slice(&a.to_be_bytes()));
            out[start + 1] = ((out.len() - start - 2) / 4) as u8;
            if out.len() == start + 2 {
                out.truncate(start);
            }
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::super::as_path::text;
    use super::*;

    fn edited(edit: PathEdit, path: &[(u8, &[u32])]) -> String {
        let mut bytes = Vec::new();
        for (kind, asns) in path {
            bytes.extend([*kind, asns.len() as u8]);
            asns.iter().for_each(|a| bytes.extend(a.to_be_bytes()));
        }
        text(&edit.edited(&bytes, 1).unwrap_or(bytes))
    }

    #[test]
    fn private_numbers_go_or_become_ours_but_for_the_peers() {
        let path: [(u8, &[u32]); 4] = [
            (3, &[64512]),
            (2, &[3, 64511, 64512, 65534, 65535]),
            (1, &[64513, 4_200_000_000]),
            (2, &[4_294_967_294, 4_294_967_295, 5]),
        ];
        let of = |private, peer| edited(PathEdit::new(private, false, peer), &path);
        let whole = "(64512) 3 64511 64512 65534 65535 {64513,4200000000} 4294967294 4294967295 5";
        assert_eq!(of(PrivateAs::Kept, 64512), whole);
        let short = "(64512) 3 64511 65535 4294967295 5";
        assert_eq!(of(PrivateAs::Removed, 5), short);
        let with_peer = "(64512) 3 64511 64512 65535 4294967295 5";
        assert_eq!(of(PrivateAs::Removed, 64512), with_peer);
        let replaced = "(64512) 3 64511 1 1 65535 {1,1} 1 4294967295 5";
        assert_eq!(of(PrivateAs::Replaced, 5), replaced);
    }

    #[test]
    fn the_peers_number_becomes_ours_where_that_was_said() {
        let path: [(u8, &[u32]); 2] = [(2, &[3, 7, 7]), (1, &[7, 64512])];
        let of = |private| edited(PathEdit::new(private, true, 7), &path);
        assert_eq!(of(PrivateAs::Kept), "3 1 1 {1,64512}");
        assert_eq!(of(PrivateAs::Removed), "3 1 1 {1}");
    }

    #[test]
    fn peers_that_need_nothing_share() {
        let plain = |private, peer| PathEdit::new(private, false, peer);
        assert_eq!(plain(PrivateAs::Kept, 64512), plain(PrivateAs::Kept, 5));
        let removed = plain(PrivateAs::Removed, 5);
        assert_eq!(removed, plain(PrivateAs::Removed, 6));
        assert_ne!(removed, plain(PrivateAs::Removed, 64512));
    }
}
