//! Addresses and prefixes of both families, as plain integers.

use std::fmt::Debug;
use std::hash::Hash;

/// An IPv4 (`u32`) or IPv6 (`u128`) address in host order.
pub trait Addr: Copy + Eq + Ord + Hash + Debug + Default + 'static {
    const BITS: u8;
    const BYTES: usize;
    const AFI: u16;
    /// Reads up to `BYTES` bytes in network order; missing ones are zero.
    fn from_octets(bytes: &[u8]) -> Self;
    fn push_be(self, out: &mut Vec<u8>, bytes: usize);
    /// The address with all but the first `len` bits cleared.
    fn masked(self, len: u8) -> Self;
    /// The last address of the prefix of `len` bits that starts here.
    fn last(self, len: u8) -> Self;
    /// The address as a 64-bit word for hashing and filters.
    fn fold(self) -> u64;
    fn ip(self) -> std::net::IpAddr;
    fn wrap(self) -> Ip;
}

macro_rules! addr {
    ($t:ty, $bits:expr, $afi:expr, $ip:expr, $wrap:expr) => {
        impl Addr for $t {
            const BITS: u8 = $bits;
            const BYTES: usize = $bits / 8;
            const AFI: u16 = $afi;
            #[inline]
            fn from_octets(bytes: &[u8]) -> Self {
                let mut a = [0u8; $bits / 8];
                let n = bytes.len().min($bits / 8);
                a[..n].copy_from_slice(&bytes[..n]);
                <$t>::from_be_bytes(a)
            }
            #[inline]
            fn push_be(self, out: &mut Vec<u8>, bytes: usize) {
                // All octets, then none too many: a store of fixed width is no call
                let end = out.len() + bytes;
                out.extend_from_slice(&self.to_be_bytes());
                out.truncate(end);
            }
            #[inline]
            fn masked(self, len: u8) -> Self {
                if len == 0 {
                    0
                } else {
                    self & (<$t>::MAX << ($bits - len))
                }
            }
            #[inline]
            fn last(self, len: u8) -> Self {
                if len >= $bits {
                    self
                } else {
                    self | (<$t>::MAX >> len)
                }
            }
            #[inline]
            fn fold(self) -> u64 {
                let wide = self as u128;
                (wide >> 64) as u64 ^ (wide as u64).rotate_left(29)
            }
            fn ip(self) -> std::net::IpAddr {
                $ip(self)
            }
            fn wrap(self) -> Ip {
                $wrap(self)
            }
        }
    };
}
addr!(
    u32,
    32,
    1,
    |a: u32| std::net::IpAddr::V4(a.into()),
    |a: u32| Ip::V4(a)
);
addr!(
    u128,
    128,
    2,
    |a: u128| std::net::IpAddr::V6(a.into()),
    |a: u128| Ip::V6(a)
);

/// An address of either family, or none (an on-link next hop).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub enum Ip {
    #[default]
    None,
    V4(u32),
    V6(u128),
}

impl Ip {
    /// Four or sixteen bytes; anything else is `None`.
    pub fn from_bytes(b: &[u8]) -> Ip {
        match b.len() {
            4 => Ip::V4(u32::from_octets(b)),
            16 => Ip::V6(u128::from_octets(b)),
            _ => Ip::None,
        }
    }

    /// To the front of `out`, which has room; how many octets.
    pub fn write(self, out: &mut [u8]) -> usize {
        match self {
            Ip::None => 0,
            Ip::V4(a) => {
                out[..4].copy_from_slice(&a.to_be_bytes());
                4
            }
            Ip::V6(a) => {
                out[..16].copy_from_slice(&a.to_be_bytes());
                16
            }
        }
    }

    pub fn to_bytes(self) -> Vec<u8> {
        match self {
            Ip::None => Vec::new(),
            Ip::V4(a) => a.to_be_bytes().to_vec(),
            Ip::V6(a) => a.to_be_bytes().to_vec(),
        }
    }

    /// fe80::/10 (RFC 4291 2.5.6): it means something on one link only.
    pub fn is_link_local(self) -> bool {
        matches!(self, Ip::V6(a) if a >> 118 == 0x3fa)
    }

    pub fn text(self) -> String {
        match self {
            Ip::None => String::new(),
            Ip::V4(a) => a.ip().to_string(),
            Ip::V6(a) => a.ip().to_string(),
        }
    }
}

/// fe80::/10: means nothing without its link (RFC 4291 2.5.6).
pub fn is_link_local(addr: u128) -> bool {
    addr >> 118 == 0xfe80 >> 6
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Prefix<A> {
    pub addr: A,
    pub len: u8,
}

impl<A: Addr> Prefix<A> {
    /// Host bits are cleared (RFC 4271 4.3: their value is irrelevant).
    #[inline]
    pub fn new(addr: A, len: u8) -> Self {
        Prefix {
            addr: addr.masked(len),
            len,
        }
    }

    #[inline]
    pub fn covers(&self, addr: A) -> bool {
        addr.masked(self.len) == self.addr
    }

    /// Whether `other` lies inside, or is the same.
    #[inline]
    pub fn contains(&self, other: Self) -> bool {
        self.len <= other.len && self.covers(other.addr)
    }

    pub fn text(&self) -> String {
        format!("{}/{}", self.addr.ip(), self.len)
    }

    /// Length octet and as many address octets as it needs (RFC 4271 4.3).
    #[inline]
    pub fn push_nlri(&self, out: &mut Vec<u8>) {
        out.push(self.len);
        self.addr.push_be(out, usize::from(self.len).div_ceil(8));
    }

    #[inline]
    pub fn nlri_len(&self) -> usize {
        1 + usize::from(self.len).div_ceil(8)
    }
}

/// A prefix of either family, for what is not the hot path.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum AnyPrefix {
    V4(Prefix<u32>),
    V6(Prefix<u128>),
}

impl AnyPrefix {
    pub fn covers(&self, addr: Ip) -> bool {
        match (self, addr) {
            (AnyPrefix::V4(p), Ip::V4(a)) => p.covers(a),
            (AnyPrefix::V6(p), Ip::V6(a)) => p.covers(a),
            _ => false,
        }
    }

    pub fn from_bytes(addr: &[u8], len: u8) -> Option<AnyPrefix> {
        match Ip::from_bytes(addr) {
            Ip::V4(a) if len <= 32 => Some(AnyPrefix::V4(Prefix::new(a, len))),
            Ip::V6(a) if len <= 128 => Some(AnyPrefix::V6(Prefix::new(a, len))),
            _ => None,
        }
    }
}
