"""Prints which modules in its folder a job file imports: modules.py FILE.

The output is a JSON list of paths below that folder. Imports are found anywhere in the text, and followed from module
to module; nothing is run. Modules that come with Python or are installed are ignored. A module in the folder hides
modules of the same name elsewhere, as it does when Python runs the file.
"""

import sys

# Modules in the folder can't hide these.
STARTUP = frozenset(sys.modules) | frozenset(sys.builtin_module_names)

import ast
import json
import os
from importlib import machinery

# In Python's order.
SUFFIXES = machinery.EXTENSION_SUFFIXES + machinery.SOURCE_SUFFIXES + machinery.BYTECODE_SUFFIXES


def file_of(folder, name):
    """Returns the file of a module in a folder, or None, and the folder of its submodules, or None."""
    inside = os.path.join(folder, name)
    for stem, package in (os.path.join(inside, "__init__"), inside), (inside, None):
        for suffix in SUFFIXES:
            if os.path.isfile(stem + suffix):
                return stem + suffix, package
    return None, inside if os.path.isdir(inside) else None


class Search:
    def __init__(self, job_file):
        self._root = os.path.dirname(os.path.abspath(job_file))
        self._waiting = [(os.path.abspath(job_file), "")]
        self._seen = {os.path.abspath(job_file)}
        self.names = []

    def run(self):
        while self._waiting:
            path, package = self._waiting.pop()
            try:
                with open(path, "rb") as file:
                    tree = ast.parse(file.read())
            except (OSError, SyntaxError, ValueError, RecursionError):
                continue  # the run will report it
            for node in ast.walk(tree):
                self._follow(node, package)

    def _follow(self, node, package):
        if isinstance(node, ast.Import):
            for alias in node.names:
                self._add(alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = self._absolute("." * node.level + (node.module or ""), package)
            inside = self._add(base)
            for alias in node.names:
                if inside and alias.name == "*":
                    for name in sorted(os.listdir(inside)):
                        self._add(base + "." + name.partition(".")[0])
                elif inside:
                    self._add(base + "." + alias.name)
        elif isinstance(node, ast.Call) and node.args:
            called = getattr(node.func, "id", getattr(node.func, "attr", None))
            name = getattr(node.args[0], "value", getattr(node.args[0], "s", None))  # "s" before 3.8
            if called in ("import_module", "__import__") and isinstance(name, str):
                self._add(self._absolute(name, package))

    @staticmethod
    def _absolute(name, package):
        level = len(name) - len(name.lstrip("."))
        if level == 0:
            return name
        parts = package.split(".")
        return ".".join(filter(None, parts[: len(parts) - level + 1] + [name[level:]]))

    def _add(self, dotted):
        """Adds a module and its packages. Returns the folder of its submodules, or None."""
        parts = dotted.split(".")
        if parts[0] in STARTUP:
            return None
        folder = self._root
        for n, part in enumerate(parts, 1):
            if not folder or not part.isidentifier():
                return None
            file, folder = file_of(folder, part)
            if file and file not in self._seen:
                self._seen.add(file)
                self.names.append(os.path.relpath(file, self._root).replace(os.sep, "/"))
                if file.endswith(".py"):
                    self._waiting.append((file, ".".join(parts[:n] if folder else parts[: n - 1])))
        return folder


if __name__ == "__main__":
    search = Search(sys.argv[1])
    search.run()
    print(json.dumps(sorted(search.names)))
