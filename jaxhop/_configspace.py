"""A space of ConfigSpace as one of jaxhop; conditions become options that are spaces."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxhop.space import Float, Int, choice

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

_PRIOR = "medium"  # how far draws trust the default where ConfigSpace has a prior of its own


def space_from_configspace(cs: "ConfigurationSpace") -> dict[str, Any]:
    """A space of the package ConfigSpace (as SMAC and AutoML benchmarks have them).

    Floats and integers keep bounds, log and default; categoricals become a `choice`, ordinals an
    ordinal one, constants constants. Where ConfigSpace says which values are likelier (normal and
    beta distributions, weights of options), draws trust the default value with confidence
    "medium" instead; an option of weight 0 is left out.

    A hyperparameter with conditions becomes a part of the options of the one that they are about,
    which has a dict for each option: if `momentum` needs `opt == "sgd"`, a candidate is
    `{"opt": {"opt": "sgd", "momentum": 0.9}}` or `{"opt": {"opt": "adam"}}`. Conditions may be
    about categoricals, ordinals and constants, joined by and or or, and one within another.

    Args:
        cs: a `ConfigSpace.ConfigurationSpace`.

    Returns:
        A dict with a parameter or constant for each hyperparameter that has no conditions; it may
        be changed before it is searched.

    Raises:
        ValueError: if there is a forbidden clause, a condition about a number, or one about
            several hyperparameters none of which is within the others' options; the message
            names it.
        TypeError: if it is no `ConfigurationSpace`, or holds a hyperparameter of another kind.
        ImportError: if ConfigSpace is not installed.

    Example:
        >>> import jaxhop
        >>> from ConfigSpace import Categorical, ConfigurationSpace, EqualsCondition, Float
        >>> cs = ConfigurationSpace()
        >>> cs.add(Float("lr", (1e-5, 1e-1), log=True), Categorical("opt", ["sgd", "adam"]))
        >>> cs.add(Float("momentum", (0, 1)))
        >>> cs.add(EqualsCondition(cs["momentum"], cs["opt"], "sgd"))
        >>> space = jaxhop.space_from_configspace(cs)
        >>> space["lr"]
        float(low=1e-05, high=0.1, log=True)
        >>> space["opt"].initial()
        {'momentum': 0.5, 'opt': 'sgd'}
    """
    try:
        from ConfigSpace import ConfigurationSpace
    except ImportError as error:
        raise ImportError(
            "`space_from_configspace(cs)`: ConfigSpace is not installed. Run"
            ' `pip install "jaxhop[configspace]"`.'
        ) from error
    if not isinstance(cs, ConfigurationSpace):
        raise TypeError(
            "`space_from_configspace(cs)`: a ConfigSpace.ConfigurationSpace must be given, but got"
            f" {type(cs).__name__}. Give one, or search a dict as it is."
        )
    for clause in cs.forbidden_clauses:
        raise ValueError(
            f"`space_from_configspace(cs)`: {clause}: jaxhop has no constraints. Leave the clause"
            " out, and return NaN from the objective for candidates that it forbids."
        )
    return _Translation(cs).within({}, list(cs))


class _Translation:
    """From hyperparameters and their conditions to a tree.

    Args:
        cs: the space of ConfigSpace.
    """

    def __init__(self, cs: "ConfigurationSpace") -> None:
        self._cs = cs
        self._conditions = {each.child.name: each for each in cs.conditions}
        self._parents = {name: set(_parents(self._conditions.get(name))) for name in cs}

    def within(self, decided: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
        """The tree of some hyperparameters where others are decided.

        Args:
            decided: values of those around it, by name; those that are not part of it lack.
            names: whose tree it is; ConfigSpace lists those that conditions are about first.

        Returns:
            A dict.
        """
        here: list[str] = []
        for name in names:
            if _may_hold(self._conditions.get(name), decided, here):
                here.append(name)
        tree: dict[str, Any] = {}
        inside: set[str] = set()
        for name in here:
            if name not in inside:
                dependants = self._dependants(name, here)
                inside.update(dependants)
                self._refuse_several(dependants, {*here} - {name, *dependants})
                tree[name] = self._parameter(name, decided, dependants)
        return tree

    def _dependants(self, name: str, names: list[str]) -> list[str]:
        """Those of the names that have conditions about one, or about such, in order."""
        found = {name}
        for each in names:
            if self._parents[each] & found:
                found.add(each)
        return [each for each in names if each in found and each != name]

    def _refuse_several(self, names: list[str], beside: set[str]) -> None:
        for name in names:
            if self._parents[name] & beside:
                raise ValueError(
                    f"`space_from_configspace(cs)`: {self._conditions[name]}: this condition is"
                    f" about {', '.join(sorted(self._parents[name]))}, which stand side by side,"
                    " and an option can only hold what it decides alone. Join them into one"
                    " categorical, or leave the condition out and ignore the value in the"
                    " objective."
                )

    def _parameter(self, name: str, decided: Mapping[str, Any], dependants: list[str]) -> Any:
        from ConfigSpace import hyperparameters as kinds

        given = self._cs[name]
        settings: dict[str, Any] = {}
        if isinstance(given, kinds.Constant):
            options = [given.value]
        elif isinstance(given, kinds.OrdinalHyperparameter):
            options, settings = list(given.sequence), {"ordinal": True}
        elif isinstance(given, kinds.CategoricalHyperparameter):
            weights = given.weights or [1] * len(given.choices)
            pairs = zip(given.choices, weights, strict=True)
            options = [option for option, weight in pairs if weight]
            settings = {"confidence": _PRIOR} if len(set(weights) - {0}) > 1 else {}
        elif dependants:
            raise ValueError(
                f"`space_from_configspace(cs)`: {self._conditions[dependants[0]]}: this condition"
                f" is about {name}, a number, and an option can only be decided by another"
                f" option. Make {name} an ordinal, or leave the condition out and ignore the value"
                " in the objective."
            )
        else:
            return _number(given)
        default = _plain(given.default_value)
        options = [_plain(option) for option in options]
        if dependants:
            trees = [
                {name: option, **self.within({**decided, name: option}, dependants)}
                for option in options
            ]
            return choice(trees, init={name: default}, **settings)
        if isinstance(given, kinds.Constant):
            return options[0]
        settings |= {"init": default}
        return choice(options, **settings)


def _parents(condition: Any) -> Iterator[str]:
    """Names of what a condition is about."""
    if condition is not None:
        for part in getattr(condition, "components", ()):
            yield from _parents(part)
        if not hasattr(condition, "components"):
            yield condition.parent.name


def _may_hold(condition: Any, decided: Mapping[str, Any], undecided: Sequence[str]) -> bool:
    """Whether a condition can hold; one about what is not part of a candidate cannot."""
    from ConfigSpace import AndConjunction

    if condition is None:
        return True
    if hasattr(condition, "components"):
        each = (_may_hold(part, decided, undecided) for part in condition.components)
        return all(each) if isinstance(condition, AndConjunction) else any(each)
    name = condition.parent.name
    if name in undecided:
        return True
    return name in decided and bool(condition.satisfied_by_value({name: decided[name]}))


def _number(given: Any) -> Any:
    """The parameter of a float or an integer."""
    from ConfigSpace import hyperparameters as kinds

    uniform = (kinds.UniformFloatHyperparameter, kinds.UniformIntegerHyperparameter)
    settings: dict[str, Any] = {} if isinstance(given, uniform) else {"confidence": _PRIOR}
    settings |= {"log": given.log, "init": _plain(given.default_value)}
    if isinstance(given, kinds.FloatHyperparameter):
        return Float(given.lower, given.upper, **settings)
    if isinstance(given, kinds.IntegerHyperparameter):
        return Int(given.lower, given.upper, **settings)
    raise TypeError(
        f"`space_from_configspace(cs)`: {given}: a hyperparameter of this kind is not known. Put"
        " a parameter of jaxhop in its place."
    )


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
