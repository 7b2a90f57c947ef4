//! Messages: how a stream divides into them, and the two that open a session (RFC 4271 4, RFC 5492).

use crate::spec::Spec;

pub const HEADER: usize = 19;
pub const OPEN: u8 = 1;
pub const UPDATE: u8 = 2;
pub const NOTIFICATION: u8 = 3;
pub const KEEPALIVE: u8 = 4;

const MULTIPROTOCOL: u8 = 1;
const ROUTE_REFRESH: u8 = 2;
const FOUR_OCTET_AS: u8 = 65;
const AS_TRANS: u16 = 23456;

pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0xff; 16];
    out.extend(((HEADER + body.len()) as u16).to_be_bytes());
    out.push(kind);
    out.extend(body);
    out
}

/// (type, length) of the message that begins here; None while its header is not complete.
pub fn header(data: &[u8]) -> Result<Option<(u8, usize)>, String> {
    let Some(head) = data.get(..HEADER) else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([head[16], head[17]]));
    if head[..16] != [0xff; 16] || length < HEADER {
        return Err("no BGP message begins here".to_string());
    }
    Ok(Some((head[18], length)))
}

/// The messages of a stream that is whole: (type, body, where it ends).
pub fn messages(stream: &[u8]) -> impl Iterator<Item = Result<(u8, &[u8], usize), String>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at == stream.len() {
            return None;
        }
        let found = match header(&stream[at..]) {
            Ok(Some((kind, length))) if at + length <= stream.len() => {
                Ok((kind, &stream[at + HEADER..at + length], at + length))
            }
            Ok(_) => Err(format!("the last message, at octet {at}, is not whole")),
            Err(error) => Err(format!("octet {at}: {error}")),
        };
        at = found.as_ref().map_or(stream.len(), |(_, _, end)| *end);
        Some(found)
    })
}

/// RFC 4724 2: an UPDATE without anything, or one with an MP_UNREACH_NLRI that names a family alone.
pub fn is_end_of_rib(body: &[u8]) -> bool {
    match body {
        [0, 0, 0, 0] => true,
        [0, 0, 0, 6, flags, 15, 3, _, _, _] => flags & 0x10 == 0,
        [0, 0, 0, 7, flags, 15, 0, 3, _, _, _] => flags & 0x10 != 0,
        _ => false,
    }
}

pub fn open(spec: &Spec) -> Vec<u8> {
    let mut capabilities = Vec::new();
    for afi in &spec.families {
        let [high, low] = afi.to_be_bytes();
        capabilities.extend([MULTIPROTOCOL, 4, high, low, 0, 1]);
    }
    capabilities.extend([ROUTE_REFRESH, 0, FOUR_OCTET_AS, 4]);
    capabilities.extend(spec.asn.to_be_bytes());
    let mut body = vec![4];
    body.extend(u16::try_from(spec.asn).unwrap_or(AS_TRANS).to_be_bytes());
    body.extend(spec.hold.to_be_bytes());
    body.extend(spec.router_id.octets());
    body.extend([capabilities.len() as u8 + 2, 2, capabilities.len() as u8]);
    body.extend(capabilities);
    message(OPEN, &body)
}

/// The hold time that a peer's OPEN offers. What it sends must have AS numbers of four octets: the checker knows no other.
pub fn read_open(body: &[u8]) -> Result<u16, String> {
    let short = || "an OPEN that is too short".to_string();
    let hold = body.get(3..5).ok_or_else(short)?;
    let mut parameters = body.get(10..).ok_or_else(short)?;
    let mut four_octets = false;
    while let [kind, length, rest @ ..] = parameters {
        let value = rest.get(..usize::from(*length)).ok_or_else(short)?;
        four_octets |= *kind == 2 && has_capability(value, FOUR_OCTET_AS);
        parameters = &rest[value.len()..];
    }
    if !four_octets {
        return Err("the peer has no AS numbers of four octets".to_string());
    }
    Ok(u16::from_be_bytes([hold[0], hold[1]]))
}

fn has_capability(mut list: &[u8], wanted: u8) -> bool {
    while let [code, length, rest @ ..] = list {
        if *code == wanted {
            return true;
        }
        list = rest.get(usize::from(*length)..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_says_what_the_session_can() {
        let line = "name=f0 local=10.9.0.2 peer=10.9.0.1 port=179 listen=false asn=400000 router_id=10.9.0.2 families=1,2 hold=90 expect_bytes=0";
        let spec = crate::spec::parse(line).unwrap().remove(0);
        let sent = open(&spec);
        assert_eq!(header(&sent), Ok(Some((OPEN, sent.len()))));
        assert_eq!(read_open(&sent[HEADER..]), Ok(90));
        assert_eq!(sent[HEADER + 1..HEADER + 3], AS_TRANS.to_be_bytes());
        assert!(
            has_capability(&sent[HEADER + 12..], ROUTE_REFRESH)
                && has_capability(&sent[HEADER + 12..], MULTIPROTOCOL)
        );
    }

    #[test]
    fn an_open_without_four_octets_is_refused() {
        assert!(read_open(&[4, 0xfd, 0xe8, 0, 90, 10, 0, 0, 1, 0])
            .unwrap_err()
            .contains("four octets"));
        assert!(read_open(&[4, 0xfd]).unwrap_err().contains("short"));
    }

    #[test]
    fn a_stream_divides_into_messages_and_its_faults_are_told() {
        let mut stream = [message(KEEPALIVE, &[]), message(UPDATE, &[0, 0, 0, 0])].concat();
        let found: Vec<_> = messages(&stream).collect::<Result<_, _>>().unwrap();
        assert_eq!(
            found,
            [(KEEPALIVE, &[][..], 19), (UPDATE, &[0, 0, 0, 0][..], 42)]
        );
        stream.pop();
        assert!(messages(&stream)
            .last()
            .unwrap()
            .unwrap_err()
            .contains("octet 19, is not whole"));
        stream[3] = 0;
        assert_eq!(messages(&stream).count(), 1);
        assert!(header(&stream).is_err());
    }

    #[test]
    fn both_families_end_in_their_own_way() {
        for body in [
            &[0, 0, 0, 0][..],
            &[0, 0, 0, 6, 0x80, 15, 3, 0, 2, 1],
            &[0, 0, 0, 7, 0x90, 15, 0, 3, 0, 2, 1],
        ] {
            assert!(is_end_of_rib(body), "{body:?}");
        }
        assert!(!is_end_of_rib(&[0, 0, 0, 8, 0x90, 15, 0, 4, 0, 2, 1, 0]));
        assert!(!is_end_of_rib(&[0, 1, 0, 0, 0]));
    }
}
