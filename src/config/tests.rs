use super::*;
use crate::feed::kis::environment::Environment;
use crate::journal::Durability;

fn load(text: &str) -> Result<Config, ConfigError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Config::load(file.path())
}

const GOOD: &str = "[journal]\ndir = \"j\"\n[kis]\n[[kis.account]]\nname = \"a\"\ncredentials_file = \"f\"\n\
                    [[kis.subscribe]]\ntr = \"H0STCNT0\"\nkeys = [\"005930\"]\n";

#[test]
fn the_least_configuration_takes_every_default() {
    let config = load(GOOD).unwrap();
    assert_eq!(config.engine, EngineSection::default());
    assert_eq!(config.retention, RetentionSection::default());
    assert_eq!((config.journal.segment_mib, config.journal.raw, config.kis.max_registrations), (128, true, 41));
}

#[test]
fn durability_is_a_word_and_a_wrong_one_says_what_it_may_be() {
    use std::time::Duration;
    let with = |word: &str| load(&GOOD.replace("dir = \"j\"", &format!("dir = \"j\"\ndurability = \"{word}\"")));
    for (word, durability) in [
        ("process", Durability::Process),
        ("periodic:100", Durability::Periodic(Duration::from_millis(100))),
        ("group", Durability::Group),
    ] {
        assert_eq!(with(word).unwrap().journal.durability, durability);
        assert_eq!(String::from(durability), word);
    }
    assert_eq!(load(GOOD).unwrap().journal.durability, Durability::Process);
    for wrong in ["periodic", "periodic:1", "periodic:60001", "fsync"] {
        let error = with(wrong).unwrap_err().to_string();
        assert!(error.contains("expected \"process\", \"periodic:MS\""), "{error}");
    }
}

#[test]
fn one_word_sets_hosts_and_pace_and_a_host_that_is_named_stays() {
    let with = |lines: &str| load(&GOOD.replace("[kis]", &format!("[kis]\n{lines}"))).unwrap().kis;
    for (word, rest_url, ws_url, pace) in [
        ("real", "https://openapi.koreainvestment.com:9443", "ws://ops.koreainvestment.com:21000", 15.0),
        ("mock", "https://openapivts.koreainvestment.com:29443", "ws://ops.koreainvestment.com:31000", 0.95),
        ("simulator", "http://127.0.0.1:9443", "ws://127.0.0.1:21000", 15.0),
    ] {
        let kis = with(&format!("environment = \"{word}\""));
        assert_eq!((kis.rest_url.as_str(), kis.ws_url.as_str()), (rest_url, ws_url));
        assert_eq!(kis.rest.pace(&kis.rest_url), pace, "{word}");
    }
    assert_eq!(load(GOOD).unwrap().kis.environment, Environment::Real);
    let kis = with("environment = \"mock\"\nrest_url = \"https://10.0.0.1:1\"\nrest.calls_per_second = 2.0");
    assert_eq!((kis.rest_url.as_str(), kis.rest.pace(&kis.rest_url)), ("https://10.0.0.1:1", 2.0));
    assert_eq!(with("environment = \"mock\"\nrest_url = \"https://10.0.0.1:1\"").rest.pace("https://10.0.0.1:1"), 0.95);
}

#[test]
fn the_mock_server_is_not_asked_for_what_it_does_not_know() {
    let mock = GOOD.replace("[kis]", "[kis]\nenvironment = \"mock\"");
    load(&mock).unwrap();
    let error = load(&mock.replace("H0STCNT0", "H0NXCNT0")).unwrap_err().to_string();
    assert!(error.contains("the mock server knows H0STCNT0, H0STASP0"), "{error}");
    let error = load(&mock.replace("keys = [\"005930\"]", "top_by_turnover = 5")).unwrap_err().to_string();
    assert!(error.contains("no ranking"), "{error}");
}

#[test]
fn lists_may_stand_in_place_of_keys_and_of_more_than_fit_the_first_are_kept() {
    let keys = "keys = [\"005930\"]";
    let symbols = load(&GOOD.replace(keys, "symbols = [\"005930\"]")).unwrap();
    assert_eq!(symbols, load(GOOD).unwrap());
    for list in ["file = \"watch.txt\"", "index = \"KOSPI200\"", "top_by_turnover = 30"] {
        let config = load(&GOOD.replace(keys, list)).unwrap();
        assert!(config.check_resolved().unwrap_err().to_string().contains("looked up"));
        let mut config = config;
        config.kis.subscribe[0].keys = (0..200).map(|code| format!("{code:06}")).collect();
        config.kis.subscribe[0].is_resolved = true;
        config.check().unwrap();
        config.check_resolved().unwrap();
    }
}

#[test]
fn the_documented_example_loads() {
    Config::load(Path::new("examples/hoga.toml")).unwrap();
}

#[test]
fn a_retention_that_would_delete_the_day_recorded_or_what_is_not_sealed_is_refused() {
    let with = |lines: &str| load(&GOOD.replace("[kis]", &format!("[retention]\n{lines}\n[kis]")));
    assert_eq!(with("keep_bytes = 3_000").unwrap().retention.keep_bytes, Some(3000));
    for wrong in ["keep_days = 1", "compress_after_days = 0", "seal = false\nkeep_days = 9"] {
        assert!(with(wrong).unwrap_err().to_string().contains("retention"), "{wrong}");
    }
}

#[test]
fn an_unknown_key_is_refused_with_a_suggestion() {
    let error = load(&GOOD.replace("dir = \"j\"", "dir = \"j\"\nsegmnt_mib = 4")).unwrap_err().to_string();
    assert!(error.contains("did you mean `segment_mib`?") && error.contains("line"), "{error}");
}

#[test]
fn a_secret_in_the_configuration_is_refused_and_not_repeated() {
    let error = load(&GOOD.replace("name = \"a\"", "name = \"a\"\napp_key = \"PShunter2\"")).unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("app_key_env") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_value_of_the_wrong_kind_is_not_repeated() {
    let without_accounts = GOOD.replace("[[kis.account]]\nname = \"a\"\ncredentials_file = \"f\"\n", "");
    for (text, line, expected) in [
        (&*without_accounts, "account = \"12345678-01\"", "line 4: invalid type: string, expected"),
        (&without_accounts, "account = 12345678", "invalid type: integer, expected"),
        (&without_accounts, "account = 12345678-01", "line 4"),
        (GOOD, "account = \"12345678-01\"", "line"),
        (GOOD, "notices.hts_id_env = 12345678", "invalid type: integer, expected a string"),
        (GOOD, "max_registrations = -12345678", "line 4: invalid value: integer, expected"),
        (GOOD, "max_registrations = \"x, expected 12345678\"", "invalid type: string, expected"),
        (GOOD, "environment = \"12345678`, expected `\"", "unknown variant, expected one of `real`"),
    ] {
        let error = load(&text.replace("[kis]", &format!("[kis]\n{line}"))).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(expected) && !shown.contains("12345678"), "{shown}");
    }
}

#[test]
fn rings_that_could_not_hold_the_largest_frame_are_refused() {
    for (ring, expected) in [
        ("frame_ring_mib = 4000000000", "at most 4096 MiB"),
        ("frame_ring_mib = 8\nrecord_ring_mib = 4\nmax_message_kib = 4096", "1 MiB more than max_message_kib"),
    ] {
        let error = load(&format!("{GOOD}[engine]\n{ring}\n")).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    load(&format!("{GOOD}[engine]\nframe_ring_mib = 6\nrecord_ring_mib = 4\nmax_message_kib = 3072\n")).unwrap();
}

#[test]
fn more_than_the_app_keys_hold_is_refused_unless_it_is_said_what_is_kept() {
    let crowded = GOOD.replace("[kis]", "[kis]\nmax_registrations = 1").replace("\"005930\"", "\"005930\", \"000660\"");
    let error = load(&crowded).unwrap_err().to_string();
    assert!(error.contains("at most 1 registrations") && error.contains("`priority`"), "{error}");
    load(&format!("{crowded}priority = 1\n")).unwrap();
}

#[test]
fn values_out_of_range_say_what_they_may_be() {
    for (from, to, expected) in [
        ("dir = \"j\"", "dir = \"j\"\nsegment_mib = 0", "1 to 2047"),
        ("dir = \"j\"", "dir = \"j\"\nsegment_mib = 2", "at least 3"),
        ("\"H0STCNT0\"", "\"H0STCNT9\"", "transaction"),
        ("\"H0STCNT0\"", "\"H0STCNI0\"", "[kis.notices]"),
        ("keys = [\"005930\"]", "keys = []", "at least one"),
        ("\"005930\"", "\"00 5930\"", "letters and digits"),
        ("\"005930\"", "\"005930\", \"\", \"000660\"", "letters and digits"),
        ("\"005930\"", "\"삼성전자\"", "hoga instruments"),
        ("keys = [\"005930\"]", "top_by_turnover = 0", "at least 1"),
        ("[kis]", "[kis]\nenvironment = \"paper\"", "expected one of `real`, `mock`, `simulator`"),
        ("[kis]", "[kis]\nws_url = \"ws://ops.koreainvestment.com:31000\"", "both of the real server"),
        ("[kis]", "[kis]\nrest.retries_max = 99", "0 to 20"),
        ("[kis]", "[kis]\nmax_registrations = 0", "at least 1"),
        ("[kis]", "[kis]\nmarket_time = { start = \"2026-11-20T08:45:00\" }", "simulated venue"),
        (
            "[kis]",
            "[kis]\nrest_url = \"http://127.0.0.1:1\"\nws_url = \"ws://127.0.0.1:2\"\nmarket_time = { start = \"nine\" }",
            "2026-11-20T08:45:00",
        ),
        ("[\"005930\"]", "[\"005930\", \"000660\"]\n[kis.session]\nsilence_s = 5", "at least 15"),
    ] {
        let error = load(&GOOD.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn secrets_are_not_sent_in_clear_and_a_wrong_address_says_what_to_write() {
    let with = |line: &str| load(&GOOD.replace("[kis]", &format!("[kis]\n{line}")));
    with("rest_url = \"https://openapi.koreainvestment.com:9443\"").unwrap();
    with("rest_url = \"http://127.0.0.1:9443\"\nws_url = \"ws://127.0.0.1:21000\"").unwrap();
    for (line, words) in [
        ("rest_url = \"http://openapi.koreainvestment.com:9443\"", "kis.rest_url"),
        ("rest_url = \"http://192.0.2.1\"", "https://"),
        ("rest_url = \"ftp://x\"", "an address as https://"),
        ("rest_url = \"openapi.koreainvestment.com:9443\"", "an address as https://"),
        ("ws_url = \"ops.koreainvestment.com:21000\"", "an address as ws://"),
        ("ws_url = \"http://127.0.0.1:1\"", "kis.ws_url"),
    ] {
        let error = with(line).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn at_the_brokers_hosts_limits_can_not_be_configured_away() {
    let venue = "[kis]\nrest_url = \"http://127.0.0.1:1\"\nws_url = \"ws://127.0.0.1:2\"\n";
    let mock = "[kis]\nenvironment = \"mock\"\n";
    for (head, line, least) in [
        ("[kis]\n", "rest.token_interval_s = 1", "rest.token_interval_s = 60"),
        ("[kis]\n", "rest.approval_interval_s = 1", "rest.approval_interval_s = 60"),
        ("[kis]\n", "rest.calls_per_second = 18.5", "rest.calls_per_second = 18"),
        ("[kis]\nrest.new_customer = true\n", "rest.calls_per_second = 4.0", "rest.calls_per_second = 3.0"),
        (mock, "rest.calls_per_second = 2.0", "rest.calls_per_second = 1.0"),
        ("[kis]\n", "max_registrations = 42", "max_registrations = 41"),
        ("[kis]\n", "subscribe_pace_ms = 1", "subscribe_pace_ms = 50"),
        ("[kis]\n", "session.connect_budget = 0", "session.connect_budget = 1"),
        ("[kis]\n", "session.connect_budget = 21", "session.connect_budget = 5"),
        ("[kis]\n", "session.connect_window_s = 599", "session.connect_window_s = 600"),
        ("[kis]\n", "session.changes_max = 0", "session.changes_max = 10"),
        ("[kis]\n", "session.change_window_s = 1", "session.change_window_s = 240"),
        ("[kis]\n", "session.data_silence_s = 59", "session.data_silence_s = 0"),
    ] {
        let with = |head: &str, line: &str| load(&GOOD.replace("[kis]\n", &format!("{head}{line}\n")));
        let error = with(head, line).unwrap_err().to_string();
        let field = format!("kis.{}", line.split_once(" = ").unwrap().0);
        assert!(error.contains(&field), "{line}: {error}");
        with(head, least).unwrap_or_else(|error| panic!("{least}: {error}"));
        with(venue, line).unwrap_or_else(|error| panic!("a simulated venue, {line}: {error}"));
    }
}
