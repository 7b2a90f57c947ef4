//! Clocks, in nanoseconds.

use rustix::time::{clock_gettime, ClockId};

/// CLOCK_MONOTONIC: the same as Python's `time.monotonic_ns`, in every process and namespace.
pub fn now() -> u64 {
    nanoseconds(ClockId::Monotonic)
}

/// What this process has used of the processors.
pub fn used() -> u64 {
    nanoseconds(ClockId::ProcessCPUTime)
}

fn nanoseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
