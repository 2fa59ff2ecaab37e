"""map_fn over batches.

The hot loops here and in combine.py run once for each pair of map_fn. They read only local
variables, and C calls map_fn record after record: the iterator says afterwards to which record an
exception belongs.
"""

from itertools import chain, islice
from operator import length_hint
from time import monotonic

from . import frames, keys, values
from .failures import NotAPair, preview
from .job import pairs

# How many pairs are taken between two checks of the size.
STEP = 256


def not_a_pair(item):
    """Raises an error about an item that map_fn gave."""
    raise NotAPair("it must give pairs (key, value), but it gave %s" % preview(item))


def a_pair(item):
    """Returns an item that is not of type tuple, if it is a pair; otherwise raises NotAPair."""
    return item if isinstance(item, tuple) else not_a_pair(item)


# Records are mapped in groups that take about this long, in seconds.
_LEAST, _MOST = 0.1, 0.5


class Progress:
    """Reports to the executor at intervals how many bytes of the batches are done."""

    def __init__(self, writer):
        self._writer = writer
        self._told = monotonic()
        self.done = 0  # bytes of batches that are done, or almost

    def tell(self, more=0):
        now = monotonic()
        if now - self._told >= _MOST:
            self._told = now
            self._writer.write(frames.TOOK, frames.uvarint(self.done + more))


class Mapper:
    """Calls map_fn and passes its pairs to a sink."""

    def __init__(self, job, place, sink, progress):
        self._progress = progress
        self._many = 1  # records at a time
        self._first = 0  # index of the first record in the current group
        self._job = job
        self._function = job.map_fn
        self._place = place
        self._sink = sink

    def batch(self, records):
        """Maps an inputs.Records."""
        place, texts = self._place, iter(records.texts)
        place.function = self._function.name
        place.record = lambda: self._describe(records, texts)
        place.columns = records.columns
        self._job.reads(records.input)
        results = self._results(records, texts)
        total = left = len(records.texts)
        while left:
            begun = monotonic()
            self._first = total - left
            self._sink.take(chain.from_iterable(islice(results, self._many)))
            took = monotonic() - begun
            if took < _LEAST:
                self._many = min(2 * self._many, 1 << 20)
            elif took > _MOST:
                self._many = max(1, self._many // 2)
            left = length_hint(texts)
            self._progress.tell(records.size * (total - left) // total)
        self._job.reads(None)
        place.function = place.record = None

    def _results(self, records, texts, first=0):
        """Returns map_fn's results for the records from index first, whose texts are an iterator."""
        function = self._function
        inputs = texts if records.decode is None else map(records.decode, texts)
        if function.arity == 2:
            results = map(function.call, records.keys[first:] if first else records.keys, inputs)
        else:
            results = map(function.call, inputs)
        return results if function.generator else map(pairs, results)

    def _describe(self, records, texts):
        """Describes the record that caused an exception, or None if it can't be found."""
        pair = self._sink.failed
        if pair is None:
            return records.describe(len(records.texts) - length_hint(texts) - 1)
        # Other records were read since. Calling map_fn again shows which record it was.
        first = self._first
        results = self._results(records, iter(records.texts[first:]), first)
        for index, result in enumerate(results, first):
            for _ in result:
                if pair == 0:
                    return records.describe(index)
                pair -= 1
        return None

    def close(self):
        self._sink.close()


# The marshalled form of small ints, 5 bytes each: many jobs have little else than counts.
_INTS = {n: values.dumps(n, 2) for n in range(-128, 1024)}
# How many encoded keys that came with such ints are remembered.
_HEADS = 1 << 15


class RecordSink:
    """Encodes pairs as intermediate records, by values.py or, if values are sorted, ordered.py."""

    failed = None  # see PairSink

    def __init__(self, writer, ordered=False):
        self._writer = writer
        self._ints, self._scalars, self._encode_value = _INTS, values.SCALARS, values.encode
        if ordered:
            from .ordered import encode

            self._ints, self._scalars, self._encode_value = {}, frozenset(), encode
        self._parts = []
        self._size = 0
        self._heads = {}  # str key -> its record without the value, which has 5 bytes

    def take(self, stream):
        parts, heads, size = self._parts, self._heads, self._size
        append = parts.append
        ints, short, scalars = self._ints, frames.SHORT, self._scalars
        dumps, encode_key, encode_value = values.dumps, keys.encode, self._encode_value
        while True:
            pair = None
            for pair in islice(stream, STEP):
                if type(pair) is not tuple:
                    pair = a_pair(pair)
                try:
                    key, value = pair
                except ValueError:
                    not_a_pair(pair)
                if type(value) is int and value in ints:
                    v = ints[value]
                    if type(key) is str and key in heads:
                        head = heads[key]
                        append(head)
                        append(v)
                        size += len(head)
                        continue
                elif type(value) in scalars:
                    v = dumps(value, 2)
                else:
                    v = encode_value(value)
                if type(key) is str and key.isascii():
                    k = b"0" + key.encode()
                else:
                    k = encode_key(key)
                m = len(k)
                n = len(v)
                if m < 128 and n < 128:
                    head = short[m << 7 | n] + k
                    if n == 5 and type(key) is str and len(heads) < _HEADS:
                        heads[key] = head
                else:
                    head = frames.uvarint(m) + frames.uvarint(n) + k
                append(head)
                append(v)
                size += m + n
                if n >= frames.BLOCK:  # several of this size would exhaust the memory
                    self._flush()
                    size = 0
            if pair is None:
                break
            if size >= frames.BLOCK:
                self._flush()
                size = 0
        self._size = size

    def _flush(self):
        if self._parts:
            self._writer.write(frames.RECORDS, b"".join(self._parts))
            self._parts.clear()
            self._size = 0

    def close(self):
        self._flush()


class TextSink:
    """Writes pairs as output records, in a job without reducers."""

    failed = None  # see PairSink

    def __init__(self, output):
        self._output = output

    def take(self, stream):
        emit = self._output.emit
        for pair in stream:
            if not isinstance(pair, tuple) or len(pair) != 2:
                not_a_pair(pair)
            emit(*pair)

    def close(self):
        self._output.flush()
