//! The digest both sides keep of a FIB: a wrapping sum of one keyed hash per route, so that a change costs O(1) and order does not
//! matter. Hash: SipHash-2-4 (Aumasson, Bernstein 2012) under the secret of the stream; a peer that chooses prefixes cannot forge sums.
//! It covers group *keys*, never wire ids, so it survives a restart of the controller.

const ROUNDS_C: usize = 2;
const ROUNDS_D: usize = 4;
/// table u32 LE, length u8, address of up to 16 bytes, group key.
const LONGEST: usize = 4 + 1 + 16 + 16;

struct State([u64; 4]);

impl State {
    fn new(key: &[u8; 16]) -> Self {
        let (k0, k1) = (word(&key[..8]), word(&key[8..]));
        Self([
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ])
    }

    #[inline]
    fn rounds(&mut self, count: usize) {
        let v = &mut self.0;
        for _ in 0..count {
            v[0] = v[0].wrapping_add(v[1]);
            v[2] = v[2].wrapping_add(v[3]);
            v[1] = v[1].rotate_left(13) ^ v[0];
            v[3] = v[3].rotate_left(16) ^ v[2];
            v[0] = v[0].rotate_left(32);
            v[2] = v[2].wrapping_add(v[1]);
            v[0] = v[0].wrapping_add(v[3]);
            v[1] = v[1].rotate_left(17) ^ v[2];
            v[3] = v[3].rotate_left(21) ^ v[0];
            v[2] = v[2].rotate_left(32);
        }
    }

    #[inline]
    fn block(&mut self, message: u64) {
        self.0[3] ^= message;
        self.rounds(ROUNDS_C);
        self.0[0] ^= message;
    }
}

#[inline]
fn word(bytes: &[u8]) -> u64 {
    let mut out = [0; 8];
    out[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(out)
}

/// SipHash-2-4 of `message`, 64-bit output.
pub fn siphash(key: &[u8; 16], message: &[u8]) -> u64 {
    let mut state = State::new(key);
    let mut blocks = message.chunks_exact(8);
    for block in &mut blocks {
        state.block(word(block));
    }
    state.block(word(blocks.remainder()) | (message.len() as u64) << 56);
    state.0[2] ^= 0xff;
    state.rounds(ROUNDS_D);
    state.0[0] ^ state.0[1] ^ state.0[2] ^ state.0[3]
}

/// What one route adds to the digest. `addr` is 4 or 16 bytes.
pub fn route_hash(key: &[u8; 16], table: u32, addr: &[u8], len: u8, group_key: &[u8; 16]) -> u64 {
    let mut message = [0; LONGEST];
    let addr_end = 5 + addr.len();
    message[..4].copy_from_slice(&table.to_le_bytes());
    message[4] = len;
    message[5..addr_end].copy_from_slice(addr);
    message[addr_end..addr_end + 16].copy_from_slice(group_key);
    siphash(key, &message[..addr_end + 16])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> [u8; 16] {
        std::array::from_fn(|i| i as u8)
    }

    #[test]
    fn siphash_gives_the_vectors_of_its_authors() {
        let input: Vec<u8> = (0..63).collect();
        assert_eq!(siphash(&key(), b""), 0x726f_db47_dd0e_0e31);
        assert_eq!(siphash(&key(), &input[..1]), 0x74f8_39c5_93dc_67fd);
        assert_eq!(siphash(&key(), &input[..8]), 0x93f5_f579_9a93_2462);
        assert_eq!(siphash(&key(), &input[..15]), 0xa129_ca61_49be_45e5);
        assert_eq!(siphash(&key(), &input[..63]), 0x958a_324c_eb06_4572);
    }

    #[test]
    fn every_field_of_a_route_changes_its_hash() {
        let base = route_hash(&key(), 1, &[10, 0, 0, 0], 8, &[7; 16]);
        assert_ne!(base, route_hash(&key(), 2, &[10, 0, 0, 0], 8, &[7; 16]));
        assert_ne!(base, route_hash(&key(), 1, &[10, 0, 0, 1], 8, &[7; 16]));
        assert_ne!(base, route_hash(&key(), 1, &[10, 0, 0, 0], 9, &[7; 16]));
        assert_ne!(base, route_hash(&key(), 1, &[10, 0, 0, 0], 8, &[8; 16]));
        assert_ne!(base, route_hash(&[0; 16], 1, &[10, 0, 0, 0], 8, &[7; 16]));
    }
}
