"""What has changed between two descriptions of spaces."""

import json
from typing import Any

from jaxhop.space._check import path_name

_LONGEST = 200  # characters of a description in a message


def differences(old: Any, new: Any) -> list[str]:
    """What has changed from one space to another, a line for each place.

    Args:
        old: what `describe` returned.
        new: likewise.

    Returns:
        Nothing if they are equal.

    Example:
        >>> differences({"x": "float(0, 1)", "n": "int(1, 3)"}, {"x": "float(0, 2)"})
        ['space["x"]: was float(0, 1), is float(0, 2)', 'space["n"]: is gone, was int(1, 3)']
    """
    return _lines(old, new, "space")


def additions(old: Any, new: Any) -> list[str] | None:
    """The parameters that are new, if nothing else has changed.

    New parameters are those under new keys of dicts, with what constants stand beside them.

    Args:
        old: what `describe` returned.
        new: likewise.

    Returns:
        The path names of the parameters; nothing if the spaces are equal, None if there is
        another difference.

    Example:
        >>> additions({"x": "float(0, 1)"}, {"x": "float(0, 1)", "n": "int(1, 3)"})
        ['space["n"]']
        >>> additions({"x": "float(0, 1)"}, {"x": "float(0, 2)"}) is None
        True
    """
    return _added(old, new, "space")


def children(description: Any) -> tuple[str, dict[str, Any]] | None:
    """What a description of a node is made of.

    Args:
        description: of a space or a part of one, or any JSON.

    Returns:
        The kind of node, and its children by what follows in their path names; None for a leaf.

    Example:
        >>> children({"lr": "float(0, 1)"})
        ('a dict', {'["lr"]': 'float(0, 1)'})
    """
    if isinstance(description, list):
        return "a list", _numbered(description)
    if not isinstance(description, dict):
        return None
    tag = tag_of(description)
    inner = description.get(tag) if tag else None
    if tag is None:
        return "a dict", {path_name((key,))[5:]: part for key, part in description.items()}
    if tag == "$tuple" and isinstance(inner, list):
        return "a tuple", _numbered(inner)
    if tag == "$dict" and isinstance(inner, list) and all(map(_is_pair, inner)):
        return "a dict", {path_name((key,))[5:]: part for key, part in inner}
    rest = {key: part for key, part in description.items() if key not in (tag, "children")}
    more = f" with {json.dumps(rest, sort_keys=True)}" if rest else ""
    if tag == "$node" and isinstance(description.get("children"), dict):
        return f"a {inner}{more}", description["children"]
    if tag == "$choice" and isinstance(inner, list):
        return f"a choice{more}", {f".options{n}": part for n, part in _numbered(inner).items()}
    return None


def tag_of(description: dict[str, Any]) -> str | None:
    """What kind of node or constant an object is.

    Args:
        description: an object of a description.

    Returns:
        Its key that begins with "$"; None for a dict of the space.

    Example:
        >>> tag_of({"$constant": 3})
        '$constant'
    """
    return next((key for key in description if key.startswith("$")), None)


def _lines(old: Any, new: Any, name: str) -> list[str]:
    if old == new:
        return []
    before, after = children(old), children(new)
    if before is None or after is None or before[0] != after[0]:
        return [f"{name}: was {_shown(old)}, is {_shown(new)}"]
    lines = []
    for step in before[1] | after[1]:
        place = name + step
        if step not in before[1]:
            lines += [f"{leaf}: is new, {what}" for leaf, what in _leaves(after[1][step], place)]
        elif step not in after[1]:
            gone = _leaves(before[1][step], place)
            lines += [f"{leaf}: is gone, was {what}" for leaf, what in gone]
        else:
            lines += _lines(before[1][step], after[1][step], place)
    return lines


def _leaves(description: Any, name: str) -> list[tuple[str, str]]:
    """The leaves of a part, and how messages show them; a node without any is one itself."""
    found = children(description)
    if found is None or not found[1]:
        return [(name, _shown(description))]
    return [leaf for step, part in found[1].items() for leaf in _leaves(part, name + step)]


def _added(old: Any, new: Any, name: str) -> list[str] | None:
    if old == new:
        return []
    before, after = children(old), children(new)
    if before is None or after is None or before[0] != after[0] or _is_choice(new):
        return None
    if before[1].keys() - after[1].keys():
        return None
    names: list[str] = []
    for step, part in after[1].items():
        if step in before[1]:
            more = _added(before[1][step], part, name + step)
        else:
            more = _parameters(part, name + step) if after[0] == "a dict" else None
        if more is None or (step not in before[1] and not more):
            return None
        names += more
    return names


def _parameters(description: Any, name: str) -> list[str] | None:
    """The parameters in a part; None if it has a fidelity, by which values are not comparable."""
    if isinstance(description, str):
        return None if description.startswith("fidelity(") else [name]
    if _is_choice(description):
        return [name]
    names: list[str] = []
    found = children(description)
    for step, part in (found[1] if found else {}).items():
        more = _parameters(part, name + step)
        if more is None:
            return None
        names += more
    return names


def _is_choice(description: Any) -> bool:
    return isinstance(description, dict) and "$choice" in description


def _shown(description: Any) -> str:
    """A description in a message."""
    found = children(description)
    if found is not None:
        shown = found[0]
    elif isinstance(description, dict) and "$constant" in description:
        shown = f"the constant {json.dumps(description['$constant'], ensure_ascii=False)}"
    else:
        shown = description if isinstance(description, str) else json.dumps(description)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 3] + "..."


def _numbered(parts: list[Any]) -> dict[str, Any]:
    return {f"[{number}]": part for number, part in enumerate(parts)}


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, list) and len(pair) == 2
