//! A download that is killed, again and again, ends with what an undisturbed one has.

mod fetch_rig;
mod policy;
mod rest_rig;

use std::os::unix::process::CommandExt as _;
use std::time::{Duration, Instant};

use fetch_rig::{Rig, ended, files};
use hoga::journal::{Start, Stream, Tailer, Verdict, verify};
use hoga::tick::{RecordView, view};
use rest_rig::sim;

/// Many small files and calls that are slow enough to be hit.
fn rig() -> Rig {
    Rig::new(sim(), 2, 60.0)
}

/// Runs to the end, killed at random instants at least `kills` times before.
fn killed(rig: &Rig, args: &[&str], kills: usize, seed: u64) -> (usize, u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut hit = 0;
    loop {
        let mut child = rig.command("bars", "killed", args).process_group(0).spawn().unwrap();
        let kill_at = Instant::now() + Duration::from_millis(random.u64(5..700));
        let is_last = hit >= kills;
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if !is_last && Instant::now() >= kill_at {
                break None;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        match status {
            None => {
                child.kill().unwrap();
                child.wait().unwrap();
                hit += 1;
            }
            Some(_) => {
                let (status, told, said) = ended(child.wait_with_output().unwrap());
                assert_eq!(status, 0, "{said}{told}");
                return (hit, told["resumed"].as_u64().unwrap());
            }
        }
    }
}

#[test]
fn a_download_killed_at_random_instants_ends_with_the_same_files() {
    let seed = std::env::var("HOGA_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    eprintln!("HOGA_SEED={seed}");
    let rig = rig();
    let list = rig.symbols(16).join(",");
    let args = ["--symbols", &list, "--from", "2026-11-02", "--to", "2026-11-18"];
    let whole = rig.whole("bars", "whole", &args);
    let before = rig.venue.rest_counts().requests_of("inquire-time-dailychartprice");
    let (hit, resumed) = killed(&rig, &args, if policy::is_long() { 60 } else { 12 }, seed);
    assert!(hit >= 10, "{hit} kills before it was done: slow it down");
    assert!(resumed > 0);
    assert_eq!(files(&rig.path("killed/data")), files(&rig.path("whole/data")));
    // What was under way at a kill is asked for again, nothing else is: two units of some four calls at most.
    let calls = rig.venue.rest_counts().requests_of("inquire-time-dailychartprice") - before;
    let most = before + hit as u64 * 2 * 6;
    assert!(calls >= before && calls <= most, "{calls} calls, {before} undisturbed, {hit} kills");
    assert_eq!(whole["units"], 13 * 16);
}

#[test]
fn ctrl_c_ends_with_what_is_done_and_a_second_run_goes_on() {
    let rig = rig();
    let list = rig.symbols(8).join(",");
    let args = ["--symbols", &list, "--from", "2026-11-02", "--to", "2026-11-18", "--format", "journal"];
    let child = rig.command("bars", "out", &args).spawn().unwrap();
    let begun = Instant::now();
    while !rig.path("out/fetch.state").exists() || begun.elapsed() < Duration::from_millis(700) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let (status, told, said) = ended(child.wait_with_output().unwrap());
    assert_eq!((status, &told["interrupted"]), (1, &true.into()), "{said}");
    assert!(said.contains("run the same command again"), "{said}");
    let done = told["units_done"].as_u64().unwrap();
    assert!(done > 0 && done < 104, "{done} units");
    assert!(!rig.path("out/journal").exists());
    let told = rig.whole("bars", "out", &args);
    assert_eq!((told["resumed"].as_u64(), told["units_done"].as_u64()), (Some(done), Some(104)));
    let report = verify(&rig.path("out/journal"), |_, _, _, _| {}).unwrap();
    assert_eq!(report.state, Verdict::Clean, "{report:?}");
    let records = told["journal_records"].as_u64().unwrap();
    assert!(records > 104 * 250, "{records} records");
    // Again: nothing to do, and the journal stays, alone.
    assert!(rig.whole("bars", "out", &args)["journal_records"].is_null());
    assert!(!rig.path("out/parts").exists());
    // Without it all is downloaded again.
    std::fs::remove_dir_all(rig.path("out/journal")).unwrap();
    let again = rig.whole("bars", "out", &args);
    assert_eq!((again["resumed"].as_u64(), again["journal_records"].as_u64()), (Some(0), Some(records)));
}

/// Goal: an assembly that ends in the middle, over the journal of an earlier run, costs nothing. Method: minutes of a day that
/// runs make a journal; the evening's run can't make the next one at first, then is killed as it begins to.
#[test]
fn an_older_journal_is_never_taken_for_that_of_what_was_downloaded_since() {
    let rig = Rig::new(sim(), 2, 400.0);
    let list = rig.symbols(6).join(",");
    let args = ["--symbols", &list, "--from", "2026-11-16", "--to", "2026-11-18", "--format", "journal"];
    let whole = rig.whole("bars", "whole", &args)["journal_records"].as_u64();
    let noon = [&args[..], &["--as-of", "2026-11-18T12:00:00"]].concat();
    let before = rig.whole("bars", "out", &noon);
    assert!(before["partial"] == 6 && before["journal_records"].as_u64() < whole, "{before}");
    let state = || std::fs::read(rig.path("out/fetch.state")).unwrap();
    std::fs::write(rig.path("out/journal.tmp"), "in the way").unwrap();
    let (status, told, said) = rig.fetch("bars", "out", &args);
    assert!(status == 1 && told["units_done"] == 18 && said.contains("the journal could not be made"), "{said}");
    assert!(rig.path("out/parts").exists() && rig.path("out/journal").exists());
    std::fs::remove_file(rig.path("out/journal.tmp")).unwrap();
    let mut child = rig.command("bars", "out", &args).spawn().unwrap();
    while !rig.path("out/journal.tmp").exists() && child.try_wait().unwrap().is_none() {}
    child.kill().unwrap();
    child.wait().unwrap();
    let calls = rig.venue.rest_counts().requests_of("inquire-time-dailychartprice");
    let noted = state();
    rig.whole("bars", "out", &args);
    assert_eq!(rig.venue.rest_counts().requests_of("inquire-time-dailychartprice"), calls, "nothing twice");
    assert!(state().starts_with(&noted));
    let mut records = 0;
    let mut tailer = Tailer::open(&rig.path("out/journal"), Stream::Ticks, Start::Beginning).unwrap();
    tailer
        .poll(usize::MAX, |record| records += u64::from(matches!(view(record.bytes), Some(RecordView::Bar(_)))))
        .unwrap();
    assert_eq!(Some(records), whole);
    assert!(!rig.path("out/parts").exists() && !rig.path("out/journal.tmp").exists());
    let made = std::fs::metadata(rig.path("out/journal")).unwrap().modified().unwrap();
    assert!(rig.whole("bars", "out", &args)["journal_records"].is_null());
    assert_eq!(std::fs::metadata(rig.path("out/journal")).unwrap().modified().unwrap(), made);
}
