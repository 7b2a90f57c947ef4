//! Communities as people write them: standard (RFC 1997), extended (RFC 4360), large (RFC 8092).

/// A community as it is on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Community {
    Standard([u8; 4]),
    Extended([u8; 8]),
    Large([u8; 12]),
}

impl Community {
    /// `65001:100` with parts of two octets, `a:b:c` with parts of four, or 16 hexadecimal digits; nothing else is one.
    pub fn parse(text: &str) -> Option<Community> {
        if text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            let value = u64::from_str_radix(text, 16).ok()?;
            return Some(Community::Extended(value.to_be_bytes()));
        }
        let parts: Vec<u32> = text.split(':').map(number).collect::<Option<_>>()?;
        match parts[..] {
            [a, b] if a.max(b) <= 0xffff => Some(Community::Standard((a << 16 | b).to_be_bytes())),
            [a, b, c] => {
                let mut value = [0; 12];
                for (at, n) in [a, b, c].into_iter().enumerate() {
                    value[at * 4..at * 4 + 4].copy_from_slice(&n.to_be_bytes());
                }
                Some(Community::Large(value))
            }
            _ => None,
        }
    }
}

fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_community_is_read_as_it_is_written_and_nothing_else_is_one() {
        let of = Community::parse;
        assert_eq!(
            of("65001:100"),
            Some(Community::Standard([0xfd, 0xe9, 0, 100]))
        );
        assert_eq!(of("0001:2"), Some(Community::Standard([0, 1, 0, 2])));
        assert_eq!(
            of("65536:0:4294967295"),
            Some(Community::Large([
                0, 1, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255
            ]))
        );
        assert_eq!(
            of("0002fde900000064"),
            Some(Community::Extended([0, 2, 0xfd, 0xe9, 0, 0, 0, 100]))
        );
        for text in [
            "",
            "1",
            "1:",
            ":1",
            "65536:1",
            "1:2:4294967296",
            "1:2:3:4",
            "+1:2",
            "1 :2",
            "no-export",
            "0002fde90000006",
            "0002fde90000006g",
            "::",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
