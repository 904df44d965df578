"""Algorithms: bundles of pure functions `init`, `ask` and `tell`."""

from jaxhop.algorithms._annealed_mcmc import annealed_mcmc
from jaxhop.algorithms._annealed_state import AnnealedState
from jaxhop.algorithms._auto import FACTORIES, auto, name_for, population_for
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
from jaxhop.algorithms._covariance_adaptation import covariance_adaptation
from jaxhop.algorithms._covariance_state import CovarianceState
from jaxhop.algorithms._orders import Exchange, Swap
from jaxhop.algorithms._random_search import random_search
from jaxhop.algorithms._search_gradient import search_gradient
from jaxhop.algorithms._search_gradient_state import SearchGradientState
from jaxhop.algorithms._sequential import Proposals, Sequential, SequentialState, sequential
from jaxhop.algorithms._simulated_annealing import SimulatedState, simulated_annealing

__all__ = [
    "FACTORIES",
    "Algorithm",
    "AnnealedState",
    "Batch",
    "CovarianceState",
    "Exchange",
    "Info",
    "Part",
    "Proposals",
    "Recipe",
    "SearchGradientState",
    "Sequential",
    "SequentialState",
    "SimulatedState",
    "State",
    "Swap",
    "add_up",
    "annealed_mcmc",
    "auto",
    "check_contract",
    "covariance_adaptation",
    "name_for",
    "population_for",
    "put",
    "random_search",
    "rows",
    "search_gradient",
    "sequential",
    "simulated_annealing",
    "step",
]
