"""Makes, while the component is made, the imports that functions of packages and of the standard library would make.

This runs in the interpreter of the component, at the end of its module: later there are no files to import from.
What a function imports is read from its code. For the standard library this is done only for the modules that are
loaded by then, and not for the modules that these import in turn: the program may never use those.
"""

import gc
import sys
from types import CodeType, FunctionType

from _opcode_metadata import opmap

IMPORT_NAME, EXTENDED_ARG = opmap["IMPORT_NAME"], opmap["EXTENDED_ARG"]
LOAD_CONST, LOAD_SMALL_INT = opmap["LOAD_CONST"], opmap["LOAD_SMALL_INT"]

# Modules that functions of the standard library import for processes, sockets, archives of files and other systems.
# They are big, and a component has none of these things.
USELESS = ("plistlib", "socket", "subprocess", "tarfile", "tracemalloc", "urllib.error", "urllib.request")

# The folders in which the interpreter sees the standard library, and the modules that componentize-py adds.
STANDARD, TOOL = "/python/", ("/world/", "/bundled/")


def imports(code, seen):
    """Yields the imports of a code object and of the functions in it: module, imported names, number of leading dots."""
    if id(code) in seen or code.co_name.strip("_") in ("main", "test"):
        return
    seen.add(id(code))
    # Python caches `co_code` once it is read, and the component would carry that. So it is read only where needed.
    words = code.co_code if IMPORT_NAME in code._co_code_adaptive[::2] else b""
    argument, loaded = 0, [None, None]
    for at in range(0, len(words), 2):
        operation, argument = words[at], argument << 8 | words[at + 1]
        if operation == EXTENDED_ARG:
            continue
        if operation == IMPORT_NAME:
            yield code.co_names[argument], loaded[1] or (), loaded[0] or 0
        elif operation == LOAD_CONST:
            loaded = [loaded[1], code.co_consts[argument]]
        elif operation == LOAD_SMALL_INT:
            loaded = [loaded[1], argument]
        argument = 0
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from imports(inner, seen)


def is_searched(module, names, started, again):
    """Returns true if the functions of a module with these global names are searched for imports."""
    if module in started or module.partition(".")[0] == "importlib" or place(names).startswith(TOOL):
        return False
    return not (again and is_standard(names))


def is_standard(names):
    return place(names).startswith(STANDARD)


def place(names):
    """Returns the file of a module, or the folder of the standard library if it has no file."""
    return names.get("__file__") or STANDARD


def make(main):
    """Makes the imports of all functions, where `main` is the component's module."""
    loaded = list(sys.modules)
    # The modules that the interpreter loads for any program.
    started = set(loaded[: loaded.index(main.partition(".")[0])])
    seen, made, again = set(), set(), False
    while True:
        before = len(sys.modules)
        for function in [found for found in gc.get_objects() if type(found) is FunctionType]:
            names = function.__globals__
            if not is_searched(names.get("__name__") or "", names, started, again):
                continue
            for name, parts, level in imports(function.__code__, seen):
                key = (name, parts, level and names.get("__package__"))
                if key not in made and not (name in USELESS and is_standard(names)):
                    made.add(key)
                    try:
                        __import__(name, names, None, parts, level)
                    except (Exception, SystemExit):
                        pass
        again = True
        if len(sys.modules) == before:
            return
