"""What the greeter says."""

from humanize import natural_list


def greeting(names: str) -> str:
    everybody = natural_list([name.strip() for name in names.split(",")])
    return f"Hello, {everybody}, from Python!"
