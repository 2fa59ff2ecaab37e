"""Counts words.

    bucketmill run examples/word_count.py --input 'texts/*.txt' --output counts/

Output: word, tab, how often it occurs. Parameter: lower=true counts without regard to case.
"""


def map_fn(key, value):
    """The key is the line's place in its file, in bytes; the value is the line."""
    if PARAMS.get("lower") == "true":  # PARAMS has what --param was given
        value = value.lower()
    for word in value.split():
        yield (word, 1)


def combine_fn(key, values):
    """Adds up what a mapper has before it goes over the network."""
    yield (key, sum(values))


def reduce_fn(key, values):
    yield (key, sum(values))
