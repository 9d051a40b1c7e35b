#!/usr/bin/env python3
"""Turns stocks.csv of the npm package vega-datasets into a recording for `sterna replay`.

    npm pack vega-datasets && tar -xf vega-datasets-*.tgz
    python3 convert.py package/data/stocks.csv > stocks.ndjson

The prices are monthly. A month becomes a second, and the companies follow each other within it.
"""

import csv
import datetime
import json
import sys

MONTH_MS = 1000


def main(path: str) -> None:
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["date"] = datetime.datetime.strptime(row["date"], "%b %d %Y").date()
    symbols = sorted({row["symbol"] for row in rows})
    first = min(row["date"] for row in rows)

    def time_ms(row: dict) -> int:
        months = (row["date"].year - first.year) * 12 + row["date"].month - first.month
        return months * MONTH_MS + symbols.index(row["symbol"]) * MONTH_MS // len(symbols)

    for row in sorted(rows, key=time_ms):
        message = {
            "time": time_ms(row),
            "subject": f"/stocks/{row['symbol']}",
            "content": {"price": float(row["price"]), "date": row["date"].isoformat()},
        }
        print(json.dumps(message, separators=(",", ":")))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
