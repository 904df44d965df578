"""Arrays of which only some entries are used: without the others, and whole again."""

from typing import Any

import numpy as np


def shortened(values: np.ndarray, masks: np.ndarray, counted: bool) -> list[Any]:
    """The used entries of arrays, as a user reads them.

    Args:
        values: stacked arrays.
        masks: which entries are used, stacked as well.
        counted: whether these are always the first ones along the first axis.

    Returns:
        A list of arrays: shorter ones, or with zeros in place of unused entries where a mask is
        not along one axis.

    Example:
        >>> shortened(np.array([[3, 4, 5]]), np.array([[True, False, True]]), False)[0].tolist()
        [3, 5]
    """
    pairs = zip(values, masks, strict=True)
    if values.ndim == 2 or counted:
        return [value[_first_axis(mask)] for value, mask in pairs]
    return [np.where(mask, value, np.zeros((), value.dtype)) for value, mask in pairs]


def filled(start: Any, given: Any, mask: np.ndarray | None = None) -> Any:
    """A whole array from one that may be shortened; the rest is as at the start.

    Args:
        start: the initial value, a whole array.
        given: a host value.
        mask: which entries are used. Default None: not known, the first ones.

    Returns:
        An array; what cannot be right is returned as it is.

    Example:
        >>> filled(np.array([1, 2, 3]), [9, 8]).tolist()
        [9, 8, 3]
    """
    start = np.asarray(start)
    try:
        array = np.asarray(given)
    except ValueError:  # not even a matrix
        return given
    if array.dtype.kind not in "iuf" or array.ndim != start.ndim:
        return given
    if array.shape == start.shape:
        return array if mask is None else np.where(mask, array, start)
    if array.shape[1:] != start.shape[1:] or len(array) > len(start):
        return given
    rows = np.arange(len(start)) < len(array) if mask is None else _first_axis(mask)
    if np.sum(rows) != len(array):
        return given
    whole = start.astype(np.result_type(start, array))
    whole[rows] = array
    return whole


def _first_axis(mask: np.ndarray) -> np.ndarray:
    return np.asarray(mask).reshape(len(mask), -1)[:, 0]
