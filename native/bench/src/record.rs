//! What a session has received: every octet, and when it came.

use std::ops::Range;

use crate::wire::{header, HEADER};

/// The most that one read takes, so that no session keeps the others waiting.
const READ: usize = 1 << 20;

pub struct Record {
    /// Longer than what is in it, and touched from end to end: the kernel's first gift of a page costs more than the
    /// copy into it, and would be paid while the time counts.
    buffer: Vec<u8>,
    filled: usize,
    /// Where the messages end that have been seen whole.
    framed: usize,
    /// (where it ended, when) of each read since the record began.
    reads: Vec<(usize, u64)>,
}

impl Record {
    pub fn new(expect: usize) -> Self {
        Self {
            buffer: vec![0xff; expect.max(1 << 16)],
            filled: 0,
            framed: 0,
            reads: Vec::new(),
        }
    }

    /// Room for the next read.
    pub fn room(&mut self) -> &mut [u8] {
        if self.filled == self.buffer.len() {
            self.buffer.resize(2 * self.filled, 0xff);
        }
        let end = self.buffer.len().min(self.filled + READ);
        &mut self.buffer[self.filled..end]
    }

    pub fn took(&mut self, octets: usize, now: u64) {
        self.filled += octets;
        self.reads.push((self.filled, now));
    }

    /// The next whole message that was not given before: its type, and where its body is.
    pub fn next(&mut self) -> Result<Option<(u8, Range<usize>)>, String> {
        let start = self.framed;
        match header(&self.buffer[start..self.filled])? {
            Some((kind, length)) if start + length <= self.filled => {
                self.framed += length;
                Ok(Some((kind, start + HEADER..start + length)))
            }
            _ => Ok(None),
        }
    }

    pub fn body(&self, range: Range<usize>) -> &[u8] {
        &self.buffer[range]
    }

    /// As new, for the stream of another connection.
    pub fn clear(&mut self) {
        (self.filled, self.framed) = (0, 0);
        self.reads.clear();
    }

    /// Forget all messages that were given.
    pub fn forget(&mut self) {
        self.buffer.copy_within(self.framed..self.filled, 0);
        self.filled -= self.framed;
        self.framed = 0;
        let last = self.reads.last().map(|(_, at)| (self.filled, *at));
        self.reads.clear();
        // What is left of a message, or of several, came with the read that was the last.
        self.reads.extend(last.filter(|(end, _)| *end > 0));
    }

    /// All octets, including the part of a message whose rest has not come.
    pub fn octets(&self) -> usize {
        self.filled
    }

    /// All whole messages.
    pub fn messages(&self) -> &[u8] {
        &self.buffer[..self.framed]
    }

    /// When the octet before `end` had come.
    pub fn time_of(&self, end: usize) -> Option<u64> {
        let at = self.reads.partition_point(|(read, _)| *read < end);
        self.reads.get(at).map(|(_, when)| *when)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{message, KEEPALIVE, UPDATE};

    fn put(record: &mut Record, octets: &[u8], now: u64) {
        record.room()[..octets.len()].copy_from_slice(octets);
        record.took(octets.len(), now);
    }

    #[test]
    fn messages_come_whole_however_they_were_read() {
        let stream = [message(KEEPALIVE, &[]), message(UPDATE, &[0, 0, 0, 0])].concat();
        let mut record = Record::new(0);
        let mut found = Vec::new();
        for (now, octet) in stream.iter().enumerate() {
            put(&mut record, &[*octet], now as u64);
            while let Some((kind, body)) = record.next().unwrap() {
                found.push((now, kind, body.len()));
            }
        }
        assert_eq!(found, [(18, KEEPALIVE, 0), (41, UPDATE, 4)]);
        assert_eq!(
            (
                record.time_of(1),
                record.time_of(19),
                record.time_of(42),
                record.time_of(43)
            ),
            (Some(0), Some(18), Some(41), None)
        );
        put(&mut record, &[0; 19], 99);
        assert!(record.next().is_err());
    }

    #[test]
    fn what_is_forgotten_leaves_the_message_that_is_on_its_way() {
        let update = message(UPDATE, &[0, 0, 0, 0]);
        let mut record = Record::new(0);
        put(&mut record, &[&update[..], &update[..10]].concat(), 7);
        while record.next().unwrap().is_some() {}
        record.forget();
        assert_eq!((record.octets(), record.messages().len()), (10, 0));
        put(&mut record, &update[10..], 8);
        assert!(record.next().unwrap().is_some());
        assert_eq!(
            (record.messages(), record.time_of(23)),
            (&update[..], Some(8))
        );
    }

    #[test]
    fn a_record_outgrows_what_was_expected() {
        let mut record = Record::new(1 << 16);
        for now in 0..40 {
            let room = record.room().len().min(10_000);
            record.took(room, now);
        }
        assert!(record.octets() > 1 << 17);
    }
}
