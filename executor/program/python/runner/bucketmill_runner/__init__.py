"""Drives the functions of a job file, speaking the protocol of internal/frames/FRAMES.md.

    session     the conversation with the executor, from HELLO to DONE or ERROR
    frames      reading and writing frames
    job         loading the job file; what its functions may return
    inputs      the records of a BATCH as keys and values
    mapside     map_fn over batches
    pairs       what map_fn gives, on the short way to the executor
    combine     the table that combine_fn keeps small
    reduceside  reduce_fn over sorted records
    groups      sorted records as keys with their values
    keys        keys as bytes that sort as the keys do
    values      values as bytes
    ordered     values as bytes that sort as the values do
    text        keys and values of the output as text
    failures    exceptions as ERROR messages
    late        modules that are seldom needed, which the job's own may hide
"""

import sys

# What Python has loaded by itself.
STARTUP = frozenset(sys.modules)
