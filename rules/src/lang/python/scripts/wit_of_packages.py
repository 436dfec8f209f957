"""Adapts Python packages that bring WIT along (`componentize-py.toml` with `wit_directory`), such as SDKs.

The component's own WIT is complete, so only that is given to the tool: componentize-py refuses to read a WIT package
twice, and can't merge two worlds with the same import. So such a Python package is copied without the key. If it wants
bindings for its own world (`bindings`), it finds the bindings of the component's world under that name.
"""

import os
import re

CONFIG = "componentize-py.toml"

BINDINGS = '''"""The bindings of the component's world, under the name that this package has for its own."""
import importlib
import pkgutil
import sys

import wit_world

for module in pkgutil.walk_packages(wit_world.__path__, "wit_world."):
    importlib.import_module(module.name)
for name in [name for name in sys.modules if name.partition(".")[0] == "wit_world"]:
    sys.modules[__name__ + name[len("wit_world") :]] = sys.modules[name]
'''


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def copy(source, target):
    """Copies a file or folder; the interpreter of the image has no shutil."""
    if os.path.isdir(source):
        os.makedirs(target)
        for name in sorted(os.listdir(source)):
            copy(os.path.join(source, name), os.path.join(target, name))
    else:
        with open(source, "rb") as file, open(target, "wb") as to:
            to.write(file.read())


def remove(place):
    if os.path.isdir(place):
        for name in os.listdir(place):
            remove(os.path.join(place, name))
        os.rmdir(place)
    else:
        os.remove(place)


def key(name):
    """Returns a pattern for the line of a key in the configuration."""
    return re.compile(rf"""^\s*{name}\s*=\s*["']([^"'\n]*)["'].*$\n?""", re.MULTILINE)


def texts(folder):
    """Returns the texts of the WIT files in a folder. A path to a WIT file gives the text of that file."""
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else [""]
    paths = [os.path.join(folder, name) if name else folder for name in names]
    return [read(path) for path in paths if path.endswith(".wit") and os.path.isfile(path)]


def package_of(texts):
    """Returns the name of the WIT package that consists of these files, or None if no file has it."""
    names = [re.search(r"^\s*package\s+([^\s;{]+)\s*;", text, re.MULTILINE) for text in texts]
    return next((name[1] for name in names if name), None)


class Sdk:
    """A Python package that brings WIT along."""

    def __init__(self, folder, place, config):
        self.place = place
        self.module = os.path.relpath(place, folder).replace(os.sep, ".")
        self.config = config
        bindings = key("bindings").search(config)
        self.bindings = bindings and bindings[1]
        self.wit = os.path.join(place, key("wit_directory").search(config)[1])
        found = texts(self.wit)
        self.package = package_of(found) or ""
        self.worlds = re.findall(r"^\s*world\s+%?([\w-]+)\s*\{", "\n".join(found), re.MULTILINE)

    def settle(self, place):
        """Changes the copy of the package in `place`, so that it uses the component's bindings."""
        rest = key("bindings").sub("", key("wit_directory").sub("", self.config))
        config = os.path.join(place, CONFIG)
        if rest.strip():
            write(config, rest)
        else:
            os.remove(config)
        if self.bindings:
            bindings = os.path.join(place, self.bindings)
            if os.path.isdir(bindings):
                remove(bindings)
            os.makedirs(bindings)
            write(os.path.join(bindings, "__init__.py"), BINDINGS)

    def is_missing_in(self, text):
        """Returns true if `text` says that modules of this package did not find their bindings."""
        if f"/{self.module.replace('.', '/')}/" not in text:
            return False
        own = os.path.normpath(os.path.join(self.module.replace(".", os.sep), self.bindings or ""))
        bindings = ["wit_world", own.replace(os.sep, ".")] if self.bindings else ["wit_world"]
        missed = re.findall(r"No module named '([\w.]+)'", text)
        missed += re.findall(r"cannot import name '\w+' from '([\w.]+)'", text)
        return any(f"{name}.".startswith(f"{start}.") for name in missed for start in bindings)


def sdks(folder):
    """Yields the packages below a folder that bring WIT along."""
    for place, folders, files in os.walk(folder):
        folders.sort()
        if CONFIG in files:
            config = read(os.path.join(place, CONFIG))
            if key("wit_directory").search(config):
                yield Sdk(folder, place, config)


class WitOfPackages:
    """The search path for the tool, in which every package with WIT is replaced by a changed copy."""

    def __init__(self, search):
        self.search = list(search)
        self.sdks = []
        for index, folder in enumerate(search):
            for sdk in list(sdks(folder)):
                if self.search[index] == folder:
                    self.search[index] = f"/tmp/search/{index}"
                    copy(folder, self.search[index])
                sdk.settle(os.path.join(self.search[index], os.path.relpath(sdk.place, folder)))
                self.sdks.append(sdk)

    def explained(self, text):
        """Yields an explanation for each package that, as `text` says, did not find its bindings."""
        for sdk in self.sdks:
            if sdk.worlds and sdk.is_missing_in(text):
                name, at, version = sdk.package.partition("@")
                yield f"`{sdk.module}` wants bindings for its own WIT in {sdk.wit}, world `{name}/{sdk.worlds[0]}{at}{version}`"
