//! The digest both sides keep of a FIB: a wrapping sum of one keyed hash per route, so that a change costs O(1) and order does not
//! matter. Hash: SipHash-2-4 (Aumasson, Bernstein 2012) under the secret of the stream; a peer that chooses prefixes cannot forge sums.
//! It covers group *keys*, never wire ids, so it survives a restart of the controller. Each table's sum is kept in shards, so that two
//! sides that differ in a few routes need to speak of a few shards only.

const ROUNDS_C: usize = 2;
const ROUNDS_D: usize = 4;

/// Shards of a table.
pub const SHARDS: usize = 1024;
/// What the sums of one table take on the wire: little-endian u64, shard 0 first.
pub const SUMS_BYTES: usize = SHARDS * 8;

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

    #[inline]
    fn finish(mut self) -> u64 {
        self.0[2] ^= 0xff;
        self.rounds(ROUNDS_D);
        self.0[0] ^ self.0[1] ^ self.0[2] ^ self.0[3]
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
    state.finish()
}

/// What one route adds to the digest: the hash of table u32 LE, length u8, address of 4 or 16 bytes, group key. Its words are made
/// with shifts: octets laid one after the other and read as words again took as long as the hash.
#[inline]
pub fn route_hash(key: &[u8; 16], table: u32, addr: &[u8], len: u8, group_key: &[u8; 16]) -> u64 {
    const AT_ADDR: usize = 5;
    let mut state = State::new(key);
    let head = u64::from(table) | u64::from(len) << 32;
    let group = u128::from_le_bytes(*group_key);
    match *addr {
        [a, b, c, d] => {
            let addr = u64::from(u32::from_le_bytes([a, b, c, d]));
            state.block(head | addr << 40);
            state.block(addr >> 24 | (group as u64) << 8);
            state.block((group >> 56) as u64);
            state.block((group >> 120) as u64 | ((AT_ADDR + 4 + 16) as u64) << 56);
        }
        _ => {
            let (low, high) = (word(&addr[..8]), word(&addr[8..16]));
            let addr = u128::from(low) | u128::from(high) << 64;
            state.block(head | low << 40);
            state.block((addr >> 24) as u64);
            state.block((addr >> 88) as u64 | (group as u64) << 40);
            state.block((group >> 24) as u64);
            state.block((group >> 88) as u64 | ((AT_ADDR + 16 + 16) as u64) << 56);
        }
    }
    state.finish()
}

/// The shard of a prefix within its table: top bits of a folded product under the same secret. `addr` is 4 or 16 bytes. Far cheaper
/// than SipHash, and enough: who fills one shard on purpose only makes that one larger.
#[inline]
pub fn shard(key: &[u8; 16], addr: &[u8], len: u8) -> usize {
    let (high, low) = match addr.len() {
        4 => (
            u64::from(u32::from_be_bytes([addr[0], addr[1], addr[2], addr[3]])),
            0,
        ),
        _ => (word(&addr[..8]).swap_bytes(), word(&addr[8..]).swap_bytes()),
    };
    let product =
        u128::from(high ^ word(&key[..8])) * u128::from(low ^ word(&key[8..]) ^ u64::from(len));
    (((product >> 64) as u64 ^ product as u64) >> 54) as usize
}

/// The digest of one table, and of each of its shards.
#[derive(Clone, Debug)]
pub struct Sums {
    root: u64,
    shards: Box<[u64; SHARDS]>,
}

impl Default for Sums {
    fn default() -> Self {
        Self {
            root: 0,
            shards: Box::new([0; SHARDS]),
        }
    }
}

impl Sums {
    pub fn root(&self) -> u64 {
        self.root
    }

    #[inline]
    pub fn add(&mut self, shard: usize, hash: u64) {
        self.root = self.root.wrapping_add(hash);
        self.shards[shard] = self.shards[shard].wrapping_add(hash);
    }

    #[inline]
    pub fn subtract(&mut self, shard: usize, hash: u64) {
        self.add(shard, hash.wrapping_neg());
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        self.shards.iter().flat_map(|s| s.to_le_bytes()).collect()
    }

    /// The shards in which the other side, whose sums these bytes are, has the same. Of bytes of another length: none.
    pub fn equal(&self, other: &[u8]) -> ShardSet {
        let mut set = ShardSet::default();
        if other.len() == SUMS_BYTES {
            let theirs = other.chunks_exact(8).map(word);
            let both = self.shards.iter().zip(theirs).enumerate();
            both.filter(|(_, (a, b))| *a == b)
                .for_each(|(shard, _)| set.0[shard / 8] |= 1 << (shard % 8));
        }
        set
    }
}

/// Some of the shards of a table: a bit each, the lowest of a byte first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShardSet(pub [u8; SHARDS / 8]);

impl Default for ShardSet {
    fn default() -> Self {
        Self([0; SHARDS / 8])
    }
}

impl ShardSet {
    #[inline]
    pub fn has(&self, shard: usize) -> bool {
        self.0[shard / 8] >> (shard % 8) & 1 == 1
    }

    pub fn is_all(&self) -> bool {
        self.0.iter().all(|&byte| byte == u8::MAX)
    }
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
    fn a_route_is_hashed_as_its_octets() {
        let octets: Vec<u8> = (0xa1..0xa1 + 16).collect();
        let group: [u8; 16] = std::array::from_fn(|i| 0xf0 - 7 * i as u8);
        for addr in [&octets[..4], &octets] {
            let mut message = 0x8765_4321_u32.to_le_bytes().to_vec();
            message.push(0xfe);
            message.extend(addr);
            message.extend(group);
            let hash = route_hash(&key(), 0x8765_4321, addr, 0xfe, &group);
            assert_eq!(hash, siphash(&key(), &message));
        }
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

    #[test]
    fn prefixes_spread_over_the_shards() {
        let mut counts = vec![0; SHARDS];
        for i in 0..102_400u32 {
            counts[shard(&key(), &(i << 8).to_be_bytes(), 24)] += 1;
            let addr = (0x2001_0db8_u128 << 96) | u128::from(i) << 64;
            counts[shard(&key(), &addr.to_be_bytes(), 64)] += 1;
        }
        assert!(
            counts.iter().all(|&n| (100..300).contains(&n)),
            "{counts:?}"
        );
        let one = |len| shard(&key(), &[10, 0, 0, 0], len);
        assert!((8..32).any(|len| one(len) != one(8)));
    }

    #[test]
    fn sums_are_equal_in_the_shards_that_hold_the_same() {
        let (mut ours, mut theirs) = (Sums::default(), Sums::default());
        for (shard, hash) in [(0, 7), (9, u64::MAX), (9, 3), (1023, 5)] {
            ours.add(shard, hash);
            theirs.add(shard, hash);
        }
        assert!(ours.equal(&theirs.to_bytes()).is_all());
        theirs.subtract(9, 3);
        let equal = ours.equal(&theirs.to_bytes());
        assert_eq!(
            (equal.has(9), equal.has(8), equal.has(1023)),
            (false, true, true)
        );
        assert_eq!(ours.root(), theirs.root().wrapping_add(3));
        assert_eq!(ours.equal(&[0; 8]), ShardSet::default());
    }
}
