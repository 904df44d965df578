"""Evaluators: what turns candidates into values; they know nothing of search."""

from jaxhop.evaluators._population import AXIS, chunk_for, over, population_mesh, summed

__all__ = ["AXIS", "chunk_for", "over", "population_mesh", "summed"]
