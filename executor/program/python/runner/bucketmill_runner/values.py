"""Values as bytes, and back with their type.

Values of exactly the types None, bool, int, float, complex, str, bytes, and tuples, lists, dicts, sets
and frozensets of these, are marshalled: version 2, which every Python 3 reads and whose first byte is
below 128. Everything else is pickled with protocol 4, whose first byte is 128. So the first byte says how
a value is encoded. It is 129 for values that must be sorted, see ordered.py.
"""

from marshal import dumps, loads

from . import late

# Types that marshal preserves.
SCALARS = frozenset((type(None), bool, int, float, complex, str, bytes))

_SEQUENCES = frozenset((tuple, list, set, frozenset))
_DEEP = 50  # containers nested deeper than this are pickled


class ValueTypeError(TypeError):
    """A value that can't be pickled."""


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
    """Returns the value of which encode made data."""
    if data[0] == 0x80:
        return late.module("pickle").loads(data)
    return loads(data)
