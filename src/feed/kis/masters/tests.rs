//! Rows as the broker has served them.

use encoding_rs::EUC_KR;
use jiff::civil::{Date, date};

use super::{Masters, RejectReason};
use crate::market::price::Limits;
use crate::market::security::{Board, Cautions, Indices, Kind};
use crate::tick::PX_SCALE;

const DAY: Date = date(2026, 11, 20);

const KOSPI: &str = "\
005930   KR7005930003삼성전자                                ST1002700130000 NN5YYY YYNNNNNNN0NNNNNNNY0002690000000100001NNN00NNN000000020Y0900000225170760000000001001975061100000000584627800000000077804668500012       0 NYY00305372900146725200153268211884000031.3920260630015726489511NNN
000040   KR7000040006KR모터스                                ST3002700150000 NN0NNN NNNNNNNNN0NNNNNNNN0000011510000100001NNY00NNN000000100N0900000000299950000000025001976052500000000001967500000000004918759000012       0 NNY000000289-0000000200000028300289000054.8320260630000000226   NNN
F70101B96KR570101B962벨기에코어오피스2호                     BC 000000000000NN 0NNN NN    N  0        0000005500000100000NNN00NNN000000100N09000000000000000000000100020190911000000000090948000000000090948788000         0 NNN00000000000000000000000000000000000000.00        000000500   NNN
Q610067  KRG610000678메리츠 블룸버그 2X 천연가스선물 ETN(H) BEN 000000000000NN 0NNN3NN    N  0        0000053500000100001NNN00NNN000000100N09000000004090200000000000020230623000000000002000000000000000000000000         0 NNN00000000000000000000000000000000000000.00        000000107   NNN
";
const KOSDAQ: &str = "\
247540   KR7247540008에코프로비엠                            ST1100910280000 NY Y    N  0  N    Y0001039000000100001NNN00NNN000000040Y0900000003787260000000005002019030500000000009783000000000004895545400012       0 NY0000118210000003900000001420011700000000320260630000101645LD2NNN
0004Y0   KR70004Y0000디비금융제14호스팩                      ST3101400000000 NN N    Y  0  N    N0000019880000100001NNN00NNN000000100N0900000000042230000000001002025072200000000000531500000000000053150000012       0 NN0000000000000000000000000000000000000000020241231000000105   NNN
";
const KONEX: &str = "\
086460   KR7086460003큐러블                                  ST0000014540000100001YNN02NNN000000100N0900000000000000000000005002013070100000000000293900000000000146970000012       0 N 000000015-00000030-00000035-0035-0000003420241231000000042NNN
";
const INDEX: &str = "\
00013전기·전자                              \n44605코스피200 코스닥150 고정비중 5:5레버리지\n";
const CONTRACTS: &str = "\
1|A01603|KR4A01630008|F 202603| |00000.00|1|2001|KOSPI200
A|DAD60301|KR4DAD6366S2|2차전지 TOP 10 SP 2603-2606| |00000.00|1|4412|KRX 2차전지TOP 10 지수
L|209EJW527|KR4209EJ5271|위클리C 2512W4 527.5|2|00527.50| |2001|KOSPI200
E|C05605545|KR4C05655454|미니P 202605 545.0|3|00545.00| |2001|KOSPI200
";
const NASDAQ: &str = "\
US\t22\tNAS\t나스닥\tAAPL\tNASAAPL\t애플\tAPPLE INC\t2\tUSD\t4\t\t201.3600\t1\t1\t930\t1600\tN\t\t730\t0\t0\t   \t   \nUS\t22\tNAS\t나스닥\tAADR\tNASAADR\tADVISORSHARES DORSEY WRIGHT ADR\tADVISORSHARES TRUST ADVISORSHARES DORSEY WRIGHT ADR ETF\t3\tUSD\t4\t\t79.5700\t1\t1\t930\t1600\tN\t\t000\t0\t0\t001\t   \n";

fn read(files: &[(&str, &str)]) -> Masters {
    let bytes: Vec<(&str, Vec<u8>)> =
        files.iter().map(|(name, text)| (*name, EUC_KR.encode(text).0.into_owned())).collect();
    Masters::read(DAY, bytes.iter().map(|(name, bytes)| (*name, &**bytes)))
}

fn all() -> Masters {
    let masters = read(&[
        ("kospi_code.mst", KOSPI),
        ("kosdaq_code.mst", KOSDAQ),
        ("konex_code.mst", KONEX),
        ("nxt_kospi_code.mst", KOSPI.lines().next().unwrap()),
        ("idxcode.mst", INDEX),
        ("fo_idx_code_mts.mst", CONTRACTS),
        ("NASMST.COD", NASDAQ),
    ]);
    assert_eq!(masters.rejected(), 0, "{:?}", masters.reports());
    masters
}

#[test]
fn a_stock_is_read_field_by_field() {
    let masters = all();
    let samsung = masters.get("005930").unwrap();
    assert_eq!((&*samsung.name, samsung.isin.as_deref()), ("삼성전자", Some("KR7005930003")));
    assert_eq!((samsung.board, samsung.kind, samsung.base_px), (Board::Kospi, Kind::Stock, Some(269_000 * PX_SCALE)));
    assert_eq!((samsung.is_halted, samsung.is_nxt, samsung.cautions), (false, true, Cautions::none()));
    assert_eq!(samsung.listed_on, Some(date(1975, 6, 11)));
    let indices: Vec<&str> = samsung.indices.names().collect();
    assert_eq!(indices, ["KOSPI200", "KOSPI100", "KOSPI50", "KRX300", "KRX100"]);
    assert_eq!((masters.sector(samsung), samsung.sectors.len()), (Some("전기·전자"), 2));
    assert_eq!(samsung.limits(DAY), Some(Limits { lower: 188_500, upper: 349_500 }));
    let motors = masters.get("000040").unwrap();
    assert_eq!((motors.cautions, motors.is_nxt), (Cautions::ADMINISTRATION, false));
    assert_eq!(masters.sector(motors), Some("0015"), "an index that no list names");
}

#[test]
fn funds_notes_and_other_markets_have_their_kinds() {
    let masters = all();
    let kind = |code: &str| masters.get(code).map(|security| (security.board, security.kind));
    assert_eq!(kind("F70101B96"), Some((Board::Kospi, Kind::Certificate)));
    assert_eq!(kind("Q610067"), Some((Board::Kospi, Kind::Etn)));
    let note = masters.get("Q610067").unwrap();
    assert_eq!((&*note.name, note.limits(DAY)), ("메리츠 블룸버그 2X 천연가스선물 ETN(H) B", None));
    let ecopro = masters.get("247540").unwrap();
    assert_eq!((ecopro.board, &*ecopro.name), (Board::Kosdaq, "에코프로비엠"));
    assert!(ecopro.indices.contains(Indices::KOSDAQ150) && ecopro.indices.contains(Indices::KRX300));
    let spac = masters.get("0004Y0").unwrap();
    assert_eq!(
        (&*spac.name, spac.base_px, spac.indices),
        ("디비금융제14호스팩", Some(1_988 * PX_SCALE), Indices::none())
    );
    let konex = masters.get("086460").unwrap();
    assert_eq!((konex.board, konex.is_halted, konex.cautions), (Board::Konex, true, Cautions::WARNING));
    assert_eq!(masters.get("4605").unwrap().name.chars().count(), 26);
}

#[test]
fn contracts_and_stocks_abroad_are_read_by_columns() {
    let masters = all();
    let contract = |code: &str| {
        let security = masters.get(code).unwrap();
        let contract = security.contract.as_deref().unwrap();
        (security.kind, &*contract.underlying, contract.strike, contract.is_call)
    };
    assert_eq!(contract("A01603"), (Kind::Future, "2001", None, None));
    assert_eq!(contract("DAD60301"), (Kind::Spread, "4412", None, None));
    assert_eq!(contract("209EJW527"), (Kind::Option, "2001", Some(527_500_000_000), Some(true)));
    assert_eq!(contract("C05605545"), (Kind::Option, "2001", Some(545 * PX_SCALE), Some(false)));
    let apple = masters.get_on(Board::Nasdaq, "AAPL").unwrap();
    assert_eq!((&*apple.name, apple.name_en.as_deref()), ("애플", Some("APPLE INC")));
    assert_eq!((apple.base_px, apple.realtime_code.as_deref()), (Some(201_360_000_000), Some("NASAAPL")));
    assert_eq!(masters.get("AADR").unwrap().kind, Kind::Etf);
}

#[test]
fn a_bad_row_is_told_with_its_place_and_the_others_are_taken() {
    let bad = KOSPI.replace("ST3002700150000 NN0NNN", "ST3002700150000 NN0NQN").replace("BC 0000", "BC 00000");
    let masters = read(&[("kospi_code.mst", &(bad + KOSPI.lines().next().unwrap()))]);
    let [report] = masters.reports() else { panic!() };
    assert_eq!((report.rows, report.taken, report.rejected), (5, 2, 3));
    let told: Vec<(u64, u64, RejectReason)> =
        report.rejects.iter().map(|reject| (reject.line, reject.offset, reject.reason)).collect();
    let expected = [
        (2, 289 + 81, RejectReason::Flag { field: "kospi50_issu_yn", found: b'Q' }),
        (3, 2 * 289, RejectReason::Width { found: 289, expected: 288 }),
        (5, 4 * 289 + 1, RejectReason::Repeated),
    ];
    assert_eq!(told, expected);
    assert_eq!(report.rejects[0].to_string(), "kospi_code.mst line 2 byte 370: kospi50_issu_yn is 'Q'");
}

#[test]
fn a_code_of_a_class_without_a_name_stays_visible() {
    let strange = KOSPI.replace("ST3002700150000", "ZZ3002700150000").replace("NNY00NNN", "NNY07NNN");
    let masters = read(&[("kospi_code.mst", &strange)]);
    assert_eq!(masters.rejected(), 0);
    let motors = masters.get("000040").unwrap();
    assert_eq!(motors.kind, Kind::Other);
    assert_eq!(motors.cautions.names().collect::<Vec<_>>(), ["administration", "unknown"]);
}

#[test]
fn rows_may_end_as_on_windows_and_the_last_without_an_end() {
    let masters = read(&[("kosdaq_code.mst", &KOSDAQ.trim_end().replace('\n', "\r\n"))]);
    assert_eq!((masters.all().len(), masters.rejected()), (2, 0));
}

#[test]
fn a_mark_of_nextrade_for_what_krx_does_not_list_is_told() {
    let masters = read(&[("kosdaq_code.mst", KOSDAQ), ("nxt_kospi_code.mst", KOSPI)]);
    assert_eq!(masters.rejected(), 4);
    assert!(masters.reports()[1].rejects.iter().all(|reject| reject.reason == RejectReason::Unlisted));
}
