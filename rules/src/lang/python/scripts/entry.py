"""Runs componentize-py. A wheel that is only unpacked, and not installed, has no script for that.

First, packages that the tool would refuse are changed (`wit_of_packages.py`). What the tool can't know of the
packages is added to its messages (`native_code.py`). A failure is shown without a traceback through these files.
"""

import os
import sys

import native_code
from wit_of_packages import WitOfPackages


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def main():
    """The arguments are the world, the module, and each folder of the search path after `-p`."""
    world, module = sys.argv[2], sys.argv[4]
    search = [os.path.abspath(folder) for folder in sys.argv[6::2]]
    left_out = native_code.left_out(search)
    packages = WitOfPackages(search)
    notes = os.path.join(os.path.dirname(__file__), "notes.txt")
    if os.path.isfile(notes):
        sys.stderr.write(read(notes))
    for line in native_code.notes(left_out):
        print(line, file=sys.stderr)
    sys.argv = ["componentize-py", "-d", "/wit", "-w", world, "componentize", module]
    for folder in packages.search:
        sys.argv += ["-p", folder]
    sys.argv += ["-o", "/out/component.wasm"]
    import componentize_py

    try:
        componentize_py.script()
    except SystemExit:
        raise
    # The tool's own failures are not instances of `Exception`.
    except BaseException as error:
        text = str(error)
        print(text.rstrip(), file=sys.stderr)
        for line in [*native_code.explained(text, left_out, search), *packages.explained(text)]:
            print(line, file=sys.stderr)
        sys.exit(1)


main()
