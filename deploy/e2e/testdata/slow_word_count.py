"""Counts words, and waits for PARAMS["pause"] seconds over each record, without taking any CPU."""

import time


def map_fn(key, value):
    time.sleep(float(PARAMS["pause"]))
    for word in value.split():
        yield (word, 1)


def combine_fn(key, values):
    yield (key, sum(values))


def reduce_fn(key, values):
    yield (key, sum(values))
