//! A model of a box with two ports, and short words for what happens to it.
use super::super::{AgentFib, Failure, State};
use super::kernel::Kernel;

pub const HOPS: [(u32, &str, &[u8]); 3] = [
    (1, "p0", &[10, 0, 0, 1]),
    (2, "p1", &[10, 0, 1, 1]),
    (
        3,
        "p0",
        &[0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    ),
];

pub fn model() -> AgentFib {
    let mut fib = AgentFib::new("me", 254, 201, 50, 1000);
    fib.set_port("p0", 10, true);
    fib.set_port("p1", 11, true);
    let rows: Vec<_> = HOPS
        .iter()
        .map(|&(id, port, gateway)| (id, "me", port, gateway, 0))
        .collect();
    fib.put_adjacencies(&rows).unwrap();
    fib
}

pub fn members(list: &[(u32, u16, u8)]) -> Vec<u8> {
    list.iter()
        .flat_map(|(id, weight, role)| {
            [&id.to_le_bytes()[..], &weight.to_le_bytes(), &[*role, 0]].concat()
        })
        .collect()
}

pub fn group(fib: &mut AgentFib, id: u32, list: &[(u32, u16, u8)]) {
    fib.put_groups(&[(id, &[id as u8; 16], 0, &members(list))])
        .unwrap();
}

pub fn put(fib: &mut AgentFib, number: u8, id: u32) {
    assert!(fib
        .put_routes(1, &[20, number, 0, 0], &[16], &id.to_le_bytes(), &[1])
        .unwrap()
        .is_empty());
}

pub fn put6(fib: &mut AgentFib, number: u8, id: u32) {
    let dst = [&[0x20, number][..], &[0; 14]].concat();
    assert!(fib
        .put_routes(2, &dst, &[16], &id.to_le_bytes(), &[1])
        .unwrap()
        .is_empty());
}

pub fn delete(fib: &mut AgentFib, number: u8) {
    assert!(fib
        .put_routes(1, &[20, number, 0, 0], &[16], &[0; 4], &[0])
        .unwrap()
        .is_empty());
}

pub fn drain(fib: &mut AgentFib, kernel: &mut Kernel) -> Vec<Failure> {
    let mut failures = Vec::new();
    while let Some((bytes, first, last)) = fib.next_batch(1 << 18, 0).unwrap() {
        failures.extend(fib.batch_done(&kernel.apply(&bytes, first, last)));
    }
    failures
}

pub fn state(fib: &mut AgentFib, number: u8) -> Option<State> {
    fib.route(1, &[20, number, 0, 0], 16).map(|view| view.state)
}

pub fn gateways(kernel: &Kernel, id: u32) -> Vec<(Vec<u8>, u16)> {
    kernel.groups[&id]
        .iter()
        .map(|(nexthop, weight)| (kernel.singles[nexthop].gateway.clone(), *weight))
        .collect()
}

pub fn kernel_group(fib: &mut AgentFib, number: u8) -> u32 {
    fib.route(1, &[20, number, 0, 0], 16)
        .unwrap()
        .kernel_group
        .unwrap()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
