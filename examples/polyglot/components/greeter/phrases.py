"""What the greeter says."""


def greeting(name: str) -> str:
    return f"Hello, {name}, from Python!"
