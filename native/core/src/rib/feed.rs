//! A change log that any number of consumers read, each at its own position. An item that changes moves to the tail, so a slow
//! consumer sees the last state once, and memory stays one record per changed item.

use std::collections::VecDeque;

/// Positions wrap; the live window is always shorter than half their range.
pub type Pos = u32;

#[inline]
pub fn before(a: Pos, b: Pos) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

#[derive(Default)]
pub struct Log {
    base: Pos,
    items: VecDeque<u32>,
    /// The furthest position that any consumer has read to: a record at or after it is news to all.
    read_to: Pos,
    pub consumers: usize,
}

impl Log {
    pub fn tail(&self) -> Pos {
        self.base.wrapping_add(self.items.len() as u32)
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn bytes(&self) -> usize {
        self.items.capacity() * size_of::<u32>()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether a record at `pos` is still ahead of every consumer, so that a new change needs no new record.
    #[inline]
    pub fn unread(&self, pos: Pos) -> bool {
        !before(pos, self.read_to)
    }

    #[inline]
    pub fn push(&mut self, item: u32) -> Pos {
        let pos = self.tail();
        self.items.push_back(item);
        pos
    }

    #[inline]
    pub fn get(&self, pos: Pos) -> u32 {
        self.items[pos.wrapping_sub(self.base) as usize]
    }

    /// A consumer stands at `pos` now.
    pub fn note_read(&mut self, pos: Pos) {
        if before(self.read_to, pos) {
            self.read_to = pos;
        }
    }

    /// Drops the oldest record.
    pub fn pop(&mut self) -> Option<(Pos, u32)> {
        let item = self.items.pop_front()?;
        let pos = self.base;
        self.base = self.base.wrapping_add(1);
        if before(self.read_to, self.base) {
            self.read_to = self.base;
        }
        Some((pos, item))
    }

    pub fn base(&self) -> Pos {
        self.base
    }

    /// Rewrites the log without the records that `live(pos, item)` denies. `cursors` move with their records; `moved(item, pos)`
    /// tells each survivor its new position.
    pub fn compact(
        &mut self,
        cursors: &mut [&mut Pos],
        live: impl Fn(Pos, u32) -> bool,
        mut moved: impl FnMut(u32, Pos),
    ) {
        cursors.sort_by_key(|c| c.wrapping_sub(self.base));
        let old = std::mem::take(&mut self.items);
        let start = self.base;
        let mut next_cursor = 0;
        let mut kept = VecDeque::with_capacity(old.len() / 2);
        let mut read_to = None;
        for (i, item) in old.into_iter().enumerate() {
            let pos = start.wrapping_add(i as u32);
            let new = start.wrapping_add(kept.len() as u32);
            while next_cursor < cursors.len() && *cursors[next_cursor] == pos {
                *cursors[next_cursor] = new;
                next_cursor += 1;
            }
            if pos == self.read_to {
                read_to = Some(new);
            }
            if live(pos, item) {
                moved(item, new);
                kept.push_back(item);
            }
        }
        self.items = kept;
        let tail = self.tail();
        for c in &mut cursors[next_cursor..] {
            **c = tail;
        }
        self.read_to = read_to.unwrap_or(tail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compaction_keeps_each_cursor_before_the_same_live_records() {
        let mut log = Log::default();
        let mut last = [0; 4];
        for item in [0, 1, 0, 2, 1, 3] {
            last[item as usize] = log.push(item);
        }
        let (mut a, mut b) = (1, 4);
        let snapshot = last;
        log.compact(
            &mut [&mut a, &mut b],
            |pos, item| snapshot[item as usize] == pos,
            |item, pos| last[item as usize] = pos,
        );
        let read = |from: Pos| {
            let mut v = Vec::new();
            let mut p = from;
            while before(p, log.tail()) {
                v.push(log.get(p));
                p += 1;
            }
            v
        };
        assert_eq!(read(a), vec![0, 2, 1, 3]);
        assert_eq!(read(b), vec![1, 3]);
    }
}
