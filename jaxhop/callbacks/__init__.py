"""What listens to a search: the contract, the live line, the log, files and trackers."""

from typing import TYPE_CHECKING

from jaxhop._lazy import lazy
from jaxhop.callbacks._base import Callback as Callback
from jaxhop.callbacks._base import Callbacks as Callbacks
from jaxhop.callbacks._log import Log as Log
from jaxhop.callbacks._progress import Progress as Progress

if TYPE_CHECKING:
    from jaxhop.callbacks._aim import Aim as Aim
    from jaxhop.callbacks._csv import CSV as CSV
    from jaxhop.callbacks._json_lines import JSONLines as JSONLines
    from jaxhop.callbacks._mlflow import MLflow as MLflow
    from jaxhop.callbacks._tensorboard import TensorBoard as TensorBoard
    from jaxhop.callbacks._wandb import WandB as WandB

_PLACES = {
    "Aim": ("jaxhop.callbacks._aim", "Aim"),
    "CSV": ("jaxhop.callbacks._csv", "CSV"),
    "JSONLines": ("jaxhop.callbacks._json_lines", "JSONLines"),
    "MLflow": ("jaxhop.callbacks._mlflow", "MLflow"),
    "TensorBoard": ("jaxhop.callbacks._tensorboard", "TensorBoard"),
    "WandB": ("jaxhop.callbacks._wandb", "WandB"),
}

__all__ = [
    "CSV",
    "Aim",
    "Callback",
    "Callbacks",
    "JSONLines",
    "Log",
    "MLflow",
    "Progress",
    "TensorBoard",
    "WandB",
]

__getattr__, __dir__ = lazy(__name__, _PLACES)
