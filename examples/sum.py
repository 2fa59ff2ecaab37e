#!/usr/bin/env python3
"""Adds up the numbers of each key: a reducer, and a combiner, for commands that read and write lines.

    bucketmill run --mapper 'python3 words.py' --reducer 'python3 sum.py' --combiner 'python3 sum.py' \
        --program-file words.py --program-file sum.py --input texts/ --output counts/

Reads lines of key, tab, number, sorted by key. Prints each key once, with the sum.
"""

import sys
from itertools import groupby


def pairs():
    for line in sys.stdin:
        key, _, number = line.rstrip("\n").partition("\t")
        yield key, int(number)


for key, group in groupby(pairs(), key=lambda pair: pair[0]):
    print(key, sum(number for _, number in group), sep="\t")
