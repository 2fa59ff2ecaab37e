"""Says what Python's csv module makes of files: the oracle of the differential test of CSV.

Standard input has a file a line, in base64. The answer to each is a JSON object, a line:

    rows    the rows that are well-formed, [offset in bytes, [fields]], up to the first that is not
    bad     the offset of that one: text follows a closed quote, a CR is outside quotes, or a quote is
            never closed; None if there is none
    over    the offset of the first of these rows, the bad one too, that has an LF inside quotes; None if there is none
    open    whether the last row, read by the default dialect, ends inside quotes
    all     the fields of all rows, one after the other, as the default dialect reads them

Empty rows are left out, except for an empty first one. Fields are base64 of their bytes.
"""

import base64
import csv
import io
import json
import sys


def encode(fields):
    return [base64.b64encode(f.encode("utf-8", "surrogateescape")).decode() for f in fields]


class Lines:
    """The lines of a text, ended by LF alone; tells how far it was read."""

    def __init__(self, text, offset):
        self.lines = iter(text.split("\n"))
        self.text = next(self.lines)
        self.offset = offset
        self.read = 0
        self.ended = False

    def __iter__(self):
        return self

    def __next__(self):
        line, after = self.text, next(self.lines, None)
        if line is None or line == "" and after is None:
            self.ended = True
            raise StopIteration
        self.text = after
        line += "" if after is None else "\n"
        self.offset += len(line.encode("utf-8", "surrogateescape"))
        self.read += 1
        return line


def everything(text):
    return [row for row in csv.reader(io.StringIO(text, newline="")) if row]


def answer(data):
    text, offset = data.decode("utf-8", "surrogateescape"), 0
    if text.startswith("\ufeff"):
        text, offset = text[1:], 3
    lines = Lines(text, offset)
    # A CR outside quotes with more after it on its line is more than this reader takes, too.
    reader = csv.reader(lines, strict=True)
    rows, bad, over = [], None, None
    while bad is None:
        offset, read, fields = lines.offset, lines.read, None
        try:
            fields = next(reader, None)
            if fields is None:
                break
            if fields or not rows:
                rows.append((offset, encode(fields)))
        except csv.Error:
            bad = offset
        if over is None and (lines.read > read + 1 or bad is not None and lines.ended):
            over = offset
    everything_ = everything(text)
    return {
        "rows": rows,
        "bad": bad,
        "over": over,
        "open": everything(text + "\n") != everything_,
        "all": list(map(encode, everything_)),
    }


csv.field_size_limit(1 << 30)
for line in sys.stdin:
    print(json.dumps(answer(base64.b64decode(line))))
