"""Calls the functions of a job file, and speaks the protocol of internal/frames/FRAMES.md.

    session     the conversation with the executor, from HELLO to DONE or ERROR
    frames      reading and writing frames
    job         loading the job file; what its functions may return
    inputs      the records of a BATCH as keys and values
    mapside     map_fn over batches
    pairs       the pairs of map_fn, for the executor to encode
    combine     the table that combine_fn keeps small
    reduceside  reduce_fn over sorted records
    groups      sorted records as keys with their values
    keys        keys as bytes that sort as the keys do
    values      values as bytes
    ordered     values as bytes that sort as the values do
    text        keys and values of the output as text
    failures    exceptions as ERROR messages
    late        modules that are seldom needed, which the job's modules may hide
"""

import sys

# The modules that Python itself has loaded.
STARTUP = frozenset(sys.modules)
