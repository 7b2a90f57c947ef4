//! What the sessions are: one a line, words `key=value`, all of them given.

use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

pub struct Spec {
    pub name: String,
    pub local: IpAddr,
    pub peer: IpAddr,
    pub port: u16,
    /// Wait for the peer's connection instead of making one.
    pub listen: bool,
    pub asn: u32,
    pub router_id: Ipv4Addr,
    /// AFIs; the SAFI is unicast.
    pub families: Vec<u16>,
    /// Seconds; 0 for no KEEPALIVEs (RFC 4271 4.2).
    pub hold: u16,
    /// Octets for which room is made before the session begins.
    pub expect: usize,
}

pub fn parse(text: &str) -> Result<Vec<Spec>, String> {
    let specs: Vec<Spec> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(session)
        .collect::<Result<_, _>>()?;
    for (index, spec) in specs.iter().enumerate() {
        if specs[..index].iter().any(|other| other.name == spec.name) {
            return Err(format!("two sessions are named {}", spec.name));
        }
    }
    Ok(specs)
}

fn session(line: &str) -> Result<Spec, String> {
    Ok(Spec {
        name: word(line, "name")?,
        local: word(line, "local")?,
        peer: word(line, "peer")?,
        port: word(line, "port")?,
        listen: word(line, "listen")?,
        asn: word(line, "asn")?,
        router_id: word(line, "router_id")?,
        families: word::<String>(line, "families")?
            .split(',')
            .map(|afi| {
                afi.parse()
                    .map_err(|_| format!("families: {afi} is no AFI"))
            })
            .collect::<Result<_, _>>()?,
        hold: word(line, "hold")?,
        expect: word(line, "expect_bytes")?,
    })
}

fn word<T: FromStr>(line: &str, key: &str) -> Result<T, String> {
    let value = line
        .split_whitespace()
        .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
        .ok_or_else(|| format!("no {key}= in: {line}"))?;
    value
        .parse()
        .map_err(|_| format!("{key}={value} cannot be understood in: {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        "name=f0 local=10.9.0.2 peer=10.9.0.1 port=179 listen=false asn=65100 router_id=10.9.0.2 families=1,2 hold=90 expect_bytes=5";

    #[test]
    fn a_line_is_a_session() {
        let specs = parse(&format!("{LINE}\n\n")).unwrap();
        assert_eq!(specs.len(), 1);
        assert_eq!(
            (specs[0].families.clone(), specs[0].asn, specs[0].listen),
            (vec![1, 2], 65100, false)
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(
            parse(&LINE.replace("hold=90 ", "")).err().unwrap(),
            format!("no hold= in: {}", LINE.replace("hold=90 ", ""))
        );
        assert!(parse(&LINE.replace("65100", "x"))
            .err()
            .unwrap()
            .starts_with("asn=x cannot be understood"));
        assert_eq!(
            parse(&format!("{LINE}\n{LINE}")).err().unwrap(),
            "two sessions are named f0"
        );
    }
}
