//! A stream gives the same messages however it is cut, and the framer keeps less than one message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use routing_core::wire::framer::{Framer, Item};

#[derive(Default, PartialEq, Debug)]
struct Seen {
    updates: Vec<u8>,
    others: Vec<(u8, Vec<u8>)>,
    counts: (usize, usize),
    error: Option<(u8, u8, Vec<u8>)>,
}

impl Seen {
    /// False once the stream is broken: nothing behind that is read.
    fn feed(&mut self, framer: &mut Framer, data: &[u8]) -> bool {
        let framed = framer.feed(data);
        for item in framed.items {
            match item {
                Item::Updates { bytes, count } => {
                    assert!(count > 0 && bytes.len() >= 23 * count);
                    self.updates.extend(bytes);
                }
                Item::Other(kind, body) => {
                    assert!(body.len() + 19 <= framer.max_message);
                    self.others.push((kind, body));
                }
            }
        }
        self.counts.0 += framed.keepalives;
        self.counts.1 += framed.updates;
        self.error = framed.error.map(|e| (e.code, e.subcode, e.data));
        self.error.is_none()
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((&[long, step], stream)) = data.split_first_chunk() else {
        return;
    };
    let max = if long & 1 == 0 { 4096 } else { 65535 };
    let (mut whole, mut cut) = (Seen::default(), Seen::default());
    whole.feed(&mut Framer::new(max), stream);
    let mut framer = Framer::new(max);
    let step = usize::from(step) + 1;
    stream.chunks(step).all(|part| cut.feed(&mut framer, part));
    assert_eq!(whole, cut);
});
