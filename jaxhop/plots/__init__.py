"""Pictures of results, drawn by matplotlib (extra `plots`)."""

from typing import TYPE_CHECKING

from jaxhop._lazy import lazy

if TYPE_CHECKING:
    from jaxhop.plots._contour import contour as contour
    from jaxhop.plots._edf import edf as edf
    from jaxhop.plots._history import history as history
    from jaxhop.plots._importance import importance as importance
    from jaxhop.plots._parallel import parallel_coordinates as parallel_coordinates
    from jaxhop.plots._slice import slice as slice
    from jaxhop.plots._timeline import timeline as timeline
    from jaxhop.plots._tour import tour as tour

_PLACES = {
    "contour": ("jaxhop.plots._contour", "contour"),
    "edf": ("jaxhop.plots._edf", "edf"),
    "history": ("jaxhop.plots._history", "history"),
    "importance": ("jaxhop.plots._importance", "importance"),
    "parallel_coordinates": ("jaxhop.plots._parallel", "parallel_coordinates"),
    "slice": ("jaxhop.plots._slice", "slice"),
    "timeline": ("jaxhop.plots._timeline", "timeline"),
    "tour": ("jaxhop.plots._tour", "tour"),
}

__all__ = [
    "contour",
    "edf",
    "history",
    "importance",
    "parallel_coordinates",
    "slice",
    "timeline",
    "tour",
]

__getattr__, __dir__ = lazy(__name__, _PLACES)
