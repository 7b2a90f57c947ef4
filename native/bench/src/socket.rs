//! Sockets that never block, from an address of our choice, with buffers large enough that we may sleep between reads.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{self, sockopt, AddressFamily, SocketFlags, SocketType};

const BUFFER: usize = 4 << 20;

/// A connection on its way: it is there, or has failed, once it can be written to.
pub fn connect(local: IpAddr, peer: SocketAddr) -> io::Result<TcpStream> {
    let socket = socket(peer)?;
    net::bind(&socket, &SocketAddr::new(local, 0))?;
    match net::connect(&socket, &peer) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(TcpStream::from(socket)),
        Err(error) => Err(error.into()),
    }
}

pub fn listen(local: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(local)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    net::bind(&socket, &local)?;
    net::listen(&socket, 64)?;
    Ok(TcpListener::from(socket))
}

/// The next drop is a reset (RFC 793 3.4), and what is unsent is lost.
pub fn reset_when_dropped(stream: &TcpStream) -> io::Result<()> {
    Ok(sockopt::set_socket_linger(stream, Some(Duration::ZERO))?)
}

fn socket(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = net::socket_with(family, SocketType::STREAM, flags, None)?;
    enlarge(&socket);
    Ok(socket)
}

/// Connections that are accepted have what their listener has. A user who may not go beyond the system's limit keeps
/// the kernel's own choice, which grows further than what that limit allows.
fn enlarge(socket: &impl AsFd) {
    let _ = sockopt::set_socket_recv_buffer_size_force(socket, BUFFER);
    let _ = sockopt::set_socket_send_buffer_size_force(socket, BUFFER);
}
