"""What listens to a search: the contract, the live line and the log."""

from jaxhop.callbacks._base import Callback as Callback
from jaxhop.callbacks._base import Callbacks as Callbacks
from jaxhop.callbacks._log import Log as Log
from jaxhop.callbacks._progress import Progress as Progress

__all__ = ["Callback", "Callbacks", "Log", "Progress"]
