//! Routes to look at. Taken in order of arrival, but in pieces that are sorted by prefix: the kernel inserts neighbors in its tries
//! one after the other, while the way to them is in its caches. A route waits for at most one piece longer than its turn.
//! Pieces and not all: an IPv4 trie that is filled from one end to the other is resized over and over.
use std::collections::VecDeque;

/// Routes of a piece, at most.
const PIECE: usize = 1 << 16;
/// With fewer, order gains less than it costs.
const LEAST: usize = 1 << 10;

/// Items are opaque here; keys order them within a piece.
#[derive(Debug, Default)]
pub(super) struct Queue {
    items: VecDeque<u32>,
    /// How many at the front are sorted.
    sorted: usize,
}

impl Queue {
    #[inline]
    pub fn push(&mut self, item: u32) {
        self.items.push_back(item);
    }

    #[inline]
    pub fn pop(&mut self) -> Option<u32> {
        self.sorted = self.sorted.saturating_sub(1);
        self.items.pop_front()
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn bytes(&self) -> usize {
        self.items.capacity() * size_of::<u32>()
    }

    /// Where the last piece is used up, the next one is put in order.
    pub fn arrange(&mut self, key: impl Fn(u32) -> u64) {
        let piece = self.items.len().min(PIECE);
        if self.sorted > 0 || piece < LEAST {
            return;
        }
        let mut keyed: Vec<(u64, u32)> = self
            .items
            .iter()
            .take(piece)
            .map(|&item| (key(item), item))
            .collect();
        keyed.sort_unstable();
        for (to, (_, item)) in self.items.iter_mut().zip(keyed) {
            *to = item;
        }
        self.sorted = piece;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(queue: &mut Queue, count: usize) -> Vec<u32> {
        (0..count).map_while(|_| queue.pop()).collect()
    }

    #[test]
    fn pieces_are_sorted_and_follow_each_other() {
        let mut queue = Queue::default();
        let all = PIECE as u32 * 2;
        (0..all).rev().for_each(|item| queue.push(item));
        queue.arrange(u64::from);
        let first = taken(&mut queue, 3);
        assert_eq!(first, [all / 2, all / 2 + 1, all / 2 + 2]);
        queue.push(all);
        queue.arrange(u64::from);
        let rest = taken(&mut queue, PIECE - 3);
        assert!(rest.is_sorted() && rest[0] == all / 2 + 3);
        queue.arrange(u64::from);
        let second = taken(&mut queue, PIECE);
        assert_eq!(second, (0..all / 2).collect::<Vec<u32>>());
        assert_eq!(taken(&mut queue, 2), [all]);
    }

    #[test]
    fn few_stay_in_order_of_arrival() {
        let mut queue = Queue::default();
        [3, 1, 2].map(|item| queue.push(item));
        queue.arrange(u64::from);
        assert_eq!(taken(&mut queue, 4), [3, 1, 2]);
    }
}
