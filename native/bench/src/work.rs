//! A fixed piece of work, for the speed of the machine at this moment.

use std::time::Instant;

const WORDS: usize = 1 << 22;
const STEPS: usize = 1 << 23;

/// Half of it arithmetic that depends on itself, half of it waiting for memory beyond the caches.
pub fn seconds() -> f64 {
    let start = Instant::now();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut words: Vec<u64> = (0..WORDS as u64).collect();
    for _ in 0..STEPS {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        words[state as usize % WORDS] += state;
    }
    let mut at = 0;
    for step in 0..STEPS as u64 / 8 {
        at = (words[at] ^ step) as usize % WORDS;
    }
    std::hint::black_box(at);
    start.elapsed().as_secs_f64()
}
