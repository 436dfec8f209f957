"""A library: what its world exports, others can call."""

from wit_world import exports


class Greetings(exports.Greetings):
    def greet(self, name: str) -> str:
        return f"Hello, {name}, from Python!"
