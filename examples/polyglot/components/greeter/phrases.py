"""What the greeter says."""

from titlecase import titlecase


def greeting(name: str) -> str:
    return f"Hello, {titlecase(name)}, from Python!"
