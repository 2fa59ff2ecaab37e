"""Keys and values of the output as text.

    str                           unchanged; bytes that were not UTF-8 come out as they were
    bytes, bytearray              unchanged
    int, float                    their repr
    None, bool, list, tuple, dict JSON, or their str if JSON can't express them; nan and
                                  infinity in them are errors, since Python's form is not JSON
    anything else                 its str

Nothing is escaped. A line end within a key or a value, or a tab within a key, makes lines that readers
misunderstand: these are counted.
"""

from . import late
from .failures import preview

KEY_COUNTER = "output keys with a tab or line end"
VALUE_COUNTER = "output values with a line end"


class NotJSON(ValueError):
    """A list, tuple or dict that contains a float that JSON can't express."""


_JSON = frozenset((type(None), bool, list, tuple, dict))


def encode(value):
    """Returns value as text, in UTF-8."""
    cls = type(value)
    if cls is str:
        return _utf8(value)
    if cls is int or cls is float:
        return repr(value).encode()
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    if cls in _JSON or value.__class__ is list:  # also of Values
        return _utf8(_json(value))
    return _utf8(str(value))


def _json(value):
    json = late.module("json")
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        pass
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return str(value)
    json.loads(text, parse_constant=_no_constant)  # as dict keys they become strings, which are JSON
    return text


def _no_constant(name):
    raise NotJSON(name)


def _utf8(s):
    try:
        return s.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a surrogate that does not represent a byte
        return s.encode("utf-8", "surrogatepass")


class Output:
    """Writes output records, encoded as text, to a frames.Writer."""

    def __init__(self, writer, frames, counters):
        self._writer = writer
        self._frames = frames
        self._short = frames.SHORT
        self._counters = counters
        self._parts = []
        self._size = 0

    def emit(self, key, value):
        try:
            name = key.encode() if type(key) is str and key.isascii() else encode(key)
            text = b"%d" % value if type(value) is int else encode(value)
        except NotJSON as err:
            raise NotJSON(
                "the value %s of the key %s has %s in it, which JSON does not have: give None or a string in its place"
                % (preview(value), preview(key), err)
            ) from None
        if b"\n" in name or b"\t" in name:
            self._counters[KEY_COUNTER] += 1
        if b"\n" in text:
            self._counters[VALUE_COUNTER] += 1
        k, v = len(name), len(text)
        if k < 128 and v < 128:
            self._parts += self._short[k << 7 | v], name, text
        else:
            uvarint = self._frames.uvarint
            self._parts += uvarint(k), uvarint(v), name, text
        self._size += k + v + 8
        if self._size >= self._frames.BLOCK:
            self.flush()

    def flush(self):
        if self._parts:
            self._writer.write(self._frames.RECORDS, b"".join(self._parts))
            self._parts.clear()
            self._size = 0
