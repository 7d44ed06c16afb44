//! Damage to files that a venue serves: nothing panics, and every row is accounted for.

use std::sync::LazyLock;

use jiff::civil::{Date, date};
use kis_sim::{MasterSet, MasterSizes, SimConfig};
use proptest::prelude::*;

use super::{FILES, MasterFile, Masters};

const DAY: Date = date(2026, 11, 20);

/// Plain files of a small market.
static SERVED: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let config = SimConfig { symbols: 30, ..SimConfig::default() };
    let symbols = kis_sim::market::SimMarket::new(&config).symbols();
    let set = MasterSet::new(&symbols, DAY, MasterSizes::Small);
    set.archives()
        .iter()
        .map(|archive| (archive.name.trim_end_matches(".zip").to_owned(), archive.plain.clone()))
        .collect()
});

fn read(files: &[(String, Vec<u8>)]) -> Masters {
    Masters::read(DAY, files.iter().map(|(name, bytes)| (&**name, &**bytes)))
}

fn check_accounts(masters: &Masters) -> Result<(), TestCaseError> {
    for report in masters.reports() {
        prop_assert_eq!(report.rows, report.taken + report.elsewhere + report.rejected, "{:?}", report);
        prop_assert_eq!(report.rejects.len() as u64, report.rejected.min(super::REJECTS_KEPT as u64));
    }
    let marks = |file: &str| MasterFile::find(file).is_some_and(|file| file.name.starts_with("nxt_"));
    let taken: u64 = masters.reports().iter().filter(|report| !marks(report.file)).map(|report| report.taken).sum();
    prop_assert_eq!(taken, masters.all().len() as u64);
    Ok(())
}

#[test]
fn served_files_are_whole() {
    let masters = read(&SERVED);
    assert_eq!((masters.rejected(), masters.missing().len()), (0, 0), "{:?}", masters.reports());
    assert!(
        FILES.iter().all(|file| masters.reports().iter().any(|report| report.file == file.name && report.taken > 0))
    );
    assert!(masters.reports().iter().any(|report| report.names_cut > 0));
    check_accounts(&masters).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_cut_file_loses_its_last_row_and_says_so(file in 0..22_usize, at in any::<prop::sample::Index>()) {
        let mut files = SERVED.clone();
        let bytes = &mut files[file].1;
        let at = at.index(bytes.len());
        bytes.truncate(at);
        // A row without its newline, or without blanks that may be cut off, is whole.
        let name = files[file].0.clone();
        let masters = read(&files);
        check_accounts(&masters)?;
        let report = masters.reports().iter().find(|report| report.file == name).unwrap();
        let lines = files[file].1.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
        prop_assert_eq!(report.rows, lines as u64);
        prop_assert!(report.rejects.iter().all(|reject| reject.offset <= at as u64 && reject.line <= report.rows));
        prop_assert!(report.rejected <= 1 || name.starts_with("nxt_"), "{:?}", report);
    }

    #[test]
    fn flipped_bytes_are_counted_or_change_what_they_stand_for(
        file in 0..22_usize,
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..20),
    ) {
        let mut files = SERVED.clone();
        for (at, mask) in flips {
            let bytes = &mut files[file].1;
            let at = at.index(bytes.len());
            bytes[at] ^= mask;
        }
        check_accounts(&read(&files))?;
    }

    #[test]
    fn a_byte_that_is_no_text_is_found_where_it_stands(row in 0..40_usize, at in 61..288_usize, byte in 0x7f..=255_u8) {
        let mut files = SERVED.clone();
        let place = files.iter().position(|(name, _)| name == "kospi_code.mst").unwrap();
        files[place].1[row * 289 + at] = byte;
        let masters = read(&files);
        let report = &masters.reports()[0];
        prop_assert_eq!(report.rejected, 1);
        let reject = &report.rejects[0];
        prop_assert_eq!((reject.line, reject.offset), (row as u64 + 1, (row * 289 + at) as u64));
        prop_assert_eq!(reject.reason, super::RejectReason::Byte { found: byte });
    }

    #[test]
    fn a_damaged_archive_is_told_and_never_read_by_half(cut in any::<prop::sample::Index>(), mask in 1..=255_u8) {
        static ARCHIVE: LazyLock<Vec<u8>> = LazyLock::new(|| {
            MasterSet::new(&[], DAY, MasterSizes::Small).archives()[0].zip.clone()
        });
        let whole = Masters::read(DAY, [("kospi_code.mst.zip", &**ARCHIVE)]);
        let mut damaged = ARCHIVE.clone();
        let at = cut.index(damaged.len());
        damaged[at] ^= mask;
        for bytes in [&damaged[..], &ARCHIVE[..at]] {
            let masters = Masters::read(DAY, [("kospi_code.mst.zip", bytes)]);
            let report = &masters.reports()[0];
            prop_assert!(report.damage.is_some() == masters.all().is_empty());
            prop_assert!(report.damage.is_some() || masters.all() == whole.all());
        }
    }
}
