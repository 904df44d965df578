"""Lets `float` in an annotation be Python's, where griffe takes it for `jaxhop.float`.

Griffe looks a name up in the packages around a module, too, which Python does not do.
"""

import builtins
from collections.abc import Iterator
from typing import Any

import griffe


class Scopes(griffe.Extension):
    """Cuts names of built-ins off from the packages around them."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Called when the package is loaded.

        Args:
            pkg: the package.
        """
        for module in _modules(pkg):
            for expression in _expressions(module):
                for part in expression.iterate(flat=True):
                    if isinstance(part, griffe.ExprName) and hasattr(builtins, part.name):
                        part.parent = None


def _modules(module: griffe.Module) -> Iterator[griffe.Module]:
    yield module
    for member in module.members.values():
        if isinstance(member, griffe.Module):
            yield from _modules(member)


def _expressions(scope: griffe.Module | griffe.Class) -> Iterator[griffe.Expr]:
    """The annotations and defaults of all that a module or a class defines itself."""
    for member in scope.members.values():
        found: list[Any] = []
        if isinstance(member, griffe.Function):
            found = [member.returns]
            for parameter in member.parameters:
                found += [parameter.annotation, parameter.default]
        elif isinstance(member, griffe.Attribute):
            found = [member.annotation]
        elif isinstance(member, griffe.Class):
            yield from _expressions(member)
        yield from (each for each in found if isinstance(each, griffe.Expr))
