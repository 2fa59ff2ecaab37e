"""Values as bytes that sort as the values do, for jobs that sort them.

    None < numbers < bytes < str < tuples < lists < everything else

The first byte is 81, with which no other encoding of a value begins. The rest is as in keys.py, with
two more kinds:

    list    50, its elements, 00
    other   60, the value as in values.py; within a tuple or list it ends with 00, and a 00 in it is 00 FF

Only values of exactly these types are ordered: a namedtuple or an IntEnum is one of the others, which
keep their type and have no meaningful order. -0.0 becomes 0.0, and all nan become the same one, which is
the last of the numbers.
"""

from . import keys, values

_SCALARS = frozenset((type(None), bool, int, float, str, bytes))
_SEQUENCES = {tuple: b"@", list: b"P"}
_DEEP = 50  # sequences nested deeper than this count as other values


def encode(value):
    """Returns value as bytes."""
    if type(value) in _SCALARS:
        return b"\x81" + keys.encode(value)
    if type(value) not in _SEQUENCES:
        return b"\x81`" + values.encode(value)
    parts, types = [b"\x81"], bytearray()
    _append(value, parts, types, 0)
    parts.append(bytes(types))
    return b"".join(parts)


def _append(value, parts, types, depth):
    cls = type(value)
    if cls in _SCALARS:
        keys.append(value, parts, types)
    elif cls in _SEQUENCES and depth <= _DEEP:
        parts.append(_SEQUENCES[cls])
        for element in value:
            _append(element, parts, types, depth + 1)
        parts.append(b"\0")
    else:
        parts.append(b"`" + values.encode(value).replace(b"\0", b"\0\xff") + b"\0")


def decode(data):
    """Returns the value of which encode, here or in values.py, made data."""
    if data[0] != 0x81:
        return values.decode(data)
    tag = data[1]
    if tag == 0x60:
        return values.decode(data[2:])
    if tag not in (0x40, 0x50):
        return keys.decode(data[1:])
    slots = []
    value, at = _parse(data, 1, slots)
    for slot, kind in zip(slots, data[at:]):
        slot.kind = kind
    return value.settle()


class _Sequence:
    """A tuple or list in which some numbers have no type yet."""

    def __init__(self, cls):
        self.cls = cls
        self.elements = []

    def settle(self):
        return self.cls(map(_settle, self.elements))


def _settle(element):
    if isinstance(element, _Sequence):
        return element.settle()
    return element.value() if isinstance(element, keys.Number) else element


def _parse(data, at, slots):
    tag = data[at]
    if tag == 0x60:
        raw, at = keys.ended(data, at + 1)
        return values.decode(raw), at
    if tag not in (0x40, 0x50):
        return keys.parse(data, at, slots)
    sequence = _Sequence(tuple if tag == 0x40 else list)
    at += 1
    while data[at] != 0:
        element, at = _parse(data, at, slots)
        sequence.elements.append(element)
    return sequence, at + 1
