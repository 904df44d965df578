"""Evaluators: what turns candidates into values; they know nothing of search."""

from jaxhop.evaluators._executor import Executors
from jaxhop.evaluators._inline import Inline
from jaxhop.evaluators._jobs import Jobs
from jaxhop.evaluators._outcome import Evaluator, Outcome
from jaxhop.evaluators._population import chunk_for, over, population_mesh, summed
from jaxhop.evaluators._vectorized import Vectorized
from jaxhop.evaluators._workers import Workers

__all__ = [
    "Evaluator",
    "Executors",
    "Inline",
    "Jobs",
    "Outcome",
    "Vectorized",
    "Workers",
    "chunk_for",
    "over",
    "population_mesh",
    "summed",
]
