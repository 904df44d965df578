"""Spaces in the readable form of NePS, made into parameters."""

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from jaxhop.space import Bool, Fidelity, Float, Int, Permutation, choice
from jaxhop.space._check import path_name

_GUESS = ("init", "confidence")
_KEYS = {
    "float": ("lower", "upper", "log", "precision", "fmt", "scale", "shape", "dtype", *_GUESS),
    "int": ("lower", "upper", "log", "multiple_of", "power_of", "shape", *_GUESS),
    "bool": _GUESS,
    "choice": ("choices", "ordinal", *_GUESS),
    "permutation": ("n", *_GUESS),
    "fidelity": ("lower", "upper", "eta"),
    "constant": ("value",),
}
_NEEDED = {
    "int": ("lower", "upper"),
    "choice": ("choices",),
    "permutation": ("n",),
    "fidelity": ("lower", "upper"),
    "constant": ("value",),
}
_MAKERS: dict[str, Callable[..., Any]] = {
    "float": Float,
    "int": Int,
    "bool": Bool,
    "choice": choice,
    "permutation": Permutation,
    "fidelity": Fidelity,
}
_TYPES = {
    **{kind: kind for kind in _KEYS},
    "integer": "int",
    "boolean": "bool",
    "categorical": "choice",
    "cat": "choice",
    "const": "constant",
}
_ALSO = {"low": "lower", "high": "upper", "prior": "init", "prior_confidence": "confidence"}
_ARGUMENTS = {"lower": "low", "upper": "high"}
_NUMBERS = ("lower", "upper", "init", "scale", "eta", "confidence")
_MARKS = frozenset({"lower", "upper", "low", "high", "choices", "is_fidelity"})


def space_from_yaml(tree: Any) -> Any:
    """The space that a YAML text describes.

    - A mapping with `lower` and `upper` (or `low` and `high`) is a number: an int if both are
      whole, a float otherwise. `log`, `precision`, `multiple_of`, `power_of`, `shape`, `init` and
      so on mean what they mean in Python; `prior` is another word for `init`. With
      `is_fidelity: true` it is a fidelity.
    - A list is a choice, and so is a mapping with `choices`. Options may be mappings with
      parameters inside; an option that is a list is that list.
    - `type` says it in so many words: float, int, bool, choice, permutation (with `n`), fidelity,
      or constant (with `value`).
    - Other mappings are dicts, and other scalars constants.

    Args:
        tree: what `yaml.safe_load` returns.

    Returns:
        A tree of parameters and constants, for `jaxhop.search`.

    Raises:
        ValueError: if it is wrong; the message names the place.
        TypeError: if a number was expected in some place.

    Example:
        >>> space_from_yaml({
        ...     "lr": {"lower": "1e-5", "upper": 0.1, "log": True},
        ...     "layers": {"lower": 1, "upper": 8},
        ...     "optimizer": ["adam", "sgd"],
        ...     "name": "baseline",
        ... })
        {'lr': float(low=1e-05, high=0.1, log=True), 'layers': int(1, 8), \
'optimizer': choice('adam', 'sgd'), 'name': 'baseline'}
    """
    try:
        return _tree(tree, ())
    except RecursionError:
        raise ValueError("`space`: it must end, but an alias refers to itself.") from None


def _tree(node: Any, path: tuple[Any, ...]) -> Any:
    if isinstance(node, list):
        return _parameter({"choices": node}, path)
    return _other(node, path)


def _option(node: Any, path: tuple[Any, ...]) -> Any:
    """An option of a choice: a choice between choices would be one choice, so lists are lists."""
    if isinstance(node, list):
        return [_option(entry, (*path, number)) for number, entry in enumerate(node)]
    return _other(node, path)


def _other(node: Any, path: tuple[Any, ...]) -> Any:
    if not isinstance(node, Mapping):
        return node
    for key in node:
        if not isinstance(key, str):
            raise ValueError(
                f"`{path_name(path)}`: keys must be text, but got {key!r}. Put it in quotes."
            )
    if node.keys() & _MARKS or _named(node) is not None:
        return _parameter(node, path)
    return {key: _tree(value, (*path, key)) for key, value in node.items()}


def _named(node: Mapping[str, Any]) -> str | None:
    """The kind of parameter that `type` names, which may as well be an entry of a dict."""
    word = node.get("type")
    return _TYPES.get(word) if isinstance(word, str) else None


def _parameter(node: Mapping[str, Any], path: tuple[Any, ...]) -> Any:
    place = path_name(path)
    given = _renamed(node, place)
    kind = _kind(given, place)
    said = _TYPES.get(given.pop("type", None))
    given.pop("is_fidelity", None)
    for key in given:
        if key not in _KEYS[kind]:
            raise ValueError(f"`{place}`: {_unknown(key, kind, said)}")
    for key in _NEEDED.get(kind, ()):
        if key not in given:
            raise ValueError(f"`{place}`: `{key}` must be given for type {kind}. Add `{key}:`.")
    if kind == "constant":
        return given["value"]
    if kind == "choice":
        options = given.pop("choices")
        if not isinstance(options, list):
            raise ValueError(
                f"`{place}`: `choices` must be a list, but got {options!r}. Write `[a, b]`."
            )
        given["options"] = [_option(each, (*path, n)) for n, each in enumerate(options)]
    elif kind in ("float", "int", "fidelity"):
        whole = "int" in (kind, said)
        given |= {key: _number(given[key], whole) for key in _NUMBERS if key in given}
    return _made(kind, given, place)


def _renamed(node: Mapping[str, Any], place: str) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for key, value in node.items():
        name = _ALSO.get(key, key)
        if name in given:
            raise ValueError(f"`{place}`: `{key}` says `{name}` again. Leave one of the two out.")
        given[name] = value
    return given


def _kind(given: Mapping[str, Any], place: str) -> str:
    word = given.get("type")
    kind = _named(given)
    if word is not None and kind is None:
        raise ValueError(
            f"`{place}`: `type` must be one of {', '.join(_KEYS)}, but got {word!r}."
            f"{_close(str(word), _KEYS)}"
        )
    fidelity = given.get("is_fidelity", False)
    if not isinstance(fidelity, bool):
        raise ValueError(f"`{place}`: `is_fidelity` must be true or false, but got {fidelity!r}.")
    if fidelity:
        return "fidelity"
    if kind is not None:
        return kind
    if "choices" in given:
        return "choice"
    if "multiple_of" in given or "power_of" in given:
        return "int"
    return "int" if all(_whole(given.get(key)) for key in ("lower", "upper")) else "float"


def _whole(bound: Any) -> bool:
    """Whether a bound is whole, be it one number or a list of them."""
    if isinstance(bound, list):
        return bool(bound) and all(map(_whole, bound))
    return type(bound) is int


def _unknown(key: str, kind: str, said: str | None) -> str:
    keys = ", ".join(_KEYS[kind])
    text = f"`{key}` is no key of type {kind}, whose keys are {keys}."
    if said is None and kind == "int" and key in _KEYS["float"]:
        return f"{text} Whole bounds make an int: say `type: float` if that is not meant."
    return text + _close(key, _KEYS[kind])


def _close(word: str, words: Any) -> str:
    found = difflib.get_close_matches(word, list(words), 1)
    return f" Did you mean `{found[0]}`?" if found else ""


def _number(value: Any, whole: bool) -> Any:
    """A number that may have come as text, because YAML 1.1 takes 1e-5 for that."""
    if isinstance(value, list):
        return [_number(entry, whole) for entry in value]
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value
    if whole and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _made(kind: str, given: dict[str, Any], place: str) -> Any:
    options = (given.pop("options"),) if kind == "choice" else ()
    arguments = {_ARGUMENTS.get(key, key): value for key, value in given.items()}
    try:
        return _MAKERS[kind](*options, **arguments)
    except (ValueError, TypeError) as error:
        raise type(error)(f"`{place}`: {error}") from None
