//! A bounded part of a recording, read from its front.

/// What could not be read, and where in the recording.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed {
    pub offset: usize,
    pub what: &'static str,
}

impl Malformed {
    pub fn at(offset: usize, what: &'static str) -> Self {
        Malformed { offset, what }
    }
}

#[derive(Clone, Copy)]
pub struct Field<'a> {
    data: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Field<'a> {
    pub fn new(data: &'a [u8], at: usize, end: usize) -> Self {
        Field { data, at, end }
    }

    /// Offset in the recording.
    pub fn at(&self) -> usize {
        self.at
    }

    /// (start, end) in the recording.
    pub fn bounds(&self) -> (usize, usize) {
        (self.at, self.end)
    }

    /// Whether it reads the same as another part of the recording.
    #[inline]
    pub fn same(&self, (start, end): (usize, usize)) -> bool {
        self.data[self.at..self.end] == self.data[start..end]
    }

    pub fn is_empty(&self) -> bool {
        self.at == self.end
    }

    #[inline]
    pub fn take(&mut self, n: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        if self.end - self.at < n {
            return Err(Malformed::at(self.at, what));
        }
        let part = &self.data[self.at..self.at + n];
        self.at += n;
        Ok(part)
    }

    pub fn skip(&mut self, n: usize, what: &'static str) -> Result<(), Malformed> {
        self.take(n, what).map(|_| ())
    }

    /// The next `n` octets as a field of their own.
    pub fn part(&mut self, n: usize, what: &'static str) -> Result<Field<'a>, Malformed> {
        let start = self.at;
        self.take(n, what)?;
        Ok(Field::new(self.data, start, self.at))
    }

    pub fn rest(&mut self) -> &'a [u8] {
        let rest = &self.data[self.at..self.end];
        self.at = self.end;
        rest
    }

    #[inline]
    pub fn u8(&mut self, what: &'static str) -> Result<u8, Malformed> {
        Ok(self.take(1, what)?[0])
    }

    #[inline]
    pub fn u16(&mut self, what: &'static str) -> Result<u16, Malformed> {
        let b = self.take(2, what)?;
        Ok(u16::from_be_bytes([b[0], b[1]]))
    }

    #[inline]
    pub fn u32(&mut self, what: &'static str) -> Result<u32, Malformed> {
        let b = self.take(4, what)?;
        Ok(u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
    }
}
