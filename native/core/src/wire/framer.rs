//! Cuts one direction of a BGP stream into messages (RFC 4271 4.1, 6.1; RFC 8654 for the larger size).

pub const OPEN: u8 = 1;
pub const UPDATE: u8 = 2;
pub const NOTIFICATION: u8 = 3;
pub const KEEPALIVE: u8 = 4;
pub const ROUTE_REFRESH: u8 = 5;
pub const HEADER: usize = 19;

/// What a NOTIFICATION carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    pub code: u8,
    pub subcode: u8,
    pub data: Vec<u8>,
}

impl Notification {
    pub fn new(code: u8, subcode: u8, data: &[u8]) -> Self {
        Notification {
            code,
            subcode,
            data: data.to_vec(),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Item {
    /// Whole UPDATE messages, headers included.
    Updates { bytes: Vec<u8>, count: usize },
    /// Any other message but KEEPALIVE: type and body.
    Other(u8, Vec<u8>),
}

#[derive(Default)]
pub struct Framed {
    pub items: Vec<Item>,
    pub keepalives: usize,
    pub updates: usize,
    pub error: Option<Notification>,
}

pub struct Framer {
    pub max_message: usize,
    tail: Vec<u8>,
}

impl Framer {
    pub fn new(max_message: usize) -> Self {
        Framer {
            max_message,
            tail: Vec::new(),
        }
    }

    /// Takes what one read brought; an unfinished message is kept for the next call.
    pub fn feed(&mut self, data: &[u8]) -> Framed {
        let joined;
        let buf: &[u8] = if self.tail.is_empty() {
            data
        } else {
            let mut t = std::mem::take(&mut self.tail);
            t.extend_from_slice(data);
            joined = t;
            &joined
        };
        let mut out = Framed::default();
        let mut run = 0; // start of the current run of UPDATEs
        let mut run_count = 0;
        let mut at = 0;
        while buf.len() - at >= HEADER {
            let len = match check_header(&buf[at..at + HEADER], self.max_message) {
                Ok(len) => len,
                Err(n) => {
                    out.error = Some(n);
                    break;
                }
            };
            if buf.len() - at < len {
                break;
            }
            let kind = buf[at + 18];
            if kind == UPDATE {
                if run_count == 0 {
                    run = at;
                }
                run_count += 1;
            } else {
                out.close_run(buf, run, at, &mut run_count);
                if kind == KEEPALIVE {
                    out.keepalives += 1;
                } else {
                    out.items
                        .push(Item::Other(kind, buf[at + HEADER..at + len].to_vec()));
                }
            }
            at += len;
        }
        out.close_run(buf, run, at, &mut run_count);
        if out.error.is_none() {
            self.tail = buf[at..].to_vec();
        }
        out
    }
}

impl Framed {
    fn close_run(&mut self, buf: &[u8], start: usize, end: usize, count: &mut usize) {
        if *count == 0 {
            return;
        }
        // A KEEPALIVE between two runs splits nothing for the reader: join them.
        if let Some(Item::Updates { bytes, count: n }) = self.items.last_mut() {
            bytes.extend_from_slice(&buf[start..end]);
            *n += *count;
        } else {
            self.items.push(Item::Updates {
                bytes: buf[start..end].to_vec(),
                count: *count,
            });
        }
        self.updates += *count;
        *count = 0;
    }
}

fn check_header(h: &[u8], max_message: usize) -> Result<usize, Notification> {
    if h[..16].iter().any(|b| *b != 0xff) {
        return Err(Notification::new(1, 1, &[])); // RFC 4271 6.1: Connection Not Synchronized
    }
    let len = usize::from(u16::from_be_bytes([h[16], h[17]]));
    let kind = h[18];
    // RFC 8654 4: OPEN and KEEPALIVE never exceed 4,096 octets, whatever was agreed.
    let (min, max) = match kind {
        OPEN => (29, 4096),
        UPDATE => (23, max_message),
        NOTIFICATION => (21, max_message),
        KEEPALIVE => (19, 19),
        ROUTE_REFRESH => (23, max_message),
        _ => return Err(Notification::new(1, 3, &[kind])), // Bad Message Type
    };
    if len < min || len > max {
        return Err(Notification::new(1, 2, &h[16..18])); // Bad Message Length
    }
    Ok(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut m = vec![0xff; 16];
        m.extend_from_slice(&((HEADER + body.len()) as u16).to_be_bytes());
        m.push(kind);
        m.extend_from_slice(body);
        m
    }

    #[test]
    fn messages_come_out_whole_however_the_stream_is_cut() {
        let mut stream = message(UPDATE, &[0, 0, 0, 0]);
        stream.extend(message(KEEPALIVE, &[]));
        stream.extend(message(UPDATE, &[0, 0, 0, 0]));
        stream.extend(message(NOTIFICATION, &[6, 2]));
        for cut in 1..stream.len() {
            let mut f = Framer::new(4096);
            let mut updates = 0;
            let mut keepalives = 0;
            let mut other = Vec::new();
            for part in stream.chunks(cut) {
                let r = f.feed(part);
                assert!(r.error.is_none());
                updates += r.updates;
                keepalives += r.keepalives;
                other.extend(r.items.into_iter().filter_map(|i| match i {
                    Item::Other(k, b) => Some((k, b)),
                    Item::Updates { .. } => None,
                }));
            }
            assert_eq!((updates, keepalives), (2, 1));
            assert_eq!(other, vec![(NOTIFICATION, vec![6, 2])]);
        }
    }

    #[test]
    fn broken_headers_name_their_notification() {
        let bad_marker = vec![0u8; 19];
        assert_eq!(
            Framer::new(4096).feed(&bad_marker).error,
            Some(Notification::new(1, 1, &[]))
        );
        let mut short = message(UPDATE, &[0, 0, 0, 0]);
        short[17] = 22;
        assert_eq!(
            Framer::new(4096).feed(&short).error,
            Some(Notification::new(1, 2, &[0, 22]))
        );
        let unknown = message(9, &[]);
        assert_eq!(
            Framer::new(4096).feed(&unknown).error,
            Some(Notification::new(1, 3, &[9]))
        );
    }
}
