"""Algorithms: bundles of pure functions `init`, `ask` and `tell`."""

from jaxhop.algorithms._annealed_mcmc import AnnealedState, annealed_mcmc
from jaxhop.algorithms._auto import auto, name_for, population_for
from jaxhop.algorithms._base import (
    Algorithm,
    Batch,
    Info,
    Part,
    Recipe,
    State,
    add_up,
    put,
    rows,
    step,
)
from jaxhop.algorithms._contract import check_contract
from jaxhop.algorithms._random_search import random_search
from jaxhop.algorithms._search_gradient import SearchGradientState, search_gradient
from jaxhop.algorithms._sequential import Proposals, Sequential, SequentialState, sequential

__all__ = [
    "Algorithm",
    "AnnealedState",
    "Batch",
    "Info",
    "Part",
    "Proposals",
    "Recipe",
    "SearchGradientState",
    "Sequential",
    "SequentialState",
    "State",
    "add_up",
    "annealed_mcmc",
    "auto",
    "check_contract",
    "name_for",
    "population_for",
    "put",
    "random_search",
    "rows",
    "search_gradient",
    "sequential",
    "step",
]
