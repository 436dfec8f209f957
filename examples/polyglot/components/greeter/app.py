"""Greets by name: exports the interface `demo:greeter/greet`."""

from wit_world import exports

from phrases import greeting


class Greet(exports.Greet):
    def greet(self, name: str) -> str:
        return greeting(name)
