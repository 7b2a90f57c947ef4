//! Sets of small numbers: as bits, and as a list in which each stands once.

#[derive(Clone, Default)]
pub struct Bits(Vec<u64>);

impl Bits {
    pub fn get(&self, i: u32) -> bool {
        self.0
            .get(i as usize / 64)
            .is_some_and(|w| w >> (i % 64) & 1 == 1)
    }

    pub fn set(&mut self, i: u32, on: bool) {
        let w = i as usize / 64;
        if w >= self.0.len() {
            if !on {
                return;
            }
            self.0.resize(w + 1, 0);
        }
        if on {
            self.0[w] |= 1 << (i % 64);
        } else {
            self.0[w] &= !(1 << (i % 64));
        }
    }

    pub fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<u64>()
    }

    /// The numbers in it, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let words = self.0.iter().enumerate();
        words.flat_map(|(w, &bits)| {
            (0..64)
                .filter(move |b| bits >> b & 1 == 1)
                .map(move |b| (w * 64 + b) as u32)
        })
    }
}

/// What somebody has yet to look at, in the order in which it came up.
#[derive(Default)]
pub struct Marks {
    list: Vec<u32>,
    bits: Bits,
}

impl Marks {
    pub fn insert(&mut self, i: u32) {
        if !self.bits.get(i) {
            self.bits.set(i, true);
            self.list.push(i);
        }
    }

    /// All of them; none is left.
    pub fn take(&mut self) -> Vec<u32> {
        self.list.iter().for_each(|&i| self.bits.set(i, false));
        std::mem::take(&mut self.list)
    }

    pub fn bytes(&self) -> usize {
        self.list.capacity() * size_of::<u32>() + self.bits.bytes()
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}
