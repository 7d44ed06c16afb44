//! Records of the quieter feeds: market status, index, programme trading, members.

use crate::market::chronicle::{IndexTick, STOCKS, UNCHANGED};
use crate::market::line::{Line, percent, sign};
use crate::market::stock::Stock;
use crate::rng::Rng;

/// One record of H0STMKO0 or H0NXMKO0 (11 fields) or of H0UNMKO0, which on the wire has the symbol first and no
/// exchange code (10 fields). `codes` are MKOP_CLS_CODE and ANTC_MKOP_CLS_CODE of a change of phase; without one it tells of
/// an interruption or a halt.
pub fn status(line: &mut Line<'_>, stock: &Stock, exchange: Option<u8>, codes: Option<(&[u8], &[u8])>) {
    let is_halted = stock.halt_until.is_some();
    let (code, expected): (&[u8], &[u8]) = match codes {
        Some(codes) => codes,
        None if is_halted => (b"164", b""),
        None => (b"AB1", if stock.vi_until.is_some() { b"311" } else { b"112" }),
    };
    line.text(stock.code.as_bytes());
    line.code(if is_halted { b'Y' } else { b'N' });
    line.text(if is_halted { "매매거래정지(중요내용공시)".as_bytes() } else { b"(null)" });
    line.text(code);
    line.text(expected);
    line.empty();
    line.empty();
    line.text(if is_halted { b"58" } else { b"55" });
    line.code(if stock.vi_until.is_some() { b'Y' } else { b'N' });
    // In the unified feed the last field is empty on the wire.
    match exchange {
        Some(exchange) => {
            line.code(b'N');
            line.code(exchange);
        }
        None => line.empty(),
    }
}

/// One record of H0STPGM0 or its siblings, 11 fields.
pub fn program(line: &mut Line<'_>, stock: &Stock, second: u32) {
    let p = &stock.program;
    line.text(stock.code.as_bytes());
    line.time(second);
    line.ints(&[p.sell_volume, p.sell_turnover, p.buy_volume, p.buy_turnover]);
    line.ints(&[p.buy_volume - p.sell_volume, p.buy_turnover - p.sell_turnover]);
    line.ints(&[stock.book.scale, stock.book.scale * 2, p.buy_volume - p.sell_volume]);
}

const MEMBERS: [(&str, &str, bool); 5] = [
    ("가상증권", "00901", false),
    ("모의투자증권", "00902", false),
    ("한빛글로벌", "00903", true),
    ("새벽증권", "00904", false),
    ("해외지점", "00905", true),
];

/// One record of H0STMBC0, 78 fields, the last ten of them empty.
pub fn members(line: &mut Line<'_>, stock: &Stock) {
    line.text(stock.code.as_bytes());
    let foreign = |line: &mut Line<'_>, flag: bool| line.code(if flag { b'Y' } else { b'N' });
    for _ in 0..2 {
        MEMBERS.iter().for_each(|(name, _, _)| line.text(name.as_bytes()));
    }
    line.ints(&stock.members);
    for _ in 0..2 {
        MEMBERS.iter().for_each(|(_, _, flag)| foreign(line, *flag));
    }
    for _ in 0..2 {
        MEMBERS.iter().for_each(|(_, number, _)| line.text(number.as_bytes()));
    }
    let (sellers, buyers) = stock.members.split_at(5);
    let volume = stock.stats[0].volume.max(sellers.iter().sum()).max(buyers.iter().sum());
    stock.members.iter().for_each(|shares| line.hundredths(percent(*shares, volume)));
    line.ints(&[0; 10]);
    let of_foreigners =
        |side: &[i64]| -> i64 { side.iter().zip(MEMBERS).filter(|(_, m)| m.2).map(|(shares, _)| shares).sum() };
    let (sold, bought) = (of_foreigners(sellers), of_foreigners(buyers));
    line.ints(&[sold, bought, 0, 0, bought - sold]);
    line.hundredths(percent(sold, volume));
    line.hundredths(percent(bought, volume));
    for _ in 0..10 {
        line.empty();
    }
}

/// A market index, in hundredths of a point.
#[derive(Clone, Debug)]
pub struct Index {
    /// Four digits.
    pub code: &'static str,
    previous: i64,
    value: i64,
    open: i64,
    high: i64,
    low: i64,
    volume: i64,
    turnover: i64,
    rng: Rng,
}

impl Index {
    /// KOSPI and KOSDAQ.
    pub fn both(seed: u64) -> [Self; 2] {
        let new = |code, previous, seed| Self {
            code,
            previous,
            value: previous,
            open: previous,
            high: previous,
            low: previous,
            volume: 0,
            turnover: 0,
            rng: Rng::new(seed),
        };
        [new("0001", 412_345, seed ^ 0x1D1), new("1001", 98_765, seed ^ 0x1D2)]
    }

    /// A new trading day begins at yesterday's last value.
    pub fn begin_day(&mut self) {
        self.previous = self.value;
        (self.open, self.high, self.low) = (self.value, self.value, self.value);
        (self.volume, self.turnover) = (0, 0);
    }

    /// Close of the day before.
    pub fn previous(&self) -> i64 {
        self.previous
    }

    /// Moves on, writes one record of H0UPCNT0, 30 fields, and returns what it says.
    pub fn step(&mut self, line: &mut Line<'_>, second: u32) -> IndexTick {
        let reach = (self.previous / 10_000).max(2);
        self.value = (self.value + self.rng.between(-reach, reach)).max(1);
        self.high = self.high.max(self.value);
        self.low = self.low.min(self.value);
        let volume = self.rng.between(1, 500);
        let turnover = volume * self.rng.between(10, 40);
        self.volume += volume;
        self.turnover += turnover;
        let change = self.value - self.previous;
        line.text(self.code.as_bytes());
        line.time(second);
        line.hundredths(self.value);
        line.code(sign(change));
        line.hundredths(change);
        line.ints(&[self.volume, self.turnover, volume, turnover]);
        line.hundredths(percent(change, self.previous));
        let extremes = [self.open, self.high, self.low];
        extremes.iter().for_each(|value| line.hundredths(*value));
        for value in extremes {
            line.hundredths(value - self.previous);
            line.code(sign(value - self.previous));
        }
        extremes.iter().for_each(|value| line.hundredths(percent(*value - self.previous, self.previous)));
        let risen = 450 + self.rng.between(-20, 20);
        line.ints(&[1, risen, UNCHANGED, STOCKS - risen - UNCHANGED, 0, 2, 3, 0]);
        let (value, volume_step) = (self.value, volume);
        IndexTick { second, value, volume: self.volume, turnover: self.turnover, volume_step, risen }
    }
}
