//! Indices, warrants, derivatives, bonds and stocks abroad: invented, in the layouts of the real files.

use super::record::{NAME_BYTES, Record, cp949, held, name};
use super::{Files, MasterRow};

/// Indices by their real codes: family, code, name.
const INDICES: [(&str, &str, &str); 18] = [
    ("0", "0001", "종합"),
    ("0", "0002", "대형주"),
    ("0", "0008", "화학"),
    ("0", "0013", "전기·전자"),
    ("0", "0015", "운송장비·부품"),
    ("0", "0016", "유통"),
    ("0", "0021", "금융"),
    ("0", "0024", "증권"),
    ("0", "0027", "제조"),
    ("1", "1001", "KOSDAQ"),
    ("1", "1006", "일반서비스"),
    ("1", "1009", "제조"),
    ("1", "1024", "제약"),
    ("1", "1028", "전기·전자"),
    ("2", "2001", "KOSPI200"),
    ("3", "3003", "KSQ150"),
    ("4", "4300", "KRX 300"),
    ("4", "4605", "코스피200 코스닥150 고정비중 5:5레버리지"),
];

/// Files abroad: name, country, exchange, its Korean name, currency, decimals, first letters of symbols, rows of the real one.
type Abroad = (&'static str, &'static str, &'static str, &'static str, &'static str, usize, &'static str, usize);
const ABROAD: [Abroad; 11] = [
    ("nasmst.cod", "US", "NAS", "나스닥", "USD", 4, "", 6_000),
    ("nysmst.cod", "US", "NYS", "뉴욕", "USD", 4, "", 4_000),
    ("amsmst.cod", "US", "AMS", "아멕스", "USD", 4, "", 4_500),
    ("shsmst.cod", "CN", "SHS", "상해", "CNY", 3, "60", 2_500),
    ("shimst.cod", "CN", "SHI", "상해지수", "CNY", 3, "00", 300),
    ("szsmst.cod", "CN", "SZS", "심천", "CNY", 3, "30", 3_000),
    ("szimst.cod", "CN", "SZI", "심천지수", "CNY", 3, "39", 300),
    ("tsemst.cod", "JP", "TSE", "도쿄", "JPY", 1, "1", 4_500),
    ("hksmst.cod", "HK", "HKS", "홍콩", "HKD", 3, "0", 3_500),
    ("hnxmst.cod", "VN", "HNX", "하노이", "VND", 0, "HN", 700),
    ("hsxmst.cod", "VN", "HSX", "호치민", "VND", 0, "HS", 700),
];

pub(super) fn add(files: &mut Files) {
    indices(files);
    elw(files);
    contracts(files);
    commodities(files);
    bonds(files);
    for abroad in ABROAD {
        overseas(files, abroad);
    }
}

/// Puts a file in with its rows.
fn put(files: &mut Files, file: &'static str, rows: Vec<MasterRow>, bytes: Vec<u8>) {
    files.rows.extend(rows.into_iter().map(|row| MasterRow { file, ..row }));
    files.list.push((file, bytes));
}

fn indices(files: &mut Files) {
    let (mut rows, mut bytes) = (Vec::new(), Vec::new());
    let invented = (0..files.count(0, 680)).map(|n| ("6", format!("{:04}", 6_001 + n), name(n)));
    let real = INDICES.iter().map(|(family, code, name)| (*family, (*code).to_owned(), (*name).to_owned()));
    for (family, code, name) in real.chain(invented) {
        Record::default().text(family, 1).text(&code, 4).korean(&name, NAME_BYTES).end(45, &mut bytes);
        rows.push(MasterRow { code, name: held(&name), ..MasterRow::default() });
    }
    put(files, "idxcode.mst", rows, bytes);
}

fn elw(files: &mut Files) {
    let (mut rows, mut bytes) = (Vec::new(), Vec::new());
    for n in 0..files.count(4, 4_000) {
        let code = format!("5{n:04}J");
        let (isin, right) = (format!("KRA{:09}", 500_000_000 + n), if n % 2 == 0 { "C" } else { "P" });
        let name = format!("모의{n:04}삼성전자{}", if n % 2 == 0 { "콜" } else { "풋" });
        Record::default()
            .text(&code, 9)
            .text(&isin, 12)
            .korean(&name, NAME_BYTES)
            .text("0", 1)
            .number(0, 13)
            .text("N", 1)
            .text("005930", 9)
            .blanks(36)
            .korean("모의증권", NAME_BYTES)
            .text("00030", 5)
            .number(60_000 + 500 * (n as i64 % 40), 9)
            .text("20261210", 8)
            .number(17, 4)
            .text(right, 1)
            .text("20261214", 8)
            .number(10, 9)
            .number(1_000, 15)
            .text("00030", 5)
            .blanks(45)
            .end(270, &mut bytes);
        rows.push(MasterRow { code, isin: Some(isin), name, ..MasterRow::default() });
    }
    put(files, "elw_code.mst", rows, bytes);
}

/// Columns between `|`, without widths: futures, spreads, calls and puts in turn.
fn contracts(files: &mut Files) {
    let lists = [
        ("fo_idx_code_mts.mst", ["1", "2", "5", "6"], "2001", "KOSPI200", "A01", files.count(8, 8_000)),
        ("fo_stk_code_mts.mst", ["1", "2", "5", "6"], "005930", "삼성전자", "A11", files.count(8, 10_000)),
    ];
    for (file, types, underlying, underlying_name, letters, count) in lists {
        let (mut rows, mut bytes) = (Vec::new(), Vec::new());
        for n in 0..count {
            let code = format!("{letters}{n:05}");
            let isin = format!("KR4{letters}{n:06}");
            let strike = 400 + n / 4;
            let (info_type, is_option) = (types[n % 4], n % 4 > 1);
            let name = match n % 4 {
                0 => format!("F 2026{:02}", 1 + n % 12),
                1 => "SP 2612-2703".to_owned(),
                2 => format!("위클리C 2612W{} {strike}.0", 1 + n % 4),
                _ => format!("미니P 202612 {strike}.0"),
            };
            let (atm, strike, month) =
                if is_option { ("2", format!("{strike:05}.00"), " ") } else { (" ", "00000.00".to_owned(), "1") };
            let row =
                format!("{info_type}|{code}|{isin}|{name}|{atm}|{strike}|{month}|{underlying}|{underlying_name}\n");
            bytes.extend(cp949(&row));
            rows.push(MasterRow { code, isin: Some(isin), name, ..MasterRow::default() });
        }
        put(files, file, rows, bytes);
    }
}

fn commodities(files: &mut Files) {
    let (mut rows, mut bytes) = (Vec::new(), Vec::new());
    for n in 0..files.count(4, 2_000) {
        let (code, isin, name) = (format!("A75{n:05}"), format!("KR4A75{n:06}"), format!("미국달러 F {n:04}"));
        Record::default()
            .text("2", 1)
            .text(["1", "2", "5", "6"][n % 4], 1)
            .text(&code, 9)
            .text(&isin, 12)
            .korean(&name, NAME_BYTES)
            .blanks(1)
            .text(if n % 4 > 1 { "01350.00" } else { "00000.00" }, 8)
            .text("1", 1)
            .text("USD", 3)
            .korean("미국달러", NAME_BYTES)
            .end(116, &mut bytes);
        rows.push(MasterRow { code, isin: Some(isin), name, ..MasterRow::default() });
    }
    put(files, "fo_com_code.mst", rows, bytes);
}

fn bonds(files: &mut Files) {
    let (mut rows, mut bytes) = (Vec::new(), Vec::new());
    for n in 0..files.count(4, 22_000) {
        let isin = format!("KR1{:09}", 35_000_000 + n);
        let name = format!("국고{:02}{:03}-{:04}", 1 + n % 9, n % 1_000, n);
        Record::default()
            .text("A0", 2)
            .text(["GA", "MA", "BA", "CA"][n % 4], 2)
            .text(&isin, 12)
            .korean(&name, NAME_BYTES)
            .text("13", 2)
            .text("20240610", 8)
            .text("20240610", 8)
            .text(if n % 11 == 3 { "99991231" } else { "20340610" }, 8)
            .blanks(24)
            .end(106, &mut bytes);
        rows.push(MasterRow { code: isin.clone(), isin: Some(isin), name, ..MasterRow::default() });
    }
    put(files, "bond_code.mst", rows, bytes);
}

/// A symbol of letters: AAAB, AAAC, ...
fn letters(mut n: usize) -> String {
    (0..4).map(|_| (char::from(b'A' + (n % 26) as u8), n /= 26).0).collect::<Vec<_>>().into_iter().rev().collect()
}

fn overseas(files: &mut Files, abroad: Abroad) {
    let (file, country, exchange, exchange_name, currency, decimals, head, full) = abroad;
    let (mut rows, mut bytes) = (Vec::new(), Vec::new());
    let is_index = exchange.ends_with('I') && country == "CN";
    for n in 0..files.count(3, full) {
        let code = match (country, n) {
            ("US", 2) => "BRK/B".to_owned(),
            ("US" | "VN", _) => format!("{head}{}", letters(n + 1)),
            ("HK", _) => format!("{:05}", n + 1),
            ("JP", _) => format!("{}", 1_300 + n),
            _ => format!("{head}{n:04}"),
        };
        let (korean, english) = (name(n), format!("{} CORP {n}", letters(n)));
        let mut today = files.day_draw(&code, 6);
        let units = today.between(1, 4_000_000);
        let base = match decimals {
            0 => format!("{units}"),
            _ => format!("{}.{:0decimals$}", units / 10_000, units % 10_i64.pow(decimals as u32)),
        };
        let (class, product) = match (is_index, n % 7) {
            (true, _) => ("1", "   "),
            (false, 4) => ("3", "001"),
            (false, 6) => ("4", "   "),
            _ => ("2", "   "),
        };
        let row = format!(
            "{country}\t22\t{exchange}\t{exchange_name}\t{code}\t{exchange}{code}\t{korean}\t{english}\t{class}\t{currency}\t{decimals}\t\t{base}\t1\t1\t930\t1600\tN\t\t{}\t0\t0\t{product}\t   \n",
            if n % 2 == 0 { "000" } else { "730" }
        );
        bytes.extend(cp949(&row));
        let shortest =
            if base.contains('.') { base.trim_end_matches('0').trim_end_matches('.').to_owned() } else { base };
        let base = if shortest == "0" { String::new() } else { shortest };
        rows.push(MasterRow {
            code,
            name: korean.trim().to_owned(),
            name_en: Some(english),
            base,
            ..MasterRow::default()
        });
    }
    put(files, file, rows, bytes);
}
