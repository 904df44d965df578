"""Parameters that are made of others: all that their leaves do by themselves."""

from itertools import accumulate
from typing import Any

import jax

from jaxhop.space._parameter import Parameter, Proposal


class Composite(Parameter):
    """A parameter with several leaves; its coordinates are a tuple with those of each leaf.

    To make one, write `leaves`, `join`, `split`, and what else a parameter needs.
    """

    @property
    def size(self) -> int:
        return sum(leaf.size for leaf in self.leaves())

    @property
    def pairs(self) -> int:
        return sum(leaf.pairs for leaf in self.leaves())

    def encode(self, value: Any) -> tuple[Any, ...]:
        parts = zip(self.leaves(), self.split(value), strict=True)
        return tuple(leaf.encode(part) for leaf, part in parts)

    def decode(self, coordinates: Any) -> Any:
        parts = zip(self.leaves(), coordinates, strict=True)
        return self.join(leaf.decode(part) for leaf, part in parts)

    def draw(self, a: jax.Array, b: jax.Array) -> tuple[Any, ...]:
        return tuple(leaf.draw(a[own], b[own]) for leaf, own, _ in self._slices())

    def move(
        self, a: jax.Array, b: jax.Array, x: tuple[Any, ...], proposal: Proposal
    ) -> tuple[Any, ...]:
        return tuple(
            leaf.move(a[own], b[own], part, proposal._replace(forced=proposal.forced - first))
            for (leaf, own, first), part in zip(self._slices(), x, strict=True)
        )

    def transfer(self, base: Any, moved: Any, onto: Any) -> tuple[Any, ...]:
        parts = zip(self.leaves(), base, moved, onto, strict=True)
        return tuple(leaf.transfer(*three) for leaf, *three in parts)

    def _slices(self) -> list[tuple[Parameter, slice, int]]:
        """Each leaf with its random words, and the number of its first coordinate."""
        leaves = self.leaves()
        words = [0, *accumulate(leaf.pairs for leaf in leaves)]
        firsts = [0, *accumulate(leaf.size for leaf in leaves)]
        return [
            (leaf, slice(*words[k : k + 2]), firsts[k])  # words of its own
            for k, leaf in enumerate(leaves)
        ]
