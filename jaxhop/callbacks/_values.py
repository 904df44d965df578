"""Values of a candidate, as files and trackers can hold them."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxhop._shown import ELEMENTS, plain, summary, to_json

_TEXT = 200  # characters of a text


def written(value: Any) -> Any:
    """A value of a candidate as JSON.

    Args:
        value: a number, an option, an array or whatever a parameter of the user's own makes.

    Returns:
        What `json.dumps` takes: arrays of up to 64 elements as lists, longer ones as their shape
        and `summary`, NaN and infinity as None, objects by their names.

    Example:
        >>> written(np.float32([0.5, np.nan])), written(np.tanh)
        ([0.5, None], 'tanh')
        >>> written(np.ones((20, 20)))
        {'shape': [20, 20], 'mean': 1.0, 'std': 0.0, 'min': 1.0, 'max': 1.0}
    """
    if isinstance(value, np.ndarray) and value.size > ELEMENTS:
        return to_json({"shape": list(value.shape), **summary(value)})
    return to_json(value)


def scalars(flat: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Values of a candidate as numbers and short texts.

    Args:
        flat: values by name.
        prefix: what is put before the names.

    Returns:
        Numbers, bools and texts by name: of each array what `summary` has of it, under names such
        as `"w.mean"`, and of all else the text.

    Example:
        >>> scalars({"lr": 0.1, "act": np.tanh, "w": np.array([1.0, 3.0])}, "best/")
        {'best/lr': 0.1, 'best/act': 'tanh', 'best/w.mean': 2.0, 'best/w.std': 1.0, \
'best/w.min': 1.0, 'best/w.max': 3.0}
    """
    found: dict[str, Any] = {}
    for name, value in flat.items():
        if isinstance(value, np.ndarray):
            found |= {f"{prefix}{name}.{what}": each for what, each in summary(value).items()}
        elif isinstance(value, bool | int | float):
            found[prefix + name] = value
        else:
            found[prefix + name] = plain(str(to_json(value)), _TEXT)
    return found


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers among values.

    Args:
        values: by name.

    Returns:
        Floats by name; bools are 0 and 1.

    Example:
        >>> numbers({"lr": 0.1, "act": "tanh", "bias": True, "value": float("nan")})
        {'lr': 0.1, 'bias': 1.0}
    """
    return {
        name: float(value)
        for name, value in values.items()
        if isinstance(value, bool | int | float) and math.isfinite(value)
    }
