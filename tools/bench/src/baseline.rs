//! The client most programs are: `split` into strings, `parse` into a struct with the same columns as ours, one line
//! of JSON a record into a `BufWriter`. Over tokio-tungstenite with its defaults.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::str::FromStr;

use serde::Serialize;

use crate::Error;

/// A trade, all columns that a record of ours has.
#[derive(Debug, Serialize)]
struct Trade {
    symbol: String,
    time: String,
    date: String,
    price: f64,
    qty: u64,
    cum_qty: u64,
    cum_turnover: u64,
    sign: String,
    change: f64,
    vwap: f64,
    open: f64,
    high: f64,
    low: f64,
    ask: f64,
    bid: f64,
    ask_qty: u64,
    bid_qty: u64,
    total_ask_qty: u64,
    total_bid_qty: u64,
    sell_count: u32,
    buy_count: u32,
    cum_sell_qty: u64,
    cum_buy_qty: u64,
    side: String,
    vi_price: f64,
    hour_cls: String,
    market_cls: String,
    mkop_cls: String,
    halt: String,
}

/// A book.
#[derive(Debug, Serialize)]
struct Book {
    symbol: String,
    time: String,
    hour_cls: String,
    asks: Vec<Level>,
    bids: Vec<Level>,
    total_ask_qty: u64,
    total_bid_qty: u64,
    overtime_ask_qty: u64,
    overtime_bid_qty: u64,
    expected_price: f64,
    expected_qty: u64,
    expected_volume: u64,
    expected_change: f64,
    expected_sign: String,
    cum_qty: u64,
    total_ask_change: i64,
    total_bid_change: i64,
    mid_price: f64,
    mid_qty: u64,
    mid_cls: String,
    market_cls: String,
}

#[derive(Debug, Serialize)]
struct Level {
    price: f64,
    qty: u64,
}

fn number<T: FromStr + Default>(text: &str) -> T {
    text.parse().unwrap_or_default()
}

impl Trade {
    fn new(f: &[&str]) -> Trade {
        Trade {
            symbol: f[0].to_owned(),
            time: f[1].to_owned(),
            date: f[33].to_owned(),
            price: number(f[2]),
            qty: number(f[12]),
            cum_qty: number(f[13]),
            cum_turnover: number(f[14]),
            sign: f[3].to_owned(),
            change: number(f[4]),
            vwap: number(f[6]),
            open: number(f[7]),
            high: number(f[8]),
            low: number(f[9]),
            ask: number(f[10]),
            bid: number(f[11]),
            ask_qty: number(f[36]),
            bid_qty: number(f[37]),
            total_ask_qty: number(f[38]),
            total_bid_qty: number(f[39]),
            sell_count: number(f[15]),
            buy_count: number(f[16]),
            cum_sell_qty: number(f[19]),
            cum_buy_qty: number(f[20]),
            side: f[21].to_owned(),
            vi_price: number(f[45]),
            hour_cls: f[43].to_owned(),
            market_cls: f[46].to_owned(),
            mkop_cls: f[34].to_owned(),
            halt: f[35].to_owned(),
        }
    }
}

impl Book {
    fn new(f: &[&str]) -> Book {
        let level = |price: usize, qty: usize| Level { price: number(f[price]), qty: number(f[qty]) };
        Book {
            symbol: f[0].to_owned(),
            time: f[1].to_owned(),
            hour_cls: f[2].to_owned(),
            asks: (0..10).map(|at| level(3 + at, 23 + at)).collect(),
            bids: (0..10).map(|at| level(13 + at, 33 + at)).collect(),
            total_ask_qty: number(f[43]),
            total_bid_qty: number(f[44]),
            overtime_ask_qty: number(f[45]),
            overtime_bid_qty: number(f[46]),
            expected_price: number(f[47]),
            expected_qty: number(f[48]),
            expected_volume: number(f[49]),
            expected_change: number(f[50]),
            expected_sign: f[51].to_owned(),
            cum_qty: number(f[53]),
            total_ask_change: number(f[54]),
            total_bid_change: number(f[55]),
            mid_price: number(f[59]),
            mid_qty: number(f[60]),
            mid_cls: f[61].to_owned(),
            market_cls: f[62].to_owned(),
        }
    }
}

/// What a client does with a message once it has it.
#[derive(Debug)]
pub struct Client {
    out: BufWriter<File>,
    /// Records written.
    pub records: u64,
}

impl Client {
    /// A client that writes into a new file.
    ///
    /// # Errors
    /// When the file can't be made.
    pub fn new(path: &Path) -> Result<Client, Error> {
        Ok(Client { out: BufWriter::new(File::create(path)?), records: 0 })
    }

    /// One message; returns the total quantity on the ask side of its first record, where a sender puts its time.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn message(&mut self, text: &str) -> Result<u64, Error> {
        let mut parts = text.splitn(4, '|');
        let (Some(_), Some(tr), Some(count), Some(payload)) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Ok(0);
        };
        let fields: Vec<&str> = payload.split('^').collect();
        let mut first = 0;
        for (place, fields) in fields.chunks_exact(fields.len() / count.parse::<usize>()?).enumerate() {
            let total = if tr == "H0STCNT0" {
                let trade = Trade::new(fields);
                serde_json::to_writer(&mut self.out, &trade)?;
                trade.total_ask_qty
            } else {
                let book = Book::new(fields);
                serde_json::to_writer(&mut self.out, &book)?;
                book.total_ask_qty
            };
            self.out.write_all(b"\n")?;
            self.records += 1;
            if place == 0 {
                first = total;
            }
        }
        Ok(first)
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn flush(&mut self) -> Result<(), Error> {
        Ok(self.out.flush()?)
    }
}
