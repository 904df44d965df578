"""Amounts of memory as people write them, and memory given back."""

import contextlib
import ctypes
import re

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_UNITS |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}


def parse_memory(memory: int | str) -> int:
    """Bytes from a number or a text.

    Args:
        memory: bytes, or text such as "8GB", "512 MiB".

    Returns:
        Bytes.

    Raises:
        TypeError: if it is neither.
        ValueError: if the text is no amount, or the amount is not positive.

    Example:
        >>> parse_memory("1.5GB")
        1500000000
    """
    if isinstance(memory, bool) or not isinstance(memory, int | str):
        raise TypeError(f'`max_memory={memory!r}`: give bytes as an int, or text such as "8GB".')
    if isinstance(memory, str):
        parts = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*([a-zA-Z]*)\s*", memory)
        if parts is None or parts[2].lower() not in _UNITS:
            raise ValueError(
                f'`max_memory={memory!r}`: this is no amount of memory. Say "8GB" or "512MiB".'
            )
        number = int(float(parts[1]) * _UNITS[parts[2].lower()])
    else:
        number = memory
    if number < 1:
        raise ValueError(f'`max_memory={memory!r}`: it must be positive. Say "8GB" or "512MiB".')
    return number


def give_back() -> None:
    """Returns to the system what was freed, where the C library would keep it (glibc).

    A compiler frees tens of megabytes when it is done, and the search that follows needs none of
    them in their old places.

    Example:
        >>> give_back()
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
