#!/usr/bin/env python3
"""Prints each word of its input with a 1: a mapper for sum.py."""

import sys

for line in sys.stdin:
    for word in line.split():
        print(word, 1, sep="\t")
