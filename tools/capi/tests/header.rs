//! `include/hoga.h` is what the Rust sources say: generated anew and compared, so that it can't go stale.
//!
//! Functions, structs and codes are written by cbindgen. Numbers that are registries in Rust (kinds, flags, findings,
//! reasons) are read from the sources with their documentation and each is held against the value Rust has.
//! `HOGA_UPDATE_HEADER=1 cargo test -p hoga-capi --test header` writes the header.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use hoga_capi::{codes, handle, query, reading};
use hoga_reader::tick::{
    self, EndReason, Findings, Flags, GapReason, HoleReason, Publisher, RType, RejectReason, SessionEvent,
};

const TOP: &str = include_str!("header_top.h");
const BOTTOM: &str = include_str!("header_bottom.h");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn tick_source(file: &str) -> String {
    let path = root().join("../../src/tick").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Rust name, C name, bytes: every struct of the header.
fn structs() -> Vec<(&'static str, &'static str, usize)> {
    macro_rules! sizes {
        ($($kind:ident $name:literal),* $(,)?) => {
            vec![$((stringify!($kind), $name, size_of::<tick::$kind>())),*]
        };
    }
    let mut all = sizes! {
        Header "hoga_header", Market "hoga_market", Trade "hoga_trade", MidPrice "hoga_mid_price",
        Level "hoga_level", Book "hoga_book", Expected "hoga_expected", Status "hoga_status", Index "hoga_index",
        Nav "hoga_nav", Program "hoga_program", MemberEntry "hoga_member_entry", Member "hoga_member", Bar "hoga_bar",
        OtherPrefix "hoga_other_prefix", InstrumentKey "hoga_instrument_key", Instrument "hoga_instrument",
        Gap "hoga_gap", Repair "hoga_repair", RejectPrefix "hoga_reject_prefix", Session "hoga_session",
        Clock "hoga_clock", End "hoga_end", Hole "hoga_hole", RawPrefix "hoga_raw_prefix",
    };
    all.push(("HogaPosition", "hoga_position", size_of::<reading::HogaPosition>()));
    all.push(("HogaRecord", "hoga_record", size_of::<reading::HogaRecord>()));
    all.push(("HogaOptions", "hoga_options", size_of::<handle::HogaOptions>()));
    all.push(("HogaName", "hoga_name", size_of::<query::HogaName>()));
    all.push(("HogaLag", "hoga_lag", size_of::<query::HogaLag>()));
    all
}

/// Structs that a whole record can be read as, with the kind they belong to.
const RECORDS: [(&str, RType); 19] = [
    ("trade", RType::Trade),
    ("book", RType::Book),
    ("expected", RType::Expected),
    ("status", RType::Status),
    ("index", RType::Index),
    ("nav", RType::Nav),
    ("program", RType::Program),
    ("member", RType::Member),
    ("bar", RType::Bar),
    ("other_prefix", RType::Other),
    ("instrument", RType::Instrument),
    ("gap", RType::Gap),
    ("repair", RType::Repair),
    ("reject_prefix", RType::Reject),
    ("session", RType::Session),
    ("clock", RType::Clock),
    ("end", RType::End),
    ("hole", RType::Hole),
    ("raw_prefix", RType::Raw),
];

/// What C calls an item that Rust's documentation links to.
fn c_name(label: &str) -> String {
    let path = label.trim_start_matches("Self::").trim_start_matches("crate::tick::");
    let (item, member) = path.split_once("::").map_or((path, None), |(item, member)| (item, Some(member)));
    let registries = [
        ("Flags", "FLAG"),
        ("Findings", "FINDING"),
        ("RType", "RTYPE"),
        ("Publisher", "PUBLISHER"),
        ("Side", "SIDE"),
        ("RejectReason", "REJECT"),
        ("GapReason", "GAP"),
        ("SessionEvent", "SESSION"),
        ("EndReason", "END"),
        ("HoleReason", "HOLE"),
    ];
    if let Some((_, prefix)) = registries.iter().find(|(rust, _)| *rust == item) {
        return format!("HOGA_{prefix}_{}", member.map_or("*".to_owned(), screaming));
    }
    if let Some((_, c, _)) = structs().into_iter().find(|(rust, _, _)| *rust == item) {
        return member.map_or(c.to_owned(), |member| format!("{c}.{member}"));
    }
    match item {
        "BOOK_LEVELS" | "REJECT_BYTES" => format!("HOGA_{item}"),
        _ if item.starts_with("UNDEF_") => format!("HOGA_{item}"),
        _ => path.to_owned(),
    }
}

/// Documentation in C: links of rustdoc become plain words.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        out.push_str(&rest[..open]);
        rest = &rest[open + 1..];
        let Some(close) = rest.find(']') else {
            out.push('[');
            continue;
        };
        let label = &rest[..close];
        let behind = &rest[close + 1..];
        // An array's size is no link.
        if !label.starts_with('`') {
            let _ = write!(out, "[{label}]");
            rest = behind;
            continue;
        }
        out.push_str(&c_name(label.trim_matches('`')));
        rest = match behind.strip_prefix('(').and_then(|target| target.split_once(')')) {
            Some((_, behind)) => behind,
            None => behind,
        };
    }
    out.push_str(rest);
    out
}

/// `NAME = number` or `const NAME: u32 = 1 << n` below documentation, from where `opening` stands to the closing brace.
fn numbers(source: &str, opening: &str) -> Vec<(String, u64, String)> {
    let start = source.find(opening).unwrap_or_else(|| panic!("{opening:?} is not in the source"));
    let mut found = Vec::new();
    let mut doc = Vec::new();
    for line in source[start..].lines().skip(1).map(str::trim) {
        if line == "}" || line.starts_with("impl ") {
            break;
        } else if let Some(text) = line.strip_prefix("///") {
            doc.push(text.trim());
            continue;
        }
        let constant = line.strip_prefix("pub const ").and_then(|line| line.split_once(": u32 = "));
        if let Some((name, value)) = constant.or_else(|| line.split_once(" = "))
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            let value = value.split([',', ';', ' ', '"']).next().unwrap_or_default();
            let shift = line.split_once("<< ").map(|(_, bit)| bit.trim_end_matches(';'));
            let value = match shift {
                Some(bit) => 1 << bit.parse::<u32>().expect("a bit"),
                None => value.parse().unwrap_or_else(|_| panic!("no number in {line:?}")),
            };
            found.push((name.to_owned(), value, doc.join(" ")));
        }
        doc.clear();
    }
    assert!(!found.is_empty(), "{opening:?} has no numbers");
    found
}

fn screaming(name: &str) -> String {
    let mut out = String::new();
    for (index, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && index > 0 && !name.chars().all(|letter| !letter.is_ascii_lowercase()) {
            out.push('_');
        }
        out.push(letter.to_ascii_uppercase());
    }
    out
}

/// A registry as constants of C, each held against Rust's value.
fn registry(out: &mut String, title: &str, prefix: &str, numbers: Vec<(String, u64, String)>, values: &[u64]) {
    let own: Vec<u64> = numbers.iter().map(|(_, value, _)| *value).collect();
    assert_eq!(own, values, "{prefix}: the source read otherwise than compiled");
    let _ = writeln!(out, "/* {title} */");
    for (name, value, doc) in numbers {
        let _ = writeln!(out, "\n/** {} */\n#define HOGA_{prefix}_{} {value}", plain(&doc), screaming(&name));
    }
    out.push('\n');
}

fn registries() -> String {
    let bits = |names: &[&str]| (0..names.len()).map(|bit| 1 << bit).collect::<Vec<u64>>();
    let service = tick_source("service.rs");
    let flags = tick_source("flags.rs");
    let mut out = String::new();
    let kinds: Vec<u64> = RType::ALL.iter().map(|kind| *kind as u64).collect();
    registry(
        &mut out,
        "Kinds of record: hoga_header.rtype.",
        "RTYPE",
        numbers(&tick_source("kinds.rs"), "pub enum RType {"),
        &kinds,
    );
    registry(&mut out, "Bits of hoga_header.flags.", "FLAG", numbers(&flags, "impl Flags {"), &bits(&Flags::NAMES));
    registry(
        &mut out,
        "Bits of hoga_market.findings.",
        "FINDING",
        numbers(&flags, "impl Findings {"),
        &bits(&Findings::NAMES),
    );
    let publishers: Vec<u64> = Publisher::ALL.iter().map(|publisher| *publisher as u64).collect();
    registry(
        &mut out,
        "Feeds and venues: hoga_header.publisher.",
        "PUBLISHER",
        numbers(&tick_source("registry.rs"), "pub enum Publisher {"),
        &publishers,
    );
    registry(
        &mut out,
        "Who took liquidity: hoga_trade.side.",
        "SIDE",
        numbers(&tick_source("market_data/trade.rs"), "pub enum Side {"),
        &[0, 1, 2, 3],
    );
    macro_rules! service {
        ($($kind:ident $prefix:literal $title:literal),* $(,)?) => {$(
            let values: Vec<u64> = $kind::ALL.iter().map(|value| *value as u64).collect();
            registry(&mut out, $title, $prefix, numbers(&service, concat!("    ", stringify!($kind), " {")), &values);
        )*};
    }
    service! {
        RejectReason "REJECT" "Why a frame or record could not be read: hoga_reject_prefix.reason.",
        GapReason "GAP" "Why volume is missing: hoga_gap.reason.",
        SessionEvent "SESSION" "What happened to a connection: hoga_session.event.",
        EndReason "END" "Why a segment ended: hoga_end.reason.",
        HoleReason "HOLE" "Why records are missing: hoga_hole.reason.",
    }
    out
}

fn generated() -> String {
    let mut config = cbindgen::Config {
        language: cbindgen::Language::C,
        cpp_compat: true,
        documentation_style: cbindgen::DocumentationStyle::Doxy,
        style: cbindgen::Style::Both,
        usize_is_size_t: true,
        no_includes: true,
        line_length: 120,
        tab_width: 2,
        ..cbindgen::Config::default()
    };
    let mut rename: BTreeMap<String, String> =
        structs().into_iter().map(|(rust, c, _)| (rust.to_owned(), c.to_owned())).collect();
    rename.insert("HogaTailer".into(), "hoga_tailer".into());
    rename.insert("HogaOnRecord".into(), "hoga_on_record".into());
    for name in ["SYMBOL_BYTES", "BOOK_LEVELS", "REJECT_BYTES", "PX_SCALE", "TURNOVER_SCALE"] {
        rename.insert(name.into(), format!("HOGA_{name}"));
    }
    config.export.include = structs().into_iter().map(|(rust, _, _)| rust.to_owned()).collect();
    config.export.rename = rename.into_iter().collect();
    config.export.exclude =
        ["Flags", "Findings", "Side", "StatusSource", "BookBuffer", "RType", "Feed", "Publisher", "VERSION"]
            .iter()
            .map(|name| (*name).to_owned())
            .collect();
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in ["px", "header", "instrument", "market_data/trade", "market_data/book", "market_data/state"] {
        builder = builder.with_src(root().join("../../src/tick").join(file).with_extension("rs"));
    }
    for file in ["market_data/flow", "market_data/bar", "service"] {
        builder = builder.with_src(root().join("../../src/tick").join(file).with_extension("rs"));
    }
    for file in ["codes.rs", "handle.rs", "reading.rs", "query.rs", "text.rs"] {
        builder = builder.with_src(root().join("src").join(file));
    }
    let mut bytes = Vec::new();
    builder.generate().expect("cbindgen reads the sources").write(&mut bytes);
    String::from_utf8(bytes).expect("UTF-8")
}

/// Takes the sections written for Rust's callers out of a header's comments.
fn without_safety(text: &str) -> String {
    let mut out = String::new();
    let mut skipping = false;
    for line in text.lines() {
        let bare = line.trim().trim_start_matches('*').trim();
        if bare.starts_with("# Safety") {
            skipping = true;
            // The empty line before it.
            while out.ends_with(" *\n") {
                out.truncate(out.len() - 3);
            }
        } else if line.trim().ends_with("*/") {
            skipping = false;
        }
        if !skipping {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

fn header() -> String {
    let mut out = String::from(TOP);
    let _ = writeln!(out, "\n/** Version of this header; hoga_version() is the library's. */");
    let _ = writeln!(out, "#define HOGA_VERSION {}u\n", codes::VERSION);
    out.push_str(&registries());
    out.push_str(&plain(&without_safety(&generated())));
    out.push_str("\n/* What Rust has is what this compiler has. */\n");
    for (_, name, bytes) in structs() {
        let _ = writeln!(out, "HOGA_ASSERT_SIZE({name}, {bytes});");
    }
    out.push_str(
        "\n/* For the functions below. */\n\
         static inline const void *hoga_as_(const hoga_record *record, uint8_t rtype, size_t bytes)\n{\n  \
         const hoga_header *header = (const hoga_header *)record->data;\n  \
         return header->rtype == rtype && record->length >= bytes ? record->data : NULL;\n}\n",
    );
    out.push_str("\n/* A record as a struct: NULL when it is of another kind or, by an older writer, shorter. */\n");
    for (name, kind) in RECORDS {
        let kind = screaming(&format!("{kind:?}"));
        let _ = writeln!(
            out,
            "static inline const hoga_{name} *hoga_as_{name}(const hoga_record *record)\n{{\n  \
             return (const hoga_{name} *)hoga_as_(record, HOGA_RTYPE_{kind}, sizeof(hoga_{name}));\n}}\n"
        );
    }
    out.push_str(BOTTOM);
    out
}

#[test]
fn the_committed_header_is_what_the_sources_say() {
    let path = root().join("include/hoga.h");
    let fresh = header();
    if std::env::var_os("HOGA_UPDATE_HEADER").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let first = fresh.lines().zip(committed.lines()).position(|(new, old)| new != old);
    assert!(
        fresh == committed,
        "include/hoga.h is stale from line {} on: HOGA_UPDATE_HEADER=1 cargo test -p hoga-capi --test header",
        first.unwrap_or_else(|| fresh.lines().count().min(committed.lines().count())) + 1
    );
}

#[test]
fn every_kind_of_record_has_a_struct_in_the_header() {
    let kinds: Vec<RType> = RECORDS.iter().map(|(_, kind)| *kind).collect();
    assert_eq!(kinds, RType::ALL);
    for (name, _) in RECORDS {
        assert!(structs().iter().any(|(_, c, _)| *c == format!("hoga_{name}")), "{name}");
    }
}
