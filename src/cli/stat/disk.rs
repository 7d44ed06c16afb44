//! What the journal's helper says of the disk, from the control pages.

use std::path::Path;

use serde_json::{Value, json};

use crate::cli::units;
use crate::journal::{ControlReader, DiskSpace, Stream, Trouble};

/// One stream's place on the disk, as of the helper's last look.
pub(super) struct StreamDisk {
    stream: Stream,
    space: Option<DiskSpace>,
    trouble: Option<Trouble>,
}

/// Both streams; one that has no page that can be read is left out.
pub(super) fn look(folder: &Path) -> Vec<StreamDisk> {
    let page = |stream: Stream| {
        let control = ControlReader::open(&folder.join(stream.name()), stream).ok()?.ok()?;
        Some(StreamDisk { stream, space: control.space(), trouble: control.trouble() })
    };
    [Stream::Ticks, Stream::Raw].into_iter().filter_map(page).collect()
}

/// The worst of both as one word: `good`, or the name of a trouble.
fn state(streams: &[StreamDisk]) -> &'static str {
    let order = |trouble: &Trouble| match trouble {
        Trouble::LowSpace { .. } => 1,
        Trouble::NoSegment { .. } => 2,
        _ => 3,
    };
    let worst = streams.iter().filter_map(|disk| disk.trouble.as_ref()).max_by_key(|trouble| order(trouble));
    worst.map_or("good", Trouble::name)
}

/// The `disk` member of the report.
pub(super) fn json(streams: &[StreamDisk]) -> Value {
    let each = |disk: &StreamDisk| {
        json!({
            "stream": disk.stream.name(),
            "state": disk.trouble.as_ref().map_or("good", Trouble::name),
            "errno": disk.trouble.as_ref().and_then(Trouble::errno),
            "free_bytes": disk.space.map(|space| space.free_bytes),
            "low_space_bytes": disk.space.map(|space| space.watermark_bytes),
        })
    };
    json!({ "state": state(streams), "streams": streams.iter().map(each).collect::<Vec<_>>() })
}

/// Lines for people: one a trouble, else how much room there is.
pub(super) fn text(streams: &[StreamDisk]) -> String {
    let mut lines = String::new();
    for disk in streams {
        let stream = disk.stream.name();
        match &disk.trouble {
            Some(trouble) => lines.push_str(&format!("  DISK, stream {stream}: {trouble}\n")),
            None => {
                if let Some(space) = disk.space {
                    lines.push_str(&format!("  disk, stream {stream}: {} free\n", units::bytes(space.free_bytes)));
                }
            }
        }
    }
    lines
}
