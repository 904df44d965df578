"""What every search has in common: reports go to history and callbacks, and a result comes out."""

import contextlib
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from jaxhop import _hosts
from jaxhop._budget import Budget
from jaxhop._history import History
from jaxhop._interrupt import Interrupt
from jaxhop._result import PhaseTable, Result
from jaxhop._trials import Report, Start
from jaxhop.callbacks import Callbacks, Log, Progress
from jaxhop.space import Space


class Found(NamedTuple):
    """What a run ended with.

    Attributes:
        best: the best candidate, in the user's structure.
        best_value: its value, in the user's direction.
        stop_reason: what ended the run.
        seconds: how long it took.
        aux: what the objective returned beside the value, or None.
        materialised: how many low-rank matrices were written out.
    """

    best: Any
    best_value: float
    stop_reason: str
    seconds: float
    aux: Any = None
    materialised: int = 0


@dataclass(frozen=True, kw_only=True)
class Session:
    """A search that is ready to run.

    Attributes:
        run: `run(stops, each) -> reports`, and a last item that says how it ended; `stops` tells
            whether somebody asked to stop, `each` whether a report is wanted for each trial.
        finish: from that last item and the history to what was found.
        to_python: from stored parameters to a candidate.
        to_python_many: the same for stacked ones.
        compile_seconds: how long compilation took.
        notes: what the user should know beforehand.
    """

    run: Callable[[Callable[[], bool], bool], Generator[Any, None, None]]
    finish: Callable[[Any, History], Found]
    to_python: Callable[[tuple[np.ndarray, ...]], Any]
    to_python_many: Callable[[tuple[np.ndarray, ...]], list[Any]]
    compile_seconds: float = 0.0
    notes: tuple[str, ...] = ()


def follow(
    session: Session,
    *,
    space: Space,
    budget: Budget,
    direction: str,
    seed: int,
    listeners: Callbacks,
    progress: bool | None,
) -> Result:
    """Runs a session to its end.

    Args:
        session: the search.
        space: the space.
        budget: what ends it.
        direction: `"min"` or `"max"`.
        seed: of everything random.
        listeners: the user's callbacks.
        progress: whether to show a line and a table; None where there is a terminal.

    Returns:
        The result.
    """
    history = History(direction, session.to_python, session.to_python_many)
    phases = PhaseTable(direction)
    shown = [Progress(show=progress)] if _hosts.is_first() else []
    with contextlib.ExitStack() as stack:
        own: list[Any] = [*shown, Log()]
        house = stack.enter_context(Callbacks(own))
        stack.enter_context(listeners)
        interrupt = stack.enter_context(Interrupt())
        start = Start(
            budget=budget,
            direction=direction,
            seed=seed,
            size=space.size,
            notes=() if progress is False else session.notes,
        )
        for listener in (house, listeners):
            listener.on_start(start)
        asked = threading.Event()

        def stops() -> bool:
            return asked.is_set() or interrupt.asked

        ended: list[Any] = []
        with contextlib.closing(session.run(stops, listeners.each)) as reports:
            for report in reports:
                if not isinstance(report, Report):
                    ended.append(report)
                    break
                history.append(report)
                phases.add(report)
                house.on_round(report)
                if listeners.on_round(report, session.to_python_many):
                    asked.set()
        # Of a wide space there is no room for much else than the best: nothing else is held.
        del report, reports
        found = session.finish(ended.pop(), history)
        result = Result(
            best=found.best,
            best_value=found.best_value,
            history=history,
            stop_reason=found.stop_reason,  # pyright: ignore[reportArgumentType]
            evaluations=sum(phase.evaluations for phase in phases.phases()),
            seconds=found.seconds,
            compile_seconds=session.compile_seconds,
            nan_share=phases.nan_share,
            phases=phases.phases(),
            direction=direction,
            seed=seed,
            flat=space.flat,
            aux=found.aux,
            materialised=found.materialised,
        )
        for listener in (house, listeners):
            listener.on_end(result)
    return result
