//! Prefixes as messages have them (RFC 4271 4.3), each behind its path identifier where the session has those (RFC 7911 3).

use std::ops::Range;

use crate::prefix::{Addr, Prefix};

/// Prefixes of one message, or of several.
pub struct List<A> {
    prefixes: Vec<Prefix<A>>,
    /// As many as prefixes, or none.
    ids: Vec<u32>,
}

impl<A> Default for List<A> {
    fn default() -> Self {
        List {
            prefixes: Vec::new(),
            ids: Vec::new(),
        }
    }
}

impl<A: Addr> List<A> {
    pub fn new(room: usize) -> Self {
        List {
            prefixes: Vec::with_capacity(room),
            ids: Vec::new(),
        }
    }

    #[inline]
    pub fn push(&mut self, prefix: Prefix<A>) {
        self.prefixes.push(prefix);
    }

    pub fn push_path(&mut self, prefix: Prefix<A>, id: u32) {
        self.prefixes.push(prefix);
        self.ids.push(id);
    }

    pub fn count(&self) -> usize {
        self.prefixes.len()
    }

    pub fn all(&self) -> Nlri<'_, A> {
        self.part(0..self.prefixes.len())
    }

    pub fn part(&self, part: Range<usize>) -> Nlri<'_, A> {
        let ids = if self.ids.is_empty() {
            0..0
        } else {
            part.clone()
        };
        Nlri {
            prefixes: &self.prefixes[part],
            ids: &self.ids[ids],
        }
    }

    pub fn clear(&mut self) {
        self.prefixes.clear();
        self.ids.clear();
    }

    pub fn extend(&mut self, more: Nlri<'_, A>) {
        self.prefixes.extend_from_slice(more.prefixes);
        self.ids.extend_from_slice(more.ids);
    }
}

/// A stretch of a list.
#[derive(Clone, Copy)]
pub struct Nlri<'a, A> {
    prefixes: &'a [Prefix<A>],
    ids: &'a [u32],
}

impl<A: Addr> Nlri<'_, A> {
    pub fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }

    /// How many fit into `room` octets, and their size.
    pub fn fit(&self, room: usize) -> (usize, usize) {
        let before = if self.ids.is_empty() { 0 } else { 4 };
        let all = self.prefixes.len();
        if all * (before + 1 + A::BYTES) <= room {
            let lengths = self.prefixes.iter().map(Prefix::nlri_len);
            return (all, all * before + lengths.sum::<usize>());
        }
        let mut bytes = 0;
        for (n, p) in self.prefixes.iter().enumerate() {
            let len = before + p.nlri_len();
            if bytes + len > room {
                return (n, bytes);
            }
            bytes += len;
        }
        (all, bytes)
    }

    /// Writes the first `n`; the others.
    pub fn write(self, n: usize, out: &mut Vec<u8>) -> Self {
        let (now, prefixes) = self.prefixes.split_at(n);
        let (ids, later) = self.ids.split_at(n.min(self.ids.len()));
        if ids.is_empty() {
            out.reserve(n * (1 + A::BYTES));
            now.iter().for_each(|p| p.push_nlri(out));
        }
        for (p, id) in now.iter().zip(ids) {
            out.extend_from_slice(&id.to_be_bytes());
            p.push_nlri(out);
        }
        Nlri {
            prefixes,
            ids: later,
        }
    }
}
