"""Holds an export against the JSON lines of `hoga-replay play`, with the libraries that researchers read it with.

Usage: read_columns.py LINES PARQUET_FOLDER ARROW_FOLDER. Prints one line of what was compared.
"""

import datetime
import json
import sys
from decimal import Decimal
from pathlib import Path

import pandas
import polars
import pyarrow
import pyarrow.ipc
import pyarrow.parquet

KST = datetime.timezone(datetime.timedelta(hours=9))


def nanoseconds(text):
    """ISO 8601 with nanoseconds to nanoseconds since the epoch: Python's own times end at microseconds."""
    if text is None:
        return None
    body = text.removesuffix("+09:00")
    assert body != text, text
    whole, _, fraction = body.partition(".")
    seconds = datetime.datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=KST).timestamp()
    return int(seconds) * 1_000_000_000 + int(fraction.ljust(9, "0") or 0)


def flat(record):
    """A JSON record under the names of the columns."""
    row = {}
    for key, value in record.items():
        if key in ("bids", "asks"):
            for place, level in enumerate(value, 1):
                for name, part in zip(("px", "qty", "count"), level):
                    row[f"{key[:-1]}_{name}_{place}"] = part
        elif key in ("sellers", "buyers"):
            for place, member in enumerate(value, 1):
                for name, part in member.items():
                    row[f"{key[:-1]}_{name}_{place}"] = part
        elif key in ("flags", "findings"):
            row[key] = "|".join(value)
        elif key in ("symbol", "market"):
            row[key] = value or None
        else:
            row[key] = value
    del row["type"]
    return row


def expected(rows, name, arrow_type):
    values = [row.get(name) for row in rows]
    if pyarrow.types.is_timestamp(arrow_type):
        return [nanoseconds(value) for value in values]
    if pyarrow.types.is_date(arrow_type):
        return [value and datetime.date.fromisoformat(value) for value in values]
    if pyarrow.types.is_decimal(arrow_type):
        return [None if value is None else Decimal(value) for value in values]
    if pyarrow.types.is_binary(arrow_type):
        return [value.encode() for value in values]
    return values


def check(kind, name, who, found, wanted):
    assert len(found) == len(wanted), f"{kind}.{name} in {who}: {len(found)} rows, not {len(wanted)}"
    for row, (one, other) in enumerate(zip(found, wanted)):
        assert one == other, f"{kind}.{name} row {row} in {who}: {one!r}, not {other!r}"


def with_polars(kind, who, frame, rows, schema):
    for field in schema:
        column = frame[field.name]
        dtype = column.dtype
        if pyarrow.types.is_decimal(field.type):
            assert dtype == polars.Decimal(field.type.precision, field.type.scale), f"{field.name}: {dtype}"
        if pyarrow.types.is_timestamp(field.type):
            assert dtype == polars.Datetime("ns", "Asia/Seoul"), f"{field.name}: {dtype}"
            column = column.dt.epoch("ns")
        if pyarrow.types.is_dictionary(field.type):
            assert dtype in (polars.Categorical, polars.Enum), f"{field.name}: {dtype}"
            column = column.cast(polars.String)
        if pyarrow.types.is_uint64(field.type):
            assert dtype == polars.UInt64, f"{field.name}: {dtype}"
        check(kind, field.name, who, column.to_list(), expected(rows, field.name, field.type))


def with_pandas(kind, who, frame, rows, schema):
    for field in schema:
        column = frame[field.name]
        wanted = expected(rows, field.name, field.type)
        if pyarrow.types.is_timestamp(field.type):
            assert str(column.dtype) == "datetime64[ns, Asia/Seoul]", f"{field.name}: {column.dtype}"
            found = [None if value is pandas.NaT else value.value for value in column]
        elif pyarrow.types.is_dictionary(field.type):
            assert isinstance(column.dtype, pandas.CategoricalDtype), f"{field.name}: {column.dtype}"
            found = [None if pandas.isna(value) else value for value in column]
        elif pyarrow.types.is_decimal(field.type) or pyarrow.types.is_binary(field.type):
            found = list(column)
        else:
            found = [None if pandas.isna(value) else value for value in column]
        check(kind, field.name, who, found, wanted)


def main():
    lines, parquet, arrow = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    by_kind = {}
    for line in open(lines, encoding="utf-8"):
        record = json.loads(line, parse_float=Decimal)
        by_kind.setdefault(record["type"], []).append(flat(record))
    for folder, ending in ((parquet, "parquet"), (arrow, "arrow")):
        names = sorted(path.name for path in folder.iterdir())
        assert names == sorted(f"{kind}.{ending}" for kind in by_kind), names
    values = 0
    for kind, rows in by_kind.items():
        file = parquet / f"{kind}.parquet"
        schema = pyarrow.parquet.read_schema(file)
        assert schema.metadata[b"hoga.price_scale"] == b"1e-9" and schema.metadata[b"hoga.kind"] == kind.encode()
        names = set(schema.names) | {"ts_event"}
        assert all(set(row) <= names for row in rows), f"{kind}: {[set(row) - names for row in rows][:1]}"
        groups = pyarrow.parquet.read_metadata(file)
        assert all(groups.row_group(0).column(at).is_stats_set for at in (schema.names.index("ts_recv"),))
        with_polars(kind, "polars, Parquet", polars.read_parquet(file), rows, schema)
        with_pandas(kind, "pandas, Parquet", pandas.read_parquet(file), rows, schema)
        file = arrow / f"{kind}.arrow"
        with_polars(kind, "polars, Arrow", polars.read_ipc(file), rows, schema)
        table = pyarrow.ipc.open_file(file).read_all()
        assert table.schema.types == schema.types, kind
        with_pandas(kind, "pandas, Arrow", table.to_pandas(), rows, schema)
        values += 4 * len(rows) * len(schema)
    trades = polars.read_parquet(parquet / "trade.parquet").filter(polars.col("symbol") == by_kind["trade"][0]["symbol"])
    assert trades.height > 0 and trades["px"].sum() > 0
    print(f"{sum(map(len, by_kind.values()))} records of {len(by_kind)} kinds, {values} values agree")


main()
