//! The rows. See [`decision`](super) for the idea behind them.

use super::evidence::{
    Behind, Boot, Checksum, CommitWord, Continuity, ControlPage, Evidence, HeaderIs, Place, Size, Watermark,
};
use super::{Action, Case};

/// What may stand at the first place without a good record, and behind it; an empty list = any.
pub(super) struct Front {
    commit: &'static [CommitWord],
    checksum: &'static [Checksum],
    behind: &'static [Behind],
}

/// Durable mark and control page, which holds it; an empty list = any.
pub(super) struct Mark {
    watermark: &'static [Watermark],
    control: &'static [ControlPage],
}

/// A row: the values each piece of evidence may have; an empty list = any.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) case: Case,
    pub(super) action: Action,
    header: &'static [HeaderIs],
    front: &'static [Front],
    sequence: &'static [Continuity],
    size: &'static [Size],
    mark: &'static [Mark],
    boot: &'static [Boot],
    place: &'static [Place],
}

pub(super) const ANY: Row = Row {
    name: "",
    case: Case::CorruptMiddle,
    action: Action::Refuse,
    header: &[],
    front: &[],
    sequence: &[],
    size: &[],
    mark: &[],
    boot: &[],
    place: &[],
};
/// A segment that was prepared, by its header.
const UNUSED: Row = Row { header: &[HeaderIs::Unused], ..ANY };
/// A segment in use that goes on where the one before ended.
const IN_USE: Row = Row { header: &[HeaderIs::Good], sequence: &[Continuity::Follows], ..ANY };

const ANY_FRONT: Front = Front { commit: &[], checksum: &[], behind: &[] };
const COMPLETE: Front = Front { commit: &[CommitWord::Ended], behind: &[Behind::Zeros], ..ANY_FRONT };
const AFTER_END: Front = Front { commit: &[CommitWord::Ended], behind: SOMETHING, ..ANY_FRONT };
const OPEN: Front = Front { commit: &[CommitWord::Zero], behind: &[Behind::Zeros], ..ANY_FRONT };
/// Bad, and nothing good stands behind it.
const LAST_BAD: &[Front] = &[
    Front { commit: &[CommitWord::Zero], behind: &[Behind::Bytes], ..ANY_FRONT },
    Front { commit: &[CommitWord::Length], checksum: &[Checksum::Fails], behind: NO_RECORD },
    Front { commit: &[CommitWord::Impossible], behind: NO_RECORD, ..ANY_FRONT },
];
/// Bad, and a valid record stands behind it.
const FOLLOWED: &[Front] = &[
    Front { commit: &[CommitWord::Zero, CommitWord::Impossible], behind: &[Behind::Record], ..ANY_FRONT },
    Front { commit: &[CommitWord::Length], checksum: &[Checksum::Fails], behind: &[Behind::Record] },
];
const BAD: &[Front] = &[
    Front { commit: &[CommitWord::Zero], behind: SOMETHING, ..ANY_FRONT },
    Front { commit: &[CommitWord::Length], checksum: &[Checksum::Fails], ..ANY_FRONT },
    Front { commit: &[CommitWord::Impossible], ..ANY_FRONT },
];
/// A record that is good in every respect is not the first that is bad.
const CONTRADICTION: Front = Front { commit: &[CommitWord::Length], checksum: &[Checksum::Holds], behind: &[] };
const SOMETHING: &[Behind] = &[Behind::Bytes, Behind::Record];
const NO_RECORD: &[Behind] = &[Behind::Zeros, Behind::Bytes];

const KNOWN: &[ControlPage] = &[ControlPage::Good, ControlPage::Absent, ControlPage::Damaged];
const NOT_GOOD: &[ControlPage] = &[ControlPage::Absent, ControlPage::Damaged];
const NOT_BELOW: &[Watermark] = &[Watermark::None, Watermark::Above];
const READABLE: &[Mark] = &[Mark { watermark: &[], control: KNOWN }];
const BELOW: &[Mark] = &[Mark { watermark: &[Watermark::Below], control: KNOWN }];
/// Nothing promised is touched, as far as is known.
const KEPT: &[Mark] = &[Mark { watermark: NOT_BELOW, control: KNOWN }];
const KEPT_GOOD: &[Mark] = &[Mark { watermark: NOT_BELOW, control: &[ControlPage::Good] }];
const KEPT_NOT_GOOD: &[Mark] = &[Mark { watermark: NOT_BELOW, control: NOT_GOOD }];
/// What was promised is known: a mark, or that there never was one.
const MARKED: &[Mark] = &[
    Mark { watermark: NOT_BELOW, control: &[ControlPage::Good] },
    Mark { watermark: &[Watermark::Above], control: &[ControlPage::Damaged] },
];
/// What was promised is not known any more.
const UNMARKED: &[Mark] = &[
    Mark { watermark: &[Watermark::None], control: &[ControlPage::Damaged] },
    Mark { watermark: NOT_BELOW, control: &[ControlPage::Absent] },
];

pub(super) const TABLE: &[Row] = &[
    // Files that say nothing about records.
    Row {
        name: "the control page is of a newer program",
        case: Case::NewerVersion,
        mark: &[Mark { watermark: &[], control: &[ControlPage::Newer] }],
        ..ANY
    },
    Row {
        name: "the segment is of a newer program",
        case: Case::NewerVersion,
        header: &[HeaderIs::Newer],
        mark: READABLE,
        ..ANY
    },
    Row { name: "no segment", case: Case::Foreign, header: &[HeaderIs::Foreign], mark: READABLE, ..ANY },
    Row { name: "not there", case: Case::MissingSegment, header: &[HeaderIs::Missing], mark: READABLE, ..ANY },
    Row { name: "a damaged header", header: &[HeaderIs::Damaged], mark: READABLE, ..ANY },
    // Segments not in use, by their header.
    Row {
        name: "prepared and never used",
        case: Case::Clean,
        action: Action::Discard,
        front: &[Front { behind: &[Behind::Zeros], ..ANY_FRONT }],
        mark: KEPT,
        place: &[Place::Newest],
        ..UNUSED
    },
    Row {
        name: "the process died while it restated definitions in the next segment",
        case: Case::TornByProcessDeath,
        action: Action::PutAway,
        front: &[Front { behind: &[Behind::Bytes], ..ANY_FRONT }],
        mark: KEPT,
        boot: &[Boot::Same],
        place: &[Place::Newest],
        ..UNUSED
    },
    Row {
        name: "records in a segment that this boot never put to use",
        front: &[Front { behind: &[Behind::Record], ..ANY_FRONT }],
        mark: KEPT,
        boot: &[Boot::Same],
        place: &[Place::Newest],
        ..UNUSED
    },
    Row {
        name: "the newest segment's activation did not reach the disk",
        case: Case::TornByHostDeath,
        action: Action::PutAway,
        front: &[Front { behind: SOMETHING, ..ANY_FRONT }],
        mark: MARKED,
        boot: &[Boot::Other],
        place: &[Place::Newest],
        ..UNUSED
    },
    Row {
        name: "the newest segment's activation is lost, and so is the durable mark",
        front: &[Front { behind: SOMETHING, ..ANY_FRONT }],
        mark: UNMARKED,
        boot: &[Boot::Other],
        place: &[Place::Newest],
        ..UNUSED
    },
    Row {
        name: "an earlier segment's activation did not reach the disk",
        case: Case::TornByHostDeath,
        action: Action::PutAway,
        mark: MARKED,
        boot: &[Boot::Other],
        place: &[Place::Earlier],
        ..UNUSED
    },
    Row {
        name: "an earlier segment's activation is lost, and so is the durable mark",
        mark: UNMARKED,
        boot: &[Boot::Other],
        place: &[Place::Earlier],
        ..UNUSED
    },
    Row {
        name: "an earlier segment is not in use",
        mark: KEPT,
        boot: &[Boot::Same],
        place: &[Place::Earlier],
        ..UNUSED
    },
    Row { name: "the durable mark is in a segment not in use", mark: BELOW, ..UNUSED },
    // Segments in use.
    Row {
        name: "a number that does not follow",
        header: &[HeaderIs::Good],
        sequence: &[Continuity::Breaks],
        mark: READABLE,
        ..ANY
    },
    Row { name: "a loss below the durable mark, or in a sealed segment", mark: BELOW, ..IN_USE },
    Row {
        name: "complete",
        case: Case::Clean,
        action: Action::Keep,
        front: &[COMPLETE],
        size: &[Size::Whole],
        mark: KEPT_GOOD,
        ..IN_USE
    },
    Row {
        name: "complete, but the control page is gone",
        case: Case::TornByHostDeath,
        action: Action::Keep,
        front: &[COMPLETE],
        size: &[Size::Whole],
        mark: KEPT_NOT_GOOD,
        ..IN_USE
    },
    Row {
        name: "complete, but the newest file is cut short",
        case: Case::TornByProcessDeath,
        action: Action::Cut,
        front: &[COMPLETE],
        size: &[Size::Short],
        mark: KEPT,
        boot: &[Boot::Same],
        place: &[Place::Newest],
        ..IN_USE
    },
    Row {
        name: "complete, but the newest file came back cut short",
        case: Case::TornByHostDeath,
        action: Action::Cut,
        front: &[COMPLETE],
        size: &[Size::Short],
        mark: KEPT,
        boot: &[Boot::Other],
        place: &[Place::Newest],
        ..IN_USE
    },
    Row {
        name: "complete, but an earlier file is cut short",
        front: &[COMPLETE],
        size: &[Size::Short],
        mark: KEPT,
        place: &[Place::Earlier],
        ..IN_USE
    },
    Row { name: "bytes behind the end", front: &[AFTER_END], mark: KEPT, ..IN_USE },
    Row {
        name: "open: the process died between two records, or lives",
        case: Case::Clean,
        action: Action::End,
        front: &[OPEN],
        size: &[Size::Whole],
        mark: KEPT_GOOD,
        place: &[Place::Newest],
        ..IN_USE
    },
    Row {
        name: "open, but the control page is gone",
        case: Case::TornByHostDeath,
        action: Action::End,
        front: &[OPEN],
        size: &[Size::Whole],
        mark: KEPT_NOT_GOOD,
        place: &[Place::Newest],
        ..IN_USE
    },
    Row {
        name: "open, and the file is cut short",
        case: Case::TornByProcessDeath,
        action: Action::Cut,
        front: &[OPEN],
        size: &[Size::Short],
        mark: KEPT,
        boot: &[Boot::Same],
        place: &[Place::Newest],
        ..IN_USE
    },
    Row {
        name: "open, and the file came back cut short",
        case: Case::TornByHostDeath,
        action: Action::Cut,
        front: &[OPEN],
        size: &[Size::Short],
        mark: MARKED,
        boot: &[Boot::Other],
        place: &[Place::Newest],
        ..IN_USE
    },
    Row {
        name: "open, the file came back cut short, and the durable mark is lost",
        front: &[OPEN],
        size: &[Size::Short],
        mark: UNMARKED,
        boot: &[Boot::Other],
        place: &[Place::Newest],
        ..IN_USE
    },
    Row {
        name: "no end before a later segment",
        front: &[OPEN],
        mark: KEPT,
        boot: &[Boot::Same],
        place: &[Place::Earlier],
        ..IN_USE
    },
    Row {
        name: "the end of an earlier segment did not reach the disk",
        case: Case::TornByHostDeath,
        action: Action::Cut,
        front: &[OPEN],
        mark: MARKED,
        boot: &[Boot::Other],
        place: &[Place::Earlier],
        ..IN_USE
    },
    Row {
        name: "the end of an earlier segment is lost, and so is the durable mark",
        front: &[OPEN],
        mark: UNMARKED,
        boot: &[Boot::Other],
        place: &[Place::Earlier],
        ..IN_USE
    },
    Row {
        name: "the process died inside a record",
        case: Case::TornByProcessDeath,
        action: Action::Cut,
        front: LAST_BAD,
        mark: KEPT,
        boot: &[Boot::Same],
        place: &[Place::Newest],
        ..IN_USE
    },
    Row {
        name: "a bad record before a valid one",
        front: FOLLOWED,
        mark: KEPT,
        boot: &[Boot::Same],
        place: &[Place::Newest],
        ..IN_USE
    },
    Row {
        name: "a bad record before a later segment",
        front: BAD,
        mark: KEPT,
        boot: &[Boot::Same],
        place: &[Place::Earlier],
        ..IN_USE
    },
    Row {
        name: "pages behind the durable mark did not reach the disk",
        case: Case::TornByHostDeath,
        action: Action::Cut,
        front: BAD,
        mark: MARKED,
        boot: &[Boot::Other],
        ..IN_USE
    },
    Row {
        name: "a bad record, and the durable mark is lost",
        front: BAD,
        mark: UNMARKED,
        boot: &[Boot::Other],
        ..IN_USE
    },
    Row { name: "evidence that contradicts itself", front: &[CONTRADICTION], mark: KEPT, ..IN_USE },
];

fn allows<T: PartialEq>(values: &[T], value: &T) -> bool {
    values.is_empty() || values.contains(value)
}

impl Row {
    /// Whether the evidence is this row's.
    pub(super) fn matches(&self, e: &Evidence) -> bool {
        let front = |front: &Front| {
            allows(front.commit, &e.commit) && allows(front.checksum, &e.checksum) && allows(front.behind, &e.behind)
        };
        let mark = |mark: &Mark| allows(mark.watermark, &e.watermark) && allows(mark.control, &e.control);
        allows(self.header, &e.header)
            && allows(self.sequence, &e.sequence)
            && allows(self.size, &e.size)
            && allows(self.boot, &e.boot)
            && allows(self.place, &e.place)
            && (self.front.is_empty() || self.front.iter().any(front))
            && (self.mark.is_empty() || self.mark.iter().any(mark))
    }
}
