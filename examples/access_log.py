"""Requests, errors and error rate per client of web server logs.

    bucketmill run examples/access_log.py --input 'logs/*.log' --output clients/

Reads the Common and the Combined log format, whose second field is "-"; an error is a status of 400 and above. Output:
client, tab, requests, tab, errors, tab, error rate. Lines that are no log lines are counted
in the counter "malformed records" and skipped.
"""

import re

LINE = re.compile(r'(\S+) - .* \[[^\]]*\] "(?:[^"\\]|\\.)*" (\d{3}) (?:\d+|-)')


def map_fn(line):
    match = LINE.match(line)
    if match:
        client, status = match.groups()
        yield (client, (1, int(status) >= 400))
    elif line:
        COUNTERS["malformed records"] += 1


def combine_fn(key, values):
    yield (key, totals(values))


def reduce_fn(key, values):
    requests, errors = totals(values)
    yield (key, f"{requests}\t{errors}\t{errors / requests:.4f}")


def totals(values):
    requests = errors = 0
    for r, e in values:
        requests += r
        errors += e
    return requests, errors
