"""reduce_fn over sorted records."""

from .failures import preview
from .job import items


def reduce(job, place, source, output):
    """Calls reduce_fn for every key of source, and writes its items to output.

    An item that is a tuple of two is a pair; any other item is a value for the key.
    """
    call, emit = job.reduce_fn.call, output.emit
    key = None

    def describe():
        return {"offset": 0, "key": preview(key)}

    for key, values in source.groups():
        place.function, place.record = job.reduce_fn.name, describe
        for item in items(call(key, values)):
            if isinstance(item, tuple) and len(item) == 2:
                emit(*item)
            else:
                emit(key, item)
        item = values = None  # if reduce_fn has kept the values, they must stay
    place.function = place.record = None
    output.flush()
