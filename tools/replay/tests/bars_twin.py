"""The slow twin of `hoga-replay bars`: bars and sampled books by polars, from records as JSON lines.

Usage: bars_twin.py RECORDS.jsonl BARS.parquet BOOKS.parquet EVERY_SECONDS|day LEVELS

Shares nothing with the program but the records' raw fields: sessions are told from rules of its own below. Compares every
column of every row, and exits with 1 at the first difference.
"""

import datetime
import json
import sys

import polars as pl

KST = 9 * 3600
NS = 1_000_000_000
AUCTION, POLLED, BACKFILLED, GAP_BEFORE = 1 << 6, 1 << 11, 1 << 12, 1 << 4
DUPLICATE = 1 << 2
UNDEF = 2**63 - 1
UNDEF_QTY = 2**64 - 1


def hm(text):
    parts = [int(part) for part in text.split(":")] + [0]
    return parts[0] * 3600 + parts[1] * 60 + parts[2]


def span(venue, day, second):
    """(session, when it began, session before) by the clock; the days of the tests are ordinary ones."""
    new = day >= datetime.date(2026, 9, 14)
    sessions = {
        "KRX": [("08:30", "opening_auction"), ("09:00", "regular"), ("15:20", "closing_auction"), ("15:30", "closed"),
                ("15:40", "closing_price"), ("16:00", "after_market" if new else "single_price"),
                ("20:00" if new else "18:00", "closed")],
        "NXT": [("08:00", "pre_market"), ("08:50", "closed"), ("09:00:30", "regular"), ("15:20", "closed"),
                ("15:30", "after_auction"), ("15:40", "after_market"), ("20:00", "closed")],
        "UN": [("08:00", "pre_market"), ("08:50", "opening_auction"), ("09:00", "regular"), ("15:20", "closing_auction"),
               ("15:31", "after_auction"), ("15:40", "after_market"), ("20:00", "closed")],
    }[venue]
    found, before = ("closed", 0), None
    for start, name in sessions:
        if hm(start) <= second:
            before, found = found[0], (name, hm(start))
    return found[0], found[1], before


def session(venue, ts, trade=None):
    local = ts // NS + KST
    day = datetime.date(1970, 1, 1) + datetime.timedelta(days=local // 86400)
    second = local % 86400
    if trade:
        mkop = trade["mkop"] + "\0\0"
        if mkop[0] == "4" or trade["tr"] == "H0STOUP0":
            return "single_price"
        if mkop[1] == "1":
            return "closing_price"
        if mkop[1] in "23":
            return "block"
    name, began, before = span(venue, day, second)
    if name == "closed" and before and before != "closed" and second - began < 60:
        name = before
    if not trade:
        return name
    if venue == "UN" and name == "closing_auction" and trade["market_cls"] == "3":
        return "after_auction"
    if venue == "UN" and name in ("after_auction", "closing_auction") and trade["market_cls"] == "5":
        return "closing_auction"
    if trade["flags"] & AUCTION and name in ("pre_market", "regular", "after_market"):
        if second - began < 60 and before and before.endswith("auction"):
            return before
        return "midday_auction"
    began_late = second - began < 60 and before in ("pre_market", "regular", "after_market")
    if not trade["flags"] & AUCTION and name.endswith("auction") and began_late:
        return before
    return name


def half_away(dividend, divisor):
    sign = -1 if dividend < 0 else 1
    return sign * ((2 * abs(dividend) + divisor) // (2 * divisor))


def start_of(ts, every):
    if every == "day":
        day = (ts // NS + KST - 7 * 3600) // 86400
        return (day * 86400 - KST) * NS
    local = ts // NS + KST
    return (local - local % every - KST) * NS


def trading_day(ts):
    return (ts // NS + KST - 7 * 3600) // 86400


def load(path):
    with open(path) as lines:
        return [json.loads(line) for line in lines]


def bars(records, every):
    rows = []
    for order, r in enumerate(records):
        if r["type"] != "trade":
            continue
        polled = r["flags"] & POLLED and not r["flags"] & BACKFILLED
        if polled or r["findings"] & DUPLICATE or r["qty"] == 0:
            continue
        rows.append({
            "start": start_of(r["ts"], every), "symbol": r["symbol"], "market": r["market"], "venue": r["venue"],
            "session": session(r["venue"], r["ts"], r), "ts": r["ts"], "order": order, "px": r["px"], "qty": r["qty"],
            # Prices of the tests are multiples of 1e-5 won: the product then fits 64 bits.
            "px_e5": r["px"] // 10_000, "side": r["side"], "gap": int(bool(r["flags"] & GAP_BEFORE)),
        })
        assert r["px"] % 10_000 == 0
    keys = ["start", "market", "symbol", "venue", "session"]
    grouped = (
        pl.DataFrame(rows)
        .sort("ts", "order")
        .group_by(keys, maintain_order=True)
        .agg(
            open=pl.col("px").first(), high=pl.col("px").max(), low=pl.col("px").min(), close=pl.col("px").last(),
            volume=pl.col("qty").sum(), cost_e5=(pl.col("px_e5") * pl.col("qty")).sum(), trades=pl.len(),
            buy_volume=pl.col("qty").filter(pl.col("side") == "buy").sum(),
            sell_volume=pl.col("qty").filter(pl.col("side") == "sell").sum(), gaps=pl.col("gap").sum(),
        )
    )
    out = {}
    for row in grouped.iter_rows(named=True):
        cost = row.pop("cost_e5") * 10_000
        row["turnover"] = half_away(cost, 100_000)
        row["vwap"] = half_away(cost, row["volume"])
        out[tuple(row[key] for key in keys)] = row
    return out


def books(records, every, depth, traded):
    """The newest book of each interval and venue; where only trades came, the one before of the same trading day."""
    came = {}
    for order, r in enumerate(records):
        if r["type"] == "book":
            key = (start_of(r["ts"], every), r["market"], r["symbol"], r["venue"])
            if key not in came or (came[key]["ts"], came[key]["order"]) <= (r["ts"], order):
                came[key] = {**r, "order": order}
    wanted = sorted(set(came) | {key[:4] for key in traded})
    newest, out = {}, {}
    for key in wanted:
        book = came.get(key) or newest.get(key[1:])
        newest[key[1:]] = book
        first = key[0] + 7 * 3600 * NS if every == "day" else key[0]
        if book is None or trading_day(book["ts"]) != trading_day(first):
            continue
        levels = []
        for level in book["levels"]:
            sides = []
            for px, qty in (level[:2], level[2:]):
                px, qty = (None if px == UNDEF else px), (None if qty == UNDEF_QTY else qty)
                sides.append((None, None) if (px or 0) == 0 and (qty or 0) == 0 else (px, qty))
            levels.append(sides)
        levels += [[(None, None)] * 2] * (depth - len(levels))
        (bid, bid_qty), (ask, ask_qty) = levels[0]
        both, sizes = None not in (bid, ask), None not in (bid_qty, ask_qty) and bid_qty + ask_qty
        row = {
            "session": session(key[3], book["ts"]), "book_ts": book["ts"],
            "bid_px": bid, "ask_px": ask, "bid_qty": bid_qty, "ask_qty": ask_qty,
            "spread": ask - bid if both else None, "mid": half_away(bid + ask, 2) if both else None,
            "imbalance": half_away((bid_qty - ask_qty) * 1_000_000, bid_qty + ask_qty) if sizes else None,
            "total_bid_qty": None if book["total_bid"] == UNDEF_QTY else book["total_bid"],
            "total_ask_qty": None if book["total_ask"] == UNDEF_QTY else book["total_ask"],
        }
        for number, sides in enumerate(levels[1:depth], 2):
            (row[f"bid_px_{number}"], row[f"bid_qty_{number}"]), (row[f"ask_px_{number}"], row[f"ask_qty_{number}"]) = sides
        out[key] = row
    return out


SCALES = {"open": 9, "high": 9, "low": 9, "close": 9, "vwap": 9, "turnover": 4, "spread": 9, "mid": 9, "imbalance": 6}


def units(name, value):
    """A value of the program's as this script computes it: decimals as whole units."""
    if value is None:
        return None
    scale = SCALES.get(name, 9 if name.startswith(("bid_px", "ask_px")) else None)
    return int(value.scaleb(scale)) if scale is not None else value


def read(path, times):
    frame = pl.read_parquet(path)
    for name in times:
        assert frame.schema[name] == pl.Datetime("ns", "Asia/Seoul"), frame.schema[name]
    frame = frame.with_columns(pl.col(name).dt.epoch("ns") for name in times)
    frame = frame.with_columns(pl.col(name).cast(pl.String) for name in ("symbol", "market", "venue", "session"))
    order = [tuple(row) for row in frame.select("start", "market", "symbol", "venue").iter_rows()]
    assert order == sorted(order), "rows are in the order of time, market, symbol, venue"
    return [{name: units(name, value) for name, value in row.items()} for row in frame.iter_rows(named=True)]


def compare(what, got, wanted, keys):
    found = {tuple(row[key] for key in keys): row for row in got}
    assert len(found) == len(got), f"{what}: a row stands twice"
    if found.keys() != wanted.keys():
        print(f"{what}: only there {sorted(found.keys() - wanted.keys())[:3]}, missing {sorted(wanted.keys() - found.keys())[:3]}")
        sys.exit(1)
    for key, row in found.items():
        expected = {**dict(zip(keys, key)), **wanted[key]}
        if row != expected:
            different = {name: (row.get(name), expected.get(name)) for name in row.keys() | expected.keys()}
            print(f"{what} {key}: {({n: v for n, v in different.items() if v[0] != v[1]})}")
            sys.exit(1)
    return len(found)


def main():
    records, bars_path, books_path, every, depth = sys.argv[1:]
    every, depth, records = (every if every == "day" else int(every)), int(depth), load(records)
    expected = bars(records, every)
    rows = compare("bar", read(bars_path, ["start"]), expected, ["start", "market", "symbol", "venue", "session"])
    sampled = books(records, every, depth, expected)
    samples = compare("book", read(books_path, ["start", "book_ts"]), sampled, ["start", "market", "symbol", "venue"])
    sessions = sorted({key[4] for key in expected})
    print(json.dumps({"bars": rows, "samples": samples, "sessions": sessions, "polars": pl.__version__}))


main()
