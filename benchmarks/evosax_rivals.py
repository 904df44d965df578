"""The adapter of evosax's strategies: ask and tell compiled into one scan, or around a host."""

import json
import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from benchmarks.extras import require
from benchmarks.instance import Instance
from benchmarks.measure import Meter
from benchmarks.problems import Problem
from benchmarks.record import CPU_LIMIT, Curve, Recorder, Run, Spent, thin

SEGMENT = 100
STRATEGIES = (
    "Open_ES",
    "SNES",
    "Sep_CMA_ES",
    "CMA_ES",
    "CR_FM_NES",
    "LM_MA_ES",
    "DifferentialEvolution",
    "SimulatedAnnealing",
    "SimpleES",
)

_PROGRAMS: dict[str, Callable[..., Any]] = {}
"""Compiled searches; those of instances that differ in their numbers only are the same."""


class Strategy(NamedTuple):
    """One of evosax's strategies, set up for an instance.

    Attributes:
        name: its class.
        algorithm: its object.
        params: its parameters.
        population: candidates a generation.
        unit: what its numbers are multiplied by to be those of the instance.
        key: what its randomness comes from.
    """

    name: str
    algorithm: Any
    params: Any
    population: int
    unit: Any
    key: jax.Array


def default_population(dim: int) -> int:
    """The usual 4 + 3 ln(dim) of evolution strategies, up to the next multiple of four.

    Example:
        >>> default_population(100)
        20
    """
    return 4 * math.ceil((4 + 3 * math.log(dim)) / 4)


def run_evosax(
    problem: Problem,
    seed: int,
    evaluations: int | None = None,
    seconds: float | None = None,
    population: int | None = None,
    *,
    strategy: str,
    std: float | None = None,
    learning_rate: float = 0.05,
    **settings: Any,
) -> Run:
    """Run a strategy of evosax, its generations compiled into one scan.

    Candidates are clipped to the bounds and told so, which every strategy here stood better than
    clipping behind its back. The two whose step follows a schedule and is constant by default
    (Open_ES, SimulatedAnnealing) would find nothing precise: it shrinks here by 100 and by 1,000
    over the run (over 1,000 generations if the budget is a time), and Open_ES takes Adam.
    An objective that only Python can call gets the candidates of a generation one by one.

    Args:
        problem: what to search; a box or weights.
        seed: which instance, and the strategy's key.
        evaluations: the budget; the whole generations that fit are run.
        seconds: the budget in time; dispatches are cut so as to end near it.
        population: candidates a generation. Default: `default_population`, 64 where values are
            random, 100 for differential evolution.
        strategy: class in `evosax.algorithms`.
        std: first standard deviation; the instance's if None (0.3 of the box's width).
        learning_rate: Adam's in Open_ES, in units of the step. 0.05 suits a thousand generations,
            0.2 a hundred.
        **settings: replace fields of the strategy's default parameters.

    Returns:
        The run. Inside a dispatch of up to 100 generations the curve's seconds are interpolated.
    """
    instance = problem.make(seed)
    if instance.kind == "permutation":
        raise ValueError(
            f"{strategy} on `{problem.name}`: the problem must be a vector of numbers, "
            "but it is a permutation. Leave this algorithm out."
        )
    if population is None:
        usual = 100 if strategy == "DifferentialEvolution" else default_population(instance.dim)
        population = 64 if instance.noisy else usual
    generations = max(evaluations // population, 1) if evaluations else None
    size = float(np.max(instance.std))
    std, unit = size if std is None else std, np.asarray(instance.std) / size
    algorithm = getattr(require("evosax.algorithms"), strategy)(
        population_size=population,
        solution=jnp.zeros(instance.dim),
        **_schedules(strategy, std, learning_rate, generations or 1000),
    )
    params = algorithm.default_params
    if hasattr(params, "std_init"):
        params = params.replace(std_init=jnp.asarray(std))
    params = params.replace(**settings)
    key = jax.random.key(seed)
    made = Strategy(strategy, algorithm, params, population, unit, key)
    what = json.dumps([strategy, population, std, learning_rate, generations, settings])
    if instance.fn is None:
        return _on_host(made, instance, seed, evaluations, seconds, what)
    return _compiled(made, instance, seed, generations, seconds, what)


def _schedules(
    strategy: str, std: float, learning_rate: float, generations: int
) -> dict[str, Any]:
    """Arguments of the strategies whose step follows a schedule."""
    if strategy == "Open_ES":
        rate = optax.exponential_decay(learning_rate * std, generations, 0.01)
        step = optax.exponential_decay(std, generations, 0.01)
        return {"optimizer": optax.adam(rate), "std_schedule": step}
    if strategy == "SimulatedAnnealing":
        return {"std_schedule": optax.exponential_decay(std, generations, 0.001)}
    return {}


def _first(
    made: Strategy, instance: Instance, seed: int, values: Callable[[Any], Any]
) -> tuple[Any, int]:
    """The first state, and how many generations it took: populations begin with values."""
    if made.name != "DifferentialEvolution":
        start = jnp.asarray(instance.initial / made.unit, jnp.float32)
        return made.algorithm.init(jax.random.fold_in(made.key, 0), start, made.params), 0
    rng = np.random.default_rng(seed)
    points = [instance.sample(rng) for _ in range(made.population - 1)]
    first = jnp.asarray(np.stack([instance.initial, *points]) / made.unit, jnp.float32)
    state = made.algorithm.init(
        jax.random.fold_in(made.key, 0), first, jnp.asarray(values(first)), made.params
    )
    return state, 1


def _clipped(made: Strategy, instance: Instance, candidates: jax.Array) -> jax.Array:
    unit = jnp.asarray(made.unit, jnp.float32)
    return jnp.clip(candidates, instance.low / unit, instance.high / unit)


def _on_host(
    made: Strategy,
    instance: Instance,
    seed: int,
    evaluations: int | None,
    seconds: float | None,
    what: str,
) -> Run:
    """Ask and tell are compiled, and the objective is called in between."""
    text = f"{what} {list(instance.groups())}"

    def ask(key: jax.Array, state: Any) -> tuple[jax.Array, Any]:
        candidates, state = made.algorithm.ask(key, state, made.params)
        return _clipped(made, instance, candidates), state

    def tell(key: jax.Array, candidates: jax.Array, values: jax.Array, state: Any) -> Any:
        return made.algorithm.tell(key, candidates, values, state, made.params)[0]

    ask = _PROGRAMS.setdefault(f"ask {text}", jax.jit(ask))
    tell = _PROGRAMS.setdefault(f"tell {text}", jax.jit(tell))
    with Meter() as meter:
        objective = Recorder(instance.fn_numpy, evaluations, seconds)

        def values(candidates: Any) -> np.ndarray:
            points = np.asarray(candidates, np.float64) * made.unit
            return np.array([objective(x) for x in points], np.float32)

        with suppress(Spent):
            state, done = _first(made, instance, seed, values)
            while True:
                ask_key, tell_key = jax.random.split(jax.random.fold_in(made.key, done + 1))
                candidates, state = ask(ask_key, state)
                told = jnp.asarray(values(candidates))
                state = tell(tell_key, candidates, told, state)
                done += 1
    return objective.run(instance, meter)


def _compiled(
    made: Strategy,
    instance: Instance,
    seed: int,
    generations: int | None,
    seconds: float | None,
    what: str,
) -> Run:
    """Generations are one compiled scan, which instances of one form have in common."""
    with Meter() as meter:
        start = time.perf_counter()
        advance, values, data = _program(made, instance, what)
        state, done = _first(made, instance, seed, lambda points: values(data, points, made.key))
        compiled, state = _compile(advance, state, data, made.key)
        compile_seconds = time.perf_counter() - start
        curve, state, stopped = _loop(compiled, state, data, made.key, generations, seconds, done)
    point = np.clip(np.asarray(state.best_solution), instance.low, instance.high)
    done = int(state.generation_counter) + done
    answers = [np.asarray(state.mean), point] if hasattr(state, "mean") else [point]
    judged = instance.judge(answers) if instance.judge else float(state.best_fitness)
    return Run(
        curve=thin([(each * made.population, clock, best) for each, clock, best in curve]),
        best=judged,
        evaluations=done * made.population,
        seconds=meter.seconds - compile_seconds,
        cpu_seconds=meter.cpu_seconds,
        peak_mb=meter.peak_mb,
        compile_seconds=compile_seconds,
        extra=instance.extra(instance.unflatten(point)),
        stopped=stopped,
    )


def _program(made: Strategy, instance: Instance, what: str) -> tuple[Any, Any, list[Any]]:
    """`(state, data, key, count) -> (state, bests)`, the values of points, and the data.

    The numbers of an instance are arguments of its program: the next instance of the same form,
    whose jaxpr reads the same, needs no compilation.
    """
    fn = instance.fn
    assert fn is not None

    def value(x: jax.Array, key: jax.Array) -> jax.Array:
        return fn(instance.unflatten(x), *([key] if instance.noisy else []))

    traced = jax.make_jaxpr(value)(jnp.zeros(instance.dim), made.key)
    name = f"{what} {traced.jaxpr}"
    data = [jnp.asarray(number) for number in traced.consts]

    def values(data: list[Any], points: jax.Array, key: jax.Array) -> jax.Array:
        call = jaxpr_as_fun(ClosedJaxpr(traced.jaxpr, data))
        return jax.vmap(lambda x: call(x, key)[0])(points)

    def generation(state: Any, data: list[Any], key: jax.Array) -> Any:
        own = jax.random.fold_in(key, state.generation_counter + 1)
        ask_key, tell_key, luck = jax.random.split(own, 3)
        candidates, state = made.algorithm.ask(ask_key, state, made.params)
        candidates = _clipped(made, instance, candidates)
        told = values(data, candidates, luck)
        return made.algorithm.tell(tell_key, candidates, told, state, made.params)[0]

    def advance(state: Any, data: list[Any], key: jax.Array, count: Any) -> tuple[Any, Any]:
        def step(state: Any, i: jax.Array) -> tuple[Any, jax.Array]:
            # A traced count: one program serves the last dispatch, too.
            state = jax.lax.cond(
                i < count, lambda state: generation(state, data, key), lambda state: state, state
            )
            return state, state.best_fitness

        return jax.lax.scan(step, state, jnp.arange(SEGMENT))

    def same_types(state: Any, data: list[Any], key: jax.Array) -> Any:
        return jax.eval_shape(generation, state, data, key)

    made_here = {"advance": jax.jit(advance), "values": jax.jit(values), "types": same_types}
    kept = {part: _PROGRAMS.setdefault(f"{part} {name}", made_here[part]) for part in made_here}
    return (kept["advance"], kept["types"]), kept["values"], data


def _compile(programs: Any, state: Any, data: list[Any], key: jax.Array) -> tuple[Any, Any]:
    """Compile, or look up, by a dispatch of no generations; the first state with its types."""
    advance, types = programs
    # Types as the first generation leaves them, or the carry of the scan would not fit.
    shapes = types(state, data, key)
    state = jax.tree.map(lambda leaf, like: jnp.asarray(leaf, like.dtype), state, shapes)
    jax.block_until_ready(advance(state, data, key, 0))
    return advance, state


def _loop(
    advance: Callable[..., Any],
    state: Any,
    data: list[Any],
    key: jax.Array,
    generations: int | None,
    seconds: float | None,
    done: int,
) -> tuple[Curve, Any, bool]:
    """Dispatch until the budget is spent; the curve counts generations."""
    start, now, begun = time.perf_counter(), 0.0, done
    cpu = time.process_time()
    curve: Curve = [(done, 0.0, float(state.best_fitness))] if done else []
    while generations is None or done < generations:
        count = SEGMENT if generations is None else min(SEGMENT, generations - done)
        if seconds is not None:
            rate = (done - begun) / now if done > begun else 0.0
            count = min(count, max(int(rate * (seconds - now)), 1))
        state, bests = advance(state, data, key, count)
        bests = np.asarray(bests)[:count]
        before, now = now, time.perf_counter() - start
        clock = np.linspace(before, now, count + 1)[1:]
        for i, best in enumerate(bests):
            if not curve or best < curve[-1][2]:
                curve.append((done + i + 1, float(clock[i]), float(best)))
        done += count
        if seconds is not None and now >= seconds:
            break
        if time.process_time() - cpu > CPU_LIMIT:
            return curve, state, True
    return curve, state, False
