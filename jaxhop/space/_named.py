"""What is where in a space: its values and parameters by name, and its fidelity."""

from typing import Any

import jax

from jaxhop.space import _check
from jaxhop.space._fidelity import Fidelity, find, put
from jaxhop.space._parameter import Parameter
from jaxhop.space._points import Points
from jaxhop.space._tree import Tree


class Named(Points):
    """The points of a pytree, and names such as "opt.lr" for its places.

    Args:
        tree: any pytree, or one of these.

    Attributes:
        tree: the pytree.
        fidelity: the leaf that the search sets, None if there is none.

    Raises:
        ValueError: if there is nothing to search.
    """

    def __init__(self, tree: Any) -> None:
        self.tree = tree.tree if isinstance(tree, Named) else tree
        taken = Tree(self.tree)
        given = jax.tree_util.tree_leaves(self.tree)
        self._level = find(given)
        self.fidelity: Fidelity | None = None if self._level is None else given[self._level]
        if not sum(parameter.size for parameter in taken.parameters):
            reason = "has one legal value only" if taken.parameters else "is a constant"
            raise ValueError(
                f"`space`: every leaf {reason}, so there is nothing to search."
                " Put a parameter into it, such as jaxhop.float(0, 1)."
            )
        super().__init__(taken)

    def at(self, candidate: Any, fidelity: Any) -> Any:
        """A candidate at another fidelity.

        Args:
            candidate: a candidate, traced or not.
            fidelity: what stands in place of the fidelity leaf, if there is one.

        Returns:
            A candidate.

        Example:
            >>> import jaxhop
            >>> space = jaxhop.Space({"lr": jaxhop.float(0, 1), "epochs": jaxhop.fidelity(1, 27)})
            >>> space.at({"lr": 0.1, "epochs": 27}, 9)
            {'epochs': 9, 'lr': 0.1}
        """
        if self._level is None:
            return candidate
        return put(candidate, self._tree.paths[self._level], fidelity)

    def replaced(self, name: str, value: Any) -> Any:
        """The space's tree with something else in one place.

        Args:
            name: of a leaf, such as "opt.lr", or a key of the outermost dict.
            value: a constant, a parameter, or a tree of both.

        Returns:
            A tree, for another space.

        Raises:
            KeyError: if there is no such place.

        Example:
            >>> import jaxhop
            >>> space = jaxhop.Space({"opt": {"lr": jaxhop.float(0, 1)}, "n": jaxhop.int(1, 5)})
            >>> space.replaced("opt.lr", 0.1)
            {'n': int(1, 5), 'opt': {'lr': 0.1}}
        """
        for path in self._tree.paths:
            if dotted(path) == name:
                return put(self.tree, path, value)
        if isinstance(self.tree, dict) and name in self.tree:
            return {**self.tree, name: value}
        names = ", ".join(dotted(path) for path in self._tree.paths)
        raise KeyError(f"`space` has no place {name!r}. It has {names}.")

    def flat(self, candidate: Any) -> dict[str, Any]:
        """The values of a candidate, by name, for tables.

        Args:
            candidate: a whole candidate; constants may be missing.

        Returns:
            A dict with one entry such as "opt.lr" for each number, option and array. Values that
            are pytrees themselves have one for each of their leaves, and so have chosen options
            with parameters inside, constants included.

        Example:
            >>> import jaxhop
            >>> space = jaxhop.Space({"opt": {"lr": jaxhop.float(0, 1)}, "seed": 3})
            >>> space.flat({"opt": {"lr": 0.1}})
            {'opt.lr': 0.1}
        """
        return {dotted(path): value for path, value in self._tree.named(candidate)}

    def named_parameters(self) -> dict[str, list[Parameter]]:
        """The parameters by the names that `flat` gives to their values.

        Returns:
            A dict with one entry such as "opt.lr" for each place, and the parameters that can
            stand there: several where options of a choice have parameters of one name.

        Example:
            >>> import jaxhop
            >>> space = jaxhop.Space({"opt": {"lr": jaxhop.float(1e-5, 1e-1, "0.1g")}})
            >>> space.named_parameters()
            {'opt.lr': [float(low=1e-05, high=0.1, log=True, precision=1)]}
        """
        found: dict[str, list[Parameter]] = {}
        for place, leaf in zip(self._tree.places, self._leaves, strict=True):
            found.setdefault(dotted(place), []).append(leaf)
        return found


def dotted(path: tuple[Any, ...]) -> str:
    """The name of a place.

    Args:
        path: of keys, as JAX gives it.

    Returns:
        Such as "opt.lr"; "value" of a space that is one leaf.
    """
    return ".".join(str(_check.step(key)) for key in path) or "value"
