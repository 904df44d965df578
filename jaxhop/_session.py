"""What every search has in common: reports go to history and callbacks, and a result comes out."""

import contextlib
import warnings
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from jaxhop import _hosts
from jaxhop._budget import Budget
from jaxhop._history import History
from jaxhop._interrupt import GRACE_SECONDS, Interrupt
from jaxhop._keeper import Keeper
from jaxhop._phases import PhaseTable
from jaxhop._result import Result
from jaxhop._trials import Report, Start
from jaxhop.callbacks import Callbacks, Log, Progress
from jaxhop.space import Space
from jaxhop.storage import Directory


class Earlier(NamedTuple):
    """What a run that goes on begins with.

    Attributes:
        report: the evaluations of before.
        notes: what was lost of them.
        numbers: int64[n], which evaluations these are. Default None: all, from 0 on.
        phases: the table of phases, where these are not all. Default None: it is made of them.
        again: how many evaluations after these are written down, and made again.
    """

    report: Report
    notes: tuple[str, ...] = ()
    numbers: np.ndarray | None = None
    phases: dict[str, Any] | None = None
    again: int = 0


class Found(NamedTuple):
    """What a run ended with.

    Attributes:
        best: the best candidate, in the user's structure.
        best_value: its value, in the user's direction.
        stop_reason: what ended the run.
        seconds: how long it took.
        aux: what the objective returned beside the value, or None.
        materialised: how many low-rank matrices were written out.
        trouble: why not all of it could be written down, if it could not.
        evaluations: how many were made. Default None: as many as were reported.
    """

    best: Any
    best_value: float
    stop_reason: str
    seconds: float
    aux: Any = None
    materialised: int = 0
    trouble: str = ""
    evaluations: int | None = None


@dataclass(frozen=True, kw_only=True)
class Session:
    """A search that is ready to run.

    Attributes:
        run: `run(stops, each) -> reports`, `Earlier` ones before all others, and a last item that
            says how it ended; `stops` tells why to stop if somebody asked for it, `each` whether
            a report is wanted for each trial.
        finish: from that last item and the history to what was found.
        to_python: from stored parameters to a candidate.
        to_python_many: the same for stacked ones.
        compile_seconds: how long compilation took.
        notes: what the user should know beforehand.
    """

    run: Callable[[Callable[[], str], bool], Generator[Any, None, None]]
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
    directory: Directory | None = None,
    grace: float = GRACE_SECONDS,
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
        directory: what is to hold the best candidate and a log, or None.
        grace: seconds that an objective has when the process is asked to go.

    Returns:
        The result.
    """
    history = History(direction, session.to_python, session.to_python_many)
    phases = PhaseTable(direction)
    shown = [Progress(show=progress)] if _hosts.is_first() else []
    with contextlib.ExitStack() as stack:
        own: list[Any] = [Log(), *shown]  # notes stand above the live line
        keeper = None
        if directory is not None and _hosts.is_first():
            keeper = Keeper(directory, history, space.flat)
            own.append(keeper)
        house = stack.enter_context(Callbacks(own))
        stack.enter_context(listeners)
        interrupt = stack.enter_context(Interrupt(grace))
        start = Start(
            budget=budget,
            direction=direction,
            seed=seed,
            size=space.size,
            space=space,
            decode=session.to_python_many,
            goes_on=directory is not None and not directory.fresh,
            notes=() if progress is False else session.notes,
        )
        for listener in (house, listeners):
            listener.on_start(start)
        asked = ""

        def stops() -> str:
            full = keeper is not None and keeper.trouble
            return "disk" if full else asked or interrupt.asked

        ended: list[Any] = []
        with contextlib.closing(session.run(stops, listeners.each)) as reports:
            for report in reports:
                if isinstance(report, Earlier):
                    history.append(report.report, report.numbers)
                    phases.recall(report.report, report.phases)
                    if keeper is not None:
                        keeper.goes_on(phases.evaluations, report.again)
                    for note in report.notes:
                        warnings.warn(note, RuntimeWarning, stacklevel=3)
                elif isinstance(report, Report):
                    history.append(report)
                    phases.add(report)
                    house.on_round(report)
                    if listeners.on_round(report, session.to_python_many):
                        asked = "interrupted"
                else:
                    ended.append(report)
                    break
        # Of a wide space there is no room for much else than the best: nothing else is held.
        del report, reports
        found = session.finish(ended.pop(), history)
        trouble = found.trouble or ("" if keeper is None else keeper.trouble)
        if trouble:
            warnings.warn(trouble, RuntimeWarning, stacklevel=3)
        result = Result(
            best=found.best,
            best_value=found.best_value,
            history=history,
            stop_reason=found.stop_reason,  # pyright: ignore[reportArgumentType]
            evaluations=phases.evaluations if found.evaluations is None else found.evaluations,
            seconds=found.seconds,
            compile_seconds=session.compile_seconds,
            nan_share=phases.nan_share,
            phases=phases.phases(),
            direction=direction,
            seed=seed,
            flat=space.flat,
            space=space,
            aux=found.aux,
            materialised=found.materialised,
        )
        for listener in (house, listeners):
            listener.on_end(result)
    return result
