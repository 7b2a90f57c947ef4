//! From columns to the kernel's octets, and what the kernel answers.

use routing_core::agent::AgentFib;
use routing_core::rib::fib::FibDelta;

use crate::rib::Rib;
use crate::table::Table;
use crate::Meter;

/// Octets of one write to the kernel.
const BATCH: usize = 262_144;

/// A box that was told everything but routes, and the routes.
fn told(table: &Table) -> (AgentFib, Vec<FibDelta>) {
    let mut rib = Rib::new(table.afi, 1);
    rib.fill(table);
    let mut fib = AgentFib::new("ncp1", 254, 201, 50, 1 << 29);
    fib.set_port("eth0", 7, true);
    let deltas = rib.feed();
    let hops = &rib.engine.core.hops;
    for delta in &deltas {
        for &id in &delta.adjacencies {
            let a = &hops.adjacencies[id];
            let gateway = a.gateway.to_bytes();
            let row = (
                id,
                hops.name(a.ncp),
                hops.name(a.port),
                &gateway[..],
                a.kind as u8,
            );
            assert!(fib.put_adjacencies(&[row]).is_ok());
        }
        for g in &delta.groups {
            let row = (g.id, &g.key[..], g.kind, &g.members[..]);
            assert!(fib.put_groups(&[row]).is_ok());
        }
    }
    (fib, deltas)
}

fn put(fib: &mut AgentFib, deltas: &[FibDelta]) {
    for c in deltas.iter().flat_map(|d| &d.routes) {
        let refused = fib.put_routes(c.table, &c.dst, &c.plen, &c.group, &c.op);
        assert_eq!(refused, Ok(Vec::new()));
    }
}

/// NLMSG_ERROR of 0 for the last message of a batch: the kernel took all.
fn answer(last: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(36);
    out.extend(36u32.to_ne_bytes());
    out.extend(2u16.to_ne_bytes());
    out.extend([0, 0]);
    out.extend(last.to_ne_bytes());
    out.extend([0; 24]);
    out
}

pub fn take_columns(meter: &Meter<'_>, table: &Table) {
    let (mut fib, deltas) = told(table);
    meter.count(table.len, || put(&mut fib, &deltas));
    assert_eq!(fib.digest().0, table.len as u64);
}

pub fn write_netlink(meter: &Meter<'_>, table: &Table) {
    let (mut fib, deltas) = told(table);
    put(&mut fib, &deltas);
    let mut prefixes = table.len; // of the first batch and all others
    while let Ok(Some((_, _, last))) =
        meter.count(std::mem::take(&mut prefixes), || fib.next_batch(BATCH, 0))
    {
        assert!(fib.batch_done(&answer(last)).is_empty());
    }
    assert_eq!(fib.installed(), table.len);
}

pub fn take_answers(meter: &Meter<'_>, table: &Table) {
    let (mut fib, deltas) = told(table);
    put(&mut fib, &deltas);
    let mut prefixes = table.len;
    while let Ok(Some((_, _, last))) = fib.next_batch(BATCH, 0) {
        let answer = answer(last);
        let failures = meter.count(std::mem::take(&mut prefixes), || fib.batch_done(&answer));
        assert!(failures.is_empty());
    }
    assert_eq!(fib.installed(), table.len);
}
