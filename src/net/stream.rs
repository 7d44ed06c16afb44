//! The seam between a socket and the buffers.
//!
//! Where TLS will sit: a second variant holds a rustls `UnbufferedClientConnection` beside the socket. Its `recv` reads
//! ciphertext by the same `recv_with_stamp` into a buffer of its own and has rustls decrypt records into the
//! [`FrameBuffer`]'s space; the stamp is that of the newest ciphertext byte. Its `send` encrypts into a buffer of its
//! own and keeps what the socket does not take. Nothing above this module changes.

use std::io::{self, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;

use mio::Interest;
use mio::event::Source;
use mio::net::TcpStream;

use super::frames::FrameBuffer;
use crate::sys::socket::{Received, recv_with_stamp};

/// A connected, non-blocking byte stream.
#[derive(Debug)]
pub enum Transport {
    /// Plain TCP.
    Tcp(TcpStream),
}

/// What one [`Transport::recv`] brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recv {
    /// Bytes added to the buffer; 0 means the peer ended the stream.
    pub len: usize,
    /// All space was filled, so that more may be waiting; otherwise the socket was found empty.
    pub is_full: bool,
    /// Kernel stamp of the newest of these bytes, nanoseconds since the UNIX epoch.
    pub kernel_ns: Option<u64>,
}

impl Transport {
    /// Makes the socket non-blocking and takes it.
    ///
    /// # Errors
    /// The system's.
    pub fn tcp(stream: std::net::TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Transport::Tcp(TcpStream::from_std(stream)))
    }

    /// One read into the buffer's space, which must not be empty. Never waits.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there; otherwise the system's.
    #[inline]
    pub fn recv(&mut self, frames: &mut FrameBuffer) -> io::Result<Recv> {
        let Transport::Tcp(stream) = self;
        let space = frames.space();
        let wanted = space.len();
        debug_assert!(wanted > 0, "a read without space would look like the end of the stream");
        let Received { len, kernel_ns } = recv_with_stamp(stream.as_fd(), space)?;
        frames.fill(len);
        Ok(Recv { len, is_full: len == wanted, kernel_ns })
    }

    /// Hands bytes to the socket and says how many it took. Never waits.
    ///
    /// # Errors
    /// `WouldBlock` when it takes none now; otherwise the system's.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Transport::Tcp(stream) = self;
        stream.write(bytes)
    }

    /// Ends our direction: the peer sees the end of the stream after what was sent.
    pub fn shutdown_send(&mut self) {
        let Transport::Tcp(stream) = self;
        // It fails only when the connection is gone already, which the next read tells.
        let _ = stream.shutdown(Shutdown::Write);
    }
}

impl Source for Transport {
    fn register(&mut self, registry: &mio::Registry, token: mio::Token, interests: Interest) -> io::Result<()> {
        let Transport::Tcp(stream) = self;
        stream.register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &mio::Registry, token: mio::Token, interests: Interest) -> io::Result<()> {
        let Transport::Tcp(stream) = self;
        stream.reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &mio::Registry) -> io::Result<()> {
        let Transport::Tcp(stream) = self;
        stream.deregister(registry)
    }
}
