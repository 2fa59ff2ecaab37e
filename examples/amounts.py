"""Number, least, greatest and mean amount of purchases per hour, of lines of JSON.

    bucketmill run examples/amounts.py --format jsonl --input events.jsonl --output amounts/

The objects have the members time, action and amount. Output: hour, tab, purchases, tab, least,
tab, greatest, tab, mean. Amounts are whole cents on the way, so that sums are exact.
"""


def map_fn(event):
    """With --format jsonl a record is what json.loads makes of the line."""
    if event["action"] == "purchase":
        cents = round(event["amount"] * 100)
        yield (event["time"][:13], (1, cents, cents, cents))


def combine_fn(hour, values):
    yield (hour, merge(values))


def reduce_fn(hour, values):
    count, least, greatest, total = merge(values)
    yield (hour, f"{count}\t{least / 100:.2f}\t{greatest / 100:.2f}\t{total / count / 100:.2f}")


def merge(values):
    counts, leasts, greatests, totals = zip(*values)
    return sum(counts), min(leasts), max(greatests), sum(totals)
