//! `[journal]` and `[retention]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::journal::Durability;

/// `[retention]`: carried out by a thread of the lowest priority after the trading day has changed.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionSection {
    /// Whether days that are over are sealed (digests, summaries, manifest); default true. Off turns all of this off.
    pub seal: bool,
    /// Days after which sealed segments are compressed, at least 1; default never. Reading them costs more processor time,
    /// they take a fifth of the space.
    pub compress_after_days: Option<u32>,
    /// Trading days to keep, at least 2: older sealed ones are DELETED, but for those under legal hold; default all.
    pub keep_days: Option<u32>,
    /// Bytes of segment files to keep: the oldest sealed days beyond are DELETED, but for those under legal hold; default
    /// all.
    pub keep_bytes: Option<u64>,
}

impl Default for RetentionSection {
    fn default() -> Self {
        RetentionSection { seal: true, compress_after_days: None, keep_days: None, keep_bytes: None }
    }
}

/// `[journal]`.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct JournalSection {
    /// Folder of the journal; made when it is not there. One engine at a time writes to it.
    pub dir: PathBuf,
    /// MiB a segment file; default 128, 1 to 2047. Larger: fewer rolls; smaller: less space allocated ahead (the
    /// segment in use and the next one a stream, two where a segment lasts less than a second).
    #[serde(default = "default_segment_mib")]
    pub segment_mib: u32,
    /// Whether every inbound frame is kept verbatim in stream `raw`; default true. Off saves about half of the space and
    /// loses what a broker adds before this program knows it.
    #[serde(default = "default_true")]
    pub raw: bool,
    /// MiB free on the journal's file system below which a warning is given, in the log, in `hoga stat` and as a record;
    /// default 1024: four segments of 128 MiB for each stream. 0: never.
    #[serde(default = "default_low_space_mib")]
    pub low_space_mib: u64,
    /// Seconds that lines wait unread for a segment the disk is late with, before recording is stopped; default 30, 1 to
    /// 3600. Longer survives slower disks, but the broker gives a line up after some 100 s of silence.
    #[serde(default = "default_slow_disk_seconds")]
    pub slow_disk_seconds: u64,
    /// What survives the host's death: `process` (default), `periodic:MS` (on the disk at most that many milliseconds
    /// after the commit, 2 to 60000) or `group` (syncs without a pause). The writer waits for none of them; syncing more
    /// costs the disk, and page faults of the writer.
    #[serde(default)]
    pub durability: Durability,
}

impl Default for JournalSection {
    /// The defaults, in the folder `journal`.
    fn default() -> Self {
        JournalSection {
            dir: PathBuf::from("journal"),
            segment_mib: default_segment_mib(),
            raw: true,
            low_space_mib: default_low_space_mib(),
            slow_disk_seconds: default_slow_disk_seconds(),
            durability: Durability::Process,
        }
    }
}

fn default_segment_mib() -> u32 {
    128
}

fn default_low_space_mib() -> u64 {
    1024
}

fn default_slow_disk_seconds() -> u64 {
    30
}

fn default_true() -> bool {
    true
}
