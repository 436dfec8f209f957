"""Runs componentize-py: a wheel that is only unpacked has no script of its own.

First it puts right what the tool would refuse: a package may bring WIT along (`componentize-py.toml`,
`wit_directory`) that the component's own WIT has as well, and the tool reads no package of WIT twice.
The component's WIT is complete, so the other one is not needed: such a package is copied without that
key. Where the package is an SDK for the very WIT of the component and wants `bindings` for it, the tool
reads the SDK's copy instead. Then come the notes of the build, and the tool.
"""

import os
import re
import sys

CONFIG = "componentize-py.toml"
WIT = "/wit"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def copy(source, target):
    """Copies a file or folder; the interpreter of the image has no shutil."""
    if os.path.isdir(source):
        os.makedirs(target)
        for name in sorted(os.listdir(source)):
            copy(os.path.join(source, name), os.path.join(target, name))
    else:
        with open(source, "rb") as file, open(target, "wb") as to:
            to.write(file.read())


def key(name):
    """Matches the line of a key of the configuration."""
    return re.compile(rf"""^\s*{name}\s*=\s*["']([^"'\n]*)["'].*$\n?""", re.MULTILINE)


def package_of(place):
    """The WIT package that a file, or the files of a folder, declare."""
    files = sorted(os.listdir(place)) if os.path.isdir(place) else [""]
    for file in (os.path.join(place, name) if name else place for name in files):
        if file.endswith(".wit") and os.path.isfile(file):
            name = re.search(r"^\s*package\s+([^\s;{]+)\s*;", read(file), re.MULTILINE)
            if name:
                return name[1]
    return None


def dependencies(folder):
    """The WIT packages in the deps of a folder."""
    deps = os.path.join(folder, "deps")
    places = sorted(os.listdir(deps)) if os.path.isdir(deps) else []
    return {package_of(os.path.join(deps, name)) for name in places} - {None}


def configurations(folder):
    """The packages below a folder that bring WIT along, and the text of their configuration."""
    for package, folders, files in os.walk(folder):
        folders.sort()
        if CONFIG in files:
            text = read(os.path.join(package, CONFIG))
            if key("wit_directory").search(text):
                yield package, text


def reconciled(world, search):
    """The WIT folders, the world and the search path to use in the place of these."""
    ours = package_of(WIT)
    own = {ours} | dependencies(WIT)
    wit = [WIT]
    for index, folder in enumerate(search):
        for package, text in list(configurations(folder)):
            # A name alone would be looked for in all WIT.
            if ours and "/" not in world:
                name, at, version = ours.partition("@")
                world = f"{name}/{world}{at}{version}"
            directory = os.path.join(package, key("wit_directory").search(text)[1])
            brought = package_of(directory)
            if not own & ({brought} | dependencies(directory)):
                continue
            if brought == ours and key("bindings").search(text):
                wit = []
                continue
            if search[index] == folder:
                search[index] = f"/tmp/search/{index}"
                copy(folder, search[index])
            config = os.path.join(search[index], os.path.relpath(package, folder), CONFIG)
            with open(config, "w", encoding="utf-8") as file:
                file.write(key("wit_directory").sub("", text))
    return wit, world, search


def main():
    """The arguments are the world, the module, and each folder of the search path after `-p`."""
    world, module = sys.argv[2], sys.argv[4]
    search = [os.path.abspath(folder) for folder in sys.argv[6::2]]
    wit, world, search = reconciled(world, search)
    notes = os.path.join(os.path.dirname(__file__), "notes.txt")
    if os.path.isfile(notes):
        sys.stderr.write(read(notes))
    sys.argv = ["componentize-py", "-w", world]
    for folder in wit:
        sys.argv += ["-d", folder]
    sys.argv += ["componentize", module]
    for folder in search:
        sys.argv += ["-p", folder]
    sys.argv += ["-o", "/out/component.wasm"]
    import componentize_py

    componentize_py.script()


main()
