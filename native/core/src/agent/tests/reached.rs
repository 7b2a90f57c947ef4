//! How far the model says that the stream is in the kernel, before all of it is: what it says holds.
use std::collections::BTreeMap;

use super::super::netlink::*;
use super::super::queue::PIECE;
use super::super::State;
use super::fixture::*;
use super::kernel::Kernel;
use super::world::{prefix, Step, World};

/// Positions of the stream, one for each step of it.
#[derive(Debug, Default)]
pub struct Positions {
    pub now: u64,
    /// When a route changed alone, and when all may have: (v6, number).
    one: BTreeMap<(bool, u8), u64>,
    all: u64,
    reached: u64,
    meddled: bool,
}

impl Positions {
    /// All routes may have.
    pub fn changed(&mut self) {
        self.now += 1;
        self.all = self.now;
    }

    pub fn note(&mut self, step: &Step) {
        match step {
            Step::Route(v6, number, _) | Step::Withdraw(v6, number) => {
                self.now += 1;
                self.one.insert((*v6, *number), self.now);
            }
            Step::Adjacency(..) | Step::DropAdjacency(_) | Step::Group(..) | Step::DropGroup(_) => {
                self.changed()
            }
            Step::Restart(_) => {
                self.reached = 0;
                self.changed();
            }
            Step::Foreign(_) | Step::Audit | Step::Overrun => self.meddled = true,
            _ => (),
        }
    }
}

impl World {
    /// Where a further position has been reached: routes that the stream has left alone since then are as it wants them.
    pub fn check_reached(&mut self) {
        let reached = self.fib.reached();
        assert!(self.positions.reached <= reached && reached <= self.positions.now);
        let further = reached > self.positions.reached;
        self.positions.reached = reached;
        let known = self.facts.is_empty() && !self.silent && !self.positions.meddled;
        if !further || !known || reached < self.positions.all {
            return;
        }
        let found = self.found();
        for v6 in [false, true] {
            for number in 0..10 {
                let changed = self.positions.one.get(&(v6, number));
                if changed.is_some_and(|&at| at > reached) {
                    continue;
                }
                let (dst, len) = prefix(v6, number);
                let key = self.routes.get(&(v6, number));
                let want = key.and_then(|&key| self.naive(key, v6));
                let family = if v6 { 10 } else { 2 };
                if found.get(&(family, dst.clone(), len)) != want.as_ref() {
                    let route = self.fib.route(1 + u32::from(v6), &dst, len);
                    let failed = route.is_some_and(|r| r.state == State::Failed);
                    assert!(failed, "{dst:?}/{len} is said to be there: {want:?}");
                }
            }
        }
    }
}

/// 20.0.0.0/32 and so on, far from ascending.
fn addresses(many: usize) -> Vec<[u8; 4]> {
    let spread = |n: usize| (n as u32).wrapping_mul(0x9e37_79b1) >> 12;
    (0..many)
        .map(|n| (0x1400_0000 + spread(n)).to_be_bytes())
        .collect()
}

#[test]
fn a_long_table_is_reached_piece_by_piece_and_never_too_early() {
    let mut fib = model();
    group(&mut fib, 1, &[(1, 1, 0)]);
    let chunks: Vec<Vec<[u8; 4]>> = addresses(PIECE * 3)
        .chunks(PIECE / 4)
        .map(<[_]>::to_vec)
        .collect();
    let mut kernel = Kernel::default();
    let mut seen = Vec::new();
    let mut told = 0;
    while let Some((bytes, first, last)) = {
        for chunk in chunks.iter().skip(told).take(2) {
            let n = chunk.len();
            let ids = 1u32.to_le_bytes().repeat(n);
            let refused = fib.put_routes(1, &chunk.concat(), &vec![32; n], &ids, &vec![1; n]);
            assert_eq!(refused, Ok(vec![]));
        }
        told = chunks.len().min(told + 2);
        fib.next_batch(1 << 18, told as u64).unwrap()
    } {
        assert!(fib
            .batch_done(&kernel.apply(&bytes, first, last))
            .is_empty());
        let reached = fib.reached() as usize;
        if seen.last() != Some(&reached) {
            seen.push(reached);
            for address in chunks[..reached].iter().flatten() {
                assert!(kernel.routes.contains_key(&(2, address.to_vec(), 32)));
            }
        }
    }
    assert_eq!(fib.reached() as usize, chunks.len());
    assert!(seen.len() > 3, "{seen:?}");
}

#[test]
fn ipv4_routes_go_in_the_order_in_which_they_were_given_up() {
    let mut fib = model();
    group(&mut fib, 1, &[(1, 1, 0)]);
    let all = addresses(3000);
    let mut kernel = Kernel::default();
    for (ids, op) in [(1u32.to_le_bytes(), 1), ([0; 4], 0)] {
        let refused = fib.put_routes(
            1,
            &all.concat(),
            &[32; 3000],
            &ids.repeat(3000),
            &[op; 3000],
        );
        assert_eq!(refused, Ok(vec![]));
        let (bytes, first, last) = fib.next_batch(1 << 20, 0).unwrap().unwrap();
        let written: Vec<[u8; 4]> = messages(&bytes)
            .filter(|m| matches!(m.kind, RTM_NEWROUTE | RTM_DELROUTE))
            .map(|m| m.body[16..20].try_into().unwrap())
            .collect();
        assert_eq!(written.is_sorted(), op == 1);
        assert!(op == 1 || written == all);
        fib.batch_done(&kernel.apply(&bytes, first, last));
    }
    assert!(kernel.routes.is_empty());
}
