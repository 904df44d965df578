"""Several hosts on one search: process 0 decides, and the others do the same."""

from typing import TypeVar

import jax
import numpy as np

Tuple = TypeVar("Tuple", bound=tuple)


def is_first() -> bool:
    """Whether this process is the one that decides, shows and writes."""
    return jax.process_index() == 0


def agree(decision: Tuple, several: bool) -> Tuple:
    """What process 0 decided, in every process: or they would wait for each other forever.

    Args:
        decision: a NamedTuple of numbers.
        several: whether several processes take part in the search.

    Returns:
        That of process 0.
    """
    if not several:
        return decision
    from jax.experimental import multihost_utils

    # float64 as two words: JAX would round it to float32 on its way.
    words = np.asarray(decision, np.float64).view(np.uint32)
    words = np.asarray(multihost_utils.broadcast_one_to_all(words), np.uint32)
    return type(decision)(*words.view(np.float64).tolist())
