"""Values as bytes, and back with their type.

What is made only of None, bool, int, float, complex, str, bytes, and of tuples, lists,
dicts, sets and frozensets of these, is marshalled: version 2, which all Python 3 read and whose first
byte is below 128. Types must be these exactly. Everything else is pickled with
protocol 4, whose first byte is 128: so the first byte tells which it was. 129 is that of values
that are to be sorted, see ordered.py.
"""

from marshal import dumps, loads

from . import late

# Types that marshal keeps as they are.
SCALARS = frozenset((type(None), bool, int, float, complex, str, bytes))

_SEQUENCES = frozenset((tuple, list, set, frozenset))
_DEEP = 50  # containers nested deeper than this are pickled


class ValueTypeError(TypeError):
    """A value that pickle can't take."""


def encode(value):
    """Returns value as bytes."""
    if _plain(value, 0):
        return dumps(value, 2)
    pickle = late.module("pickle")
    try:
        return pickle.dumps(value, 4)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError) as err:
        raise ValueTypeError(
            "a value of type %s cannot be sent to a reducer: %s" % (type(value).__name__, err)
        ) from None


def _plain(value, depth):
    cls = type(value)
    if cls in SCALARS:
        return True
    if depth > _DEEP:
        return False
    if cls in _SEQUENCES:
        return all(_plain(v, depth + 1) for v in value)
    if cls is dict:
        return all(_plain(k, depth + 1) and _plain(v, depth + 1) for k, v in value.items())
    return False


def decode(data):
    """Returns the value that encode made data of."""
    if data[0] == 0x80:
        return late.module("pickle").loads(data)
    return loads(data)
