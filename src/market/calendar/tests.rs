//! The shipped calendar, the operator's corrections, the broker's answer.

use std::io::Write as _;

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::market::phase::at;

const NS: u64 = 1_000_000_000;

fn shipped() -> &'static Calendar {
    Calendar::shipped()
}

fn instant(date: Date, hour: u32, minute: u32) -> u64 {
    kst::instant(date, at(hour, minute, 0)).unwrap()
}

fn text(sessions: &[Session]) -> Vec<String> {
    let line = |session: &Session| {
        let (from, to) = (kst::time_text(session.from), kst::time_text(session.to));
        format!("{} {}-{}", session.phase.calendar_name(), from.trim_end_matches(":00"), to.trim_end_matches(":00"))
    };
    sessions.iter().map(line).collect()
}

fn day(venue: Venue, date: Date) -> Vec<String> {
    text(&shipped().sessions(venue, date).unwrap())
}

fn days(first: Date, last: Date) -> impl Iterator<Item = Date> {
    first.series(jiff::Span::new().days(1)).take_while(move |date| *date <= last)
}

#[test]
fn every_year_has_as_many_sessions_as_the_exchange_held() {
    let counts = [248, 246, 243, 244, 246, 248, 248, 246, 245, 244, 242, 244, 245];
    for (year, count) in (2015..).zip(counts) {
        let open = |date: &Date| shipped().is_trading_day(Venue::Krx, *date).unwrap();
        assert_eq!(days(date(year, 1, 1), date(year, 12, 31)).filter(open).count(), count, "{year}");
    }
}

#[test]
fn every_closure_has_a_reason_and_every_fact_a_source() {
    for date in days(shipped().first, shipped().last) {
        let day = shipped().day(Venue::Krx, date).unwrap();
        assert_eq!(day.sessions.is_empty(), !day.is_trading, "{date}");
        match day.reason {
            None => assert!(day.is_trading && day.source.is_none(), "{date}"),
            Some(WEEKEND) => assert!(day.source.is_none(), "{date}"),
            Some(reason) => {
                assert!(!reason.is_empty() && day.source.is_some_and(|source| !source.is_empty()), "{date}")
            }
        }
        assert!(day.is_trading || day.reason.is_some(), "{date}");
    }
}

#[test]
fn each_year_has_one_first_trading_day_and_an_exam() {
    for year in 2015..=2027 {
        let all = || days(date(year, 1, 1), date(year, 12, 31)).map(|date| shipped().day(Venue::Krx, date).unwrap());
        let first = all().find(|day| day.is_trading).unwrap();
        assert_eq!(first.reason, DayKind::FirstTradingDay.reason(), "{year}");
        let exams = all().filter(|day| day.reason == DayKind::CollegeEntranceExam.reason()).count();
        // In 2017 an earthquake moved the exam by a week; the hours of the first day stayed.
        assert_eq!(exams, if year == 2017 { 2 } else { 1 }, "{year}");
        assert_eq!(all().filter(|day| day.reason == DayKind::FirstTradingDay.reason()).count(), 1, "{year}");
    }
}

#[test]
fn an_ordinary_day_before_and_after_2026_09_14() {
    let morning = [
        "opening_auction 08:30-09",
        "closing_price 08:30-08:40",
        "continuous 09-15:20",
        "closing_auction 15:20-15:30",
        "closing_price 15:40-16",
    ];
    let with = |evening| morning.into_iter().chain([evening]).collect::<Vec<_>>();
    assert_eq!(day(Venue::Krx, date(2026, 9, 11)), with("single_price 16-18"));
    assert_eq!(day(Venue::Krx, date(2026, 9, 14)), with("after_market 16-20"));
    let nxt = [
        "pre_market 08-08:50",
        "continuous 09:00:30-15:20",
        "after_auction 15:30-15:40",
        "closing_price 15:30-16",
        "after_market 15:40-20",
    ];
    assert_eq!(day(Venue::Nxt, date(2026, 9, 11)), nxt);
    assert_eq!(day(Venue::Nxt, date(2026, 9, 14)), nxt);
    let derivatives =
        ["opening_auction 08:30-08:45", "continuous 08:45-15:35", "closing_auction 15:35-15:45", "night 18-06"];
    assert_eq!(day(Venue::KrxDerivatives, date(2026, 9, 14)), derivatives);
}

#[test]
fn the_exam_s_day_the_first_trading_day_and_a_holiday() {
    let exam = date(2026, 11, 19);
    assert_eq!(
        day(Venue::Krx, exam),
        [
            "opening_auction 09:30-10",
            "closing_price 09:30-09:40",
            "continuous 10-16:20",
            "closing_auction 16:20-16:30",
            "closing_price 16:40-17",
            "after_market 17-20"
        ]
    );
    assert_eq!(
        day(Venue::Nxt, exam),
        ["continuous 10-16:20", "after_auction 16:30-16:40", "closing_price 16:30-17", "after_market 16:40-20"]
    );
    assert_eq!(day(Venue::KrxDerivatives, exam).last().unwrap(), "night 19-06");
    assert_eq!(shipped().day(Venue::Krx, exam).unwrap().certainty, Certainty::Expected);
    let first = date(2026, 1, 2);
    let morning = ["opening_auction 09:30-10", "closing_price 09:30-09:40", "continuous 10-15:20"];
    assert_eq!(day(Venue::Krx, first)[..3], morning);
    let nxt =
        ["continuous 10:00:30-15:20", "after_auction 15:30-15:40", "closing_price 15:30-16", "after_market 15:40-20"];
    assert_eq!(day(Venue::Nxt, first), nxt);
    assert_eq!(day(Venue::KrxDerivatives, first)[1], "continuous 09:45-15:35");
    let holiday = shipped().day(Venue::Nxt, date(2026, 7, 17)).unwrap();
    assert_eq!((holiday.is_trading, holiday.reason, holiday.sessions.len()), (false, Some("Constitution Day"), 0));
}

#[test]
fn days_of_the_past_have_the_hours_of_their_time() {
    let early = [
        "closing_price 07:30-08:30",
        "opening_auction 08-09",
        "continuous 09-14:50",
        "closing_auction 14:50-15",
        "closing_price 15:10-15:30",
        "single_price 15:30-18",
    ];
    assert_eq!(day(Venue::Krx, date(2016, 7, 29)), early);
    assert_eq!(
        day(Venue::KrxDerivatives, date(2016, 7, 29)),
        ["opening_auction 08-09", "continuous 09-15:05", "closing_auction 15:05-15:15"]
    );
    assert_eq!(day(Venue::Krx, date(2017, 11, 23))[..2], ["closing_price 08:30-09:30", "opening_auction 09-10"]);
    assert_eq!(day(Venue::Krx, date(2017, 1, 2))[..2], ["closing_price 08:30-09:30", "opening_auction 09-10"]);
    let nxt = shipped().day(Venue::Nxt, date(2025, 3, 3)).unwrap();
    assert!(!nxt.is_trading && nxt.reason.is_some());
    assert_eq!(shipped().day(Venue::Nxt, date(2025, 2, 28)).unwrap().reason, Some("the venue had not begun"));
    assert!(shipped().is_trading_day(Venue::Nxt, date(2025, 3, 4)).unwrap());
}

#[test]
fn the_eve_of_long_holidays_has_no_night_and_says_so_to_derivatives_alone() {
    let eve = date(2026, 2, 13);
    assert_eq!(day(Venue::KrxDerivatives, eve).last().unwrap(), "closing_auction 15:35-15:45");
    assert!(shipped().day(Venue::KrxDerivatives, eve).unwrap().reason.unwrap().starts_with("no night session"));
    assert_eq!(shipped().day(Venue::Krx, eve).unwrap().reason, None);
}

#[test]
fn evenings_before_long_holidays_to_come_are_without_a_night_as_far_as_is_known() {
    let eves = [
        (date(2026, 9, 23), Certainty::Expected),
        (date(2027, 2, 5), Certainty::Projected),
        (date(2027, 9, 13), Certainty::Projected),
    ];
    for (eve, certainty) in eves {
        let day = shipped().day(Venue::KrxDerivatives, eve).unwrap();
        assert_eq!(day.certainty, certainty, "{eve}");
        assert!(day.reason.unwrap().starts_with("no night session: Eve of"), "{eve}");
        assert_eq!(text(&day.sessions).last().unwrap(), "closing_auction 15:35-15:45", "{eve}");
        assert!(shipped().hours(Publisher::KisKrxNight, eve).is_err(), "{eve}: it isn't certain");
        assert!(shipped().day(Venue::Krx, eve).unwrap().reason.is_none());
    }
    assert_eq!(shipped().hours(Publisher::KisKrxNight, date(2026, 2, 13)), Ok(None));
}

#[test]
fn outside_the_years_known_nothing_is_said() {
    for unknown in [date(2014, 12, 31), date(2028, 1, 1), date(1970, 1, 1), date(9999, 12, 31), date(-1, 1, 1)] {
        for venue in Venue::ALL {
            assert_eq!(shipped().is_trading_day(venue, unknown).unwrap_err().date, unknown);
            assert!(shipped().sessions(venue, unknown).is_err());
        }
    }
    let end = instant(date(2027, 12, 30), 20, 0);
    assert_eq!(shipped().next_open(Venue::Krx, end).unwrap_err().date, date(2028, 1, 1));
    assert_eq!(shipped().next_trading_day(Venue::Krx, date(2027, 12, 30)).unwrap_err().date, date(2028, 1, 1));
    assert!(shipped().phase_at(Venue::Krx, u64::MAX).is_err());
    let said = shipped().is_trading_day(Venue::Krx, date(2028, 1, 3)).unwrap_err().to_string();
    assert!(said.contains("2028-01-03") && said.contains("2015-01-01 to 2027-12-31"), "{said}");
}

#[test]
fn the_next_trading_day_leaps_holidays() {
    let next = |year, month, day| shipped().next_trading_day(Venue::Krx, date(year, month, day)).unwrap();
    assert_eq!(next(2025, 10, 2), date(2025, 10, 10));
    assert_eq!(next(2026, 12, 30), date(2027, 1, 4));
    assert_eq!(next(2026, 11, 21), date(2026, 11, 23));
    assert_eq!(shipped().next_trading_day(Venue::Nxt, date(2024, 1, 1)).unwrap(), date(2025, 3, 4));
}

#[test]
fn the_phase_of_an_instant_is_exact() {
    let phase = |venue, ns| shipped().phase_at(venue, ns).unwrap();
    let close = instant(date(2026, 11, 20), 15, 30);
    assert_eq!(phase(Venue::Krx, close - 1), Phase::ClosingAuction);
    assert_eq!(phase(Venue::Krx, close), Phase::Closed);
    assert_eq!(phase(Venue::Nxt, close), Phase::AfterAuction);
    assert_eq!(phase(Venue::KrxDerivatives, instant(date(2026, 11, 21), 5, 59)), Phase::Night);
    assert_eq!(phase(Venue::KrxDerivatives, instant(date(2026, 11, 21), 6, 0)), Phase::Closed);
    assert_eq!(phase(Venue::Krx, instant(date(2015, 1, 1), 3, 0)), Phase::Closed);
}

#[test]
fn closing_price_trading_beside_an_auction_is_listed_and_the_auction_remains_the_phase() {
    let monday = date(2026, 11, 23);
    let beside = |venue, date| {
        let sessions = shipped().sessions(venue, date).unwrap();
        let ascends = sessions.is_sorted_by_key(|session| session.from);
        let found = sessions.into_iter().find(|session| session.phase == Phase::ClosingPrice);
        (text(found.as_slice()), ascends)
    };
    assert_eq!(beside(Venue::Krx, monday), (vec!["closing_price 08:30-08:40".to_owned()], true));
    assert_eq!(beside(Venue::Nxt, monday), (vec!["closing_price 15:30-16".to_owned()], true));
    assert_eq!(beside(Venue::KrxDerivatives, monday).0, [""; 0]);
    let phase = |venue, date, hour, minute| shipped().phase_at(venue, instant(date, hour, minute)).unwrap();
    assert_eq!(phase(Venue::Krx, monday, 8, 35), Phase::OpeningAuction);
    assert_eq!(phase(Venue::Nxt, monday, 15, 35), Phase::AfterAuction);
    assert_eq!(phase(Venue::Krx, date(2018, 6, 1), 8, 15), Phase::OpeningAuction);
    let opening = shipped().next_open(Venue::Krx, instant(monday, 8, 30)).unwrap();
    assert_eq!((opening.date, opening.second), (monday, at(15, 40, 0)), "nothing opens at 08:40");
}

#[test]
fn the_next_opening_is_after_breaks_nights_weekends_and_holidays() {
    let open = |venue, ns| {
        let opening = shipped().next_open(venue, ns).unwrap();
        assert_eq!(kst::instant(opening.date, opening.second), Some(opening.ns));
        (kst::text(opening.ns), opening.phase)
    };
    let said = |text: &str, phase| (text.to_owned(), phase);
    let friday = date(2026, 11, 20);
    assert_eq!(open(Venue::Krx, instant(friday, 20, 0)), said("2026-11-23 08:30:00", Phase::OpeningAuction));
    assert_eq!(open(Venue::Krx, instant(friday, 15, 25)), said("2026-11-20 15:40:00", Phase::ClosingPrice));
    assert_eq!(open(Venue::Nxt, instant(friday, 8, 50)), said("2026-11-20 09:00:30", Phase::Regular));
    assert_eq!(open(Venue::KrxDerivatives, instant(friday, 19, 0)), said("2026-11-23 08:30:00", Phase::OpeningAuction));
    assert_eq!(
        open(Venue::Krx, instant(date(2026, 12, 30), 21, 0)),
        said("2027-01-04 09:30:00", Phase::OpeningAuction)
    );
    assert_eq!(open(Venue::Nxt, instant(date(2026, 11, 18), 21, 0)), said("2026-11-19 10:00:00", Phase::Regular));
    // At the opening itself the next one is later: the instant is not in the future.
    let nine = instant(friday, 8, 30);
    assert_eq!(shipped().next_open(Venue::Krx, nine - 1).unwrap().ns, nine);
    assert_eq!(open(Venue::Krx, nine), said("2026-11-20 15:40:00", Phase::ClosingPrice));
}

proptest! {
    #[test]
    fn between_now_and_the_next_opening_it_only_closes_once(
        venue in prop::sample::select(Venue::ALL.to_vec()),
        minutes in 0_u64..12 * 365 * 1440,
    ) {
        let from = instant(date(2015, 1, 2), 0, 0) + minutes * 60 * NS;
        let opening = shipped().next_open(venue, from).unwrap();
        prop_assert!(opening.ns > from);
        prop_assert_eq!(shipped().phase_at(venue, opening.ns).unwrap(), opening.phase);
        prop_assert_eq!(shipped().phase_at(venue, opening.ns - 1).unwrap(), Phase::Closed);
        let mut closed = false;
        let step = ((opening.ns - from) / 200).max(30 * NS);
        let mut ns = from;
        while ns < opening.ns {
            let is_closed = shipped().phase_at(venue, ns).unwrap() == Phase::Closed;
            prop_assert!(is_closed || !closed, "{} opens before {}", kst::text(ns), kst::text(opening.ns));
            closed = is_closed;
            ns += step;
        }
    }
}

fn corrected(lines: &str) -> Result<Calendar, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(lines.as_bytes()).unwrap();
    let name = file.path().display().to_string();
    shipped().with_overrides(file.path()).map_err(|error| {
        let said = error.to_string();
        assert!(said.contains(&name), "the file is named: {said}");
        said
    })
}

#[test]
fn an_operator_closes_opens_and_moves_days() {
    let calendar = corrected(
        r#"
        [[close]]
        date = 2027-04-07
        reason = "by-election"
        [[open]]
        date = 2027-05-03
        reason = "no substitute"
        venues = ["KRX", "krx-derivatives"]
        [[open]]
        date = 2027-07-19
        reason = "no substitute either"
        [[hours]]
        date = 2027-07-19
        venues = ["KRX"]
        reason = "late after a failure"
        phases = [
          { phase = "opening_auction", from = 10:30:00, to = 11:00:00 },
          { phase = "continuous", from = 11:00:00, to = 15:20:00 },
          { phase = "after_market", from = 16:00:00, to = 20:00:00 },
        ]
        [[hours]]
        date = 2027-11-25
        kind = "college_entrance_exam"
        reason = "the exam was moved"
        "#,
    )
    .unwrap();
    let closed = calendar.day(Venue::Nxt, date(2027, 4, 7)).unwrap();
    assert_eq!((closed.is_trading, closed.reason, closed.certainty), (false, Some("by-election"), Certainty::Operator));
    assert!(calendar.is_trading_day(Venue::Krx, date(2027, 5, 3)).unwrap());
    assert!(!calendar.is_trading_day(Venue::Nxt, date(2027, 5, 3)).unwrap(), "named venues alone");
    let late = calendar.day(Venue::Krx, date(2027, 7, 19)).unwrap();
    assert_eq!(late.reason, Some("late after a failure"));
    assert_eq!(text(&late.sessions), ["opening_auction 10:30-11", "continuous 11-15:20", "after_market 16-20"]);
    assert_eq!(calendar.phase_at(Venue::Krx, instant(date(2027, 7, 19), 15, 25)).unwrap(), Phase::Closed);
    assert!(calendar.is_trading_day(Venue::Nxt, date(2027, 7, 19)).unwrap());
    let moved = calendar.day(Venue::Krx, date(2027, 11, 25)).unwrap();
    assert_eq!(text(&moved.sessions)[2], "continuous 10-16:20");
    // The rest is as it was.
    assert_eq!(calendar.day(Venue::Krx, date(2026, 11, 19)), shipped().day(Venue::Krx, date(2026, 11, 19)));
    assert_eq!(
        corrected("").unwrap().sessions(Venue::Krx, date(2027, 1, 4)),
        shipped().sessions(Venue::Krx, date(2027, 1, 4))
    );
}

#[test]
fn hours_of_a_day_of_derivatives_leave_them_their_night() {
    let entry = |lines: &str| {
        format!("[[hours]]\nvenues = [\"KRX-DERIVATIVES\"]\nreason = \"late after a failure\"\n{lines}\n")
    };
    let day = "{ phase = \"continuous\", from = 10:45:00, to = 15:35:00 }";
    let night = "{ phase = \"night\", from = 20:00:00, to = 06:00:00 }";
    let monday = date(2026, 11, 23);
    let told = |lines: &str| {
        let calendar = corrected(&entry(lines)).unwrap();
        let feed = |publisher| calendar.hours(publisher, monday).unwrap();
        let at = |second| kst::instant(monday, second).unwrap();
        let hours = [Publisher::KisKrxDeriv, Publisher::KisKrxNight]
            .map(feed)
            .map(|hours| hours.map(|(from, to)| ((from - at(0)) / NS / 60, (to - at(0)) / NS / 60)));
        (text(&calendar.sessions(Venue::KrxDerivatives, monday).unwrap()), hours)
    };
    let (in_minutes, standard) = (Some((645, 935)), Some((1080, 1800)));
    assert_eq!(
        told(&format!("date = 2026-11-23\nphases = [{day}]")),
        (vec!["continuous 10:45-15:35".to_owned(), "night 18-06".to_owned()], [in_minutes, standard])
    );
    assert_eq!(
        told(&format!("date = 2026-11-23\nphases = [{day}, {night}]")),
        (vec!["continuous 10:45-15:35".to_owned(), "night 20-06".to_owned()], [in_minutes, Some((1200, 1800))])
    );
    assert_eq!(
        told(&format!("date = 2026-11-23\nnight = false\nphases = [{day}]")),
        (vec!["continuous 10:45-15:35".to_owned()], [in_minutes, None])
    );
    assert_eq!(told(&format!("date = 2026-11-23\nphases = [{night}]")).1, [None, Some((1200, 1800))]);
    let (sessions, hours) = told("date = 2026-11-23\nnight = false");
    assert_eq!((sessions.last().unwrap().as_str(), hours[1]), ("closing_auction 15:35-15:45", None));
    // An evening that the calendar takes to be without one.
    let eve = corrected(&entry("date = 2026-02-13\nnight = true")).unwrap();
    let evening = instant(date(2026, 2, 13), 19, 0);
    assert_eq!(eve.phase_at(Venue::KrxDerivatives, evening).unwrap(), Phase::Night);
    // The exam's night begins later, whatever its day's hours are.
    let exam = corrected(&entry(&format!("date = 2026-11-19\nphases = [{day}]"))).unwrap();
    let sessions = text(&exam.sessions(Venue::KrxDerivatives, date(2026, 11, 19)).unwrap());
    assert_eq!(sessions.last().unwrap(), "night 19-06");
}

#[test]
fn the_hours_of_the_first_trading_day_go_along_when_another_day_becomes_it() {
    let close = "[[close]]\ndate = 2027-01-04\nreason = \"a day of mourning\"\n";
    let calendar = corrected(close).unwrap();
    for venue in Venue::ALL {
        assert!(!calendar.is_trading_day(venue, date(2027, 1, 4)).unwrap());
        let first = calendar.day(venue, date(2027, 1, 5)).unwrap();
        assert_eq!((first.reason, first.certainty), (DayKind::FirstTradingDay.reason(), Certainty::Operator));
        let opens = first.sessions.iter().find(|session| session.phase == Phase::Regular).unwrap().from;
        assert_eq!(opens, [at(10, 0, 0), at(10, 0, 30), at(9, 45, 0)][venue as usize]);
        assert_eq!(calendar.day(venue, date(2027, 1, 6)), shipped().day(venue, date(2027, 1, 6)));
    }
    // One that is opened before it takes them away; the operator's own word stands.
    let calendar = corrected("[[open]]\ndate = 2027-01-01\nreason = \"no holiday\"\n").unwrap();
    let opens = |calendar: &Calendar, day| calendar.sessions(Venue::Krx, day).unwrap()[0].from;
    assert_eq!((opens(&calendar, date(2027, 1, 1)), opens(&calendar, date(2027, 1, 4))), (at(9, 30, 0), at(8, 30, 0)));
    let ordinary = "[[hours]]\ndate = 2027-01-05\nkind = \"ordinary\"\nreason = \"without a ceremony\"\n";
    let calendar = corrected(&format!("{close}{ordinary}")).unwrap();
    assert_eq!(opens(&calendar, date(2027, 1, 5)), at(8, 30, 0));
    // Nextrade's holiday alone moves no ceremony.
    let calendar = corrected(&close.replace("reason", "venues = [\"NXT\"]\nreason")).unwrap();
    assert_eq!(calendar.day(Venue::Nxt, date(2027, 1, 5)), shipped().day(Venue::Nxt, date(2027, 1, 5)));
    // Before Nextrade began a day is opened without it.
    let calendar = corrected("[[open]]\ndate = 2020-08-17\nreason = \"no holiday\"\n").unwrap();
    assert!(calendar.is_trading_day(Venue::Krx, date(2020, 8, 17)).unwrap());
    assert!(!calendar.is_trading_day(Venue::Nxt, date(2020, 8, 17)).unwrap());
}

#[test]
fn an_override_that_is_not_in_order_is_refused_with_its_line_and_what_to_do() {
    let entry = |lines: &str| format!("# corrections\n[[close]]\n{lines}\n");
    let good = "date = 2027-04-07\nreason = \"r\"";
    let cases = [
        (entry("date = 2028-04-07\nreason = \"r\""), 3, "outside the calendar"),
        (entry("date = 2027-04-07T09:00:00\nreason = \"r\""), 3, "write it as 2027-05-03"),
        (entry("date = \"2027-04-07\"\nreason = \"r\""), 3, "datetime"),
        (entry("date = 2027-02-30\nreason = \"r\""), 3, ""),
        (entry("date = 2027-04-07\nreason = \" \""), 4, "fill in `reason`"),
        (entry("date = 2027-04-07"), 2, "missing field `reason`"),
        (entry(&format!("{good}\nvenue = \"KRX\"")), 5, "unknown field `venue`"),
        (entry(&format!("{good}\nvenues = [\"KSE\"]")), 5, "expected KRX, NXT or KRX-DERIVATIVES"),
        (entry(&format!("{good}\nvenues = [\"KRX\", \"krx\"]")), 5, "named twice"),
        (entry(&format!("{good}\nvenues = []")), 3, "`venues` is empty"),
        (entry(&format!("{good}\n[[close]]\n{good}")), 6, "told in line 3 already"),
        (entry(&format!("{good}\n[[open]]\n{good}\nvenues = [\"NXT\"]")), 6, "told in line 3 already"),
        (format!("[[open]]\n{good}"), 2, "is a trading day of KRX already: remove the entry"),
        ("[[open]]\ndate = 2026-11-19\nreason = \"r\"".to_owned(), 2, "already (college entrance exam (CSAT))"),
        ("[[open]]\ndate = 2020-08-17\nreason = \"r\"\nvenues = [\"NXT\"]".to_owned(), 2, "NXT had not begun"),
        (format!("[[closed]]\n{good}"), 1, "unknown field `closed`"),
        (format!("[[hours]]\n{good}"), 2, "either `kind` or `phases`"),
        (format!("[[hours]]\n{good}\nkind = \"exam\""), 4, "unknown variant `exam`"),
        (format!("[[hours]]\n{good}\nnight = true"), 4, "`night` is of derivatives"),
        (format!("[[hours]]\n{good}\nvenues = [\"KRX\"]\nnight = true"), 5, "`night` is of derivatives"),
        (
            format!(
                "[[hours]]\n{good}\nvenues = [\"KRX-DERIVATIVES\"]\nnight = false\n\
                 phases = [{{ phase = \"night\", from = 20:00:00, to = 06:00:00 }}]"
            ),
            5,
            "leave one of them out",
        ),
        (format!("[[hours]]\n{good}\nphases = []"), 2, "name it, venues"),
        (format!("[[hours]]\n{good}\nvenues = [\"NXT\"]\nphases = []"), 2, "use [[close]]"),
        (
            format!(
                "[[hours]]\n{good}\nvenues = [\"NXT\"]\nphases = [{{ phase = \"lunch\", from = 11:00:00, to = 12:00:00 }}]"
            ),
            5,
            "use one of pre_market, opening_auction, continuous",
        ),
        (
            format!(
                "[[hours]]\n{good}\nvenues = [\"NXT\"]\nphases = [{{ phase = \"night\", from = 2027-04-07, to = 12:00:00 }}]"
            ),
            5,
            "write it as 09:30:00",
        ),
        (
            format!(
                "[[hours]]\n{good}\nvenues = [\"NXT\"]\nphases = [\n{{ phase = \"continuous\", from = 11:00:00, to = 12:00:00 }},\n\
                 {{ phase = \"after_market\", from = 11:30:00, to = 13:00:00 }}]"
            ),
            7,
            "without overlap",
        ),
        ("[[hours]]\ndate = 2027-05-05\nreason = \"r\"\nkind = \"ordinary\"".to_owned(), 2, "add an [[open]] entry"),
        ("[[close]\n".to_owned(), 1, ""),
    ];
    for (lines, line, part) in cases {
        let said = corrected(&lines).err().unwrap_or_else(|| panic!("taken: {lines}"));
        assert!(said.contains(&format!("line {line}:")) && said.contains(part), "{lines}\nline {line}: {part}\n{said}");
    }
    let missing = shipped().with_overrides("no/such/file.toml".as_ref()).unwrap_err().to_string();
    assert!(missing.contains("no/such/file.toml"), "{missing}");
}

fn rows(said: &[(&str, &str)]) -> Vec<HolidayRow> {
    said.iter().map(|(date, open)| HolidayRow { bass_dt: (*date).to_owned(), opnd_yn: (*open).to_owned() }).collect()
}

#[test]
fn a_broker_that_agrees_is_silent_and_one_that_does_not_is_quoted() {
    let agrees = [("20261119", "Y"), ("20261120", "Y"), ("20261121", "N"), ("20261122", "N"), ("20261123", "Y")];
    assert_eq!(compare(shipped(), &rows(&agrees)), []);
    let parts = [("20261120", "N"), ("20261121", "N"), ("20261122", "Y"), ("20261122", "Y")];
    let found = compare(shipped(), &rows(&parts));
    assert_eq!(
        found,
        [
            Difference::ClosedAtBroker { date: date(2026, 11, 20) },
            Difference::OpenAtBroker { date: date(2026, 11, 22), reason: "weekend".to_owned() },
        ]
    );
    assert_eq!(found[1].to_string(), "2026-11-22: open at the broker, closed in the calendar (weekend)");
}

#[test]
fn rows_that_say_nothing_contradict_or_are_missing_are_told() {
    let odd = [
        ("20261120", "Y"),
        ("20261123", "Y"),
        ("20261123", "N"),
        ("2026-11-24", "Y"),
        ("20261131", "Y"),
        ("20261124", "y"),
        ("20280103", "Y"),
    ];
    let found = compare(shipped(), &rows(&odd));
    let is_unreadable = |difference: &&Difference| matches!(difference, Difference::Unreadable { .. });
    assert_eq!(found.iter().filter(is_unreadable).count(), 3);
    assert!(found.contains(&Difference::Missing { date: date(2026, 11, 21) }));
    assert!(found.contains(&Difference::Contradiction { date: date(2026, 11, 23) }));
    assert_eq!(found.last(), Some(&Difference::Unknown { date: date(2028, 1, 3), is_open: true }));
    assert_eq!(compare(shipped(), &[]), []);
}

#[test]
fn rows_are_read_from_the_broker_s_answer_with_columns_to_spare() {
    let answer =
        r#"[{"bass_dt":"20261123","wday_dvsn_cd":"02","bzdy_yn":"Y","tr_day_yn":"Y","opnd_yn":"Y","sttl_day_yn":"Y"}]"#;
    let read: Vec<HolidayRow> = serde_json::from_str(answer).unwrap();
    assert_eq!(read, rows(&[("20261123", "Y")]));
}
