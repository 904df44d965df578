"""The search space: parameters, their coordinates, and trees of them."""

from jaxhop.space._choice import Bool, Choice
from jaxhop.space._column import Column
from jaxhop.space._conditional import Conditional, choice
from jaxhop.space._custom import Custom
from jaxhop.space._fidelity import Fidelity
from jaxhop.space._float import Float
from jaxhop.space._index import Index
from jaxhop.space._int import Int
from jaxhop.space._known import known
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
from jaxhop.space._python import PythonCustom, custom
from jaxhop.space._relaxed import grain, is_numeric, relaxed, unrelaxed, walls
from jaxhop.space._space import Space
from jaxhop.space._store import Store
from jaxhop.space._weights import Weights

__all__ = [
    "Bool",
    "Choice",
    "Column",
    "Conditional",
    "Coordinates",
    "Custom",
    "Factors",
    "Fidelity",
    "Float",
    "Index",
    "Int",
    "LowRank",
    "Option",
    "Parameter",
    "Permutation",
    "Perturbed",
    "Proposal",
    "PythonCustom",
    "Segment",
    "Space",
    "Store",
    "Weights",
    "balanced",
    "choice",
    "custom",
    "dither",
    "grain",
    "is_numeric",
    "known",
    "relaxed",
    "unrelaxed",
    "walls",
    "written_out",
]
