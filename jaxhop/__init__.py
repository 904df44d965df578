"""jaxhop: a vectorised high-dimensional black-box optimizer in JAX."""

from importlib.metadata import version as _version

from jaxhop import algorithms as algorithms
from jaxhop import callbacks as callbacks
from jaxhop._budget import parse_runtime as parse_runtime
from jaxhop._history import History as History
from jaxhop._objective import TraceError as TraceError
from jaxhop._result import Result as Result
from jaxhop._search import search as search
from jaxhop._trials import Report as Report
from jaxhop.space import Bool as bool
from jaxhop.space import Choice as choice
from jaxhop.space import Custom as custom
from jaxhop.space import Float as float
from jaxhop.space import Int as int
from jaxhop.space import Option as Option
from jaxhop.space import Permutation as permutation
from jaxhop.space import Space as Space
from jaxhop.space import Weights as weights

__version__ = _version("jaxhop")

__all__ = [
    "History",
    "Option",
    "Report",
    "Result",
    "Space",
    "TraceError",
    "algorithms",
    "bool",
    "callbacks",
    "choice",
    "custom",
    "float",
    "int",
    "parse_runtime",
    "permutation",
    "search",
    "weights",
]
