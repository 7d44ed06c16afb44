//! Says aloud what the journal's helper found out about the disk: in the log, and as `Session` records. Cold.

use bytemuck::Zeroable as _;

use super::commit::Inbox;
use super::ending::{Cause, Ending};
use crate::clock::wall_ns;
use crate::journal::{SyncState, Trouble, Watch};
use crate::tick::{Header, Publisher, RType, Session, SessionEvent, StopReason, boxed_record};

/// A stream and what was said of it last.
#[derive(Debug)]
struct Said {
    watch: Watch,
    is_low: bool,
    no_segment: bool,
    is_sync_failing: bool,
}

/// Looks at the streams' troubles now and then, on a cold thread.
#[derive(Debug)]
pub(super) struct DiskWatch {
    streams: Vec<Said>,
    inbox: Inbox,
}

impl DiskWatch {
    pub fn new(watches: impl Iterator<Item = Watch>, inbox: Inbox) -> DiskWatch {
        let streams =
            watches.map(|watch| Said { watch, is_low: false, no_segment: false, is_sync_failing: false }).collect();
        DiskWatch { streams, inbox }
    }

    /// One look. What finds no room in the inbox is said at the next one.
    pub fn look(&mut self, ending: &Ending) {
        for said in &mut self.streams {
            let stream = said.watch.stream();
            if let Some(space) = said.watch.space()
                && space.is_low != said.is_low
            {
                let event = if space.is_low { SessionEvent::LowSpace } else { SessionEvent::SpaceReturned };
                if tell(&self.inbox, &said.watch, event, space.free_bytes, "") {
                    said.is_low = space.is_low;
                    let (free_mib, low_space_mib) = (space.free_bytes >> 20, space.watermark_bytes >> 20);
                    let stream = stream.name();
                    if space.is_low {
                        tracing::warn!(stream, free_mib, low_space_mib, "little room is left for the journal");
                    } else {
                        tracing::info!(stream, free_mib, "there is room for the journal again");
                    }
                }
            }
            let errno = said.watch.segment_failure();
            if errno.is_some() != said.no_segment {
                let error = errno.map(|errno| std::io::Error::from_raw_os_error(errno).to_string());
                let event = if errno.is_some() { SessionEvent::NoSegment } else { SessionEvent::SegmentReturned };
                let value = u64::from(errno.unwrap_or(0).unsigned_abs());
                if tell(&self.inbox, &said.watch, event, value, error.as_deref().unwrap_or_default()) {
                    said.no_segment = errno.is_some();
                    let stream = stream.name();
                    match error {
                        Some(error) => tracing::error!(
                            stream,
                            error,
                            "the next segment can't be prepared: recording stops when the present one is full"
                        ),
                        None => tracing::info!(stream, "the next segment is prepared now"),
                    }
                }
            }
            let failing = match said.watch.sync_state() {
                SyncState::Retrying(errno) | SyncState::Failed(errno) => Some(errno),
                SyncState::Off | SyncState::Good => None,
            };
            if failing.is_some() != said.is_sync_failing {
                let error = failing.map(|errno| std::io::Error::from_raw_os_error(errno).to_string());
                let event = if failing.is_some() { SessionEvent::SyncFailing } else { SessionEvent::SyncReturned };
                let value = u64::from(failing.unwrap_or(0).unsigned_abs());
                if tell(&self.inbox, &said.watch, event, value, error.as_deref().unwrap_or_default()) {
                    // The sync thread logs it.
                    said.is_sync_failing = failing.is_some();
                }
            }
            if let Some(Trouble::SyncFailed { errno }) = said.watch.trouble()
                && !ending.is_requested()
            {
                ending.request(Cause { reason: StopReason::SyncFailed, stream, errno });
            }
        }
    }
}

/// Leaves a record in the inbox; `false` when that is full.
fn tell(inbox: &Inbox, watch: &Watch, event: SessionEvent, value: u64, text: &str) -> bool {
    let header = Header { ts_recv: wall_ns(), publisher: Publisher::Hoga as u16, ..Header::zeroed() };
    let mut session = Session { header, value, event: event as u8, ..Session::zeroed() };
    super::parser::copy_text(&mut session.code, watch.stream().name());
    super::parser::copy_text(&mut session.text, text);
    inbox.push(boxed_record(session, RType::Session)).is_ok()
}
