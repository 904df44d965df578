"""Putting a search with a JAX objective together: one compiled program, and its results."""

import math
from collections.abc import Callable, Generator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxhop import _noise
from jaxhop._budget import Budget
from jaxhop._compile import compile_rounds
from jaxhop._history import History
from jaxhop._loop import Last, Stand, run
from jaxhop._objective import Objective, has_low_rank
from jaxhop._record import Record
from jaxhop._session import Earlier, Found, Session
from jaxhop._trials import Report
from jaxhop.algorithms import Algorithm
from jaxhop.space import Space
from jaxhop.storage import Directory


def jax_session(
    objective: Objective,
    algorithm: Algorithm,
    space: Space,
    *,
    first: list[Any],
    budget: Budget,
    population: int,
    sign: int,
    seed: int,
    devices: Sequence[Any],
    max_memory: int | None,
    known: Sequence[float] = (),
    directory: Directory | None = None,
) -> Session:
    """Compiles a search.

    Args:
        objective: what was traced.
        algorithm: what asks and tells.
        space: the space.
        first: the points to begin with; emptied.
        budget: what ends the search.
        population: candidates a round.
        sign: 1 to minimise, -1 to maximise.
        seed: of everything random.
        devices: where to evaluate.
        max_memory: bytes that a device may hold, or None.
        known: values of the first points, to be minimised, if these are not to be evaluated.
        directory: where evaluations and states are written down, or None.

    Returns:
        The session.

    Raises:
        ValueError: if the program does not fit in `max_memory`.
    """
    structure = jax.tree.structure(first[0])
    program, compile_seconds = compile_rounds(
        algorithm,
        objective,
        space,
        first=first,
        population=population,
        seed=seed,
        devices=devices,
        max_memory=max_memory,
        known=known,
    )
    held = [program]  # of a wide space there is no room for much else than the best
    del program
    stand = Stand(lowest=min([float(np.float32(value)) for value in known], default=math.inf))
    record = Record(directory, space, sign, stand)

    def to_python(leaves: tuple[np.ndarray, ...]) -> Any:
        return space.to_python(jax.tree.unflatten(structure, leaves))

    def to_python_many(leaves: tuple[np.ndarray, ...]) -> list[Any]:
        return space.to_python_many(jax.tree.unflatten(structure, leaves))

    def start(
        stops: Callable[[], str], each: bool
    ) -> Generator[Earlier | Report | Last, None, None]:
        del each
        if directory is None:
            return run(held[0], budget, sign, stops, stand)
        return record.run(held, budget, stops)

    def finish(last: Last, history: History) -> Found:
        estimated = held.pop().rounds.estimated
        state, key = last.carry.state, last.carry.key
        told = None if estimated or record.lost else stand.lowest
        best, value = state.best, _best_value(state, history, sign, told)
        aux = _aux(objective, best, key)
        reason, seconds = last.stop_reason, last.seconds
        del state, last
        return Found(
            best=space.to_python(jax.device_get(best)),
            best_value=value,
            stop_reason=reason,
            seconds=seconds,
            aux=aux,
            materialised=max(objective.expanded, default=0),
            trouble=record.trouble,
            evaluations=record.evaluations,
        )

    return Session(
        run=start,
        finish=finish,
        to_python=to_python,
        to_python_many=to_python_many,
        compile_seconds=compile_seconds,
        notes=_notes(objective),
    )


def _notes(objective: Objective) -> tuple[str, ...]:
    """What the user should know before the search starts."""
    if objective.expanded and not has_low_rank():
        return (
            "low-rank candidates are written out as whole matrices, which is slower: install"
            " jaxhop[lowrank] to evaluate them as they are",
        )
    return ()


def _best_value(state: Any, history: History, sign: int, told: float | None) -> float:
    """The value of the best candidate, in the user's direction.

    Args:
        state: the algorithm's.
        history: all evaluations.
        sign: 1 to minimise, -1 to maximise.
        told: what it must be, if it is not the best of the history; None if nobody knows.

    Raises:
        ValueError: if there is none.
        RuntimeError: if the algorithm's best value is not the lowest that it was told.
    """
    best = float(state.best_value)
    if not np.isfinite(best):
        raise ValueError(
            f"every one of the {max(history['evaluation'], default=-1) + 1:,} values of the"
            " objective was NaN or infinite: there is no best candidate. Evaluate `fn` at its"
            " initial values by hand."
        )
    if told is not None:
        lowest = min([told, *(sign * value for value in history.best()[-1:])])
        if best != lowest:
            raise RuntimeError(
                f"the algorithm says that its best value is {sign * best}, but the best that it"
                f" was told is {sign * lowest}. Its `tell` must keep the lowest value ever told."
            )
    return sign * best


def _aux(objective: Objective, best: Any, key: jax.Array) -> Any:
    """What the objective returned beside the value of the best candidate."""
    if objective.aux is None:
        return None
    key = jnp.asarray(np.asarray(key))
    aux = jax.jit(objective.aux)(objective.constants, best, _noise.fold_in(key, 0))
    return jax.device_get(aux)
