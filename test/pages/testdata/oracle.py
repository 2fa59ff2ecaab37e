"""Checks the outputs that the commands of examples/README.md made, in the working folder.

It computes each result from the same data in another way than the examples: by plain Python, with everything
in memory. It prints nothing if all are right.
"""

import csv
import glob
import json
import sys
from collections import Counter, defaultdict
from datetime import datetime
from fractions import Fraction


def lines(pattern):
    found = []
    for name in sorted(glob.glob(pattern)):
        with open(name, encoding="utf-8", newline="\n") as f:
            found += f.read().splitlines()
    return found


def rows():
    for name in glob.glob("samples/events/*.csv"):
        with open(name, newline="") as f:
            yield from csv.DictReader(f)


def words():
    counts = Counter(word for line in lines("samples/texts/*") for word in line.split())
    return [f"{word}\t{n}" for word, n in counts.items()]


def clients():
    statuses = defaultdict(list)
    for line in lines("samples/logs/*.log"):
        before, _, rest = line.partition('"')
        statuses[before.split()[0]].append(int(rest.rpartition('" "')[0].split('" ')[1].split()[0]))
    for client, all_of_it in statuses.items():
        errors = [s for s in all_of_it if s >= 400]
        yield f"{client}\t{len(all_of_it)}\t{len(errors)}\t{len(errors) / len(all_of_it):.4f}"


def by_user():
    users = defaultdict(list)
    for row in rows():
        users[row["user"]].append(row)
    return users


def cents(text):
    whole, _, part = text.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0"))


def users():
    for user, events in by_user().items():
        times = sorted(e["timestamp"] for e in events)
        amounts = [cents(e["amount"]) for e in events if e["amount"]]
        total = f"{sum(amounts) // 100}.{sum(amounts) % 100:02}"
        yield f"{user}\t{len(events)}\t{total}\t{times[0]}\t{times[-1]}"


def amounts():
    hours = defaultdict(list)
    for row in rows():
        if row["action"] == "purchase":
            hours[row["timestamp"][:13]].append(Fraction(row["amount"]))
    for hour, all_of_it in hours.items():
        mean = sum(all_of_it) / len(all_of_it)
        yield f"{hour}\t{len(all_of_it)}\t{float(min(all_of_it)):.2f}\t{float(max(all_of_it)):.2f}\t{float(mean):.2f}"


def bought():
    for row in rows():
        if row["action"] == "purchase":
            plan = "free" if row["user"][-1] in "01234" else "paid"
            yield f"{plan}\t{row['user']}\t{row['amount']}"


def sessions():
    for user, events in by_user().items():
        times = sorted(datetime.strptime(e["timestamp"], "%Y-%m-%dT%H:%M:%SZ") for e in events)
        starts = [i for i in range(len(times)) if i == 0 or (times[i] - times[i - 1]).seconds > 600]
        for start, end in zip(starts, starts[1:] + [len(times)]):
            length = times[end - 1] - times[start]
            yield f"{user}\t{times[start]:%H:%M:%S}\t{end - start}\t{length.seconds}"


wrong = []
for output, expected in {
    "words": words, "commands": words, "go": words, "job-file": words, "clients": clients,
    "users": users, "amounts": amounts, "bought": bought, "sessions": sessions,
}.items():
    got, want = sorted(lines(f"results/{output}/part-*")), sorted(expected())
    if got != want:
        differences = sorted(set(got) ^ set(want))
        wrong.append(f"results/{output}: {len(got)} lines, want {len(want)}; differences begin {differences[:4]}")
if lines("results/sorted/part-*") != sorted(lines("samples/texts/*"), key=str.encode):
    wrong.append("results/sorted: the parts, one after the other, are not the sorted texts")
sys.exit("\n".join(wrong) or 0)
