"""Exceptions as ERROR messages."""

import os
import sys

from . import late

_PREVIEW = 200  # characters of a key or a value
_MESSAGE = 2000  # characters of an exception's text
_COLUMNS = 20  # names in a hint


class NotAPair(Exception):
    """map_fn gave something that is not a pair, or combine_fn gave another key."""


class BadRecord(Exception):
    """An input record that is not valid in its format."""


class Place:
    """The current function and record. mapside and reduceside set them before they call user code."""

    def __init__(self):
        self.function = None  # its name
        self.record = None  # a function that returns {"input", "offset", "key", "value"}
        self.columns = None  # the keys of map_fn's dicts, if the input has a header


def describe(err, job_path, job_name, place):
    """Returns the ERROR message of an exception, as a dict."""
    traceback = late.module("traceback")
    source = _Source(job_path, job_name)
    failure = {"message": _message(err, place)}
    if isinstance(err, SyntaxError) and source.name(err.filename):
        failure.update(file=source.name(err.filename), line=err.lineno or 0, everywhere=True)
        failure["traceback"] = source.named("".join(traceback.format_exception_only(type(err), err)))
    elif type(err).__name__ == "JobError":
        failure["everywhere"] = True
        if err.line:
            failure.update(file=job_name, line=err.line)
    else:
        _locate(failure, err, source, traceback)
    record = place.record and _record(place)
    if record:
        failure["record"] = record
    return failure


class _Source:
    """The job's files: the job file, which is shown by its name, and all files below its folder."""

    def __init__(self, job_path, job_name):
        self._path, self._name = job_path, job_name
        self._folder = os.path.join(os.path.dirname(job_path), "")

    def name(self, filename):
        """Returns a file's name in errors, or None if the file is not the job's."""
        if filename == self._name:
            return filename
        if filename and filename.startswith(self._folder):
            return filename[len(self._folder) :]
        return None

    def named(self, text):
        """Returns a traceback's text with the files' names in errors."""
        return text.replace('File "' + self._folder, 'File "')

    def show(self):
        """Lets tracebacks show the job file's lines under the file's name in errors."""
        try:
            with open(self._path, encoding="utf-8", errors="replace") as file:
                lines = file.readlines()
        except OSError:
            return
        late.module("linecache").cache[self._name] = (sum(map(len, lines)), None, lines, self._name)


def _record(place):
    try:
        return place.record()
    except BaseException:  # map_fn was called again, and behaved differently
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
    what = type(err).__name__ + (": " + text if text else "") + _columns_hint(err, place) + _module_hint(err)
    return what if place.function is None else "%s raised %s" % (place.function, what)


def _module_hint(err):
    """Returns where a missing module was searched for."""
    if not isinstance(err, ModuleNotFoundError) or not err.name:
        return ""
    return "; it is neither sent along (--program-file) nor installed for %s" % sys.executable


def _columns_hint(err, place):
    """Returns the names of the columns, for a KeyError that names no column."""
    if place.columns is None or place.function != "map_fn" or type(err) is not KeyError or len(err.args) != 1:
        return ""
    name = err.args[0]
    if type(name) is not str or name in place.columns:
        return ""
    names = ", ".join(map(preview, place.columns[:_COLUMNS]))
    more = len(place.columns) - _COLUMNS
    return "; the columns are %s%s" % (names, " and %d more" % more if more > 0 else "")


def _locate(failure, err, source, traceback):
    """Adds the place of err in the job's files, and the traceback from the first such place."""
    source.show()
    trimmed = err.__traceback__
    while trimmed is not None and not source.name(_file(trimmed)):
        trimmed = trimmed.tb_next
    if trimmed is None:
        if not type(err).__module__.startswith("bucketmill_runner."):
            failure["traceback"] = "".join(traceback.format_exception(type(err), err, err.__traceback__))
        return
    failure["traceback"] = source.named("".join(traceback.format_exception(type(err), err, trimmed)))
    while trimmed is not None:
        if source.name(_file(trimmed)):
            failure["file"], failure["line"] = source.name(_file(trimmed)), trimmed.tb_lineno
        trimmed = trimmed.tb_next


def _file(tb):
    return tb.tb_frame.f_code.co_filename


def preview(value):
    """Returns the beginning of a value's repr."""
    try:
        text = repr(value[:_PREVIEW] if isinstance(value, (str, bytes)) else value)
    except Exception:  # a user's __repr__ may fail
        text = object.__repr__(value)
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= _PREVIEW else text[: _PREVIEW - 1] + "…"
