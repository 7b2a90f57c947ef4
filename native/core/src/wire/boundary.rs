//! Where one message ends and the next begins in what a stream has received (RFC 4271 4.1), and the beginning of one that
//! has not ended yet: another controller starts to read at its first octet.

use crate::wire::framer::HEADER;

const LENGTH_AT: usize = 16;
const LENGTH_END: usize = LENGTH_AT + 2;

#[derive(Default)]
pub struct Boundary {
    tail: Vec<u8>,
}

impl Boundary {
    /// At most one message without its last octet.
    pub fn tail(&self) -> &[u8] {
        &self.tail
    }

    /// `data` was received. A header with a length that cannot be ends the session, so nothing is kept of it.
    pub fn passed(&mut self, data: &[u8]) {
        let mut rest = data;
        if !self.tail.is_empty() {
            self.fill(&mut rest, LENGTH_END);
            let Some(length) = length(&self.tail) else {
                return;
            };
            self.fill(&mut rest, length);
            if self.tail.len() < length {
                return;
            }
            self.tail.clear();
            if length < HEADER {
                return;
            }
        }
        while let Some(length) = length(rest).filter(|length| *length <= rest.len()) {
            if length < HEADER {
                return;
            }
            rest = &rest[length..];
        }
        self.tail.extend_from_slice(rest);
    }

    /// The tail from what follows it, up to `size` octets.
    fn fill(&mut self, rest: &mut &[u8], size: usize) {
        let (more, after) = rest.split_at(size.saturating_sub(self.tail.len()).min(rest.len()));
        self.tail.extend_from_slice(more);
        *rest = after;
    }
}

/// That a header says, where so much of it is there.
fn length(message: &[u8]) -> Option<usize> {
    let field = message.get(LENGTH_AT..LENGTH_END)?;
    Some(usize::from(u16::from_be_bytes([field[0], field[1]])))
}
