"""The records of a BATCH as keys and values.

    format            key                   value
    text              offset of the line    the line, as str
    jsonl             offset of the line    the object; blank lines are skipped
    csv               offset of the row     dict by the header; empty rows are skipped (docs/csv.md)
    whole             URL of the file       the file, as str
    fixed             offset of the record  the record, as bytes

Text is UTF-8; bytes that are not UTF-8 become lone surrogates (surrogateescape).
"""

from itertools import accumulate, chain, count
from operator import add

from . import late
from .failures import BadRecord, preview
from .frames import ProtocolError, read_bytes, read_uvarint

LINES, FIXED, WHOLE, ENCODED = 1, 2, 3, 4


# How many bytes of lines are decoded at a time: the result should still be in the processor's cache
# when map_fn gets it.
_PIECE = 32 << 10


def read(payload, form):
    """Yields the Records of a BATCH."""
    url, at = read_bytes(payload, 0)
    url = url.decode("utf-8", "surrogateescape")
    offset, at = read_uvarint(payload, at)
    framing = payload[at] if at < len(payload) else 0
    if not LINES <= framing <= ENCODED:
        raise ProtocolError("unknown framing %d" % framing)
    length, at = read_uvarint(payload, at + 1)
    if framing == FIXED and length == 0:
        raise ProtocolError("records of length 0")
    header, at = read_bytes(payload, at)
    begin = at
    while framing == LINES and len(payload) - at > _PIECE:
        end = payload.find(b"\n", at + _PIECE) + 1
        if end == 0:
            break
        yield Records(url, offset, framing, length, header, payload[at:end], form)
        offset += end - at
        at = end
    if at < len(payload) or at == begin:
        yield Records(url, offset, framing, length, header, payload[at:], form)


class Records:
    """Some records: keys[i] and texts[i], decode(texts[i]) being the value."""

    def __init__(self, url, offset, framing, length, header, data, form):
        self.input = url
        self.size = len(data)
        self.decode = None
        self.columns = None  # of CSV: the header's names
        csv = form.startswith("csv")
        if framing == WHOLE:
            self.texts = [_text(data)]
            self.keys = [self.input]
            self.offsets = [offset]
            return
        if framing == FIXED:
            self.texts = [data[i : i + length] for i in range(0, len(data), length)]
            self.keys = self.offsets = range(offset, offset + len(data), length)
            return
        if framing == LINES:
            self.texts, self.keys = _lines(data, offset, csv)
        else:
            self.texts, self.keys = _encoded(data, csv)
        self.offsets = self.keys
        if form == "jsonl":
            self._skip_blank()
            self.decode = _json_decoder()
        elif csv:
            self._skip_empty()
            from . import csvrows

            self.columns = csvrows.columns(_text(header), url)
            self.decode = csvrows.decoder(self.columns, framing == ENCODED or b"\r" in data)

    def _skip_empty(self):
        if "" in self.texts:
            kept = [(key, text) for key, text in zip(self.keys, self.texts) if text]
            self.keys = self.offsets = [key for key, _ in kept]
            self.texts = [text for _, text in kept]

    def _skip_blank(self):
        """Skips lines of JSON's white space only."""
        if "" in self.texts or any(map(str.isspace, self.texts)):
            kept = [(key, text) for key, text in zip(self.keys, self.texts) if text.strip(" \t\r")]
            self.keys = self.offsets = [key for key, _ in kept]
            self.texts = [text for _, text in kept]

    def describe(self, index):
        """Returns the description of a record in errors."""
        return {
            "input": self.input,
            "offset": self.offsets[index],
            "value": preview(self.texts[index]),
        }


def _text(data):
    return data.decode("utf-8", "surrogateescape")


def _lines(data, offset, csv):
    """Returns the lines without their ends, and where each begins.

    In CSV, a line end includes all CRs before it, or before the end of the object.
    """
    if not data:
        return [], []
    ended = data.endswith(b"\n")
    if ended:
        data = data[:-1]
    text = _text(data)
    lines = text.split("\n")
    # Bytes and characters differ in length only if something is not ASCII.
    sizes = lines if len(text) == len(data) else data.split(b"\n")
    # A line begins after the bytes and the line ends of all lines before it.
    offsets = list(map(add, accumulate(chain((offset,), map(len, sizes))), count()))
    offsets.pop()
    if csv and "\r" in text:
        lines = [line.rstrip("\r") for line in lines]
    elif "\r" in text:
        last = lines[-1]
        lines = [line[:-1] if line.endswith("\r") else line for line in lines]
        if not ended:
            lines[-1] = last
    return lines, offsets


def _encoded(data, csv):
    texts, offsets, at = [], [], 0
    while at < len(data):
        k, at = read_uvarint(data, at)
        v, at = read_uvarint(data, at)
        end = at + k + v
        if k != 8 or end > len(data):
            raise ProtocolError("no whole record at byte %d of %d" % (at, len(data)))
        offsets.append(int.from_bytes(data[at : at + k], "big"))
        texts.append(_text(data[at + k : end]))
        at = end
    if csv and b"\r" in data:
        texts = [text.rstrip("\r") for text in texts]
    return texts, offsets


def _json_decoder():
    loads = late.module("json").loads

    def decode(text):
        try:
            return loads(text)
        except ValueError as err:
            hint = ""
            # A part of a value, such as a line of a pretty-printed file.
            if text[0] in " \t}]" or getattr(err, "pos", 0) >= len(text.rstrip(" \t\r")):
                hint = "; if values go over several lines, read the file with --format whole"
            raise BadRecord("the record is not JSON: %s%s" % (err, hint)) from None

    return decode
