//! The order of a table's prefixes, kept while somebody pages through it: a page then costs its rows, not a pass over the table.

use crate::prefix::{Addr, Prefix};

/// Seconds for which an order waits for the next page.
const KEPT: u32 = 60;
/// Prefixes that came since, beside an eighth of the others, until another order is cheaper than taking them along.
const ADDED_MAX: usize = 4096;

/// Prefixes that were there once: who walks them looks each up.
pub struct Order<A> {
    sorted: Vec<Prefix<A>>,
    /// In the table since, sorted up to `settled`.
    added: Vec<Prefix<A>>,
    settled: bool,
    used: u32,
}

impl<A: Addr> Order<A> {
    pub fn new(prefixes: impl Iterator<Item = Prefix<A>>, now: u32) -> Self {
        let mut sorted: Vec<_> = prefixes.collect();
        sorted.sort_unstable();
        Self {
            sorted,
            added: Vec::new(),
            settled: true,
            used: now,
        }
    }

    /// False: too many came, and the order is of no use any more.
    pub fn add(&mut self, p: Prefix<A>) -> bool {
        self.added.push(p);
        self.settled = false;
        self.added.len() <= self.sorted.len() / 8 + ADDED_MAX
    }

    pub fn bytes(&self) -> usize {
        (self.sorted.capacity() + self.added.capacity()) * size_of::<Prefix<A>>()
    }

    pub fn expired(&self, now: u32) -> bool {
        now.saturating_sub(self.used) > KEPT
    }

    /// To be called before a walk.
    pub fn settle(&mut self, now: u32) {
        self.used = now;
        if !self.settled {
            self.added.sort_unstable();
            self.settled = true;
        }
    }

    /// Each prefix inside `area` and behind `after` once, in order.
    pub fn walk(
        &self,
        area: Prefix<A>,
        after: Option<Prefix<A>>,
    ) -> impl Iterator<Item = Prefix<A>> + '_ {
        let behind = |list: &[Prefix<A>]| {
            list.partition_point(|p| *p < area || after.is_some_and(|a| *p <= a))
        };
        let mut first = self.sorted[behind(&self.sorted)..].iter().peekable();
        let mut second = self.added[behind(&self.added)..].iter().peekable();
        let mut last = None;
        std::iter::from_fn(move || loop {
            let next = match (first.peek(), second.peek()) {
                (Some(a), Some(b)) if b < a => second.next(),
                (Some(_), _) => first.next(),
                (None, _) => second.next(),
            };
            let next = next.copied()?;
            if last != Some(next) {
                last = Some(next);
                return last;
            }
        })
        .take_while(move |p| area.contains(*p))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(n: u32) -> Prefix<u32> {
        Prefix::new(n << 8, 24)
    }

    #[test]
    fn what_came_since_is_in_its_place_and_what_came_again_is_there_once() {
        let mut o = Order::new([p(5), p(1), p(3)].into_iter(), 0);
        for n in [4, 3, 4, 0] {
            assert!(o.add(p(n)));
        }
        o.settle(0);
        let whole: Vec<_> = o.walk(Prefix::default(), None).collect();
        assert_eq!(whole, [0, 1, 3, 4, 5].map(p));
        let rest: Vec<_> = o.walk(Prefix::default(), Some(p(3))).collect();
        assert_eq!(rest, [4, 5].map(p));
        let inside: Vec<_> = o.walk(Prefix::new(4 << 8, 23), None).collect();
        assert_eq!(inside, [4, 5].map(p));
    }

    #[test]
    fn an_order_that_too_much_came_after_is_given_up() {
        let mut o = Order::new((0..80).map(p), 0);
        assert!((0..ADDED_MAX as u32 + 10).all(|n| o.add(p(n))));
        assert!(!o.add(p(1)));
    }

    #[test]
    fn an_order_nobody_asks_for_expires() {
        let mut o = Order::new([p(1)].into_iter(), 10);
        assert!(!o.expired(10 + KEPT) && o.expired(11 + KEPT));
        o.settle(50);
        assert!(!o.expired(11 + KEPT));
    }
}
