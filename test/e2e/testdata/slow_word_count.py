"""Counts words slowly, without taking any CPU: it waits for PARAMS["pause"] seconds over each
record, and for PARAMS["reduce_pause"] seconds over each word that it adds up.
"""

import time


def map_fn(key, value):
    time.sleep(float(PARAMS["pause"]))
    for word in value.split():
        yield (word, 1)


def combine_fn(key, values):
    yield (key, sum(values))


def reduce_fn(key, values):
    time.sleep(float(PARAMS.get("reduce_pause", "0")))
    yield (key, sum(values))
