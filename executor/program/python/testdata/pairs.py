"""Writes pairs to standard output as frames in two ways: PAIRS, for the executor to encode, and right
after it RECORDS, the same pairs as the runner itself encodes them.
"""

import enum
import math
import random
import sys

sys.path.insert(0, sys.argv[1])

from bucketmill_runner import combine, frames, mapside, pairs  # noqa: E402
from bucketmill_runner.job import Function  # noqa: E402

random.seed(int(sys.argv[2]))


def integer():
    return random.choice((1, -1)) * random.choice((
        lambda: random.randrange(300),
        lambda: (1 << random.randrange(50, 70)) + random.randrange(-3, 4),
        lambda: random.getrandbits(random.randrange(1, 3000)),
        lambda: random.choice((1 << 31, (1 << 31) - 1, 1 << 63, (1 << 63) - 1, 1 << 15, 1 << 1024, (1 << 1024) - 1, (1 << 1024) - (1 << 971))),
        lambda: int(sys.float_info.max) + random.randrange(-2, 3),
        lambda: random.getrandbits(40000),
    ))()


def floating():
    return random.choice((0.0, -0.0, 1.5, -2.0, math.inf, -math.inf, math.nan, 5e-324, random.uniform(-1e300, 1e300)))


def string():
    return "".join(random.choice("\0\1aAz}\x7f\x86\xffĆé\ud800\udc80\uffff\U00010000") for _ in range(random.randrange(7)))


def data():
    return bytes(random.choice((0, 1, 97, 0x86, 255)) for _ in range(random.randrange(7)))


def key(depth=0):
    kinds = [integer, floating, string, data, lambda: None, lambda: True, lambda: False]
    if depth < 3:
        kinds.append(lambda: tuple(key(depth + 1) for _ in range(random.randrange(6))))
        kinds.append(lambda: [key(depth + 1) for _ in range(random.randrange(3))])
    return random.choice(kinds)()


def value(depth=0):
    if depth < 3 and random.random() < 0.2:
        return [value(depth + 1) for _ in range(random.choice((0, 1, 2, 5)))]
    return key(depth)


class Gathered:
    """Stands for the writer of frames."""

    def __init__(self):
        self.frames = []

    def write(self, kind, payload):
        self.frames.append((kind, payload))


def both(some, summing=False):
    """Writes the pairs in both ways."""
    one, other = Gathered(), Gathered()
    sink = pairs.PairSink(one, mapside.RecordSink(other), summing)
    sink.take(iter(some))
    sink.close()
    assert not other.frames, "not all pairs went as pairs"
    out = frames.Writer(sys.stdout.buffer)
    payload = b"".join(payload[1:] for _, payload in one.frames)
    out.write(frames.PAIRS, one.frames[0][1][:1] + payload)
    records = Gathered()
    sink = mapside.RecordSink(records)
    sink.take(iter(some))
    sink.close()
    out.write(frames.RECORDS, b"".join(payload for _, payload in records.frames))


both([("word", 1), ("", 0), ("w" * 300, -1), ("é", 70000), ("x", 300), ("x", -(1 << 31)), ("\udc80", 255)])
for size in 1, 2, 1000, 1001, 5000:
    both([(string(), random.choice((1, 1, 300, -5, 1 << 20))) for _ in range(size)])
    both([(key(), value()) for _ in range(size)])
both([("long", list(range(3000))), ("nested", [[["x"] * 1500] * 3, ()]), (("k",) * 1200, ("v",) * 1200)])


# What can't go as pairs goes to the other sink, and nothing else does.
class Text(str):
    pass


class Number(enum.IntEnum):
    ONE = 1


class Pair(tuple):
    pass


cycle = []
cycle.append(cycle)
for odd in (
    (Text("a"), 1), ("a", Number.ONE), (1, Text("a")), Pair(("a", 1)), ("a", {1}), ("a", 134, {"a": 1}), ("a", 1j), ("a", bytearray(b"x")),
    ("a", cycle), ("a", Text), ({}, 1), (("a", {}), 1), (["a", [{}]], 1), ["a", 1], ("a", 1, 2), ("a",), (), "ab", 7, None,
    (b"\x86", "x", 1), ["\u0106", 1],  # the executor sees to these: they have the opcode that makes a pair
):
    class Rest:
        taken = []

        def take(self, stream):
            self.taken.extend(stream)

    one, rest = Gathered(), Rest()
    sink = pairs.PairSink(one, rest)
    sink.take(iter([("b", 1), ("c", 2)] * 8 + [odd] + [("d", 4)] * 31 + [("e", 5)] * 40))
    sink.flush()
    if odd == ["\u0106", 1] or odd == (b"\x86", "x", 1):
        assert not rest.taken
    else:
        assert any(item is odd for item in rest.taken), odd
        assert len(rest.taken) <= 32, (odd, len(rest.taken))
    assert len(one.frames) == 1

# Only ints are added up, whatever is to go with them.
one, rest = Gathered(), Rest()
rest.taken = []
sink = pairs.PairSink(one, rest, True)
sink.take(iter([("a", 1.0)] * 16 + [("a", 1)] * 16 + [("a", 1)] * 31 + [("a", True)]))
assert [type(value) for _, value in rest.taken if type(value) is not int] == [float] * 16 + [bool], rest.taken

# Large pairs are not gathered: a few of them make a payload.
peak = 0


def large():
    global peak
    for i in range(60):
        peak = max(peak, i)
        yield "x", bytes(1 << 20)


class Counting(Gathered):
    behind = 0

    def write(self, kind, payload):
        self.behind = max(self.behind, peak - len(self.frames))
        self.frames.append(None)
        assert len(payload) < 20 << 20


sink = pairs.PairSink(Counting(), None)
sink.take(large())


# What sums is known by its code, with or without a docstring.
def plain(key, values):
    yield (key, sum(values))


def documented(key, values):
    """Adds up."""
    yield key, sum(values)


def returning(k, vs):
    """Adds up."""
    return [(k, sum(vs))]


def from_one(key, values):
    yield (key, sum(values, 1))


def doubled(key, values):
    """Adds up."""
    yield (key, sum(values) * 2)


def twice(key, values):
    yield (key, sum(values))
    yield (key, sum(values))


def swapped(values, key):
    yield (key, sum(values))


for function, wanted in (
    (plain, True), (documented, True), (returning, True), (from_one, False), (doubled, False), (twice, False), (swapped, False), (sum, False),
):
    assert combine.is_sum(Function("combine_fn", function, 2)) is wanted, function
