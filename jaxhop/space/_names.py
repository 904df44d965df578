"""The names of all values that candidates of a space can have."""

from collections.abc import Iterator
from typing import Any

from jaxhop.space._conditional import Conditional
from jaxhop.space._named import dotted
from jaxhop.space._parameter import Parameter
from jaxhop.space._space import Space
from jaxhop.space._tree import Tree


def names(space: Space) -> tuple[str, ...]:
    """Names that `flat` can give to values of candidates, those of all options included.

    Args:
        space: the space.

    Returns:
        Each name once.

    Example:
        >>> from jaxhop.space import Float, choice
        >>> names(Space({"opt": choice({"kind": "adam"}, {"kind": "sgd", "lr": Float(0, 1)})}))
        ('opt.kind', 'opt.lr')
    """
    places = _places(Tree(space.tree), (), constants=False)
    return tuple(dict.fromkeys(map(dotted, places)))


def _places(tree: Tree, path: tuple[Any, ...], constants: bool) -> Iterator[tuple[Any, ...]]:
    """Paths as `Tree.named` gives them to candidates, for each option of each choice."""
    for leaf, inner in zip(tree.flat, tree.paths, strict=True):
        place = (*path, *inner)
        if isinstance(leaf, Conditional):
            for option in leaf.choices.trees:
                yield from _places(option, place, constants=True)
        elif isinstance(leaf, Parameter):
            yield from (own for own, _ in leaf.named(leaf.initial(), place))
        elif constants:
            yield place
