//! The agent's model under any stream a controller could send: rows are taken or refused one by one, the count and the digest are
//! those of what was taken, and the batches for the kernel end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use routing_core::agent::AgentFib;
use routing_core::digest::{ShardSet, SHARDS};

const NAMES: [&str; 4] = ["", "ncp1", "ncp2", "eth0"];

/// Numbers and octets from the input, zeros behind its end.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn octet(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first
    }

    fn few(&mut self) -> &'a [u8] {
        let n = usize::from(self.octet() % 48).min(self.0.len());
        let (head, rest) = self.0.split_at(n);
        self.0 = rest;
        head
    }

    fn id(&mut self) -> u32 {
        u32::from(self.octet() % 8)
    }

    fn name(&mut self) -> &'static str {
        NAMES[usize::from(self.octet()) % NAMES.len()]
    }
}

/// What the kernel answers to a batch of which it took everything: an NLMSG_ERROR of 0 for the last message.
fn taken(last: u32) -> Vec<u8> {
    let mut reply = Vec::with_capacity(36);
    reply.extend_from_slice(&36u32.to_ne_bytes());
    reply.extend_from_slice(&2u16.to_ne_bytes());
    reply.extend_from_slice(&[0, 0]);
    reply.extend_from_slice(&last.to_ne_bytes());
    reply.extend_from_slice(&[0; 24]);
    reply
}

fn step(fib: &mut AgentFib, s: &mut Script<'_>) {
    match s.octet() % 15 {
        0 => {
            let row = (s.id(), s.name(), s.name(), s.few(), s.octet() % 5);
            let _ = fib.put_adjacencies(&[row]);
        }
        1 => {
            let _ = fib.put_groups(&[(s.id(), s.few(), s.octet() % 5, s.few())]);
        }
        2 | 3 => {
            let (table, dst, plen) = (s.id(), s.few(), s.few());
            let (nhg, op) = (s.few(), s.few());
            if let Ok(refused) = fib.put_routes(table, dst, plen, nhg, op) {
                assert!(refused.iter().all(|r| r.0 < plen.len()));
            }
        }
        4 => fib.drop_groups(&[s.id()]),
        5 => fib.drop_adjacencies(&[s.id()]),
        6 => fib.snapshot_begin(&[(s.id(), ShardSet([s.octet(); SHARDS / 8]))]),
        7 => {
            let (count, digest) = fib.digest();
            let (agrees, ..) = fib.snapshot_end(count, digest, s.octet() & 1 == 0);
            assert!(agrees);
        }
        8 => fib.set_port(s.name(), 1 + s.id(), s.octet() & 1 == 0),
        9 => fib.audit_begin(s.octet() & 1 == 0),
        10 => fib.audit_routes(s.few()),
        11 => fib.audit_nexthops(s.few()),
        12 => {
            let drift = fib.audit_end();
            assert!(drift.held >= drift.failures.len());
        }
        13 => {
            let _ = fib.nexthop_events(s.few());
        }
        _ => fib.set_fabric(Some(s.name()).filter(|n| !n.is_empty()), &[]),
    }
}

fuzz_target!(|data: &[u8]| {
    let mut fib = AgentFib::new("ncp1", 254, 201, 50, 1 << 20);
    let mut script = Script(data);
    let mut steps = 0;
    while !script.0.is_empty() {
        step(&mut fib, &mut script);
        steps += 1;
    }
    let mut batches = 0;
    while let Ok(Some((bytes, first, last))) = fib.next_batch(4096, 0) {
        assert!(!bytes.is_empty() && first <= last);
        assert!(fib.batch_done(&taken(last)).is_empty());
        batches += 1;
        assert!(batches < 100 + 10 * steps, "it writes without end");
    }
});
