//! The whole table.

use super::evidence::{Boot, Checksum, CommitWord, Continuity, Size, Watermark};
use super::*;

/// Every combination of evidence.
fn all() -> impl Iterator<Item = Evidence> {
    let mut all = Vec::new();
    for &header in HeaderIs::ALL {
        for &commit in CommitWord::ALL {
            for &checksum in Checksum::ALL {
                for &sequence in Continuity::ALL {
                    for &behind in Behind::ALL {
                        let rest = Evidence {
                            header,
                            commit,
                            checksum,
                            sequence,
                            behind,
                            size: Size::Whole,
                            watermark: Watermark::None,
                            boot: Boot::Same,
                            control: ControlPage::Good,
                            place: Place::Newest,
                        };
                        all.extend(around(rest));
                    }
                }
            }
        }
    }
    all.into_iter()
}

/// One segment's evidence in all circumstances.
fn around(segment: Evidence) -> Vec<Evidence> {
    let mut all = Vec::new();
    for &size in Size::ALL {
        for &watermark in Watermark::ALL {
            for &boot in Boot::ALL {
                for &control in ControlPage::ALL {
                    for &place in Place::ALL {
                        all.push(Evidence { size, watermark, boot, control, place, ..segment });
                    }
                }
            }
        }
    }
    all
}

#[test]
fn every_combination_of_evidence_has_exactly_one_row() {
    let mut combinations = 0;
    for evidence in all() {
        let rows: Vec<&str> = TABLE.iter().filter(|row| row.matches(&evidence)).map(|row| row.name).collect();
        assert_eq!(rows.len(), 1, "{evidence:?}: {rows:?}");
        combinations += 1;
    }
    assert_eq!(combinations, 6 * 4 * 2 * 2 * 3 * 2 * 3 * 2 * 4 * 2);
}

#[test]
fn every_row_is_reached_and_has_a_name_of_its_own() {
    for (index, row) in TABLE.iter().enumerate() {
        assert!(all().any(|evidence| row.matches(&evidence)), "{}", row.name);
        assert!(!row.name.is_empty() && TABLE[..index].iter().all(|other| other.name != row.name), "{}", row.name);
    }
}

#[test]
fn only_torn_tails_are_cut_and_all_damage_is_refused() {
    for evidence in all() {
        let Decision { case, action, row } = decide(&evidence);
        match case.verdict() {
            Verdict::Clean => assert!(matches!(action, Action::Keep | Action::End | Action::Discard), "{row}"),
            Verdict::Torn => assert_ne!(action, Action::Refuse, "{row}"),
            Verdict::Corrupt => assert_eq!(action, Action::Refuse, "{row}"),
        }
        let cuts = matches!(action, Action::Cut | Action::PutAway);
        let e = evidence;
        assert!(!cuts || e.watermark != Watermark::Below, "nothing durable is cut: {e:?}");
        assert!(!cuts || e.boot == Boot::Other || e.behind != Behind::Record, "nothing valid in one boot: {e:?}");
        assert!(!cuts || e.boot == Boot::Other || e.place == Place::Newest, "{e:?}");
        let lost = matches!((e.control, e.watermark), (ControlPage::Damaged | ControlPage::Absent, Watermark::None));
        let complete = e.commit == CommitWord::Ended && e.behind == Behind::Zeros;
        assert!(!cuts || e.boot == Boot::Same || !lost || complete, "what was durable is not known: {e:?}");
    }
}

#[test]
fn versions_and_foreign_files_are_named_whatever_else_is_found() {
    for evidence in all() {
        let case = decide(&evidence).case;
        assert_eq!(
            case == Case::NewerVersion,
            evidence.control == ControlPage::Newer || evidence.header == HeaderIs::Newer
        );
        if evidence.control != ControlPage::Newer {
            assert_eq!(case == Case::Foreign, evidence.header == HeaderIs::Foreign);
            assert_eq!(case == Case::MissingSegment, evidence.header == HeaderIs::Missing);
        }
    }
}

#[test]
fn cases_have_the_names_scripts_know() {
    let names = [
        (Case::Clean, "clean"),
        (Case::TornByProcessDeath, "torn_by_process_death"),
        (Case::TornByHostDeath, "torn_by_host_death"),
        (Case::CorruptMiddle, "corrupt_middle"),
        (Case::Foreign, "foreign"),
        (Case::NewerVersion, "newer_version"),
        (Case::MissingSegment, "missing_segment"),
    ];
    for (case, name) in names {
        assert_eq!(case.name(), name);
        assert!(!case.explanation().is_empty());
    }
}
