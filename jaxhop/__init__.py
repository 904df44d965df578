"""jaxhop: a vectorised high-dimensional black-box optimizer in JAX."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxhop import algorithms as algorithms
    from jaxhop import callbacks as callbacks
    from jaxhop import executors as executors
    from jaxhop import pruners as pruners
    from jaxhop._budget import parse_runtime as parse_runtime
    from jaxhop._history import History as History
    from jaxhop._interactive import Search as Search
    from jaxhop._noisy import wrap_n_times as wrap_n_times
    from jaxhop._objective import TraceError as TraceError
    from jaxhop._pruning import PruneEvaluation as PruneEvaluation
    from jaxhop._pruning import should_prune as should_prune
    from jaxhop._result import Result as Result
    from jaxhop._search import search as search
    from jaxhop._trials import Report as Report
    from jaxhop._trials import Trial as Trial
    from jaxhop.space import Bool as bool
    from jaxhop.space import Fidelity as fidelity
    from jaxhop.space import Float as float
    from jaxhop.space import Int as int
    from jaxhop.space import Option as Option
    from jaxhop.space import Permutation as permutation
    from jaxhop.space import Space as Space
    from jaxhop.space import Weights as weights
    from jaxhop.space import choice as choice
    from jaxhop.space import custom as custom

    __version__: str

# A worker process that runs an objective needs a few of these names and not JAX, which takes a
# second to import: each name is imported when it is first asked for.
_PLACES = {
    "History": ("_history", "History"),
    "Option": ("space", "Option"),
    "PruneEvaluation": ("_pruning", "PruneEvaluation"),
    "Report": ("_trials", "Report"),
    "Result": ("_result", "Result"),
    "Search": ("_interactive", "Search"),
    "Space": ("space", "Space"),
    "TraceError": ("_objective", "TraceError"),
    "Trial": ("_trials", "Trial"),
    "algorithms": ("algorithms", None),
    "bool": ("space", "Bool"),
    "callbacks": ("callbacks", None),
    "choice": ("space", "choice"),
    "custom": ("space", "custom"),
    "executors": ("executors", None),
    "fidelity": ("space", "Fidelity"),
    "float": ("space", "Float"),
    "int": ("space", "Int"),
    "parse_runtime": ("_budget", "parse_runtime"),
    "permutation": ("space", "Permutation"),
    "pruners": ("pruners", None),
    "search": ("_search", "search"),
    "should_prune": ("_pruning", "should_prune"),
    "space": ("space", None),
    "weights": ("space", "Weights"),
    "wrap_n_times": ("_noisy", "wrap_n_times"),
}

__all__ = [
    "History",
    "Option",
    "PruneEvaluation",
    "Report",
    "Result",
    "Search",
    "Space",
    "TraceError",
    "Trial",
    "algorithms",
    "bool",
    "callbacks",
    "choice",
    "custom",
    "executors",
    "fidelity",
    "float",
    "int",
    "parse_runtime",
    "permutation",
    "pruners",
    "search",
    "should_prune",
    "weights",
    "wrap_n_times",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("jaxhop")
    elif name in _PLACES:
        module, attribute = _PLACES[name]
        value = importlib.import_module(f"jaxhop.{module}")
        value = value if attribute is None else getattr(value, attribute)
    else:
        raise AttributeError(f"module 'jaxhop' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
