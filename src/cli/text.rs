//! Records for people, one a line: prices with separators, Korean time, books with a few levels, service records in
//! words.

use std::borrow::Cow;
use std::io::Write as _;

use super::units::{bytes, count, nanos};
use crate::journal::RecordRef;
use crate::market::kst;
use crate::tick::{
    Book, Clock, EndReason, Flags, Gap, GapReason, Hole, HoleReason, Instrument, Level, Publisher, RType, RecordView,
    RejectReason, Repair, Session, SessionEvent, Side, Status, StopReason, UNDEF_PX, UNDEF_QTY, UNDEF_TS, tr_name,
    view, write_scaled,
};

/// Levels of a book shown.
const LEVELS: usize = 3;
/// Characters of a frame shown.
const FRAME_CHARS: usize = 160;

/// Appends a record as one line.
pub(super) fn write_text(out: &mut Vec<u8>, record: &RecordRef<'_>) {
    let Some(seen) = view(record.bytes) else { return };
    let header = record.header();
    let known = record.instrument(header.instrument_id);
    let symbol = known.map(|known| code(&known.key.symbol)).unwrap_or_default();
    let kind = RType::from_number(header.rtype).map_or("unknown", RType::name);
    let sequence = if header.sequence == 0 { "-".to_owned() } else { header.sequence.to_string() };
    let venue = match Publisher::from_number(header.publisher) {
        Some(Publisher::Hoga) | None => "",
        Some(publisher) => publisher.venue(),
    };
    // Writing to a `Vec` can't fail.
    let _ = write!(out, "{sequence:>10}  {}  {kind:<10} {symbol:<9} {venue:<4} ", korean_time(header.ts_recv));
    write_body(out, &seen, header.line);
    if Flags(header.flags).has(Flags::RECOVERED) {
        out.extend_from_slice(b"  (recovered)");
    }
    while out.last() == Some(&b' ') {
        out.pop();
    }
    out.push(b'\n');
}

fn write_body(out: &mut Vec<u8>, seen: &RecordView<'_>, line: u16) {
    let _ = match seen {
        RecordView::Trade(trade) => {
            let side = match trade.side {
                side if side == Side::Unknown as u8 => "",
                side => Side::name(side),
            };
            let quote = match (trade.bid_px, trade.ask_px) {
                (UNDEF_PX, UNDEF_PX) => String::new(),
                (bid, ask) => format!("  bid {} ask {}", px(bid), px(ask)),
            };
            write!(out, "{:>12} x {:<8} {side:<7} total {}{quote}", px(trade.px), qty(trade.qty), qty(trade.cum_qty))
        }
        RecordView::Book(book, levels) => return write_book(out, book, levels),
        RecordView::Expected(expected) => {
            write!(out, "{:>12} x {:<8} expected in the auction", px(expected.px), qty(expected.qty))
        }
        RecordView::Status(status) => return write_status(out, status),
        RecordView::Index(index) => {
            write!(out, "{:>12}   change {}  volume {}", px(index.px), px(index.change_px), qty(index.cum_qty))
        }
        RecordView::Nav(nav) => write!(out, "{:>12}   change {}", px(nav.px), px(nav.change_px)),
        RecordView::Program(program) => write!(
            out,
            "program sold {}, bought {}, net {}",
            qty(program.sell_qty),
            qty(program.buy_qty),
            change(program.net_qty)
        ),
        RecordView::Member(member) => {
            let top = |side: &[crate::tick::MemberEntry]| {
                side.first().map(|first| format!("{} {}", code(&first.code), qty(first.qty))).unwrap_or_default()
            };
            write!(out, "most sold by {}, most bought by {}", top(&member.sellers), top(&member.buyers))
        }
        RecordView::Bar(bar) => write!(
            out,
            "{} open {} high {} low {} close {} volume {}",
            nanos(bar.interval_ns),
            px(bar.open_px),
            px(bar.high_px),
            px(bar.low_px),
            px(bar.close_px),
            qty(bar.qty)
        ),
        RecordView::Other(_, frame) | RecordView::Raw(_, frame) => return write_frame(out, frame),
        RecordView::Instrument(instrument) => return write_instrument(out, instrument),
        RecordView::Gap(gap) => return write_gap(out, gap),
        RecordView::Repair(repair) => return write_repair(out, repair),
        RecordView::Reject(reject, frame) => {
            let reason = RejectReason::from_number(reject.reason).map_or("unknown", RejectReason::name);
            let tr = tr_name(reject.tr).map(|tr| format!("{tr} ")).unwrap_or_default();
            let _ = write!(out, "unreadable {tr}frame of {} ({reason}): ", bytes(reject.frame_bytes.into()));
            return write_frame(out, frame);
        }
        RecordView::Session(session) => return write_session(out, session, line),
        RecordView::Clock(clock) => return write_clock(out, clock),
        RecordView::End(end) => {
            write!(
                out,
                "end of the segment ({})",
                EndReason::from_number(end.reason).map_or("unknown", EndReason::name)
            )
        }
        RecordView::Hole(hole) => return write_hole(out, hole),
        RecordView::Unknown(header) => write!(out, "kind {} is newer than this program", header.rtype),
    };
}

fn write_book(out: &mut Vec<u8>, book: &Book, levels: &[Level]) {
    let side = |out: &mut Vec<u8>, name: &str, level: fn(&Level) -> (i64, u64)| {
        let shown = levels.iter().map(level).filter(|(px, qty)| *px != UNDEF_PX && !(*px == 0 && *qty == 0));
        let _ = write!(out, "{name} ");
        let mut any = false;
        for (price, quantity) in shown.take(LEVELS) {
            let _ = write!(out, "{}{} x {}", if any { ", " } else { "" }, px(price), qty(quantity));
            any = true;
        }
        if !any {
            out.push(b'-');
        }
    };
    side(out, "bid", |level| (level.bid_px, level.bid_qty));
    side(out, "  | ask", |level| (level.ask_px, level.ask_qty));
    if book.total_bid_qty != UNDEF_QTY || book.total_ask_qty != UNDEF_QTY {
        let _ = write!(out, "  | all {} / {}", qty(book.total_bid_qty), qty(book.total_ask_qty));
    }
}

fn write_status(out: &mut Vec<u8>, status: &Status) {
    let mut parts = Vec::new();
    match status.halt {
        b'Y' => parts.push("halted".to_owned()),
        b'N' => parts.push("trading".to_owned()),
        _ => {}
    }
    let reason = code(&status.reason);
    if !reason.is_empty() {
        parts.push(reason.into_owned());
    }
    let class = code(&status.mkop_cls);
    if !class.is_empty() {
        parts.push(format!("market operation {class}"));
    }
    if !matches!(status.vi_cls, 0 | b' ' | b'N' | b'0') {
        parts.push(format!("volatility interruption {}", code(&[status.vi_cls])));
    }
    if status.source != 0 {
        parts.push("by the calendar".to_owned());
    }
    out.extend_from_slice(parts.join(", ").as_bytes());
}

fn write_instrument(out: &mut Vec<u8>, instrument: &Instrument) {
    let currency = code(&instrument.currency);
    let comma = if currency.is_empty() { "" } else { ", " };
    let (market, symbol) = (code(&instrument.key.market), code(&instrument.key.symbol));
    let _ = write!(out, "id {} stands for {market} {symbol}{comma}{currency}", instrument.header.instrument_id);
}

fn write_gap(out: &mut Vec<u8>, gap: &Gap) {
    let why = match GapReason::from_number(gap.reason) {
        Some(GapReason::VolumeJump) => "the volume jumps",
        Some(GapReason::Disconnect) => "the connection was lost",
        None => "for an unknown reason",
    };
    let trades = match gap.missing_trades {
        UNDEF_QTY => String::new(),
        trades => format!(" in {} trades", count(trades)),
    };
    let (from, to) = (korean_time(gap.from_ts), korean_time(gap.to_ts));
    let _ = write!(out, "gap {}: {} missing{trades}, {why}, {from} to {to}", gap.gap_id, qty(gap.missing_qty));
}

fn write_repair(out: &mut Vec<u8>, repair: &Repair) {
    let _ = write!(out, "gap {}: {} filled in, ", repair.gap_id, qty(repair.filled_qty));
    let _ = match repair.missing_qty {
        0 => write!(out, "nothing missing any more"),
        missing => write!(out, "{} still missing", qty(missing)),
    };
}

fn write_session(out: &mut Vec<u8>, session: &Session, line: u16) {
    let _ = write!(out, "line {line} ");
    let what = [tr_name(session.tr).unwrap_or_default(), &*code(&session.tr_key)].join(" ");
    let what = what.trim();
    let _ = match SessionEvent::from_number(session.event) {
        Some(SessionEvent::Connected) => write!(out, "connected"),
        Some(SessionEvent::Subscribed) => write!(out, "asked for {what}"),
        Some(SessionEvent::Acked) => write!(out, "registered {what}"),
        Some(SessionEvent::Refused) => write!(out, "was refused {what}"),
        Some(SessionEvent::Stalled) => write!(out, "stalled: what comes behind it is full"),
        Some(SessionEvent::Resumed) => write!(out, "goes on after {}", nanos(session.value)),
        Some(SessionEvent::Disconnected) => {
            let _ = write!(out, "disconnected (reason {}", session.reason);
            match session.close_code {
                0 => write!(out, ")"),
                close => write!(out, ", close code {close})"),
            }
        }
        Some(SessionEvent::SchemaChanged) => write!(out, "{what} has {} fields now", session.value),
        Some(SessionEvent::Stopped) => {
            let why = StopReason::from_number(session.reason).map_or("unknown", StopReason::name);
            write!(out, "stops taking ticks ({why})")
        }
        Some(SessionEvent::LowSpace) => write!(out, "little room on the disk: {} bytes free", qty(session.value)),
        Some(SessionEvent::SpaceReturned) => write!(out, "room on the disk again: {} bytes free", qty(session.value)),
        Some(SessionEvent::NoSegment) => {
            write!(out, "the next segment can't be prepared: system error {}", session.value)
        }
        Some(SessionEvent::SyncFailing) => {
            write!(out, "writing back to the disk fails and is tried again: system error {}", session.value)
        }
        Some(SessionEvent::SyncReturned) => write!(out, "writing back to the disk succeeds again"),
        Some(SessionEvent::Unsubscribed) => write!(out, "asked to withdraw {what}"),
        Some(SessionEvent::Withdrawn) => write!(out, "withdrew {what}"),
        Some(SessionEvent::BackingOff) => write!(out, "waits {} before it connects", nanos(session.value)),
        Some(SessionEvent::Silent) => write!(out, "is made anew: nothing came for {}", nanos(session.value)),
        Some(SessionEvent::NoData) => write!(out, "is made anew: no data for {}", nanos(session.value)),
        Some(SessionEvent::PairSilent) => write!(out, "has had nothing of {what} for {}", nanos(session.value)),
        Some(SessionEvent::PairTicks) => write!(out, "has {what} again after {}", nanos(session.value)),
        Some(SessionEvent::LeftOut) => write!(out, "does without {what}"),
        Some(SessionEvent::Verified) if session.value == 0 => write!(out, "brings all it should"),
        Some(SessionEvent::Verified) => write!(out, "lacks {}", qty(session.value)),
        Some(SessionEvent::ListChanged) => write!(out, "records {} registrations now", qty(session.value)),
        Some(SessionEvent::CalendarChecked) if session.value == 0 => write!(out, "the broker's calendar is ours"),
        Some(SessionEvent::CalendarChecked) => {
            write!(out, "the broker's calendar differs on {} dates", qty(session.value))
        }
        Some(SessionEvent::CalendarDiffers) => write!(out, "the broker's calendar differs"),
        Some(SessionEvent::PollingBegan) => {
            write!(out, "down for {}: snapshots by REST, not ticks", nanos(session.value))
        }
        Some(SessionEvent::PollingEnded) => write!(out, "no more snapshots, {} were taken", qty(session.value)),
        Some(SessionEvent::Moved) => write!(out, "gives {what} to line {}", session.value),
        Some(SessionEvent::ChangeDelayed) => write!(out, "changes {what} in {}", nanos(session.value)),
        Some(SessionEvent::ApprovalRenewed) => write!(out, "has a new approval key"),
        Some(SessionEvent::NoticesDropped) => write!(out, "does without {what}"),
        Some(SessionEvent::Postponed) if what.is_empty() => write!(out, "asks again in {}", nanos(session.value)),
        Some(SessionEvent::Postponed) => write!(out, "asks for {what} again in {}", nanos(session.value)),
        Some(SessionEvent::Barred) => write!(out, "stays closed"),
        Some(SessionEvent::NoticeUnread) => write!(out, "could not read {} account notices", qty(session.value)),
        Some(SessionEvent::AppKeyHeld) => write!(out, "waits for another program that holds its app key"),
        Some(SessionEvent::SegmentReturned) => write!(out, "the next segment could be prepared now"),
        None => write!(out, "event {}", session.event),
    };
    for text in [code(&session.code), code(&session.text)] {
        if !text.is_empty() {
            let _ = write!(out, ", {text}");
        }
    }
}

fn write_clock(out: &mut Vec<u8>, clock: &Clock) {
    let ahead = if clock.offset_ns < 0 { "behind" } else { "ahead" };
    let offset = nanos(clock.offset_ns.unsigned_abs());
    let error = match clock.error_ns {
        u64::MAX => "error not known".to_owned(),
        error => format!("at most {} wrong", nanos(error)),
    };
    let _ = write!(out, "clock {offset} {ahead}, {error}; market time {}", korean_time(clock.anchor_market_ns));
    if clock.scale_ppb != 1_000_000_000 {
        let _ = write!(out, ", {} times as fast", clock.scale_ppb as f64 / 1e9);
    }
}

fn write_hole(out: &mut Vec<u8>, hole: &Hole) {
    let why = match HoleReason::from_number(hole.reason) {
        Some(HoleReason::Damaged) => "damaged",
        Some(HoleReason::Missing) => "their segment was missing",
        Some(HoleReason::CutShort) => "marked durable and not there",
        Some(HoleReason::LeftOut) => "left out of this journal",
        None => "for an unknown reason",
    };
    let _ = match hole.last_sequence.wrapping_add(1).saturating_sub(hole.first_sequence) {
        0 => write!(out, "bytes lost here, no record known to be ({why})"),
        1 => write!(out, "record {} is lost ({why})", hole.first_sequence),
        lost => {
            write!(out, "{} records are lost, {} to {} ({why})", count(lost), hole.first_sequence, hole.last_sequence)
        }
    };
    if hole.bytes > 0 {
        let _ = write!(out, ", {}", bytes(hole.bytes));
    }
}

fn write_frame(out: &mut Vec<u8>, frame: &[u8]) {
    for character in String::from_utf8_lossy(frame).chars().take(FRAME_CHARS) {
        let character = if character.is_control() { '.' } else { character };
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// Zero-padded bytes as text that stays on its line.
fn code(bytes: &[u8]) -> Cow<'_, str> {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let text = String::from_utf8_lossy(&bytes[..end]);
    if text.chars().any(char::is_control) {
        return Cow::Owned(text.chars().map(|c| if c.is_control() { '.' } else { c }).collect());
    }
    text
}

fn qty(quantity: u64) -> String {
    if quantity == UNDEF_QTY { "-".to_owned() } else { count(quantity) }
}

fn change(change: i64) -> String {
    match change {
        crate::tick::UNDEF_CHANGE => "-".to_owned(),
        change if change < 0 => format!("-{}", count(change.unsigned_abs())),
        change => format!("+{}", count(change.unsigned_abs())),
    }
}

/// A price with separators, exact: `93,000`, `-1,234.5`.
fn px(px: i64) -> String {
    if px == UNDEF_PX {
        return "-".to_owned();
    }
    let mut digits = Vec::new();
    write_scaled(&mut digits, px, 9);
    let text = String::from_utf8_lossy(&digits);
    let (sign, text) = text.strip_prefix('-').map_or(("", &*text), |rest| ("-", rest));
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), count);
    match fraction {
        Some(fraction) => format!("{sign}{whole}.{fraction}"),
        None => format!("{sign}{whole}"),
    }
}

/// Date and time of day in Korea with microseconds.
fn korean_time(ns: u64) -> String {
    if ns == UNDEF_TS {
        return "-".to_owned();
    }
    format!("{}.{:06}", kst::text(ns), kst::civil(ns).subsec_nanosecond() / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tick::PX_SCALE;

    #[test]
    fn prices_are_exact_and_have_separators() {
        let half = PX_SCALE / 2;
        let prices =
            [0, PX_SCALE, 93_000 * PX_SCALE, 1_234_567 * PX_SCALE + half, -(1_000 * PX_SCALE) - half, UNDEF_PX];
        assert_eq!(prices.map(px), ["0", "1", "93,000", "1,234,567.5", "-1,000.5", "-"]);
        assert_eq!([5, -1_234, 0].map(change), ["+5", "-1,234", "+0"]);
    }

    #[test]
    fn every_kind_is_one_line_even_of_hostile_bytes() {
        for kind in RType::ALL {
            for fill in [0_u8, 0x0a, 0x1b, 0x7f, 0xff] {
                let mut bytes = vec![fill; 1024];
                bytes[36] = kind as u8;
                let mut out = Vec::new();
                write_body(&mut out, &view(&bytes).unwrap(), 1);
                assert!(!out.iter().any(|byte| *byte < b' '), "{kind:?} {fill}");
            }
        }
    }
}
