//! One BGP session, as far as moving octets needs it (RFC 4271 8).

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::clock;
use crate::record::Record;
use crate::socket;
use crate::spec::Spec;
use crate::wire;

const MILLISECOND: u64 = 1_000_000;
/// Between two tries to connect; and after a peer that was reached ended the session before it was up.
const RETRY: u64 = 50 * MILLISECOND;
const REFUSED: u64 = 500 * MILLISECOND;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No connection; the next try is at this time.
    Idle(u64),
    Connecting,
    /// Our OPEN is sent; true once the peer's has come.
    Opening(bool),
    Established,
    Closed,
}

struct Outgoing {
    octets: Vec<u8>,
    /// A file of somebody's; the rest is ours.
    given: bool,
}

/// Times are CLOCK_MONOTONIC in nanoseconds; 0: it has not happened.
#[derive(Default)]
pub struct Counts {
    pub sent: usize,
    pub first_sent: u64,
    pub last_sent: u64,
    pub updates: usize,
    pub first_update: u64,
    pub last_update: u64,
    pub end_of_rib: usize,
}

pub struct Session {
    pub spec: Spec,
    pub state: State,
    pub error: Option<String>,
    pub counts: Counts,
    pub record: Record,
    pub stream: Option<TcpStream>,
    /// Loaded, to be sent when told to.
    pub loaded: Vec<Vec<u8>>,
    queue: VecDeque<Outgoing>,
    /// Octets of the queue's first that TCP has taken.
    written: usize,
    /// A third of the hold time that was agreed (RFC 4271 4.4); None: no KEEPALIVEs.
    interval: Option<u64>,
    beat: u64,
}

impl Session {
    pub fn new(spec: Spec) -> Self {
        Self {
            record: Record::new(spec.expect),
            spec,
            state: State::Idle(0),
            error: None,
            counts: Counts::default(),
            stream: None,
            loaded: Vec::new(),
            queue: VecDeque::new(),
            written: 0,
            interval: None,
            beat: 0,
        }
    }

    /// When `tick` has something to do, if nothing else happens before.
    pub fn due(&self) -> Option<u64> {
        match self.state {
            State::Idle(at) if !self.spec.listen => Some(at),
            State::Established if self.queue.is_empty() => self.interval.map(|_| self.beat),
            _ => None,
        }
    }

    pub fn tick(&mut self, now: u64) {
        if self.due().is_none_or(|at| at > now) {
            return;
        }
        if self.state == State::Established {
            // Only while nothing waits: UPDATEs keep the session alive as well (RFC 4271 8.2.2, event 27), and what
            // the peer does not read would keep a KEEPALIVE back too.
            self.put(wire::message(wire::KEEPALIVE, &[]), false);
            return self.write();
        }
        match socket::connect(
            self.spec.local,
            SocketAddr::new(self.spec.peer, self.spec.port),
        ) {
            Ok(stream) => {
                self.stream = Some(stream);
                self.state = State::Connecting;
            }
            Err(error) => self.retry(error.to_string(), clock::now() + RETRY),
        }
    }

    /// A connection that the peer has made; a session that is up keeps the one it has.
    pub fn accept(&mut self, stream: TcpStream) {
        if self.spec.listen && !matches!(self.state, State::Established | State::Closed) {
            self.stream = Some(stream);
            self.open();
        }
    }

    fn open(&mut self) {
        self.queue.clear();
        self.written = 0;
        self.record.clear();
        self.state = State::Opening(false);
        self.put(wire::open(&self.spec), false);
        self.write();
    }

    pub fn send(&mut self, octets: Vec<u8>) {
        self.put(octets, true);
        self.write();
    }

    fn put(&mut self, octets: Vec<u8>, given: bool) {
        self.queue.push_back(Outgoing { octets, given });
    }

    pub fn is_sending(&self) -> bool {
        self.queue.iter().any(|out| out.given)
    }

    pub fn wants_to_write(&self) -> bool {
        self.state == State::Connecting || !self.queue.is_empty()
    }

    /// As much as TCP takes.
    pub fn write(&mut self) {
        if self.state == State::Connecting {
            match self.stream.as_ref().map(TcpStream::take_error) {
                Some(Ok(None)) => return self.open(),
                Some(Ok(Some(error)) | Err(error)) => {
                    return self.retry(error.to_string(), clock::now() + RETRY)
                }
                None => return,
            }
        }
        while let (Some(stream), Some(out)) = (self.stream.as_mut(), self.queue.front()) {
            if out.given && self.counts.first_sent == 0 {
                self.counts.first_sent = clock::now();
            }
            match stream.write(&out.octets[self.written..]) {
                Ok(octets) => {
                    self.written += octets;
                    let (given, all) = (out.given, self.written == out.octets.len());
                    if given {
                        self.counts.sent += octets;
                        self.counts.last_sent = clock::now();
                    }
                    if !all {
                        return;
                    }
                    self.queue.pop_front();
                    self.written = 0;
                    self.beat = clock::now() + self.interval.unwrap_or(0);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                // What the peer said before it went may be there to be read, and reading tells the end as well.
                Err(_) => return self.queue.clear(),
            }
        }
    }

    /// One read. True where more may be there.
    pub fn read(&mut self) -> bool {
        let Some(stream) = self.stream.as_mut() else {
            return false;
        };
        let room = self.record.room();
        let size = room.len();
        match stream.read(room) {
            Ok(0) => self.lost("closed by the peer".to_string()),
            Ok(octets) => {
                let now = clock::now();
                self.record.took(octets, now);
                if let Err(error) = self.look(now) {
                    self.lost(error);
                }
                return octets == size;
            }
            Err(error) => {
                if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) {
                    self.lost(error.to_string());
                }
            }
        }
        false
    }

    /// Only types and lengths of what has come, once the session is up.
    fn look(&mut self, now: u64) -> Result<(), String> {
        while let Some((kind, range)) = self.record.next()? {
            let body = self.record.body(range);
            match (self.state, kind) {
                (_, wire::NOTIFICATION) => {
                    let code = body.first_chunk::<2>().copied().unwrap_or_default();
                    return Err(format!("NOTIFICATION {}/{}", code[0], code[1]));
                }
                (State::Established, wire::UPDATE) => {
                    if wire::is_end_of_rib(body) {
                        self.counts.end_of_rib += 1;
                    } else {
                        self.counts.updates += 1;
                        self.counts.last_update = now;
                        if self.counts.first_update == 0 {
                            self.counts.first_update = now;
                        }
                    }
                }
                (State::Opening(false), wire::OPEN) => {
                    // RFC 4271 4.2: the smaller of the two counts.
                    let hold = u64::from(wire::read_open(body)?.min(self.spec.hold));
                    self.interval = (hold > 0).then_some(hold * 1000 * MILLISECOND / 3);
                    self.state = State::Opening(true);
                    self.put(wire::message(wire::KEEPALIVE, &[]), false);
                    self.write();
                }
                (State::Opening(true), wire::KEEPALIVE) => {
                    self.state = State::Established;
                    self.error = None;
                    self.beat = now + self.interval.unwrap_or(0);
                    self.record.forget();
                }
                (State::Established, _) => {}
                _ => return Err(format!("a message of type {kind} while the session opens")),
            }
        }
        Ok(())
    }

    /// Forget what was received.
    pub fn mark(&mut self) {
        self.record.forget();
        let Counts {
            sent,
            first_sent,
            last_sent,
            ..
        } = self.counts;
        self.counts = Counts {
            sent,
            first_sent,
            last_sent,
            ..Counts::default()
        };
    }

    /// Go without a word, as a peer that dies: by a reset, or as the kernel ends the connections of a dead process.
    pub fn close(&mut self, reset: bool) {
        if let Some(stream) = self.stream.take() {
            // Either fails only where the connection is gone already.
            let _ = if reset {
                socket::reset_when_dropped(&stream)
            } else {
                stream.shutdown(Shutdown::Write)
            };
        }
        self.queue.clear();
        self.state = State::Closed;
        self.error = Some("closed by us".to_string());
    }

    fn lost(&mut self, error: String) {
        if self.state == State::Established {
            self.state = State::Closed;
            self.error = Some(error);
            self.stream = None;
            self.queue.clear();
        } else {
            self.retry(error, clock::now() + REFUSED);
        }
    }

    fn retry(&mut self, error: String, at: u64) {
        self.stream = None;
        self.queue.clear();
        self.state = State::Idle(at);
        self.error = Some(error);
    }
}
