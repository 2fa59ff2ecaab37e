"""Loads the job file, and checks what its functions take and return."""

import os
import sys

from . import late
from .failures import NotAPair, preview

# The job file's name as a module: pickled values name their classes by it.
MODULE = "bucketmill_job"

_GENERATOR = 0x20  # in co_flags
_VARARGS = 0x04


class JobError(Exception):
    """A fault of the job file as a whole; line is 0 if the fault has no place."""

    def __init__(self, message, line=0):
        super().__init__(message)
        self.line = line


class Function:
    """One of the job's functions."""

    def __init__(self, name, call, arity):
        self.name = name
        self.call = call
        self.arity = arity
        code = getattr(call, "__code__", None)
        self.generator = code is not None and bool(code.co_flags & _GENERATOR)


class Job:
    """A loaded job file. The functions that it does not have are None."""

    def __init__(self, path, name, params, import_runner):
        self.path = path
        self.name = name
        self.counters = _Counters()
        self._input = None
        self._module = self._load(params, import_runner)
        self.map_fn = self._function("map_fn", (2, 1), "(key, value) or (line)")
        self.combine_fn = self._function("combine_fn", (2,), "(key, values)")
        self.reduce_fn = self._function("reduce_fn", (2,), "(key, values)")
        setup = self._function("setup", (1,), "(params)")
        if setup is not None:
            setup.call(params)

    def _load(self, params, import_runner):
        with open(self.path, "rb") as file:
            code = compile(file.read(), self.name, "exec", dont_inherit=True)
        sys.path[0] = os.path.dirname(self.path)
        late.make_way(sys.path[0], import_runner)
        module = type(sys)(MODULE)
        module.__file__ = self.path
        module.PARAMS = params
        module.COUNTERS = self.counters
        module.INPUT = None
        sys.modules[MODULE] = module
        exec(code, module.__dict__)
        # A job file may define the name itself.
        self._tells_input = module.__dict__.get("INPUT") is None
        return module

    def reads(self, url):
        """Sets INPUT, the URL of the object that records come from or None, and returns the old one."""
        before, self._input = self._input, url
        if self._tells_input:
            self._module.INPUT = url
        return before

    def need(self, *names):
        """Raises JobError if a function of these names is missing."""
        for name in names:
            if getattr(self, name) is None:
                hint = "; without reducers (--reducers 0) it needs none" if name == "reduce_fn" else ""
                raise JobError("%s has no function %s%s" % (self.name, name, hint))

    def _function(self, name, arities, wanted):
        call = getattr(self._module, name, None)
        if call is None:
            return None
        if not callable(call):
            raise JobError("%s is not a function but a %s" % (name, type(call).__name__))
        for arity in arities:
            if _takes(call, arity):
                return Function(name, call, arity)
        code = getattr(call, "__code__", None)
        line = code.co_firstlineno if code and code.co_filename == self.name else 0
        raise JobError("%s must take %s" % (name, wanted), line)


class _Counters(dict):
    """Counters that begin at 0: COUNTERS["name"] += 1 needs no first value."""

    def __missing__(self, name):
        return 0


def _takes(call, n):
    """Reports whether call can be called with n positional arguments."""
    code = getattr(call, "__code__", None)
    if code is None or hasattr(call, "__wrapped__") or hasattr(call, "__self__"):
        return _takes_by_signature(call, n)
    required = code.co_argcount - len(call.__defaults__ or ())
    most = n if code.co_flags & _VARARGS else code.co_argcount
    named = code.co_kwonlyargcount > len(call.__kwdefaults__ or ())
    return required <= n <= most and not named


def _takes_by_signature(call, n):
    try:
        late.module("inspect").signature(call).bind(*range(n))
    except TypeError:
        return False
    except ValueError:  # a builtin without a signature
        return True
    return True


def items(result):
    """Returns what a reduce_fn or combine_fn returned as an iterable of items.

    None means no item; a list or an iterator (such as a generator) has items; anything else is one item.
    """
    if result is None:
        return ()
    if result.__class__ is list or hasattr(result, "__next__"):  # also of Values, which are a list
        return result
    return (result,)


def pairs(result):
    """Returns the result of a map_fn that is not a generator as an iterable of pairs.

    None means no pair, a tuple is one pair, and anything else is iterated over.
    """
    if result is None:
        return ()
    if type(result) is tuple:
        return (result,)
    try:
        return iter(result)
    except TypeError:
        raise NotAPair("it must return pairs (key, value), but it returned %s" % preview(result)) from None
