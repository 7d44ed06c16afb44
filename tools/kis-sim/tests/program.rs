//! The program `kis-sim` as scripts and other people's clients meet it: one line of addresses, symbols and widths as asked
//! for, a run that lasts until it is told to stop.

mod common;

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::records;
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

/// A running program, killed when the test is done with it.
struct Program {
    child: Child,
    stdout: BufReader<ChildStdout>,
    rest: String,
    ws: String,
}

impl Program {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kis-sim"));
        let mut child = command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let (rest, ws) = match serde_json::from_str::<Value>(&line) {
            Ok(said) => (said["rest"].as_str().unwrap().to_owned(), said["ws"].as_str().unwrap().to_owned()),
            Err(_) => {
                let words: Vec<&str> = line.split_whitespace().collect();
                assert_eq!((words[0], words[1], words[3], words.len()), ("ready:", "REST", "WebSocket", 5), "{line}");
                (words[2].to_owned(), words[4].to_owned())
            }
        };
        Self { child, stdout, rest, ws }
    }

    /// A session with an app key that nobody has told the venue of, registered for these pairs.
    fn session(&self, app_key: &str, pairs: &[(&str, &str)]) -> WebSocket<TcpStream> {
        let body = json!({"grant_type": "client_credentials", "appkey": app_key, "secretkey": "any secret"});
        let (status, answer) = common::post(&format!("{}/oauth2/Approval", self.rest), &body);
        assert_eq!(status, 200, "{answer}");
        let stream = TcpStream::connect(self.ws.trim_start_matches("ws://")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let (mut ws, _) = tungstenite::client(&self.ws, stream).unwrap();
        for (tr_id, tr_key) in pairs {
            let header = json!({"approval_key": answer["approval_key"], "custtype": "P", "tr_type": "1"});
            let text = json!({"header": header, "body": {"input": {"tr_id": tr_id, "tr_key": tr_key}}});
            ws.send(Message::text(text.to_string())).unwrap();
        }
        ws
    }

    fn stop(&mut self, signal: &str) {
        let sent = Command::new("kill").args(["-s", signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// What it says to its end, which must be a good one.
    fn end(mut self) -> String {
        let until = Instant::now() + Duration::from_secs(20);
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "it goes on");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(self.child.wait().unwrap().success());
        let mut said = String::new();
        std::io::Read::read_to_string(&mut self.stdout, &mut said).unwrap();
        said
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn frames(ws: &mut WebSocket<TcpStream>, most: usize) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while frames.len() < most {
        match ws.read().unwrap() {
            Message::Text(text) if text.starts_with('0') => frames.push(text.as_bytes().to_vec()),
            Message::Close(_) => break,
            _ => {}
        }
    }
    frames
}

/// Width of the records by TR.
fn widths(frames: &[Vec<u8>]) -> Vec<(String, usize)> {
    let mut widths: Vec<(String, usize)> =
        frames.iter().flat_map(|frame| records(frame).into_iter().map(|r| (common::tr_id(frame), r.len()))).collect();
    widths.sort();
    widths.dedup();
    widths
}

fn refused(args: &[&str]) -> String {
    let Output { status, stderr, .. } = Command::new(env!("CARGO_BIN_EXE_kis-sim")).args(args).output().unwrap();
    assert!(!status.success(), "{args:?}");
    String::from_utf8(stderr).unwrap()
}

#[test]
fn it_runs_until_it_is_told_to_stop_and_then_closes_each_connection() {
    for signal in ["TERM", "INT"] {
        let mut program = Program::start(&["--symbols", "005930,0074K0", "--rate", "200"]);
        let mut ws = program.session("PSanybody", &[("H0STCNT0", "0074K0"), ("H0STASP0", "005930")]);
        assert_eq!(frames(&mut ws, 100).len(), 100);
        program.stop(signal);
        let end = loop {
            match ws.read().unwrap() {
                Message::Close(frame) => break frame.unwrap().code,
                _ => continue,
            }
        };
        assert_eq!(u16::from(end), 1000);
        while ws.read().is_ok() {}
        assert!(program.end().contains("frames"), "a summary stands at the end");
    }
}

#[test]
fn the_widths_of_old_clients_are_46_and_59_and_those_of_today_47_and_63() {
    let pairs = [("H0STCNT0", "005930"), ("H0STASP0", "005930")];
    for (args, trade, book) in [(&["--width", "46"][..], 46, 59), (&["--width", "47"], 47, 63), (&[], 47, 63)] {
        let program =
            Program::start(&[&["--symbols", "005930", "--json", "--rate", "600", "--time-scale", "20"], args].concat());
        let seen = widths(&frames(&mut program.session("PSanybody", &pairs), 300));
        assert_eq!(seen, [("H0STASP0".to_owned(), book), ("H0STCNT0".to_owned(), trade)]);
    }
}

#[test]
fn a_length_ends_it_and_one_seed_makes_one_market() {
    let play = |seed: &str| {
        let args = [
            "--symbols",
            "005930",
            "--rate",
            "600",
            "--time-scale",
            "20",
            "--seconds",
            "0.6",
            "--seed",
            seed,
            "--json",
        ];
        let program = Program::start(&args);
        let all = frames(&mut program.session("PSanybody", &[("H0STCNT0", "005930")]), usize::MAX);
        let said: Value = serde_json::from_str(program.end().lines().last().unwrap()).unwrap();
        assert_eq!(said["frames_sent"], all.len());
        all
    };
    let first = play("3");
    assert!(first.len() >= 100);
    assert_eq!(first, play("3"));
    assert_ne!(first[..50], play("4")[..50]);
}

#[test]
fn a_misbehaviour_by_name_and_a_ledger_go_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sent.tsv");
    let ledger = path.to_str().unwrap();
    let args = ["--symbols", "1", "--rate", "500", "--faults", "lost_frames", "--ledger", ledger, "--show-symbols"];
    let mut program = Program::start(&args);
    let mut line = String::new();
    program.stdout.read_line(&mut line).unwrap();
    let code = line.split(' ').next().unwrap().to_owned();
    let mut ws = program.session("PSanybody", &[("H0STCNT0", &code)]);
    let mut seen = frames(&mut ws, 150);
    program.stop("TERM");
    seen.extend(frames(&mut ws, usize::MAX));
    while ws.read().is_ok() {}
    program.end();
    let ledger = std::fs::read_to_string(path).unwrap();
    let sent: Vec<&str> = ledger.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(sent.len(), seen.len());
    assert_eq!(ledger.lines().filter(|line| line.contains("\"dropped\":1")).count(), 7);
}

#[test]
fn what_it_sent_is_in_the_ledger_when_it_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sent.tsv");
    let ledger = path.to_str().unwrap();
    let args = ["--symbols", "005930", "--rate", "500", "--json", "--faults", "lost_frames", "--ledger", ledger];
    let mut program = Program::start(&args);
    let mut ws = program.session("PSanybody", &[("H0STCNT0", "005930"), ("H0STASP0", "005930")]);
    let seen = frames(&mut ws, 150).len();
    std::thread::sleep(Duration::from_secs(1));
    program.child.kill().unwrap();
    program.child.wait().unwrap();
    let ledger = std::fs::read_to_string(path).unwrap();
    let (notes, lines): (Vec<&str>, Vec<&str>) = ledger.lines().partition(|line| line.starts_with('#'));
    assert!(lines.len() >= seen && ledger.ends_with('\n'), "{} of {seen}", lines.len());
    assert!(notes.iter().any(|note| note.contains("\"kind\":\"drop\"")), "{notes:?}");
}

#[test]
fn a_run_with_a_length_for_which_nobody_registers_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("venue.toml");
    std::fs::write(&path, "opening_wait_s = 2\naccept = \"any_key\"\n").unwrap();
    let config = path.to_str().unwrap();
    let begun = Instant::now();
    let said = Program::start(&["--config", config, "--seconds", "0.2", "--json"]).end();
    assert!(begun.elapsed() > Duration::from_secs(2) && said.contains("\"frames_sent\":0"), "{said}");
    // Who registers in time is served for all of the run.
    let program = Program::start(&["--config", config, "--seconds", "1", "--json", "--symbols", "005930"]);
    let mut ws = program.session("PSanybody", &[("H0STASP0", "005930")]);
    assert!(frames(&mut ws, usize::MAX).len() > 500);
    while ws.read().is_ok() {}
    program.end();
}

#[test]
fn what_it_cannot_do_is_said_before_anything_listens() {
    assert!(refused(&["--width", "45"]).contains("46 or 47"));
    assert!(refused(&["--width", "46", "--widths", "after"]).contains("cannot be used with"));
    assert!(refused(&["--symbols", "005930,5930"]).contains("\"5930\""));
    assert!(refused(&["--symbols", "005930,005930"]).contains("twice"));
    assert!(refused(&["--symbols", "0"]).contains("1 to 4000"));
    assert!(refused(&["--day"]).contains("--seconds"));
    assert!(refused(&["--burst", "10:0.05"]).contains("--seconds"));
    assert!(refused(&["--faults", "no_such_thing"]).contains("half_open"));
    assert!(refused(&["--ws-port", "99999"]).contains("99999"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("faults.toml");
    std::fs::write(&path, "slot_linger_s = 60.0\n[[faults]]\nat = { frame = 1 }\nfault = { kind = \"rst\" }\n")
        .unwrap();
    let complaint = refused(&["--faults", path.to_str().unwrap()]);
    assert!(complaint.contains("slot_linger_s") && complaint.contains("rest_faults"), "{complaint}");
}

#[test]
fn a_second_start_on_a_taken_port_says_so_and_leaves_the_ledger_of_the_first_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sent.tsv");
    let ledger = path.to_str().unwrap();
    let args = ["--symbols", "005930", "--rate", "2000", "--json", "--ledger", ledger];
    let mut first = Program::start(&args);
    let mut ws = first.session("PSanybody", &[("H0STASP0", "005930")]);
    let mut seen = frames(&mut ws, 1_000);
    for (option, address) in [("--rest-port", &first.rest), ("--ws-port", &first.ws)] {
        let port = address.rsplit(':').next().unwrap();
        let complaint = refused(&[option, port, "--ledger", ledger]);
        assert!(complaint.contains(port) && complaint.contains("or 0"), "{complaint}");
    }
    first.stop("TERM");
    seen.extend(frames(&mut ws, usize::MAX));
    while ws.read().is_ok() {}
    first.end();
    let ledger = std::fs::read(path).unwrap();
    assert!(!ledger.contains(&0), "no hole where lines were");
    let lines = ledger.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && line[0] != b'#').count();
    assert_eq!(lines, seen.len());
}
