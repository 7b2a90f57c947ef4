//! What is wrong with UPDATEs: counted by kind, with the bytes of the first of each (RFC 7606 6).

use super::attribute_rows::{INVALID_NETWORK, MALFORMED_LIST, MALFORMED_PATH, MISSING};
use super::framer::Notification;

/// RFC 7606 2, weakest first: the strongest of an UPDATE's faults decides.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Disposition {
    /// RFC 4271 6.3: a prefix that nobody can announce.
    IgnorePrefix = 0,
    DiscardAttribute = 1,
    TreatAsWithdraw = 2,
    DisableFamily = 3,
    SessionReset = 4,
}

/// A kind of finding: which attribute (0: the message), what follows, the NOTIFICATION subcode it has or would have had, the
/// clause that says so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    pub code: u8,
    pub disposition: Disposition,
    pub subcode: u8,
    pub rfc: &'static str,
}

/// The faults of one message, each with the octets at fault.
pub type Faults<'a> = Vec<(Fault, &'a [u8])>;

/// A fault that withdraws what the message announces.
pub fn fault(code: u8, subcode: u8, rfc: &'static str) -> Fault {
    Fault {
        code,
        disposition: Disposition::TreatAsWithdraw,
        subcode,
        rfc,
    }
}

/// Notes a fault that only a reset answers; its NOTIFICATION carries what RFC 4271 6.3 says for the subcode.
pub fn reset<'a>(
    faults: &mut Faults<'a>,
    code: u8,
    subcode: u8,
    rfc: &'static str,
    octets: &'a [u8],
) -> Notification {
    let reset = Fault {
        disposition: Disposition::SessionReset,
        ..fault(code, subcode, rfc)
    };
    faults.push((reset, octets));
    match subcode {
        MALFORMED_LIST | INVALID_NETWORK | MALFORMED_PATH => Notification::new(3, subcode, &[]),
        MISSING => Notification::new(3, subcode, &[code]),
        _ => Notification::new(3, subcode, &octets[..octets.len().min(MESSAGE_SAMPLE - 21)]),
    }
}

/// Octets kept of an attribute, its header among them.
pub const ATTRIBUTE_SAMPLE: usize = 256;
/// Octets kept of a message: all of it, but for extended ones (RFC 8654).
pub const MESSAGE_SAMPLE: usize = 4096;

/// One kind of finding in a run of UPDATEs.
#[derive(Clone, Debug)]
pub struct Finding {
    pub fault: Fault,
    pub count: u32,
    /// Of the first: the attribute as it came, or where it is missing the whole list of attributes.
    pub attribute: Vec<u8>,
    /// Of the first: the UPDATE, with its header.
    pub message: Vec<u8>,
}

/// Counts one more; only the first of its kind leaves its bytes.
pub fn note(findings: &mut Vec<Finding>, fault: Fault, attribute: &[u8], message: &[u8]) {
    let sample = |octets: &[u8], most| octets[..octets.len().min(most)].to_vec();
    match findings.iter_mut().find(|known| known.fault == fault) {
        Some(known) => known.count += 1,
        None => findings.push(Finding {
            fault,
            count: 1,
            attribute: sample(attribute, ATTRIBUTE_SAMPLE),
            message: sample(message, MESSAGE_SAMPLE),
        }),
    }
}
