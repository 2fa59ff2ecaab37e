"""A job file: does to the values of a key what can be done to a list, and to a list of them, and tells where the two differ."""

import bisect
import collections
import copy
import functools
import heapq
import itertools
import json
import pickle
import random
import statistics
import time


def map_fn(key, line):
    n, kind = line.split("|")[:2]
    for i in range(int(n)):
        yield line, KINDS[kind](i)


KINDS = {
    "int": lambda i: i * 7919 % 100003,
    "str": lambda i: "value %d" % (i % 5000),
    "odd": lambda i: (frozenset((i,)), i) if i % 50 == 0 else (frozenset(), i),
    "long": lambda i: "x" * 70000 + str(i),
    "end": lambda i: i,
}


def interleaved(v):
    a, b = iter(v), iter(v)
    next(b, None)
    return list(itertools.islice(zip(a, b), 20)), list(b)[-3:]


@functools.singledispatch
def dispatched(v):
    return "something"


@dispatched.register(list)
def _(v):
    return "a list"


READING = {
    "twice": lambda v: (list(v), list(v)),
    "interleaved": interleaved,
    "nested": lambda v: [(a, b) for a in itertools.islice(v, 2) for b in v],
    "len": len,
    "bool": bool,
    "repr": repr,
    "str": str,
    "format": "{}".format,
    "isinstance": lambda v: (isinstance(v, list), isinstance(v, collections.abc.MutableSequence), isinstance(v, tuple)),
    "dispatch": lambda v: dispatched(v),
    "hash": lambda v: v.__hash__ is None,
    "first": lambda v: v[0],
    "last": lambda v: v[-1],
    "ends": lambda v: (v[len(v) - 1], v[-len(v)]),
    "too far": lambda v: v[len(v)],
    "too far back": lambda v: v[-len(v) - 1],
    "no index": lambda v: v["x"],
    "true": lambda v: v[False],
    "by index": lambda v: [v[i] for i in range(len(v))],
    "by index, down": lambda v: [v[i] for i in range(len(v) - 1, -1, -1)],
    "by negative index": lambda v: [v[-i] for i in range(1, len(v) + 1)],
    "from both ends": lambda v: [(v[i], v[-i - 1]) for i in range(len(v) // 2)],
    "anywhere": lambda v: [v[i * 7927 % len(v)] for i in range(2000)],
    "reversed": lambda v: list(reversed(v)),
    "slices": lambda v: [
        v[a:b:c]
        for a in (None, 0, 3, -3, len(v) // 2, len(v) + 5)
        for b in (None, 0, 7, -2, len(v) // 2 + 40, -len(v) - 5)
        for c in (None, 1, 3, 1001, -1, -3, -1001)
    ],
    "windows": lambda v: [v[i * 613 % len(v) :][:1] + v[i * 613 % len(v) : i * 613 % len(v) + 100] for i in range(0, 40)],
    "first, often": lambda v: [(next(iter(v)), next(reversed(v)), v[0] in v) for _ in range(1000)],
    "ends, often": lambda v: [(v[:10], v[-10:], v[i]) for i in range(min(1000, len(v)))],
    "jumps": lambda v: [[v[(i * 7927 + k) % len(v)] for k in range(20)] for i in range(200)],
    "step 0": lambda v: v[::0],
    "in": lambda v: (v[-1] in v, v[len(v) // 2] in v, "no such" in v),
    "count": lambda v: (v.count(v[0]), v.count(v[-1]), v.count("no such")),
    "index": lambda v: (v.index(v[0]), v.index(v[-1]), v.index(v[len(v) // 2])),
    "index from": lambda v: (v.index(v[-1], 1) if len(v) > 2 else 0, v.index(v[-1], -1), v.index(v[0], 0, 1), v.index(v[0], -len(v) - 7, 5)),
    "index of none": lambda v: v.index("no such"),
    "index out of bounds": lambda v: v.index(v[0], 1, 1),
    "==": lambda v: (v == list(v), list(v) == v, v == [], [] == v, v == tuple(v), v != list(v), v == v, v == list(v)[:-1] + ["x"]),
    "<": lambda v: (v < v[1:], v <= v[:], v > v[1:], v >= [], [] < v, v[:] >= v, v[1:] < v),
    "< other": lambda v: outcome(lambda v: v < 7, v)[0],
    "+": lambda v: (v + ["x"], ["x"] + v, v + v, v + v[:2]),
    "+ tuple": lambda v: v + (1,),
    "*": lambda v: (v * 2, 2 * v),
    "copies": lambda v: (v.copy(), copy.copy(v), copy.deepcopy(v), list(v), v[:], [*v], sorted(v, key=str)),
    "pickle": lambda v: pickle.loads(pickle.dumps(v)),
    "json": lambda v: (json.dumps(v, default=str), json.dumps({"v": v}, default=str, indent=1)) if isinstance(v[0], tuple) else (json.dumps(v), json.dumps({"v": [v]}, indent=1)),
    "sorted": lambda v: (sorted(v, key=str), sorted(v, key=str, reverse=True)),
    "containers": lambda v: (tuple(v), set(map(str, v)), collections.Counter(map(str, v)), dict.fromkeys(map(str, v)), collections.deque(v, 5)),
    "arguments": lambda v: max(*v, "", key=str) and (lambda *a: len(a))(*v),
    "assigned": lambda v: [a := v[0], *v][1:],
    "extended": lambda v: functools.reduce(lambda into, more: into.extend(more) or into, [v, v], []),
    "slice of another": lambda v: (lambda other: other.__setitem__(slice(1, 2), v) or other)([1, 2, 3]),
    "choice": lambda v: (random.Random(1).choice(v), random.Random(2).sample(v, 1), random.Random(3).choices(v, k=3)),
    "heapq": lambda v: (heapq.nlargest(3, v, key=str), heapq.nsmallest(2, v, key=str)),
    "bisect": lambda v: bisect.bisect([str(v[0])], "x"),
    "median": lambda v: statistics.median(map(len, map(str, v))),
    "sum": lambda v: sum(map(len, map(str, v))),
    "pairs": lambda v: list(itertools.islice(zip(v, v[1:]), 100)),
    "methods": lambda v: [name for name in dir(list) if name != "__class_getitem__" and not hasattr(v, name)],
}

CHANGING = {
    "sort": lambda v: v.sort(key=str),
    "sort down": lambda v: v.sort(key=str, reverse=True),
    "reverse": lambda v: v.reverse(),
    "append": lambda v: v.append("x"),
    "extend": lambda v: (v.extend([1, 2]), v.extend("ab")),
    "extend by itself": lambda v: v.extend(v),
    "insert": lambda v: (v.insert(0, "x"), v.insert(-1, "y")),
    "pop": lambda v: (v.pop(), v.append(1), v.pop(0)),
    "remove": lambda v: v.remove(v[-1]),
    "remove none": lambda v: v.remove("no such"),
    "clear": lambda v: (v.clear(), bool(v), len(v), v == [], list(v)),
    "set": lambda v: (v.__setitem__(0, "x"), v.__setitem__(-1, "y"), v.__setitem__(slice(0, 1), ["p", "q"])),
    "delete": lambda v: (v.__delitem__(0), v.__delitem__(slice(0, None, 3))),
    "+=": lambda v: functools.reduce(lambda a, b: a.__iadd__(b), [[1], (2, 3)], v) is v,
    "*=": lambda v: v.__imul__(2) is v,
    "shuffle": lambda v: random.Random(1).shuffle(v),
    "read after it": lambda v: (v.append("x"), v[0], v[-2:], len(v), v.index("x"), v.count("x"), "x" in v, v.copy(), list(reversed(v)), v + v, v == v[:], pickle.loads(pickle.dumps(v)), bool(v)),
}


def outcome(operation, v):
    try:
        return operation(v)
    except Exception as err:
        return type(err).__name__, str(err)


def equal(want, have):
    return want == have and type(want) is type(have)


kept = {}


def reduce_fn(key, values):
    n, kind, *change = key.split("|")
    if kind == "end":
        for old, (held, going_on) in kept.items():
            want = sorted(str(KINDS[old[1]](i)) for i in range(int(old[0])))
            have, rest = sorted(map(str, held)), sum(1 for _ in going_on)
            if have != want or rest != len(want) - 1:
                yield "kept values differ", "%r: %d, %d" % (old, len(have), rest)
        yield "kept", len(kept)
        return
    plain = [v for v in values]
    if change:
        want, have = outcome(CHANGING[change[0]], plain), outcome(CHANGING[change[0]], values)
        if not equal(want, have) or list(values) != plain or len(values) != len(plain) or values != plain:
            yield "differs", "%s: want %.200r, have %.200r" % (key, (want, plain), (have, values))
        return
    for name, operation in READING.items():
        if len(plain) > 100000 and name == "slices":
            operation = lambda v: v[::-1]  # noqa: E731
        begun = time.process_time()
        want = outcome(operation, plain)
        middle = time.process_time()
        have = outcome(operation, values)
        list_took, took = middle - begun, time.process_time() - middle
        if not equal(want, have):
            yield "differs", "%s of %s: want %.200r, have %.200r" % (name, key, want, have)
        if took > max(0.5, 300 * list_took):
            yield "slow", "%s of %s: a list takes %.6f s, this %.6f s" % (name, key, list_took, took)
    going_on = iter(values)
    next(going_on)
    kept[n, kind] = values, going_on
    yield "compared", "%s %s" % (key, type(values).__name__)
    # As an item, and in what is JSON, too.
    if n == "3":
        yield values
        yield ("pair", values)
        yield ("nested", {"v": (values, [values])})


def changes():
    return list(CHANGING)
