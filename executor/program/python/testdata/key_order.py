"""Checks that encoded keys sort as the keys do, and that they come back with their type."""

import math
import random
import struct
import sys

sys.path.insert(0, sys.argv[1])

from bucketmill_runner import keys  # noqa: E402

random.seed(int(sys.argv[2]))


def number():
    return random.choice((
        lambda: random.randrange(-300, 300),
        lambda: random.choice((True, False, 0, 1, 0.0, 1.0, -1, -1.0)),
        lambda: random.choice((1, -1)) * ((1 << random.randrange(50, 70)) + random.randrange(-3, 4)),
        lambda: random.choice((1, -1)) * random.getrandbits(random.randrange(1, 3000)),
        lambda: float(random.choice((1, -1)) * (1 << random.randrange(50, 70))),
        lambda: random.choice((math.inf, -math.inf, 5e-324, -5e-324, sys.float_info.max, -sys.float_info.max)),
        lambda: int(sys.float_info.max) + random.randrange(-2, 3),
        lambda: random.uniform(-10, 10),
        lambda: no_nan(struct.unpack("d", random.randbytes(8))[0]),
    ))()


def no_nan(x):
    return 0.5 if x != x else x


def string():
    return "".join(random.choice("\0\1aAz\x7f\x80\xffé\ud800\udc80\uffff\U00010000") for _ in range(random.randrange(5)))


def data():
    return bytes(random.choice((0, 1, 97, 254, 255)) for _ in range(random.randrange(5)))


SHAPES = (
    number, string, data,
    lambda: (number(), string()),
    lambda: (string(), (data(), number(), (number(),)), number()),
    lambda: tuple(number() for _ in range(random.randrange(4))),
    lambda: (random.choice((string(), "a")), ()),
)


def same(a, b):
    """Equal, with the same types all the way down."""
    if type(a) is not type(b):
        return False
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or a != a and b != b


def check(some):
    for key in some:
        back = keys.decode(keys.encode(key))
        assert same(back, key), (key, back)
    ordered = sorted(some)
    encoded = sorted(some, key=keys.encode)
    # Equal keys of several types may stand in either order.
    assert ordered == encoded, next((a, b) for a, b in zip(ordered, encoded) if a != b)


for _ in range(200):
    for shape in SHAPES:
        check([shape() for _ in range(20)])

nan = float("nan")
mixed = [None, -math.inf, -1 << 5000, -1, 0, 1 << 5000, math.inf, nan, b"", b"\xff", "", "\U0010ffff", (), (None,), ("",)]
assert sorted(mixed, key=keys.encode) == mixed
for key in mixed:
    assert same(keys.decode(keys.encode(key)), key), key
assert len({keys.encode(key) for key in (1, 1.0, True)}) == 3
assert keys.encode(0.0) == keys.encode(-0.0)
assert keys.encode([1, [2]]) == keys.encode((1, (2,)))
for bad in {}, set(), bytearray(), object(), (1, {}):
    try:
        keys.encode(bad)
    except keys.KeyTypeError as err:
        assert type(bad).__name__ in str(err) or "dict" in str(err)
    else:
        raise AssertionError(bad)

# Values that are sorted: as keys, and lists and anything else after them, with their types.
from bucketmill_runner import ordered, values  # noqa: E402


def same_value(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(same_value, a, b))
    return a == b or a != a and b != b


for _ in range(50):
    for shape in SHAPES:
        for wrap in (lambda x: x, lambda x: (7, x, "end"), lambda x: [x, {"a": x}], lambda x: [[x], (x,)]):
            some = [wrap(shape()) for _ in range(10)]
            for value in some:
                assert same_value(ordered.decode(ordered.encode(value)), value), value
            if type(some[0]) is not list or type(some[0][1]) is not dict:
                assert sorted(some) == sorted(some, key=ordered.encode), some
ranks = [None, -5, 2.5, 3, b"b", "a", (1, 2), (1, [0]), [], [1], [1, "\0"], [1, "\0\0"], [1, {}], {"a": b"\0\xff\0"}]
assert sorted(ranks, key=ordered.encode) == ranks, sorted(ranks, key=ordered.encode)
deep = 1
for _ in range(80):
    deep = [deep]
for value in ranks + [deep, {1, 2}, 1j, True, (True, 1, 1.0), [b"\0", {"k": "\0"}, b"\xff"]]:
    assert same_value(ordered.decode(ordered.encode(value)), value), value
