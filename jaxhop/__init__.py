"""jaxhop: a vectorised high-dimensional black-box optimizer in JAX."""

from typing import TYPE_CHECKING

from jaxhop._lazy import lazy

if TYPE_CHECKING:
    from jaxhop import algorithms as algorithms
    from jaxhop import callbacks as callbacks
    from jaxhop import executors as executors
    from jaxhop import plots as plots
    from jaxhop import pruners as pruners
    from jaxhop._budget import parse_runtime as parse_runtime
    from jaxhop._configspace import space_from_configspace as space_from_configspace
    from jaxhop._history import History as History
    from jaxhop._incremental import incremental as incremental
    from jaxhop._interactive import Search as Search
    from jaxhop._load import load as load
    from jaxhop._noisy import wrap_n_times as wrap_n_times
    from jaxhop._objective import TraceError as TraceError
    from jaxhop._pruning import PruneEvaluation as PruneEvaluation
    from jaxhop._pruning import should_prune as should_prune
    from jaxhop._result import Result as Result
    from jaxhop._search import search as search
    from jaxhop._trials import Report as Report
    from jaxhop._trials import Start as Start
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
    from jaxhop.storage import StorageError as StorageError

    __version__: str

_PLACES = {
    "__version__": ("jaxhop._version", "__version__"),
    "History": ("jaxhop._history", "History"),
    "Option": ("jaxhop.space", "Option"),
    "PruneEvaluation": ("jaxhop._pruning", "PruneEvaluation"),
    "Report": ("jaxhop._trials", "Report"),
    "Result": ("jaxhop._result", "Result"),
    "Search": ("jaxhop._interactive", "Search"),
    "Space": ("jaxhop.space", "Space"),
    "TraceError": ("jaxhop._objective", "TraceError"),
    "Trial": ("jaxhop._trials", "Trial"),
    "algorithms": ("jaxhop.algorithms", None),
    "bool": ("jaxhop.space", "Bool"),
    "callbacks": ("jaxhop.callbacks", None),
    "choice": ("jaxhop.space", "choice"),
    "custom": ("jaxhop.space", "custom"),
    "executors": ("jaxhop.executors", None),
    "load": ("jaxhop._load", "load"),
    "Start": ("jaxhop._trials", "Start"),
    "StorageError": ("jaxhop.storage", "StorageError"),
    "fidelity": ("jaxhop.space", "Fidelity"),
    "float": ("jaxhop.space", "Float"),
    "incremental": ("jaxhop._incremental", "incremental"),
    "int": ("jaxhop.space", "Int"),
    "parse_runtime": ("jaxhop._budget", "parse_runtime"),
    "permutation": ("jaxhop.space", "Permutation"),
    "plots": ("jaxhop.plots", None),
    "pruners": ("jaxhop.pruners", None),
    "search": ("jaxhop._search", "search"),
    "should_prune": ("jaxhop._pruning", "should_prune"),
    "space": ("jaxhop.space", None),
    "space_from_configspace": ("jaxhop._configspace", "space_from_configspace"),
    "weights": ("jaxhop.space", "Weights"),
    "wrap_n_times": ("jaxhop._noisy", "wrap_n_times"),
}

__all__ = [
    "History",
    "Option",
    "PruneEvaluation",
    "Report",
    "Result",
    "Search",
    "Space",
    "Start",
    "StorageError",
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
    "incremental",
    "int",
    "load",
    "parse_runtime",
    "permutation",
    "plots",
    "pruners",
    "search",
    "should_prune",
    "space_from_configspace",
    "weights",
    "wrap_n_times",
]

__getattr__, __dir__ = lazy(__name__, _PLACES)
