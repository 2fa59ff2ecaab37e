"""Exceptions as ERROR messages."""

_PREVIEW = 200  # characters of a key or a value
_MESSAGE = 2000  # characters of an exception's text
_COLUMNS = 20  # names in a hint


class NotAPair(Exception):
    """map_fn gave something that is no pair, or combine_fn another key."""


class BadRecord(Exception):
    """An input record that is not what its format promises."""


class Place:
    """What is being worked on. The sides of the job set it before they call user code."""

    def __init__(self):
        self.function = None  # its name
        self.record = None  # a function that returns {"input", "offset", "key", "value"}
        self.columns = None  # the keys of the dicts that map_fn gets, if it gets any by a header


def describe(err, job_path, job_name, place):
    """Returns the ERROR message of an exception, as a dict."""
    import traceback

    failure = {"message": _message(err, place)}
    if isinstance(err, SyntaxError) and err.filename == job_name:
        failure.update(file=job_name, line=err.lineno or 0)
        failure["traceback"] = "".join(traceback.format_exception_only(type(err), err))
    elif getattr(err, "line", 0) and type(err).__name__ == "JobError":
        failure.update(file=job_name, line=err.line)
    else:
        _locate(failure, err, job_path, job_name, traceback)
    record = place.record and _record(place)
    if record:
        failure["record"] = record
    return failure


def _record(place):
    try:
        return place.record()
    except BaseException:  # map_fn was called again, and did something else
        return None


def _message(err, place):
    try:
        text = str(err)
    except Exception:  # an exception's own __str__ may be broken
        text = "(its text cannot be had)"
    if len(text) > _MESSAGE:
        text = text[:_MESSAGE] + "…"
    if type(err).__module__.startswith("bucketmill_runner."):
        return text if place.function is None or isinstance(err, BadRecord) else "%s: %s" % (place.function, text)
    what = type(err).__name__ + (": " + text if text else "") + _columns_hint(err, place)
    return what if place.function is None else "%s raised %s" % (place.function, what)


def _columns_hint(err, place):
    """Returns which columns there are, for a KeyError that names none of them."""
    if place.columns is None or place.function != "map_fn" or type(err) is not KeyError or len(err.args) != 1:
        return ""
    name = err.args[0]
    if type(name) is not str or name in place.columns:
        return ""
    names = ", ".join(map(preview, place.columns[:_COLUMNS]))
    more = len(place.columns) - _COLUMNS
    return "; the columns are %s%s" % (names, " and %d more" % more if more > 0 else "")


def _locate(failure, err, job_path, job_name, traceback):
    """Adds the place of err in the job file, and the traceback from the first place there."""
    _show_source(job_path, job_name)
    trimmed = err.__traceback__
    while trimmed is not None and _file(trimmed) != job_name:
        trimmed = trimmed.tb_next
    if trimmed is None:
        if not type(err).__module__.startswith("bucketmill_runner."):
            failure["traceback"] = "".join(traceback.format_exception(type(err), err, err.__traceback__))
        return
    lines = traceback.format_exception(type(err), err, trimmed)
    failure["traceback"] = "".join(lines)
    failure["file"] = job_name
    while trimmed is not None:
        if _file(trimmed) == job_name:
            failure["line"] = trimmed.tb_lineno
        trimmed = trimmed.tb_next


def _file(tb):
    return tb.tb_frame.f_code.co_filename


def _show_source(job_path, job_name):
    """Lets tracebacks show the job file's lines under the name that it goes by."""
    import linecache

    try:
        with open(job_path, encoding="utf-8", errors="replace") as file:
            lines = file.readlines()
    except OSError:
        return
    linecache.cache[job_name] = (sum(map(len, lines)), None, lines, job_name)


def preview(value):
    """Returns the beginning of a value's repr."""
    try:
        text = repr(value[:_PREVIEW] if isinstance(value, (str, bytes)) else value)
    except Exception:  # a user's __repr__ may fail
        text = object.__repr__(value)
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= _PREVIEW else text[: _PREVIEW - 1] + "…"
