"""Keys as bytes that sort as the keys do.

    None < numbers < bytes < str < tuples

    None    08
    number  10, sign and magnitude
    bytes   20, the bytes
    str     30, UTF-8 (lone surrogates too, so that the order is that of code points)
    tuple   40, its elements, 00

Within a tuple, bytes and str end with 00, and a 00 in them is written as 00 FF.

int, float and bool sort as one kind, exactly, whatever their size: -inf, ..., inf, nan.
A number x >= 0 is the nearest float towards zero, then the difference:

    8 bytes   the float, big endian, its sign bit set
    1 byte    length of the difference (F1: the length follows as 4 bytes)
    n bytes   the difference, an int, big endian

A number below zero is the complement of its magnitude's bytes.

The types of the numbers follow at the end, one byte each, so that 1, 1.0 and True are three
neighbouring keys. A dict would treat them as one; then reduce_fn would get any of the three by
chance, and without the types 1.0 would be written as 1. -0.0 becomes 0.0. Subclasses (namedtuple,
IntEnum, numpy.float64) become the plain type; lists become tuples.
"""

from struct import Struct

_FLOAT = Struct(">d")
_SMALL = Struct(">BdBB")  # tag, float, no difference, type
_EXACT = 1 << 53  # up to here, every int is exact as a float
_LARGEST = (1 << 1024) - (1 << 971)  # the largest finite float
_NAN = b"\xff\xf8\0\0\0\0\0\0\0"
_COMPLEMENT = bytes(range(255, -1, -1))

_BOOL, _INT, _FLOATING = 1, 2, 3


class KeyTypeError(TypeError):
    """A key of a type that has no order, or can't be a dict key."""

    def __init__(self, key):
        super().__init__(
            "a key must be None, a bool, int, float, str or bytes, or a tuple of these; "
            "this one is or contains a %s" % type(key).__name__
        )


def encode(key):
    """Returns key as bytes."""
    cls = type(key)
    if cls is str:
        return b"0" + key.encode("utf-8", "surrogatepass")
    if cls is int and 0 <= key <= _EXACT:
        return _SMALL.pack(0x10, -float(key), 0, _INT)
    if isinstance(key, str):
        return b"0" + str.encode(key, "utf-8", "surrogatepass")
    if isinstance(key, bytes):
        return b" " + key
    parts, types = [], bytearray()
    append(key, parts, types)
    parts.append(bytes(types))
    return b"".join(parts)


def append(key, parts, types):
    """Appends key in its form within a tuple, and the types of its numbers."""
    if key is None:
        parts.append(b"\x08")
    elif isinstance(key, (int, float)):
        parts.append(b"\x10")
        if isinstance(key, bool):
            types.append(_BOOL)
        else:
            types.append(_INT if isinstance(key, int) else _FLOATING)
        parts.append(_number(key))
    elif isinstance(key, bytes):
        parts.append(b" " + key.replace(b"\0", b"\0\xff") + b"\0")
    elif isinstance(key, str):
        utf8 = str.encode(key, "utf-8", "surrogatepass")
        parts.append(b"0" + utf8.replace(b"\0", b"\0\xff") + b"\0")
    elif isinstance(key, (tuple, list)):
        parts.append(b"@")
        for element in key:
            append(element, parts, types)
        parts.append(b"\0")
    else:
        raise KeyTypeError(key)


def _number(x):
    if x != x:
        return _NAN
    if x < 0:
        return _magnitude(-x).translate(_COMPLEMENT)
    return _magnitude(x)


def _magnitude(x):
    if isinstance(x, float):
        return _FLOAT.pack(-abs(x)) + b"\0"
    x = int(x)
    if x <= _EXACT:
        return _FLOAT.pack(-float(x)) + b"\0"
    shift = x.bit_length() - 53
    near = x >> shift << shift if x <= _LARGEST else _LARGEST
    missing = x - near
    length = (missing.bit_length() + 7) // 8
    prefix = bytes((length,)) if length <= 0xF0 else b"\xf1" + length.to_bytes(4, "big")
    return _FLOAT.pack(-float(near)) + prefix + missing.to_bytes(length, "big")


def decode(data):
    """Returns the key of which encode made data; a list becomes a tuple."""
    tag = data[0]
    if tag == 0x30:
        return data[1:].decode("utf-8", "surrogatepass")
    if tag == 0x20:
        return data[1:]
    slots = []
    key, at = parse(data, 0, slots)
    for slot, kind in zip(slots, data[at:]):
        slot.kind = kind
    return _settle(key)


class Number:
    """A number whose type is not read yet."""

    __slots__ = ("near", "missing", "negative", "kind")

    def value(self):
        if self.kind == _FLOATING:
            return -self.near if self.negative else self.near
        n = int(self.near) + self.missing
        return bool(n) if self.kind == _BOOL else -n if self.negative else n


def parse(data, at, slots):
    """Decodes a key; returns it and the offset of its end. Its numbers are Numbers, listed in slots."""
    tag = data[at]
    at += 1
    if tag == 0x08:
        return None, at
    if tag == 0x10:
        return _parse_number(data, at, slots)
    if tag == 0x40:
        elements = []
        while data[at] != 0:
            element, at = parse(data, at, slots)
            elements.append(element)
        return elements, at + 1
    raw, at = ended(data, at)
    return (raw if tag == 0x20 else raw.decode("utf-8", "surrogatepass")), at


def ended(data, at):
    """Returns bytes that end with 00, decoded, and the offset after them."""
    end = data.index(b"\0", at)
    while data[end + 1 : end + 2] == b"\xff":
        end = data.index(b"\0", end + 2)
    return data[at:end].replace(b"\0\xff", b"\0"), end + 1


def _parse_number(data, at, slots):
    number = Number()
    number.negative = data[at] < 0x80

    def take(n):
        nonlocal at
        part = data[at : at + n]
        at += n
        return part.translate(_COMPLEMENT) if number.negative else part

    number.near = -_FLOAT.unpack(take(8))[0]
    length = take(1)[0]
    if length == 0xF1:
        length = int.from_bytes(take(4), "big")
    number.missing = int.from_bytes(take(length), "big")
    slots.append(number)
    return number, at


def _settle(key):
    if isinstance(key, Number):
        return key.value()
    if isinstance(key, list):
        return tuple(map(_settle, key))
    return key
