"""The search space: parameters, their coordinates, and trees of them."""

from jaxhop.space._choice import Bool, Choice
from jaxhop.space._column import Column
from jaxhop.space._custom import Custom
from jaxhop.space._float import Float
from jaxhop.space._index import Index
from jaxhop.space._int import Int
from jaxhop.space._option import Option
from jaxhop.space._parameter import Coordinates, Parameter, Proposal
from jaxhop.space._permutation import Permutation
from jaxhop.space._perturbed import (
    Factors,
    LowRank,
    Perturbed,
    Segment,
    balanced,
    dither,
    written_out,
)
from jaxhop.space._space import Space
from jaxhop.space._weights import Weights

__all__ = [
    "Bool",
    "Choice",
    "Column",
    "Coordinates",
    "Custom",
    "Factors",
    "Float",
    "Index",
    "Int",
    "LowRank",
    "Option",
    "Parameter",
    "Permutation",
    "Perturbed",
    "Proposal",
    "Segment",
    "Space",
    "Weights",
    "balanced",
    "dither",
    "written_out",
]
