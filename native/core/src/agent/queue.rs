//! Routes to look at, in order of arrival, but in pieces that are sorted by prefix: the kernel inserts neighbors in its tries one
//! after the other, while the way to them is in its caches. A route waits for at most one piece longer than its turn. Pieces and not
//! all: an IPv4 trie that is filled from one end to the other is resized over and over.
//!
//! It also knows how far the stream has been looked at: a mark stands behind all that came before it.
use std::collections::VecDeque;

/// Routes of a piece, at most.
pub(super) const PIECE: usize = 1 << 16;
/// With fewer, order gains less than it costs.
const LEAST: usize = 1 << 10;

/// Items are opaque here. Places count all items ever pushed.
#[derive(Debug, Default)]
pub(super) struct Queue {
    items: VecDeque<u32>,
    popped: u64,
    /// All before this place have been popped, whatever order they were in.
    through: u64,
    /// Where the sorted pieces end, of which the first may have been begun.
    pieces: VecDeque<u64>,
    /// (position of the stream, place), both ascending.
    marks: VecDeque<(u64, u64)>,
}

impl Queue {
    #[inline]
    pub fn push(&mut self, item: u32) {
        self.items.push_back(item);
    }

    /// One that has been looked at before: until it has been again, no position that is marked is reached.
    #[inline]
    pub fn push_again(&mut self, item: u32) {
        self.push(item);
        if let Some((position, _)) = self.marks.pop_back() {
            self.marks.clear();
            self.mark(position);
        }
    }

    #[inline]
    pub fn pop(&mut self) -> Option<u32> {
        let item = self.items.pop_front()?;
        self.popped += 1;
        match self.pieces.front() {
            Some(&end) if end > self.popped => (),
            _ => {
                self.pieces.pop_front();
                self.through = self.popped;
            }
        }
        Some(item)
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn bytes(&self) -> usize {
        self.items.capacity() * size_of::<u32>()
    }

    fn end(&self) -> u64 {
        self.popped + self.items.len() as u64
    }

    /// What the stream told up to this position is in the kernel or among these items.
    pub fn mark(&mut self, position: u64) {
        let place = self.end();
        match self.marks.back_mut() {
            Some(last) if last.1 == place => last.0 = position,
            _ => self.marks.push_back((position, place)),
        }
    }

    /// The last position of which all has been popped, if that was not told before.
    pub fn reached(&mut self) -> Option<u64> {
        let mut last = None;
        while let Some((position, _)) = self.marks.front().filter(|mark| mark.1 <= self.through) {
            last = Some(*position);
            self.marks.pop_front();
        }
        last
    }

    /// As soon as there is a whole piece, so that it is in order before it is needed; one at a time, for others wait meanwhile.
    pub fn arrange_ahead(&mut self, key: impl Fn(u32) -> u64) {
        if self.unsorted() >= PIECE {
            self.arrange_piece(key);
        }
    }

    /// Where the last piece is used up, what there is.
    pub fn arrange(&mut self, key: impl Fn(u32) -> u64) {
        if self.pieces.is_empty() && self.items.len() >= LEAST {
            self.arrange_piece(key);
        }
    }

    fn sorted(&self) -> usize {
        self.pieces
            .back()
            .map_or(0, |end| (end - self.popped) as usize)
    }

    fn unsorted(&self) -> usize {
        self.items.len() - self.sorted()
    }

    fn arrange_piece(&mut self, key: impl Fn(u32) -> u64) {
        let from = self.sorted();
        let to = self.items.len().min(from + PIECE);
        let piece = self.items.range_mut(from..to);
        let mut keyed: Vec<(u64, u32)> = piece.map(|&mut item| (key(item), item)).collect();
        // stable: what has the same key keeps its order
        keyed.sort_by_key(|&(key, _)| key);
        for (place, (_, item)) in self.items.range_mut(from..to).zip(keyed) {
            *place = item;
        }
        self.pieces.push_back(self.popped + to as u64);
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
    fn whole_pieces_are_sorted_ahead_and_what_has_the_same_key_keeps_its_order() {
        let mut queue = Queue::default();
        let piece = PIECE as u32;
        (0..piece * 2 + 5).rev().for_each(|item| queue.push(item));
        queue.arrange_ahead(|item| u64::from(item >> 1));
        assert_eq!(queue.unsorted(), PIECE + 5);
        queue.arrange_ahead(|item| u64::from(item >> 1));
        assert_eq!((queue.unsorted(), queue.pieces.len()), (5, 2));
        assert_eq!(taken(&mut queue, 2), [piece + 5, piece + 7]);
        queue.arrange_ahead(u64::from);
        assert_eq!(taken(&mut queue, 2), [piece + 6, piece + 9]);
        taken(&mut queue, PIECE * 2 - 4);
        assert_eq!(taken(&mut queue, 9), [4, 3, 2, 1, 0]);
    }

    #[test]
    fn few_stay_in_order_of_arrival() {
        let mut queue = Queue::default();
        [3, 1, 2].into_iter().for_each(|item| queue.push(item));
        queue.arrange(u64::from);
        assert_eq!(taken(&mut queue, 4), [3, 1, 2]);
    }

    #[test]
    fn a_position_is_reached_when_all_before_it_and_all_of_its_piece_has_been_popped() {
        let mut queue = Queue::default();
        queue.mark(1);
        assert_eq!((queue.reached(), queue.reached()), (Some(1), None));
        [3, 1].into_iter().for_each(|item| queue.push(item));
        queue.mark(2);
        queue.mark(3);
        queue.push(2);
        queue.mark(4);
        queue.arrange_piece(u64::from);
        taken(&mut queue, 2);
        assert_eq!(
            queue.reached(),
            None,
            "[1, 2] were popped, and 3 came first"
        );
        queue.push(9);
        taken(&mut queue, 1);
        assert_eq!(queue.reached(), Some(4));
        queue.mark(5);
        queue.mark(6);
        queue.push_again(1);
        taken(&mut queue, 1);
        assert_eq!(queue.reached(), None, "not before what is looked at again");
        taken(&mut queue, 1);
        assert_eq!(queue.reached(), Some(6));
    }
}
