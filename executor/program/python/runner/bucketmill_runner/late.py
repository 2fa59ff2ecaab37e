"""Modules of the standard library that are seldom needed, and imported only then.

A job may have modules with the same names, which hide them from later imports. As when Python runs the job
file, the job's modules come first, except before those that Python has loaded at its start.
"""

import os
import sys

from . import STARTUP

_kept = {}  # the standard library's, by name, if the job has one of the same name


def module(name):
    """Returns a module of the standard library."""
    return _kept.get(name) or __import__(name)


def make_way(folder, import_runner):
    """Lets the job's modules, which are in folder, come before others of the same names.

    import_runner imports all modules of this package, before the job's modules can hide what they need.
    """
    own = {entry.name.partition(".")[0] for entry in os.scandir(folder)}
    standard = getattr(sys, "stdlib_module_names", None)  # since Python 3.10
    if standard is not None and own.isdisjoint(standard):
        return
    for name in "inspect", "json", "linecache", "pickle", "traceback":
        _kept[name] = __import__(name)
    import_runner()
    for name in list(sys.modules):
        top = name.partition(".")[0]
        if top in own and top not in STARTUP and top != __package__:
            del sys.modules[name]
