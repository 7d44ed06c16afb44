use super::*;

fn pair(key: &str) -> Registration {
    Registration { tr_id: "H0STCNT0".to_owned(), tr_key: key.to_owned() }
}

fn wanted(keys: &[(&str, u8)]) -> Vec<Wanted> {
    keys.iter().map(|(key, priority)| Wanted { registration: pair(key), priority: *priority }).collect()
}

fn ledger(keys: &[(&str, u8)]) -> Ledger {
    ledger_of(keys, 41)
}

fn ledger_of(keys: &[(&str, u8)], places: usize) -> Ledger {
    let mut ledger = Ledger::new(wanted(keys), places, 1.0);
    ledger.begin();
    ledger
}

/// What is sent: `+A` or `-A`.
fn send(ledger: &mut Ledger) -> String {
    let request = ledger.next().expect("one to ask");
    let said = format!("{}{}", if request.subscribe { '+' } else { '-' }, request.registration.tr_key);
    ledger.sent(request, Instant::now());
    said
}

fn answer(ledger: &mut Ledger, key: &str, code: &str) -> Outcome {
    ledger.answer("H0STCNT0", key, code)
}

#[test]
fn one_is_asked_at_a_time_and_all_are_confirmed() {
    let mut ledger = ledger(&[("A", 0), ("B", 0)]);
    for key in ["A", "B"] {
        assert_eq!(send(&mut ledger), format!("+{key}"));
        assert!(ledger.next().is_none(), "an answer is awaited");
        assert_eq!(answer(&mut ledger, key, "OPSP0000"), Outcome::InForce(pair(key)));
    }
    assert!(ledger.is_settled());
    assert_eq!(ledger.in_force(), 2);
    assert_eq!(answer(&mut ledger, "B", "OPSP0000"), Outcome::Unasked);
    assert_eq!(ledger.in_force(), 2, "an answer that comes twice counts once");
}

#[test]
fn a_registration_that_was_there_before_is_in_force_and_is_not_asked_again() {
    let mut ledger = ledger(&[("A", 0)]);
    send(&mut ledger);
    assert_eq!(answer(&mut ledger, "A", "OPSP0002"), Outcome::InForce(pair("A")));
    assert!(ledger.is_settled());
}

#[test]
fn a_code_of_the_line_counts_as_an_answer_only() {
    let mut ledger = ledger(&[("A", 0)]);
    assert_eq!(ledger.answer("", "", "OPSP8996"), Outcome::Unasked);
    send(&mut ledger);
    assert_eq!(ledger.answer("", "", "OPSP8996"), Outcome::OfLine(Reaction::InUse));
}

#[test]
fn a_code_of_the_line_is_no_answer_to_wait_for_and_costs_its_registration_no_attempt() {
    let mut ledger = ledger(&[("A", 0)]);
    for _ in 0..10 {
        assert_eq!(send(&mut ledger), "+A");
        assert_eq!(ledger.answer("", "", "OPSP9994"), Outcome::OfLine(Reaction::Barred));
        assert_eq!(ledger.expire(Instant::now() + ANSWER_TIMEOUT), None);
    }
}

#[test]
fn an_error_without_a_name_means_the_pending_one() {
    let mut ledger = ledger(&[("A", 0), ("B", 0)]);
    send(&mut ledger);
    assert_eq!(ledger.answer("", "", "OPSP8991"), Outcome::GivenUp(pair("A")));
    assert_eq!(send(&mut ledger), "+B");
}

#[test]
fn an_internal_error_and_silence_are_asked_again_after_the_others_and_then_after_minutes() {
    let mut ledger = ledger(&[("A", 0), ("B", 0)]);
    assert_eq!(send(&mut ledger), "+A");
    assert_eq!(answer(&mut ledger, "A", "OPSP0007"), Outcome::Again);
    assert_eq!(send(&mut ledger), "+B");
    answer(&mut ledger, "B", "OPSP0000");
    assert_eq!(send(&mut ledger), "+A");
    assert_eq!(ledger.expire(Instant::now()), None);
    assert_eq!(ledger.expire(Instant::now() + ANSWER_TIMEOUT), Some(Outcome::Again));
    assert_eq!(send(&mut ledger), "+A");
    for (before, minutes) in [(0, 1), (1, 5), (2, 15), (3, 15)] {
        let wait = Duration::from_secs(60 * minutes);
        let postponed = Some(Outcome::Postponed { pair: pair("A"), wait, before });
        assert_eq!(ledger.expire(Instant::now() + ANSWER_TIMEOUT), postponed);
        assert!(ledger.is_settled() && !ledger.wake(Instant::now() + wait - Duration::from_secs(1)));
        assert!(ledger.wake(Instant::now() + wait));
        assert_eq!(send(&mut ledger), "+A", "once, not three times");
    }
    answer(&mut ledger, "A", "OPSP0000");
    assert!(ledger.is_settled());
}

#[test]
fn what_may_be_refused_for_now_alone_is_asked_again_and_comes_with_the_next_connection() {
    for code in ["OPSP0009", "OPSP7777"] {
        let mut ledger = ledger(&[("A", 0)]);
        send(&mut ledger);
        let wait = Duration::from_secs(60);
        assert_eq!(answer(&mut ledger, "A", code), Outcome::Postponed { pair: pair("A"), wait, before: 0 });
        assert!(ledger.is_settled());
        ledger.begin();
        assert_eq!(send(&mut ledger), "+A");
    }
}

#[test]
fn what_was_given_up_is_asked_again_on_another_trading_day() {
    let mut ledger = ledger(&[("A", 0)]);
    send(&mut ledger);
    assert_eq!(answer(&mut ledger, "A", "OPSP8992"), Outcome::GivenUp(pair("A")));
    assert!(!ledger.wake(Instant::now() + Duration::from_secs(86_400)) && ledger.is_settled());
    assert!(ledger.new_day() && !ledger.new_day());
    assert_eq!(send(&mut ledger), "+A");
}

#[test]
fn a_late_answer_settles_the_registration_it_names() {
    let mut ledger = ledger(&[("A", 0), ("B", 0)]);
    send(&mut ledger);
    ledger.expire(Instant::now() + ANSWER_TIMEOUT);
    assert_eq!(send(&mut ledger), "+B");
    assert_eq!(answer(&mut ledger, "A", "OPSP0000"), Outcome::InForce(pair("A")));
    assert_eq!(answer(&mut ledger, "B", "OPSP0000"), Outcome::InForce(pair("B")));
    assert!(ledger.is_settled());
    ledger.reset();
    assert_eq!(ledger.in_force(), 0);
}

#[test]
fn a_success_that_comes_late_and_again_is_no_refusal() {
    let mut ledger = ledger(&[("A", 0)]);
    send(&mut ledger);
    ledger.expire(Instant::now() + ANSWER_TIMEOUT);
    send(&mut ledger);
    for code in ["OPSP0002", "OPSP0000"] {
        assert!(!answer(&mut ledger, "A", code).is_refusal(), "{code}");
    }
    assert_eq!(ledger.in_force(), 1);
    ledger.want(wanted(&[("A", 0), ("B", 0), ("C", 0)]));
    for code in ["OPSP0007", "OPSP8992"] {
        let request = ledger.next().expect("one to ask");
        let key = request.registration.tr_key.clone();
        ledger.sent(request, Instant::now());
        assert!(answer(&mut ledger, &key, code).is_refusal(), "{code}");
    }
}

#[test]
fn what_is_more_important_is_asked_first_and_takes_the_place_of_what_is_less() {
    let mut ledger = ledger(&[("low", 1), ("lower", 0), ("high", 9)]);
    for key in ["high", "low", "lower"] {
        assert_eq!(send(&mut ledger), format!("+{key}"));
        answer(&mut ledger, key, "OPSP0000");
    }
    ledger.want(wanted(&[("low", 1), ("lower", 0), ("high", 9), ("new", 5)]));
    assert_eq!(send(&mut ledger), "+new");
    assert_eq!(answer(&mut ledger, "new", "OPSP0008"), Outcome::Shed(pair("lower")));
    assert_eq!(send(&mut ledger), "-lower");
    assert_eq!(answer(&mut ledger, "lower", "OPSP0001"), Outcome::Withdrawn(pair("lower")));
    assert_eq!(send(&mut ledger), "+new");
    assert_eq!(answer(&mut ledger, "new", "OPSP0000"), Outcome::InForce(pair("new")));
    assert!(ledger.is_settled());
    assert_eq!((ledger.wanted(), ledger.in_force()), (3, 3));
}

#[test]
fn without_a_less_important_pair_the_one_asked_for_is_shed() {
    let mut ledger = ledger(&[("A", 0), ("B", 0)]);
    send(&mut ledger);
    answer(&mut ledger, "A", "OPSP0000");
    send(&mut ledger);
    assert_eq!(answer(&mut ledger, "B", "OPSP0008"), Outcome::Shed(pair("B")));
    assert!(ledger.is_settled());
    assert_eq!(ledger.in_force(), 1);
}

#[test]
fn nothing_is_asked_for_while_what_is_to_be_withdrawn_holds_the_last_place() {
    let mut ledger = ledger_of(&[("A", 0), ("B", 0)], 2);
    for key in ["A", "B"] {
        send(&mut ledger);
        answer(&mut ledger, key, "OPSP0000");
    }
    ledger.want(wanted(&[("B", 0), ("C", 0)]));
    let due: Vec<Request> = ledger.due().collect();
    assert_eq!(
        due,
        [Request { registration: pair("A"), subscribe: false }],
        "who may not withdraw yet asks for nothing"
    );
    assert_eq!(send(&mut ledger), "-A");
    answer(&mut ledger, "A", "OPSP0001");
    assert_eq!(send(&mut ledger), "+C");
}

#[test]
fn a_place_that_gets_free_is_for_the_most_important_of_those_for_which_there_was_none() {
    let mut ledger = ledger(&[("A", 3), ("B", 2), ("low", 0), ("high", 1)]);
    for (key, code) in [("A", "OPSP0000"), ("B", "OPSP0000"), ("high", "OPSP0008"), ("low", "OPSP0008")] {
        assert_eq!(send(&mut ledger), format!("+{key}"));
        answer(&mut ledger, key, code);
    }
    assert!(ledger.is_settled());
    ledger.want(wanted(&[("A", 3), ("low", 0), ("high", 1)]));
    assert_eq!(send(&mut ledger), "-B");
    answer(&mut ledger, "B", "OPSP0001");
    assert_eq!(send(&mut ledger), "+high");
    answer(&mut ledger, "high", "OPSP0000");
    assert!(ledger.is_settled(), "one place, one registration");
}

/// Pairs in force, and others for which there is no place.
fn full(in_force: &[&str], without: &[&str]) -> Ledger {
    let all: Vec<(&str, u8)> = in_force.iter().chain(without).map(|key| (*key, 0)).collect();
    let mut ledger = ledger(&all);
    for (key, _) in all {
        assert_eq!(send(&mut ledger), format!("+{key}"));
        answer(&mut ledger, key, if in_force.contains(&key) { "OPSP0000" } else { "OPSP0008" });
    }
    assert!(ledger.is_settled());
    ledger
}

#[test]
fn as_many_as_get_free_places_are_asked_again() {
    let mut ledger = full(&["A", "B", "C"], &["N1", "N2", "N3"]);
    assert_eq!(ledger.room(), 3);
    ledger.want(wanted(&[("C", 0), ("N1", 0), ("N2", 0), ("N3", 0)]));
    for key in ["A", "B"] {
        assert_eq!(send(&mut ledger), format!("-{key}"));
        answer(&mut ledger, key, "OPSP0001");
    }
    for (key, code) in [("N1", "OPSP0000"), ("N2", "OPSP8992"), ("N3", "OPSP0000")] {
        assert_eq!(send(&mut ledger), format!("+{key}"), "who is given up leaves its place to the next");
        answer(&mut ledger, key, code);
    }
    assert!(ledger.is_settled());
    assert_eq!(ledger.in_force(), 3);
}

#[test]
fn what_is_put_off_waits_for_a_place_alone() {
    let mut ledger = full(&["A"], &["N"]);
    ledger.put_off(wanted(&[("M", 0)]).remove(0));
    assert!(ledger.is_settled() && ledger.wanted() == 3);
    ledger.begin();
    send(&mut ledger);
    answer(&mut ledger, "A", "OPSP0000");
    ledger.put_off(wanted(&[("M", 0)]).remove(0));
    assert_eq!(send(&mut ledger), "+N");
    answer(&mut ledger, "N", "OPSP0000");
    assert_eq!(send(&mut ledger), "+M", "there are places");
}

#[test]
fn what_had_no_place_is_asked_again_on_another_trading_day_and_on_another_connection() {
    for is_new_day in [true, false] {
        let mut ledger = full(&["A"], &["N"]);
        if is_new_day {
            assert!(ledger.new_day() && !ledger.new_day());
        } else {
            ledger.begin();
            send(&mut ledger);
            answer(&mut ledger, "A", "OPSP0000");
        }
        assert_eq!(ledger.room(), 41, "it may be another one");
        assert_eq!(send(&mut ledger), "+N");
    }
}

#[test]
fn a_change_withdraws_what_left_before_it_asks_for_what_came() {
    let mut ledger = ledger(&[("A", 0), ("B", 0)]);
    for key in ["A", "B"] {
        send(&mut ledger);
        answer(&mut ledger, key, "OPSP0000");
    }
    assert_eq!(ledger.want(wanted(&[("B", 0), ("C", 0)])), (1, 1));
    assert_eq!(send(&mut ledger), "-A");
    assert_eq!(answer(&mut ledger, "A", "OPSP0003"), Outcome::Withdrawn(pair("A")));
    assert_eq!(send(&mut ledger), "+C");
    answer(&mut ledger, "C", "OPSP0000");
    assert!(ledger.is_settled());
    assert_eq!(ledger.registrations().map(|pair| pair.tr_key.as_str()).collect::<Vec<_>>(), ["B", "C"]);
}

#[test]
fn a_pair_that_leaves_while_it_is_pending_is_withdrawn_once_it_is_in_force() {
    let mut ledger = ledger(&[("A", 0)]);
    send(&mut ledger);
    ledger.want(Vec::new());
    answer(&mut ledger, "A", "OPSP0000");
    assert_eq!(send(&mut ledger), "-A");
    answer(&mut ledger, "A", "OPSP0001");
    assert!(ledger.is_settled() && ledger.in_force() == 0);
}

#[test]
fn a_withdrawal_that_is_never_answered_makes_the_line_begin_anew() {
    let mut ledger = ledger(&[("A", 0)]);
    send(&mut ledger);
    answer(&mut ledger, "A", "OPSP0000");
    ledger.want(Vec::new());
    let mut last = None;
    for _ in 0..3 {
        assert_eq!(send(&mut ledger), "-A");
        last = ledger.expire(Instant::now() + ANSWER_TIMEOUT);
    }
    assert_eq!(last, Some(Outcome::Adrift));
}

/// A pair in force that is withdrawn, the request sent.
fn withdrawing() -> Ledger {
    let mut ledger = ledger(&[("A", 0)]);
    send(&mut ledger);
    answer(&mut ledger, "A", "OPSP0000");
    ledger.want(Vec::new());
    assert_eq!(send(&mut ledger), "-A");
    ledger
}

#[test]
fn what_is_wanted_again_while_its_withdrawal_goes_unanswered_is_asked_for_anew() {
    let overdue: fn(&mut Ledger) = |ledger| {
        assert_eq!(ledger.expire(Instant::now() + ANSWER_TIMEOUT), Some(Outcome::Again));
    };
    let taken_back: fn(&mut Ledger) = |ledger| assert_eq!(ledger.want(wanted(&[("A", 0)])), (1, 0));
    for steps in [[overdue, taken_back], [taken_back, overdue]] {
        let mut ledger = withdrawing();
        steps.iter().for_each(|step| step(&mut ledger));
        assert_eq!(ledger.in_force(), 0, "nobody knows");
        assert_eq!(send(&mut ledger), "+A");
        assert_eq!(answer(&mut ledger, "A", "OPSP0002"), Outcome::InForce(pair("A")));
        assert!(ledger.is_settled());
    }
}

#[test]
fn the_late_answer_to_a_withdrawal_does_not_answer_the_registration_behind_it() {
    let mut ledger = withdrawing();
    ledger.want(wanted(&[("A", 0)]));
    ledger.expire(Instant::now() + ANSWER_TIMEOUT);
    assert_eq!(send(&mut ledger), "+A");
    assert_eq!(answer(&mut ledger, "A", "OPSP0001"), Outcome::Unasked);
    assert!(ledger.next().is_none(), "its own is still to come");
    assert_eq!(answer(&mut ledger, "A", "OPSP0000"), Outcome::InForce(pair("A")));
    assert!(ledger.is_settled());
    assert_eq!(answer(&mut ledger, "A", "OPSP0001"), Outcome::Withdrawn(pair("A")), "behind it: who knows");
    assert_eq!(send(&mut ledger), "+A");
    assert_eq!(answer(&mut ledger, "A", "OPSP0002"), Outcome::InForce(pair("A")));
}

#[test]
fn a_pair_over_which_the_line_is_closed_is_asked_last_and_then_given_up() {
    let mut ledger = ledger(&[("bad", 9), ("good", 0)]);
    assert_eq!(send(&mut ledger), "+bad");
    assert_eq!(ledger.reset(), None, "nothing was taken before it: the line may be at fault");
    for strike in 2..=3 {
        ledger.begin();
        assert_eq!(send(&mut ledger), "+good");
        answer(&mut ledger, "good", "OPSP0000");
        assert_eq!(send(&mut ledger), "+bad");
        assert_eq!(ledger.reset(), (strike == 3).then(|| pair("bad")));
    }
    ledger.begin();
    assert_eq!(send(&mut ledger), "+good");
    answer(&mut ledger, "good", "OPSP0000");
    assert!(ledger.is_settled());
}

#[test]
fn notices_are_asked_last_their_answer_is_known_without_its_key_and_losses_behind_it_count_against_them() {
    let notice = Registration { tr_id: "H0STCNI0".to_owned(), tr_key: "somebody".to_owned() };
    let mut pairs = vec![Wanted { registration: notice.clone(), priority: u8::MAX }];
    pairs.extend(wanted(&[("A", 0)]));
    let mut ledger = Ledger::new(pairs, 41, 1.0);
    for strike in 1..=3 {
        ledger.begin();
        assert_eq!(send(&mut ledger), "+A");
        answer(&mut ledger, "A", "OPSP0000");
        assert_eq!(send(&mut ledger), "+somebody");
        assert_eq!(ledger.answer("H0STCNI0", "********", "OPSP0000"), Outcome::InForce(notice.clone()));
        assert!(ledger.is_settled());
        assert_eq!(ledger.reset(), (strike == 3).then(|| notice.clone()));
    }
    ledger.begin();
    send(&mut ledger);
    answer(&mut ledger, "A", "OPSP0000");
    assert!(ledger.is_settled(), "it is not asked for any more");
    assert!(!format!("{notice:?}").contains("somebody"));
}

#[test]
fn what_was_given_up_stays_so_until_the_list_loses_it() {
    let mut ledger = ledger(&[("A", 0)]);
    send(&mut ledger);
    answer(&mut ledger, "A", "OPSP8992");
    ledger.begin();
    assert!(ledger.is_settled());
    ledger.want(Vec::new());
    ledger.want(wanted(&[("A", 0)]));
    assert_eq!(send(&mut ledger), "+A");
}
