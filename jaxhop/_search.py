"""The door: checks what it is given, puts the parts together, and returns what was found."""

import contextlib
import inspect
import operator
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxhop import _hosts, _noise
from jaxhop._budget import Budget
from jaxhop._compile import compile_rounds
from jaxhop._history import History
from jaxhop._interrupt import Interrupt
from jaxhop._loop import Last, run
from jaxhop._memory import parse_memory
from jaxhop._objective import Objective, has_low_rank, takes_key, trace
from jaxhop._result import PhaseTable, Result
from jaxhop._trials import Start
from jaxhop.algorithms import Algorithm, Recipe, auto, population_for
from jaxhop.callbacks import Callbacks, Log, Progress
from jaxhop.space import Space

_DIRECTIONS = {"min": "min", "minimize": "min", "max": "max", "maximize": "max"}


def search(
    fn: Callable[..., Any],
    space: Any,
    *,
    direction: str = "min",
    runtime: float | timedelta | str | None = None,
    evaluations: int | None = None,
    target: float | None = None,
    seed: int = 0,
    population: int | None = None,
    algorithm: str | Recipe | Algorithm = "auto",
    devices: Sequence[Any] | None = None,
    max_memory: int | str | None = None,
    init: Sequence[Any] | None = None,
    callbacks: Iterable[Any] = (),
    progress: bool | None = None,
) -> Result:
    """Searches a space for the candidate with the best value of a function.

    The function is traced once and compiled together with the algorithm into one program, which
    evaluates the population on every device. Needed is at least one of `runtime`, `evaluations`
    and `target`; what is reached first ends the search. Equal calls with the same seed, population
    and `evaluations` give the same candidates, on any number of devices.

    Args:
        fn: the objective: a JAX function of the parameters, which come in the structure of
            `space` with a traced value in place of each parameter. Returns a number, or
            `(number, aux)`. If it has a second parameter it is random and gets a key: one a
            round, so that the candidates of a round meet the same luck; the best one is then
            chosen by its mean over fresh keys.
        space: a pytree of parameters (`jaxhop.float` and so on); any other leaf is a constant.
        direction: `"min"` or `"max"`; `"minimize"` and `"maximize"` mean the same.
        runtime: how long to search: seconds, a `timedelta`, or text such as `"30min"`,
            `"1h 30min"`, `"1:30:00"`. The clock starts when the program is compiled.
        evaluations: how many evaluations to make, exactly.
        target: a value that is good enough.
        seed: of everything random, at least 0.
        population: candidates a round. Default: evaluations / 300 as a power of two between 4 and
            256; without `evaluations`, 64 on a CPU and 1024 on an accelerator.
        algorithm: `"auto"`, what a factory in `jaxhop.algorithms` returns, or an `Algorithm` of
            your own, made for this space and population.
        devices: where to evaluate. Default: all devices, those of other hosts included if
            `jax.distributed` was initialized.
        max_memory: bound on what the search holds on each device, such as `"8GB"`. Default: chunks
            of candidates that fit in a CPU's cache or in 1 GiB of an accelerator.
        init: candidates to evaluate first, after the space's own initial values. Parts of
            candidates will do: what a dict lacks is taken from the initial values.
        callbacks: functions `(report) -> bool | None`, or objects with `on_start`, `on_report` or
            `on_end`; see `jaxhop.callbacks`.
        progress: whether to show a live line and a table at the end. Default: if standard error
            is a terminal. False silences everything.

    Returns:
        The result: `best`, `best_value`, `history`, `stop_reason` and more.

    Raises:
        ValueError: if an argument is out of range or a parameter is wrong; or if every value was
            NaN or infinite.
        TypeError: if an argument is of a wrong type, or the objective cannot be traced.

    Example:
        >>> import jax.numpy as jnp, jaxhop
        >>> def loss(params):
        ...     return jnp.sum((params["w"] - 0.5) ** 2) + (params["n"] - 3) ** 2
        >>> space = {"w": jaxhop.float(-1, 1, shape=(4,)), "n": jaxhop.int(1, 8)}
        >>> result = jaxhop.search(loss, space, evaluations=4000, seed=0)
        >>> result.best["n"], bool(result.best_value < 0.01)
        (3, True)
    """
    noisy = takes_key(fn)
    if not isinstance(direction, str) or direction.lower() not in _DIRECTIONS:
        raise ValueError(f'`direction={direction!r}`: it must be "min" or "max".')
    direction = _DIRECTIONS[direction.lower()]
    budget = Budget.of(runtime, evaluations, target)
    seed = _whole("seed", seed, 0, 2**64 - 1, "seed=0")
    memory = None if max_memory is None else parse_memory(max_memory)
    if progress is not None and not isinstance(progress, bool):
        raise TypeError(f"`progress={progress!r}`: it must be True, False or None.")
    space = Space(space)
    first = _first_candidates(space, init)
    listeners = Callbacks(callbacks)
    devices = _devices(devices)
    population = _population(population, budget, devices[0].platform, len(first))
    algorithm = _algorithm(algorithm, space, population, noisy)

    structure = jax.tree.structure(first[0])

    objective = trace(fn, space, direction)
    program, compile_seconds = compile_rounds(
        algorithm,
        objective,
        space,
        first=first,
        population=population,
        seed=seed,
        devices=devices,
        max_memory=memory,
    )

    def to_python(leaves: tuple[np.ndarray, ...]) -> Any:
        return space.to_python(jax.tree.unflatten(structure, leaves))

    def to_python_many(leaves: tuple[np.ndarray, ...]) -> list[Any]:
        return space.to_python_many(jax.tree.unflatten(structure, leaves))

    history = History(direction, to_python, to_python_many)
    phases = PhaseTable(direction)
    shown = [Progress(show=progress)] if _hosts.is_first() else []
    sign = -1 if direction == "max" else 1
    with contextlib.ExitStack() as stack:
        house = stack.enter_context(Callbacks([*shown, Log()]))
        stack.enter_context(listeners)
        interrupt = stack.enter_context(Interrupt())
        start = Start(
            budget=budget,
            direction=direction,
            seed=seed,
            size=space.size,
            notes=() if progress is False else _notes(objective),
        )
        for listener in (house, listeners):
            listener.on_start(start)
        asked = threading.Event()
        last: Last | None = None

        def stops() -> bool:
            return asked.is_set() or interrupt.asked

        for report in run(program, budget, sign, stops):
            if isinstance(report, Last):
                last = report
                break
            history.append(report)
            phases.add(report)
            house.on_report(report)
            if listeners.on_report(report):
                asked.set()
        assert last is not None, "the loop ends with how it ended"
        state = last.carry.state
        best, best_value = state.best, _best_value(state, history, sign, program.rounds.estimated)
        aux = _aux(objective, best, last.carry.key)
        stop_reason, seconds = last.stop_reason, last.seconds
        del (
            state,
            last,
            report,
            program,
        )  # of a wide space there is no room for much else than the best
        result = Result(
            best=space.to_python(jax.device_get(best)),
            best_value=best_value,
            history=history,
            stop_reason=stop_reason,  # pyright: ignore[reportArgumentType]
            evaluations=sum(phase.evaluations for phase in phases.phases()),
            seconds=seconds,
            compile_seconds=compile_seconds,
            nan_share=phases.nan_share,
            phases=phases.phases(),
            direction=direction,
            seed=seed,
            flat=space.flat,
            aux=aux,
            materialised=max(objective.expanded, default=0),
        )
        for listener in (house, listeners):
            listener.on_end(result)
    return result


def _notes(objective: Objective) -> tuple[str, ...]:
    """What the user should know before the search starts."""
    if objective.expanded and not has_low_rank():
        return (
            "low-rank candidates are written out as whole matrices, which is slower: install"
            " jaxhop[lowrank] to evaluate them as they are",
        )
    return ()


def _whole(name: str, number: Any, low: int, high: int, example: str) -> int:
    """A whole number in a range."""
    try:
        if isinstance(number, bool):
            raise TypeError
        whole = operator.index(number)
    except TypeError:
        raise TypeError(f"`{name}={number!r}`: an int must be given. Say `{example}`.") from None
    if not low <= whole <= high:
        raise ValueError(f"`{name}={whole}`: it must be in [{low}, {high}]. Say `{example}`.")
    return whole


def _algorithm(algorithm: Any, space: Space, population: int, noisy: bool) -> Algorithm:
    if isinstance(algorithm, Algorithm):
        return algorithm
    recipe: Any = auto() if isinstance(algorithm, str) and algorithm == "auto" else algorithm
    try:
        inspect.signature(recipe).bind(space, population, noisy=noisy)
    except (TypeError, ValueError):
        raise ValueError(
            f'`algorithm={algorithm!r}`: it must be "auto", an `Algorithm`, or a recipe, which is'
            " called as recipe(space, population, noisy=False). Say"
            " `jaxhop.algorithms.annealed_mcmc()`."
        ) from None
    made = recipe(space, population, noisy=noisy)
    if not isinstance(made, Algorithm):
        raise TypeError(
            f"`algorithm={algorithm!r}`: a recipe must return an `Algorithm`, but it returned"
            f" {made!r}. Say `jaxhop.algorithms.annealed_mcmc()`."
        )
    return made


def _first_candidates(space: Space, init: Any) -> list[Any]:
    """The points to evaluate first: the space's own, and the user's."""
    if init is not None and (isinstance(init, str | dict) or not isinstance(init, Sequence)):
        raise TypeError(
            f"`init={init!r}`: a list of candidates must be given. Put a single one in a list."
        )
    points = [space.initial()]
    for number, candidate in enumerate(init or ()):
        try:
            points.append(space.encode(space.complete(candidate)))
        except (ValueError, TypeError) as error:
            raise type(error)(f"`init[{number}]`: {error}") from None
    return points


def _devices(devices: Any) -> Sequence[Any]:
    if devices is None:
        return jax.devices()
    devices = [devices] if isinstance(devices, jax.Device) else devices
    if not isinstance(devices, Sequence) or not devices:
        raise ValueError(
            f"`devices={devices!r}`: a list of at least one device must be given, such as"
            " `jax.devices()[:1]`."
        )
    if not all(isinstance(device, jax.Device) for device in devices):
        raise TypeError(
            f"`devices={devices!r}`: all must be JAX devices, such as `jax.devices()[:1]`."
        )
    if len(set(devices)) < len(devices):
        raise ValueError(f"`devices={devices!r}`: a device is named twice. Name each once.")
    if len({device.platform for device in devices}) > 1:
        raise ValueError(f"`devices={devices!r}`: all must be of one kind. Leave the others out.")
    return devices


def _population(population: Any, budget: Budget, platform: str, given: int) -> int:
    if population is None:
        return max(population_for(budget.evaluations, platform), given)
    population = _whole("population", population, 1, 2**24, "population=64")
    if population < given:
        raise ValueError(
            f"`population={population}`: the first round must hold the space's initial candidate"
            f" and those of `init`, {given} in all. Say `population={given}` or more."
        )
    return population


def _best_value(state: Any, history: History, sign: int, estimated: bool) -> float:
    """The value of the best candidate, in the user's direction.

    Raises:
        ValueError: if there is none.
        RuntimeError: if the algorithm's best value is not the lowest that it was told.
    """
    best = float(state.best_value)
    if not np.isfinite(best):
        raise ValueError(
            f"every one of the {history['evaluation'][-1] + 1:,} values of the objective was NaN"
            " or infinite: there is no best candidate. Evaluate `fn` at its initial values by"
            " hand."
        )
    if not estimated and sign * best != history.best()[-1]:
        raise RuntimeError(
            f"the algorithm says that its best value is {sign * best}, but the best that it was"
            f" told is {history.best()[-1]}. Its `tell` must keep the lowest value ever told."
        )
    return sign * best


def _aux(objective: Objective, best: Any, key: jax.Array) -> Any:
    """What the objective returned beside the value of the best candidate."""
    if objective.aux is None:
        return None
    key = jnp.asarray(np.asarray(key))
    aux = jax.jit(objective.aux)(objective.constants, best, _noise.fold_in(key, 0))
    return jax.device_get(aux)
