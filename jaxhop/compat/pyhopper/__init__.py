"""PyHopper's names on top of jaxhop: `from jaxhop.compat import pyhopper` runs its scripts.

Arguments, defaults and what is returned are PyHopper's. The search is jaxhop's: how long it
explores and how far it moves follow from the budget, equal runs give equal candidates,
checkpoints are run directories that nothing is ever unpickled from, and arguments that have no
meaning here are refused. `jaxhop.search` and `jaxhop.Search` do more.

Example:
    >>> from jaxhop.compat import pyhopper
    >>> search = pyhopper.Search(x=pyhopper.float(-5, 5), kind=pyhopper.choice("a", "b"))
    >>> best = search.run(lambda params: -((params["x"] - 3) ** 2), steps=30, quiet=True)
    >>> abs(best["x"] - 3) < 0.5, len(search.history)
    (True, 30)
"""

from typing import TYPE_CHECKING

from jaxhop._lazy import lazy

if TYPE_CHECKING:
    from jaxhop._budget import parse_runtime as parse_runtime
    from jaxhop._pruning import PruneEvaluation as PruneEvaluation
    from jaxhop._pruning import should_prune as should_prune
    from jaxhop.compat.pyhopper import callbacks as callbacks
    from jaxhop.compat.pyhopper import pruners as pruners
    from jaxhop.compat.pyhopper._objective import wrap_n_times as wrap_n_times
    from jaxhop.compat.pyhopper._parameters import Parameter as Parameter
    from jaxhop.compat.pyhopper._parameters import make_bool as bool
    from jaxhop.compat.pyhopper._parameters import make_choice as choice
    from jaxhop.compat.pyhopper._parameters import make_custom as custom
    from jaxhop.compat.pyhopper._parameters import make_float as float
    from jaxhop.compat.pyhopper._parameters import make_int as int
    from jaxhop.compat.pyhopper._search import Search as Search
    from jaxhop.compat.pyhopper._search import merge_dicts as merge_dicts
    from jaxhop.compat.pyhopper.callbacks import CandidateType as CandidateType
    from jaxhop.compat.pyhopper.callbacks import ParamInfo as ParamInfo

_PLACES = {
    "CandidateType": ("jaxhop.compat.pyhopper.callbacks", "CandidateType"),
    "ParamInfo": ("jaxhop.compat.pyhopper.callbacks", "ParamInfo"),
    "Parameter": ("jaxhop.compat.pyhopper._parameters", "Parameter"),
    "PruneEvaluation": ("jaxhop._pruning", "PruneEvaluation"),
    "Search": ("jaxhop.compat.pyhopper._search", "Search"),
    "bool": ("jaxhop.compat.pyhopper._parameters", "make_bool"),
    "callbacks": ("jaxhop.compat.pyhopper.callbacks", None),
    "choice": ("jaxhop.compat.pyhopper._parameters", "make_choice"),
    "custom": ("jaxhop.compat.pyhopper._parameters", "make_custom"),
    "float": ("jaxhop.compat.pyhopper._parameters", "make_float"),
    "int": ("jaxhop.compat.pyhopper._parameters", "make_int"),
    "merge_dicts": ("jaxhop.compat.pyhopper._search", "merge_dicts"),
    "parse_runtime": ("jaxhop._budget", "parse_runtime"),
    "pruners": ("jaxhop.compat.pyhopper.pruners", None),
    "should_prune": ("jaxhop._pruning", "should_prune"),
    "wrap_n_times": ("jaxhop.compat.pyhopper._objective", "wrap_n_times"),
}

__all__ = [
    "CandidateType",
    "ParamInfo",
    "Parameter",
    "PruneEvaluation",
    "Search",
    "bool",
    "callbacks",
    "choice",
    "custom",
    "float",
    "int",
    "merge_dicts",
    "parse_runtime",
    "pruners",
    "should_prune",
    "wrap_n_times",
]

__getattr__, __dir__ = lazy(__name__, _PLACES)
