"""The arguments of a search, checked one by one."""

import inspect
import math
import operator
from collections.abc import Sequence
from concurrent.futures import Executor
from datetime import timedelta
from numbers import Real
from typing import Any

import jax

from jaxhop._budget import Budget, parse_runtime
from jaxhop._interrupt import GRACE_SECONDS
from jaxhop._python_search import PythonOptions
from jaxhop.algorithms import Algorithm, population_for
from jaxhop.evaluators import Jobs
from jaxhop.pruners import Pruner
from jaxhop.space import Space

_DIRECTIONS = {"min": "min", "minimize": "min", "max": "max", "maximize": "max"}
_BACKENDS = ("auto", "jax", "python")


def parse_direction(direction: Any) -> str:
    """`"min"` or `"max"` from what the user said.

    Raises:
        ValueError: if it is neither.
    """
    if not isinstance(direction, str) or direction.lower() not in _DIRECTIONS:
        raise ValueError(f'`direction={direction!r}`: it must be "min" or "max".')
    return _DIRECTIONS[direction.lower()]


def whole(name: str, number: Any, low: int, high: int, example: str) -> int:
    """A whole number in a range.

    Raises:
        TypeError: if it is no whole number.
        ValueError: if it is out of range.
    """
    try:
        if isinstance(number, bool):
            raise TypeError
        found = operator.index(number)
    except TypeError:
        raise TypeError(f"`{name}={number!r}`: an int must be given. Say `{example}`.") from None
    if not low <= found <= high:
        raise ValueError(f"`{name}={found}`: it must be in [{low}, {high}]. Say `{example}`.")
    return found


def one_of(name: str, value: Any, options: Sequence[Any]) -> Any:
    """A value that is one of a few.

    Raises:
        ValueError: if it is none of them.
    """
    if not any(type(value) is type(option) and value == option for option in options):
        listed = ", ".join(repr(option) for option in options)
        raise ValueError(f"`{name}={value!r}`: it must be one of {listed}.")
    return value


def parse_backend(backend: Any, python: Sequence[str]) -> str:
    """The backend that was asked for; what concerns Python objectives asks for Python.

    Args:
        backend: what the user said.
        python: arguments given that only concern objectives that run in Python.

    Returns:
        `"auto"`, `"jax"` or `"python"`.

    Raises:
        ValueError: if it is none of them, or at odds with the other arguments.
    """
    one_of("backend", backend, _BACKENDS)
    if python and backend == "jax":
        raise ValueError(
            f'`backend="jax"` and `{python[0]}`: that argument concerns objectives that run in'
            " Python. Leave one of the two out."
        )
    return "python" if python else backend


def parse_options(
    *,
    vectorized: Any,
    n_jobs: Any,
    executor: Any,
    timeout: float | timedelta | str | None,
    on_error: Any,
    duplicates: Any,
    surrogate: Any,
    pruner: Any,
    evaluations_per_process: Any = None,
    count_in_flight: Any = True,
    grace: Any = GRACE_SECONDS,
) -> PythonOptions:
    """Checks what concerns Python objectives.

    Returns:
        The options.

    Raises:
        ValueError: if one of them is out of range, or two contradict each other.
        TypeError: if one is of a wrong type.
    """
    if vectorized is not None:
        one_of("vectorized", vectorized, (False, True))
    one_of("duplicates", duplicates, ("skip", "allow"))
    one_of("surrogate", surrogate, ("auto", True, False))
    if executor is not None and not isinstance(executor, Executor):
        raise TypeError(
            f"`executor={executor!r}`: a `concurrent.futures.Executor` must be given, such as"
            " Dask's `client.get_executor()` or `jaxhop.executors.ray()`."
        )
    several = [name for name, given in (("n_jobs", n_jobs), ("executor", executor)) if given]
    if len(several) > 1:
        raise ValueError(
            "`n_jobs` and `executor`: only one of them can say where trials run. Leave one out."
        )
    if vectorized and (several or timeout is not None):
        other = several[0] if several else "timeout"
        raise ValueError(
            f"`vectorized=True` and `{other}`: a vectorized objective is called once for all, in"
            " this process. Leave one of the two out."
        )
    if vectorized and pruner is not None:
        raise ValueError(
            "`vectorized=True` and `pruner`: the candidates of one call end together. Leave one"
            " of the two out."
        )
    seconds = None if timeout is None else parse_runtime(timeout, "timeout")
    jobs = None
    if n_jobs is not None and n_jobs != 1:
        jobs = Jobs.of(n_jobs)
    elif seconds is not None and executor is None:
        jobs = Jobs.of(1)  # only a process of its own can be stopped
    elif n_jobs is not None:
        Jobs.of(n_jobs)  # refuses True
    return PythonOptions(
        vectorized=bool(vectorized),
        jobs=jobs,
        executor=executor,
        timeout=seconds,
        on_error=_on_error(on_error),
        duplicates=duplicates == "allow",
        screen=None if surrogate == "auto" else surrogate,
        pruner=_pruner(pruner),
        own=None
        if evaluations_per_process is None
        else whole(
            "evaluations_per_process",
            evaluations_per_process,
            1,
            2**62,
            "evaluations_per_process=100",
        ),
        count_in_flight=one_of("count_in_flight", count_in_flight, (True, False)),
        grace=parse_runtime(grace, "grace"),
    )


def _on_error(on_error: Any) -> str | float:
    if on_error is None:
        return "raise"
    number = isinstance(on_error, Real) and not isinstance(on_error, bool)
    if number and math.isfinite(float(on_error)):
        return float(on_error)
    if not isinstance(on_error, str) or on_error not in ("raise", "skip"):
        raise ValueError(
            f'`on_error={on_error!r}`: it must be "raise", "skip", or a finite number that'
            " stands for the value of a trial that failed."
        )
    return on_error


def _pruner(pruner: Any) -> Any:
    if pruner is not None and not isinstance(pruner, Pruner):
        raise TypeError(
            f"`pruner={pruner!r}`: a pruner must be given, such as"
            " `jaxhop.pruners.MedianPruner()`."
        )
    return pruner


def make_algorithm(algorithm: Any, space: Space, population: int, noisy: bool) -> Algorithm:
    """The algorithm that the user chose, for this space and population.

    Raises:
        ValueError: if it is none.
        TypeError: if a recipe returns none.
    """
    if isinstance(algorithm, Algorithm):
        return algorithm
    try:
        inspect.signature(algorithm).bind(space, population, noisy=noisy)
    except (TypeError, ValueError):
        raise ValueError(
            f'`algorithm={algorithm!r}`: it must be "auto", an `Algorithm`, or a recipe, which is'
            " called as recipe(space, population, noisy=False). Say"
            " `jaxhop.algorithms.annealed_mcmc()`."
        ) from None
    made = algorithm(space, population, noisy=noisy)
    if not isinstance(made, Algorithm):
        raise TypeError(
            f"`algorithm={algorithm!r}`: a recipe must return an `Algorithm`, but it returned"
            f" {made!r}. Say `jaxhop.algorithms.annealed_mcmc()`."
        )
    return made


def parse_devices(devices: Any) -> Sequence[Any]:
    """The devices to evaluate on: all, where none is named.

    Raises:
        ValueError: if there is none, one twice, or several kinds.
        TypeError: if they are none of JAX's.
    """
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


def parse_population(
    population: Any, name: str | None, space: Space, budget: Budget, platform: str, given: int
) -> int:
    """Candidates a round.

    Args:
        population: what the user said.
        name: of the algorithm, if jaxhop chose it.
        space: the space.
        budget: the budget.
        platform: where candidates are evaluated.
        given: candidates to begin with.

    Raises:
        ValueError: if the first round cannot hold the candidates that are given.
        TypeError: if it is no whole number.
    """
    if population is None:
        return max(population_for(name or "", space, budget.evaluations, platform), given)
    population = whole("population", population, 1, 2**24, "population=64")
    if population < given:
        raise ValueError(
            f"`population={population}`: the first round must hold the space's initial candidate"
            f" and those of `init`, {given} in all. Say `population={given}` or more."
        )
    return population


def refuse_jax_only(rungs: bool, **given: Any) -> None:
    """Refuses arguments that only concern objectives that are compiled whole.

    Args:
        rungs: whether it is a JAX objective with a fidelity.
        **given: the arguments; None where nothing was given.

    Raises:
        ValueError: if one of them is given.
    """
    for name, value in given.items():
        if value is not None:
            why = (
                "with a fidelity, candidates are evaluated rung by rung on the first device."
                " Leave it out."
                if rungs
                else "that argument concerns objectives that JAX compiles, and this one runs in"
                ' Python. Leave it out, or say `backend="jax"`.'
            )
            raise ValueError(f"`{name}={value!r}`: {why}")


def refuse_python_only(**given: Any) -> None:
    """Refuses arguments that only concern objectives that run in Python.

    Args:
        **given: the arguments; None where nothing was given.

    Raises:
        ValueError: if one of them is given.
    """
    for name, value in given.items():
        if value is not None:
            raise ValueError(
                f"`{name}={value!r}`: that argument concerns objectives that run in Python, and"
                ' this one is compiled by JAX. Leave it out, or say `backend="python"`.'
            )


def refuse_python_parameters(space: Space) -> None:
    """Refuses a space with values made by Python functions, where candidates come in rounds.

    Raises:
        ValueError: if the space has such.
    """
    if space.python:
        raise ValueError(
            "`algorithm`, `population` and `vectorized` mean that candidates come in rounds, but"
            " the space has parameters that are sampled by Python functions. Leave them out."
        )
