//! Socket calls the standard library lacks: kernel receive stamps and a few options. Linux, 64 bit.
//!
//! No function here blocks or allocates. Each makes one system call (`recv_with_stamp` repeats it after a signal).
#![allow(unsafe_code)]

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd};

use bytemuck::{Pod, Zeroable};

/// What one [`recv_with_stamp`] brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Bytes now at the front of the buffer; 0 means the peer ended its direction (when the buffer was not empty).
    pub len: usize,
    /// The kernel's receive stamp in nanoseconds since the UNIX epoch. When segments were coalesced into this read it
    /// is that of the newest. `None` when the kernel gave none: stamps not enabled, or the bytes came before they were.
    pub kernel_ns: Option<u64>,
}

/// The one control message asked for, laid out as the kernel writes it: `cmsghdr`, then `timespec`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct StampMessage {
    len: u64,
    level: i32,
    kind: i32,
    seconds: i64,
    nanoseconds: i64,
}

const _: () = assert!(size_of::<libc::cmsghdr>() == 16 && size_of::<libc::timespec>() == 16);
const _: () = assert!(size_of::<StampMessage>() == 32);

/// Asks the kernel to stamp what this socket receives (`SO_TIMESTAMPNS`). Bytes that came before have no stamp.
///
/// # Errors
/// The system's, when it has no such option or `fd` is no socket.
pub fn enable_recv_timestamps(fd: BorrowedFd<'_>) -> io::Result<()> {
    set_option(fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)
}

/// Lets a read of an empty socket poll the network device for up to `micros` (`SO_BUSY_POLL`). 0 switches it off.
///
/// # Errors
/// `EPERM` without `CAP_NET_ADMIN` when raising it, `ENOPROTOOPT` on kernels built without it.
pub fn set_busy_poll(fd: BorrowedFd<'_>, micros: u32) -> io::Result<()> {
    set_option(fd, libc::SOL_SOCKET, libc::SO_BUSY_POLL, clamp_to_int(micros as usize))
}

/// Sets the kernel's receive buffer (`SO_RCVBUF`). The kernel doubles the figure and cuts it at `net.core.rmem_max`.
///
/// # Errors
/// The system's, when `fd` is no socket.
pub fn set_recv_buffer(fd: BorrowedFd<'_>, bytes: usize) -> io::Result<()> {
    set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, clamp_to_int(bytes))
}

/// Reads what is there into `buf` and says when its newest byte came. Never waits.
///
/// # Errors
/// `WouldBlock` when nothing is there; otherwise the system's (`ConnectionReset` and its kin).
pub fn recv_with_stamp(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<Received> {
    let mut control = StampMessage::zeroed();
    let mut part = libc::iovec { iov_base: buf.as_mut_ptr().cast(), iov_len: buf.len() };
    // SAFETY: `msghdr` is plain integers and pointers; all zero is a valid value of each.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    let len = loop {
        message.msg_controllen = size_of::<StampMessage>();
        // SAFETY: `message` points at one vector over `buf` and at `control`, all live and exclusively borrowed for
        // the call, each with its true length.
        let result = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) };
        if let Ok(len) = usize::try_from(result) {
            break len;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    };
    let stamped = message.msg_controllen >= size_of::<StampMessage>()
        && control.level == libc::SOL_SOCKET
        && control.kind == libc::SCM_TIMESTAMPNS;
    let kernel_ns = stamped.then(|| control.seconds as u64 * 1_000_000_000 + control.nanoseconds as u64);
    Ok(Received { len, kernel_ns })
}

fn clamp_to_int(value: usize) -> libc::c_int {
    libc::c_int::try_from(value).unwrap_or(libc::c_int::MAX)
}

fn set_option(fd: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the value pointer and its length describe `value`, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        (client, server)
    }

    fn now_ns() -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
    }

    fn recv_soon(socket: &TcpStream, buf: &mut [u8]) -> Received {
        for _ in 0..2_000 {
            match recv_with_stamp(socket.as_fd(), buf) {
                Ok(received) => return received,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("nothing came in two seconds");
    }

    #[test]
    fn an_empty_socket_would_block_even_when_it_is_a_blocking_one() {
        let (client, _server) = pair();
        let error = recv_with_stamp(client.as_fd(), &mut [0; 16]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_stamped_read_lies_between_the_send_and_now() {
        let (client, mut server) = pair();
        enable_recv_timestamps(client.as_fd()).unwrap();
        std::thread::sleep(Duration::from_millis(20)); // the kernel switches stamping on by a deferred job
        let before = now_ns();
        server.write_all(b"0|H0STCNT0").unwrap();
        let mut buf = [0; 64];
        let received = recv_soon(&client, &mut buf);
        assert_eq!(&buf[..received.len], b"0|H0STCNT0");
        let stamp = received.kernel_ns.expect("SO_TIMESTAMPNS is on");
        assert!((before..=now_ns()).contains(&stamp));
    }

    #[test]
    fn without_the_option_there_is_no_stamp_and_the_end_is_zero_bytes() {
        let (client, mut server) = pair();
        server.write_all(b"x").unwrap();
        assert_eq!(recv_soon(&client, &mut [0; 4]), Received { len: 1, kernel_ns: None });
        drop(server);
        assert_eq!(recv_soon(&client, &mut [0; 4]), Received { len: 0, kernel_ns: None });
    }

    #[test]
    fn options_are_accepted_on_a_socket() {
        let (client, _server) = pair();
        set_recv_buffer(client.as_fd(), 1 << 20).unwrap();
        // Raising the busy poll time needs a capability; switching it off never does.
        set_busy_poll(client.as_fd(), 0).unwrap();
    }
}
