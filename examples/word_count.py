"""Counts words. With the parameter lower=true, upper and lower case are the same."""


def map_fn(key, value):
    """The key is the line's place in its file, in bytes; the value is the line."""
    if PARAMS.get("lower") == "true":  # PARAMS has the values of --param
        value = value.lower()
    for word in value.split():
        yield (word, 1)


def combine_fn(key, values):  # optional: adds up the counts of one mapper
    yield (key, sum(values))


def reduce_fn(key, values):
    yield (key, sum(values))
