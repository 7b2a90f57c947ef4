//! How far the model says that the stream is in the kernel, before all of it is: what it says holds.
use std::collections::{BTreeMap, BTreeSet};

use super::super::netlink::*;
use super::super::queue::PIECE;
use super::super::{AgentFib, State};
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
    /// Routes of which it was ever told that they failed.
    pub failed: BTreeSet<(Vec<u8>, u8)>,
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
                    let told = self.positions.failed.contains(&(dst.clone(), len));
                    assert!(
                        failed && told,
                        "{dst:?}/{len} is said to be there: {want:?}"
                    );
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

/// Writes one batch: the addresses and whether each came.
fn batch(fib: &mut AgentFib, kernel: &mut Kernel, max: usize) -> Option<Vec<([u8; 4], bool)>> {
    let (bytes, first, last) = fib.next_batch(max, 0).unwrap()?;
    let routes = messages(&bytes).filter(|m| matches!(m.kind, RTM_NEWROUTE | RTM_DELROUTE));
    let written = routes
        .map(|m| (m.body[16..20].try_into().unwrap(), m.kind == RTM_NEWROUTE))
        .collect();
    assert!(fib
        .batch_done(&kernel.apply(&bytes, first, last))
        .is_empty());
    Some(written)
}

fn put_all(fib: &mut AgentFib, all: &[[u8; 4]], op: u8) {
    let n = all.len();
    let ids = 1u32.to_le_bytes().repeat(n);
    let refused = fib.put_routes(1, &all.concat(), &vec![32; n], &ids, &vec![op; n]);
    assert_eq!(refused, Ok(vec![]));
}

#[test]
fn ipv4_routes_go_in_the_order_in_which_they_were_given_up() {
    let mut fib = model();
    group(&mut fib, 1, &[(1, 1, 0)]);
    let all = addresses(3000);
    let mut kernel = Kernel::default();
    put_all(&mut fib, &all, 1);
    let written = batch(&mut fib, &mut kernel, 1 << 20).unwrap();
    assert!(written.len() == all.len() && written.is_sorted());
    put_all(&mut fib, &all, 0);
    let written = batch(&mut fib, &mut kernel, 1 << 20).unwrap();
    assert_eq!(written, all.iter().map(|&a| (a, false)).collect::<Vec<_>>());
    put_all(&mut fib, &all, 1);
    batch(&mut fib, &mut kernel, 1 << 20).unwrap();
    fib.put_groups(&[(1, &[1; 16], 2, &members(&[(1, 1, 0)]))])
        .unwrap();
    let written = batch(&mut fib, &mut kernel, 1 << 20).unwrap();
    assert!(!written.is_sorted(), "of a group that is local now");
    assert!(kernel.routes.is_empty());
}

#[test]
fn what_comes_is_there_before_what_was_told_later_goes() {
    let mut fib = model();
    group(&mut fib, 1, &[(1, 1, 0)]);
    let all = addresses(6000);
    let (old, new) = all.split_at(3000);
    let mut kernel = Kernel::default();
    put_all(&mut fib, old, 1);
    drain(&mut fib, &mut kernel);
    put_all(&mut fib, new, 1);
    put_all(&mut fib, old, 0);
    let mut written = Vec::new();
    while let Some(more) = batch(&mut fib, &mut kernel, 4096) {
        written.extend(more);
    }
    let came = written.iter().rposition(|(_, came)| *came);
    let went = written.iter().position(|(_, came)| !*came);
    assert_eq!((came, went, written.len()), (Some(2999), Some(3000), 6000));
}

#[test]
fn what_is_only_to_go_keeps_no_position_waiting() {
    let mut fib = model();
    group(&mut fib, 1, &[(1, 1, 0)]);
    group(&mut fib, 2, &[(2, 1, 0)]);
    put(&mut fib, 1, 2);
    let mut kernel = Kernel::default();
    drain(&mut fib, &mut kernel);
    delete(&mut fib, 1);
    fib.drop_groups(&[2]);
    put_all(&mut fib, &addresses(2000), 1);
    let mut early = 0;
    for position in 1.. {
        put(&mut fib, position as u8, 1);
        let Some((bytes, first, last)) = fib.next_batch(4096, position).unwrap() else {
            break;
        };
        fib.batch_done(&kernel.apply(&bytes, first, last));
        early += usize::from(fib.reached() > 0 && fib.pending() > 0);
    }
    assert!(early > 0);
}
