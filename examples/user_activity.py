"""Events, total amount, first and last time per user of CSV files.

    bucketmill run examples/user_activity.py --format csv --input 'events/*.csv' --output users/

The columns are timestamp, user, action and amount, in any order; an amount is empty where nothing
was bought. Output: user, tab, events, tab, amount, tab, first, tab, last. Amounts are added up
exactly, as Decimal: values keep their Python type on the way to the reducer. The builtin program
"activity" does the same, faster.
"""

from decimal import Decimal


def map_fn(key, row):
    """The value is a dict by the CSV header."""
    when = row["timestamp"]
    yield (row["user"], (1, Decimal(row["amount"] or "0.00"), when, when))


def combine_fn(key, values):
    yield (key, merge(values))


def reduce_fn(key, values):
    events, amount, first, last = merge(values)
    yield (key, f"{events}\t{amount}\t{first}\t{last}")


def merge(values):
    events, amount, first, last = 0, Decimal(0), None, None
    for n, a, f, l in values:
        events += n
        amount += a
        first = f if first is None else min(first, f)
        last = l if last is None else max(last, l)
    return events, amount, first, last
