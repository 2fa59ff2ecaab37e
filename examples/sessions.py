"""Sessions per user: a session ends when the user does nothing for ten minutes.

    bucketmill run examples/sessions.py --sort-values --format csv --input events/ --output sessions/

With --sort-values the values of a key come sorted, so that reduce_fn sees a user's events in the
order of time and keeps none of them (this is called a secondary sort). Output: user, tab, start
of the session, tab, events, tab, length in seconds.
"""

from datetime import datetime

PAUSE = 600  # seconds


def map_fn(key, row):
    yield (row["user"], row["timestamp"])


def reduce_fn(user, timestamps):
    start = last = None
    events = 0
    for timestamp in timestamps:
        now = datetime.fromisoformat(timestamp.replace("Z", "+00:00"))
        if last is not None and (now - last).total_seconds() > PAUSE:
            yield session(start, events, last)
            start, events = None, 0
        if start is None:
            start = now
        last = now
        events += 1
    yield session(start, events, last)


def session(start, events, last):
    return f"{start:%H:%M:%S}\t{events}\t{(last - start).total_seconds():.0f}"
