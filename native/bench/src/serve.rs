//! The loop that all sessions share. One thread: it sleeps until the kernel has something, and a millisecond more
//! when octets flow, so that neighbours that are many cost a machine of two cores next to nothing beside the router.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use crate::clock;
use crate::commands::{self, Answer};
use crate::session::Session;
use crate::socket;
use crate::spec::Spec;

/// A router that writes message by message would wake us for each. The buffers hold what comes meanwhile, and what is
/// to be sent; the error of a time is at most this.
const PAUSE: Duration = Duration::from_millis(1);
const READABLE: PollFlags = PollFlags::IN.union(PollFlags::HUP).union(PollFlags::ERR);

/// Until `quit`, or until nobody can command any more.
pub fn run(specs: Vec<Spec>) -> Result<(), String> {
    let listeners = listeners(&specs)?;
    let mut sessions: Vec<Session> = specs.into_iter().map(Session::new).collect();
    let stdin = std::io::stdin();
    let mut commands = Vec::new();
    loop {
        let now = clock::now();
        sessions.iter_mut().for_each(|session| session.tick(now));
        let ready =
            wait(stdin.as_fd(), &listeners, &sessions).map_err(|error| format!("poll: {error}"))?;
        let (on_stdin, ready) = ready.split_first().ok_or("poll: no answer")?;
        let (on_listeners, on_sessions) = ready.split_at(listeners.len());
        let mut flowed = false;
        let mut more = false;
        for (session, flags) in sessions.iter_mut().zip(on_sessions) {
            if flags.contains(PollFlags::OUT) {
                session.write();
                flowed = true;
            }
            if flags.intersects(READABLE) {
                more |= session.read();
                flowed = true;
            }
        }
        for (listener, flags) in listeners.iter().zip(on_listeners) {
            if !flags.is_empty() {
                accept(listener, &mut sessions);
            }
        }
        if on_stdin.intersects(READABLE) && !obey(stdin.as_fd(), &mut commands, &mut sessions)? {
            return Ok(());
        }
        if flowed && !more {
            std::thread::sleep(PAUSE);
        }
    }
}

/// One for each address and port; they stay, so a peer may come again until its session is up.
fn listeners(specs: &[Spec]) -> Result<Vec<TcpListener>, String> {
    let mut ends: Vec<SocketAddr> = specs
        .iter()
        .filter(|s| s.listen)
        .map(|s| SocketAddr::new(s.local, s.port))
        .collect();
    ends.sort_unstable();
    ends.dedup();
    ends.into_iter()
        .map(|end| socket::listen(end).map_err(|error| format!("listening at {end}: {error}")))
        .collect()
}

/// What there is to do: for stdin, each listener, and each session.
fn wait(
    stdin: BorrowedFd<'_>,
    listeners: &[TcpListener],
    sessions: &[Session],
) -> Result<Vec<PollFlags>, Errno> {
    let mut fds = vec![PollFd::from_borrowed_fd(stdin, PollFlags::IN)];
    fds.extend(
        listeners
            .iter()
            .map(|listener| PollFd::new(listener, PollFlags::IN)),
    );
    for session in sessions {
        if let Some(stream) = &session.stream {
            let out = if session.wants_to_write() {
                PollFlags::OUT
            } else {
                PollFlags::empty()
            };
            fds.push(PollFd::new(stream, PollFlags::IN | out));
        }
    }
    let due = sessions.iter().filter_map(Session::due).min();
    let timeout = due.map(|at| {
        let left = at.saturating_sub(clock::now());
        Timespec {
            tv_sec: (left / 1_000_000_000) as i64,
            tv_nsec: (left % 1_000_000_000) as i64,
        }
    });
    match poll(&mut fds, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => (),
        Err(error) => return Err(error),
    }
    let mut found = fds.iter().map(PollFd::revents);
    let mut ready: Vec<PollFlags> = found.by_ref().take(1 + listeners.len()).collect();
    ready.extend(sessions.iter().map(|session| match session.stream {
        Some(_) => found.next().unwrap_or(PollFlags::empty()),
        None => PollFlags::empty(),
    }));
    Ok(ready)
}

fn accept(listener: &TcpListener, sessions: &mut [Session]) {
    // An error is that of the connection that was coming: there will be another.
    let (Ok((stream, from)), Ok(local)) = (listener.accept(), listener.local_addr()) else {
        return;
    };
    let meant = |s: &&mut Session| {
        s.spec.peer == from.ip() && s.spec.local == local.ip() && s.spec.port == local.port()
    };
    if let (Some(session), Ok(())) = (
        sessions.iter_mut().find(meant),
        stream.set_nonblocking(true),
    ) {
        session.accept(stream);
    }
}

/// The commands that are there. False at the end.
fn obey(
    stdin: BorrowedFd<'_>,
    commands: &mut Vec<u8>,
    sessions: &mut [Session],
) -> Result<bool, String> {
    let mut chunk = [0; 65536];
    let octets = rustix::io::read(stdin, &mut chunk).map_err(|error| format!("stdin: {error}"))?;
    if octets == 0 {
        return Ok(false);
    }
    commands.extend(&chunk[..octets]);
    while let Some(end) = commands.iter().position(|octet| *octet == b'\n') {
        let line: Vec<u8> = commands.drain(..=end).collect();
        match commands::run(&String::from_utf8_lossy(&line), sessions) {
            Answer::Quit => return Ok(false),
            Answer::Line(text) => {
                let mut out = std::io::stdout().lock();
                writeln!(out, "{text}")
                    .and_then(|()| out.flush())
                    .map_err(|error| format!("stdout: {error}"))?;
            }
        }
    }
    Ok(true)
}
