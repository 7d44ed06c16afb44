//! What tests of the C API share: the libraries installed into a scratch folder, examples compiled against them, a
//! journal to read.
#![allow(dead_code)]

#[path = "../../../../tests/policy/mod.rs"]
pub mod policy;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use hoga_reader::journal::{Journal, JournalConfig, StreamConfig, StreamWriter};
use hoga_reader::tick::{
    BookBuffer, Instrument, InstrumentKey, PX_SCALE, Publisher, RType, RawPrefix, Trade, words_of,
};

/// The package's folder.
pub fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// A scratch folder, in memory where there is such a place.
pub fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a scratch folder")
}

/// Runs a command; shows what it said when it fails.
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    output
}

/// How an example is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Against `libhoga.a`.
    Static,
    /// Against `libhoga.so`.
    Shared,
}

/// The libraries as `install.sh` installs them, once a test program. They are the ones cargo built for this test.
pub fn installed() -> &'static Path {
    static PREFIX: OnceLock<tempfile::TempDir> = OnceLock::new();
    let prefix = PREFIX.get_or_init(|| {
        let prefix = scratch();
        let own = std::env::current_exe().expect("this program");
        let folder = own.parent().expect("its folder");
        let from = [folder, folder.parent().expect("the folder above")]
            .into_iter()
            .find(|folder| folder.join("libhoga_capi.so").exists() && folder.join("libhoga_capi.a").exists())
            .expect("cargo builds the libraries before their tests");
        run(Command::new("bash")
            .arg(package().join("install.sh"))
            .arg("--prefix")
            .arg(prefix.path())
            .arg("--from")
            .arg(from));
        prefix
    });
    prefix.path()
}

/// Compiles a source of C (or C++) with all warnings as errors, and returns the program.
pub fn compile(source: &Path, standard: &str, link: Link, into: &Path) -> PathBuf {
    let prefix = installed();
    let is_cpp = source.extension().is_some_and(|extension| extension == "cpp");
    let name = source.file_stem().expect("a name").to_str().expect("UTF-8");
    let program = into.join(format!("{name}-{standard}-{link:?}"));
    let mut compiler = Command::new(if is_cpp { "g++" } else { "gcc" });
    compiler.arg(format!("-std={standard}")).args(["-O1", "-g", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]);
    compiler.arg("-I").arg(prefix.join("include")).arg(source).arg("-o").arg(&program);
    match link {
        Link::Static => compiler.arg(prefix.join("lib/libhoga.a")).args([
            "-lgcc_s",
            "-lutil",
            "-lrt",
            "-lpthread",
            "-lm",
            "-ldl",
            "-lc",
        ]),
        Link::Shared => compiler
            .arg("-L")
            .arg(prefix.join("lib"))
            .arg("-lhoga")
            .arg(format!("-Wl,-rpath,{}", prefix.join("lib").display())),
    };
    run(&mut compiler);
    program
}

/// Sizes of a small journal.
pub fn small() -> JournalConfig {
    let stream = StreamConfig { segment_bytes: 64 << 10, touch_ahead_bytes: 16 << 10 };
    JournalConfig { ticks: stream, raw: Some(stream), trading_date: 20_261_123, ..JournalConfig::default() }
}

/// Definition of an instrument.
pub fn instrument(id: u32, symbol: &str) -> Instrument {
    let mut record: Instrument = bytemuck::zeroed();
    record.header.length = size_of::<Instrument>() as u32;
    record.header.rtype = RType::Instrument as u8;
    record.header.instrument_id = id;
    record.key = InstrumentKey::new(b"KRX", symbol.as_bytes()).expect("a key");
    record
}

/// A trade whose fields follow from `number`.
pub fn trade(number: u64) -> Trade {
    let mut trade = Trade::UNDEF;
    trade.header.length = size_of::<Trade>() as u32;
    trade.header.rtype = RType::Trade as u8;
    trade.header.publisher = Publisher::KisKrx as u16;
    trade.header.ts_recv = 1_700_000_000_000_000_000 + number * 1000;
    trade.header.instrument_id = (number % 2) as u32 + 1;
    trade.px = (90_000 + (number % 10) as i64 * 100) * PX_SCALE;
    trade.qty = number % 7 + 1;
    trade
}

/// A book of two levels whose best prices follow from `number`.
pub fn book(number: u64) -> BookBuffer {
    let mut buffer = BookBuffer::UNDEF;
    buffer.book.header.length = (size_of_val(&buffer.book) + 2 * size_of_val(&buffer.levels[0])) as u32;
    buffer.book.header.rtype = RType::Book as u8;
    buffer.book.header.publisher = Publisher::KisKrx as u16;
    buffer.book.header.ts_recv = 1_700_000_000_000_000_000 + number * 1000;
    buffer.book.header.instrument_id = (number % 2) as u32 + 1;
    buffer.book.levels = 2;
    for (index, level) in buffer.levels[..2].iter_mut().enumerate() {
        level.bid_px = (90_000 + (number / 100) as i64 * 50 - index as i64 * 50) * PX_SCALE + PX_SCALE / 2;
        level.ask_px = level.bid_px + 50 * PX_SCALE;
        level.bid_qty = number;
        level.ask_qty = number + 1;
    }
    buffer
}

/// A closed journal of several segments: records of both streams, numbered from 1; every fourth of `ticks` is a book.
pub fn journal(dir: &Path, records: u64) {
    let mut journal = Journal::open(dir, small()).expect("open");
    for (id, symbol) in [(1, "005930"), (2, "000660")] {
        journal.ticks.append(words_of(&mut instrument(id, symbol))).expect("append");
    }
    for number in 1..=records {
        if number % 4 == 0 {
            journal.ticks.append(words_of(&mut book(number))).expect("append");
        } else {
            journal.ticks.append(words_of(&mut trade(number))).expect("append");
        }
        append_raw(journal.raw.as_mut().expect("raw is on"), format!("0|H0STCNT0|001|{number}").as_bytes());
    }
    journal.close().expect("close");
}

/// Appends a frame.
pub fn append_raw(raw: &mut StreamWriter, payload: &[u8]) {
    let mut prefix: RawPrefix = bytemuck::zeroed();
    prefix.header.rtype = RType::Raw as u8;
    prefix.payload_bytes = payload.len() as u32;
    prefix.opcode = 1;
    raw.append_with_tail(words_of(&mut prefix), payload).expect("append");
}
