//! The sockets: WebSocket connections read into frames, borrowed and stamped.
//!
//! What the stage promises:
//!
//! - [`Reader::poll`] allocates nothing, locks nothing and logs nothing once a connection is added; its only system
//!   calls are on its own sockets. A frame is lent to the [`FrameSink`] out of the receive buffer it came into.
//! - Nothing received is dropped. A sink without room stops the reading of that socket, TCP holds the sender, and the
//!   stall is an event.
//! - Text is passed on as it came, whatever its encoding.
//! - Every frame carries the kernel's receive stamp, the window its arrival lies in, and the moment it was read.
//! - Pings, closes and the keep-alive of the feed's own ([`LineProtocol`]) are answered here at once.
//!
//! The layers, protocol before I/O: [`frames`] (bytes to events) and [`outbound`] (messages to bytes) own no socket;
//! [`stream`] is the seam to the kernel, and later to TLS; [`handshake`] is cold and blocking; [`connection`] is one
//! line's state; [`reader`] is the duty cycle over all of them.

pub mod connection;
pub mod frames;
pub mod handshake;
pub mod outbound;
pub mod reader;
pub mod sink;
pub mod stream;

pub use connection::{Connection, ConnectionConfig};
pub use handshake::{HandshakeError, Handshaken, connect};
pub use reader::{Command, Reader, ReaderConfig, ReaderHandle};
pub use sink::{DisconnectReason, FrameMeta, FrameSink, LineEvent, LineProtocol, NoReply, ReaderCounters};
