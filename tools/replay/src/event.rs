//! Event time: when a record happened, and how far event time as a whole has come.

use hoga::market::kst::{DAY_NS, KST_NS};
use hoga::tick::{Flags, HEADER_BYTES, Header, Market, RType, UNDEF_TS};

/// So many records in a row must lie further ahead than a step before event time follows them.
const JUMP_RECORDS: usize = 32;
/// For so many records a time waits to be confirmed by a second one.
const CONFIRM_RECORDS: u64 = 32;

/// When a market record happened by the exchange's clock, ns since the UNIX epoch; `None` where the feed did not tell.
///
/// A time of day without a date is of the day that brings it nearest to `ts_recv`.
pub fn event_time(header: &Header, market: &Market) -> Option<u64> {
    if market.ts_event == UNDEF_TS {
        return None;
    }
    if header.flags & Flags::EVENT_TIME_ONLY == 0 {
        return Some(market.ts_event);
    }
    // The day of `ts_recv`, the one before or the one after.
    let midnight = header.ts_recv.saturating_add(KST_NS) / DAY_NS * DAY_NS;
    let on_day = |day: u64| day.saturating_add(market.ts_event).saturating_sub(KST_NS);
    let days = [midnight, midnight.saturating_sub(DAY_NS), midnight.saturating_add(DAY_NS)];
    days.map(on_day).into_iter().min_by_key(|ts| ts.abs_diff(header.ts_recv))
}

/// The market part of a record; `None` of a service record.
pub fn market_of(header: &Header, bytes: &[u8]) -> Option<Market> {
    let is_market = RType::from_number(header.rtype).is_some_and(RType::is_market);
    let part = bytes.get(HEADER_BYTES..HEADER_BYTES + size_of::<Market>()).filter(|_| is_market)?;
    Some(bytemuck::pod_read_unaligned(part))
}

/// How far event time has come, told by records that may be out of order and of which some may be dated wrongly.
///
/// A time counts when a second record nearby is as late, and a step forward is at most as long as what follows waits for
/// late records anyway; where records go on further ahead (a night, a pause) 32 in a row must say so. One record with a
/// wrong date therefore moves nothing.
#[derive(Debug)]
pub struct EventClock {
    step_ns: u64,
    now: u64,
    records: u64,
    /// The latest time not confirmed, and the number of its record.
    pending: Option<(u64, u64)>,
    ahead: Vec<u64>,
}

impl EventClock {
    /// A clock that goes by at most `step_ns` at once.
    pub fn new(step_ns: u64) -> EventClock {
        EventClock { step_ns, now: 0, records: 0, pending: None, ahead: Vec::with_capacity(JUMP_RECORDS) }
    }

    /// Event time so far, ns since the UNIX epoch; never goes back. 0 = not enough records to tell.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Whether a time lies so far ahead that other records must tell it, too.
    pub fn is_far(&self, time: u64) -> bool {
        time > self.now.saturating_add(self.step_ns)
    }

    /// Takes the time of a record.
    pub fn see(&mut self, time: u64) {
        self.records += 1;
        if self.is_far(time) {
            self.ahead.push(time);
            if self.ahead.len() >= JUMP_RECORDS {
                // The middle one: neither the wrong ones among them decide, nor the one that came first.
                let middle = JUMP_RECORDS / 2;
                let (_, median, _) = self.ahead.select_nth_unstable(middle);
                self.now = *median;
                self.ahead.clear();
                self.pending = None;
            }
            return;
        }
        self.ahead.clear();
        if time <= self.now {
            return;
        }
        self.pending = match self.pending {
            Some((before, at)) if self.records - at <= CONFIRM_RECORDS => {
                self.now = self.now.max(before.min(time));
                Some(if time >= before { (time, self.records) } else { (before, at) })
            }
            _ => Some((time, self.records)),
        };
    }
}

#[cfg(test)]
mod tests {
    use bytemuck::Zeroable as _;

    use super::*;

    const SECOND: u64 = 1_000_000_000;
    /// 2026-11-20T00:00:00 in Korea.
    const MIDNIGHT: u64 = 1_795_100_400 * SECOND;

    fn started() -> EventClock {
        let mut clock = EventClock::new(5 * SECOND);
        for _ in 0..JUMP_RECORDS {
            clock.see(MIDNIGHT);
        }
        assert_eq!(clock.now(), MIDNIGHT);
        clock
    }

    #[test]
    fn a_time_without_a_date_takes_the_nearest() {
        let header = |ts_recv, flags| Header { ts_recv, flags, ..Header::zeroed() };
        let market = |ts_event| Market { ts_event, ..Market::zeroed() };
        let late = market(86_399 * SECOND);
        assert_eq!(event_time(&header(MIDNIGHT + 5, Flags::EVENT_TIME_ONLY), &late), Some(MIDNIGHT - SECOND));
        assert_eq!(event_time(&header(MIDNIGHT - 5, Flags::EVENT_TIME_ONLY), &market(1)), Some(MIDNIGHT + 1));
        assert_eq!(event_time(&header(MIDNIGHT, 0), &market(UNDEF_TS)), None);
        assert_eq!(event_time(&header(MIDNIGHT, 0), &market(77)), Some(77));
    }

    #[test]
    fn one_record_ahead_moves_nothing_however_far_it_is() {
        let mut clock = started();
        for ahead in [SECOND, 4 * SECOND, 3600 * SECOND, 400 * DAY_NS, u64::MAX - MIDNIGHT] {
            clock.see(MIDNIGHT + ahead);
            for _ in 0..2 * CONFIRM_RECORDS {
                clock.see(MIDNIGHT);
            }
            assert_eq!(clock.now(), MIDNIGHT, "{ahead}");
        }
    }

    #[test]
    fn two_records_move_it_to_the_earlier_and_by_no_more_than_a_step() {
        let mut clock = started();
        clock.see(MIDNIGHT + 3 * SECOND);
        clock.see(MIDNIGHT + 2 * SECOND);
        assert_eq!(clock.now(), MIDNIGHT + 2 * SECOND);
        for _ in 0..JUMP_RECORDS - 1 {
            clock.see(MIDNIGHT + 60 * SECOND);
        }
        assert_eq!(clock.now(), MIDNIGHT + 2 * SECOND);
        clock.see(MIDNIGHT + 60 * SECOND);
        assert_eq!(clock.now(), MIDNIGHT + 60 * SECOND, "so many in a row are a pause that ended");
    }

    #[test]
    fn a_first_record_of_another_year_does_not_start_the_clock() {
        let mut clock = EventClock::new(5 * SECOND);
        clock.see(MIDNIGHT + 400 * DAY_NS);
        for _ in 0..JUMP_RECORDS {
            clock.see(MIDNIGHT);
        }
        assert_eq!(clock.now(), MIDNIGHT);
    }
}
