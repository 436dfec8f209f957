"""Reports native code in wheels for other systems, which was left out when the wheels were unpacked.

The RECORD of a wheel lists its files. Many packages have the same in Python, and use that when the native module is
missing; others do not work without it.
"""

import csv
import os
import re


def left_out(search):
    """Returns the native modules that were left out: from the name of each to its package and the version of that."""
    found = {}
    for folder in search:
        for entry in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            if not entry.endswith(".dist-info"):
                continue
            name, _, version = entry[: -len(".dist-info")].partition("-")
            for path in recorded(os.path.join(folder, entry, "RECORD")):
                module = module_of(path)
                if module and not os.path.exists(os.path.join(folder, path)):
                    found[module] = (name.replace("_", "-"), version)
    return found


def recorded(record):
    if not os.path.isfile(record):
        return []
    with open(record, encoding="utf-8", newline="") as file:
        return [row[0] for row in csv.reader(file) if row]


def module_of(path):
    """Returns `a.b` for `a/b.cpython-314-x86_64-linux-gnu.so`, and None for a library that is not a module."""
    match = re.fullmatch(r"(?:[^/]+\.data/platlib/)?((?:\w+/)*\w+)(?:\.[\w-]+)?\.so", path)
    return match and match[1].replace("/", ".")


def notes(left_out):
    for name, version in sorted(set(left_out.values())):
        yield f"note: `{name}` {version} is there without its native code, which Python in WebAssembly can't load"


def explained(text, left_out, search):
    """Yields an explanation for each module that was left out and that the message `text` says is missing."""
    missed = set(re.findall(r"No module named '([\w.]+)'", text))
    # The folder of a module may still be there, without its code.
    for name, module in re.findall(r"cannot import name '(\w+)' from .*?'([\w.]+)'", text):
        missed |= {module, f"{module}.{name}"}
    missed |= set(re.findall(r"module '([\w.]+)' has no attribute", text))
    for module in sorted(missed & left_out.keys()):
        name, version = left_out[module]
        needed = "".join(f", which `{other}` needs" for other in needing(name, search))
        yield f"`{module}` is native code of `{name}` {version}{needed}"


def needing(name, search):
    """Yields the names of the packages that require the package `name`."""
    for folder in search:
        for entry in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            metadata = os.path.join(folder, entry, "METADATA")
            if not entry.endswith(".dist-info") or not os.path.isfile(metadata):
                continue
            with open(metadata, encoding="utf-8") as file:
                header = file.read().partition("\n\n")[0]
            required = re.findall(r"^Requires-Dist: *([\w.-]+)(?![^\n]*\bextra\b)", header, re.MULTILINE)
            if normalised(name) in map(normalised, required):
                yield entry[: -len(".dist-info")].partition("-")[0].replace("_", "-")


def normalised(name):
    return re.sub(r"[-_.]+", "-", name).lower()
