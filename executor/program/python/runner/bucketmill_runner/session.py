"""The conversation with the executor, from HELLO to DONE or ERROR."""

import gc
import json
import os
import sys

from . import failures, frames

_VERSION = bytes((frames.VERSION,))
# Errors that may not occur in another attempt, even if the job file is only loaded.
_PASSING = (MemoryError, ConnectionError, TimeoutError, BlockingIOError)
_PIPE = 1 << 20  # buffer of either direction, in bytes


def run(path, name):
    """Runs the job file at path, whose name in errors is name, and ends the process."""
    reader, writer = _take_streams()
    place = failures.Place()
    try:
        _converse(path, name, reader, writer, place)
        status = 0
    except BaseException as err:  # sys.exit() is also an error in a job
        status = 1
        failure = failures.describe(err, path, name, place)
        failure["again"] = isinstance(err, _PASSING)
        writer.write(frames.ERROR, json.dumps(failure).encode())
    sys.stderr.flush()
    if status:
        os._exit(status)  # even if the job has left threads


def _take_streams():
    """Takes standard input and output for the protocol.

    The job file's prints go to the log, and its standard input is empty.
    """
    reader = os.fdopen(os.dup(0), "rb", _PIPE)
    writer = os.fdopen(os.dup(1), "wb", 64 << 10)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return frames.Reader(reader), frames.Writer(writer)


def _converse(path, name, reader, writer, place):
    from .job import Job

    _, hello = reader.next(frames.HELLO)
    if hello[:1] != _VERSION:
        raise frames.ProtocolError("HELLO of another version")
    hello = json.loads(hello[1:])
    job = Job(path, name, hello["params"], _import_runner)
    role = hello["role"]
    if role != "reduce":
        job.need("map_fn")
    if role == "reduce" or role == "check" and not hello.get("map_only"):
        job.need("reduce_fn")
    ready = {"has_combine": job.combine_fn is not None}
    if role == "reduce" and job.combine_fn is not None:
        from .combine import is_sum

        ready["sums"] = is_sum(job.combine_fn)
    writer.write(frames.READY, _VERSION + json.dumps(ready).encode())
    # Young objects are mostly pairs, which die at once: search for cycles less often.
    gc.set_threshold(100_000, 20, 50)
    done = {}
    if role == "map":
        given = _map(job, hello, reader, writer, place)
        if job.combine_fn is not None and not hello.get("map_only"):
            done["map_output"] = given
    elif role == "reduce":
        _reduce(job, reader, writer, place)
    else:
        return
    done["counters"] = _counters(job)
    writer.write(frames.DONE, json.dumps(done).encode())


def _import_runner():
    """Imports all modules of this package."""
    from . import combine, csvrows, groups, inputs, mapside, ordered, pairs, reduceside, text


def _counters(job):
    from .job import JobError

    counters = {str(name): int(n) for name, n in job.counters.items()}
    for name, n in counters.items():
        if not -(1 << 63) <= n < 1 << 63:
            raise JobError("the counter %r is beyond 64 bits: %d" % (name, n))
    return counters


def _intermediate(job, hello, writer, place):
    """Returns the sink for records that go to reducers."""
    from . import combine, mapside

    sort_values = hello.get("sort_values", False)
    records = mapside.RecordSink(writer, sort_values)
    if sort_values:  # only ordered.py encodes values so that they sort
        return records if job.combine_fn is None else combine.Table(job, place, records, hello)
    from .pairs import PairSink

    if job.combine_fn is None:
        return PairSink(writer, records)
    table = combine.Table(job, place, PairSink(writer, records), hello)
    return PairSink(writer, table, summing=True) if combine.is_sum(job.combine_fn) else table


def _map(job, hello, reader, writer, place):
    """Maps the batches; returns how many pairs map_fn gave, if it is known."""
    from . import inputs, mapside, text

    if hello.get("map_only"):
        sink = mapside.TextSink(text.Output(writer, frames, job.counters))
    else:
        sink = _intermediate(job, hello, writer, place)
    progress = mapside.Progress(writer)
    mapper = mapside.Mapper(job, place, sink, progress)
    handed = 0
    while True:
        kind, payload = reader.next(frames.BATCH, frames.END)
        if kind == frames.END:
            break
        for records in inputs.read(payload, hello.get("format", "")):
            mapper.batch(records)
            progress.done += records.size
        handed += len(payload)
        progress.done = handed
    mapper.close()
    return getattr(sink, "given", 0)


def _reduce(job, reader, writer, place):
    from . import groups, reduceside, text

    output = text.Output(writer, frames, job.counters)
    reduceside.reduce(job, place, groups.Source(reader), output)
