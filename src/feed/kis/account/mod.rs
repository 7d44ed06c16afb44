//! Account notices: orders and executions of one customer, pushed encrypted on the session of his app key.
//!
//! They are not market data and never lie beside it:
//!
//! - *Streams of the journal hold none of it.* The reader hands a copy of the frame to a queue and overwrites the frame
//!   before it is kept; of it a `Reject` with transaction and length is left in `ticks`, as of every encrypted frame.
//! - *A folder of their own*, mode 0700, with a file a trading day, mode 0600: a line of JSON a notice, on the disk before the
//!   next one is taken. [`Keeper`] is its one writer.
//! - *A key belongs to a session and a transaction.* It comes with the answer to that transaction's registration, and is
//!   forgotten with the session. Where that answer was lost the registration is made anew; meanwhile what answers to others
//!   brought is tried, since the broker was never seen to give a session two keys, and what can't be read waits.
//! - *What can't be read in the end is counted, and kept as it came* in a file beside; no byte of it is shown.

mod cipher;
mod keeper;
mod section;

use crossbeam::queue::ArrayQueue;
use zeroize::Zeroizing;

pub use self::cipher::{BadNotice, NoticeKey};
pub use self::keeper::{Keeper, KeeperError};
pub use self::section::NoticesSection;

/// What may wait for the keeper; beyond, notices are lost and counted.
const SLOTS: usize = 4096;

/// What the reader hands over.
pub enum Private {
    /// A message as received: an encrypted frame, or an answer that brings a key.
    Message {
        /// Connection.
        line: u16,
        /// As of its records.
        ts_recv: u64,
        /// The bytes; overwritten when they are dropped.
        bytes: Zeroizing<Vec<u8>>,
    },
    /// The session is over: its keys are of no use.
    Ended {
        /// Connection.
        line: u16,
    },
}

/// Shows no byte of a message.
impl std::fmt::Debug for Private {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Private::Message { line, bytes, .. } => write!(f, "Message({line}, {} bytes)", bytes.len()),
            Private::Ended { line } => write!(f, "Ended({line})"),
        }
    }
}

/// The way from the reader to the keeper.
pub type PrivateQueue = ArrayQueue<Private>;

/// An empty way.
pub fn private_queue() -> PrivateQueue {
    ArrayQueue::new(SLOTS)
}
