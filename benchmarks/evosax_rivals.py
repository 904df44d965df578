"""The adapter of evosax's strategies: ask and tell compiled into one scan."""

import math
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.extras import require
from benchmarks.measure import Meter
from benchmarks.problems import Instance, Problem
from benchmarks.record import Curve, Run, thin

SEGMENT = 100
STRATEGIES = ("Open_ES", "SNES", "Sep_CMA_ES", "CR_FM_NES", "SimulatedAnnealing", "SimpleES")


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

    Args:
        problem: what to search; a box or weights.
        seed: which instance, and the strategy's key.
        evaluations: the budget; the whole generations that fit are run.
        seconds: the budget in time; dispatches are cut so as to end near it.
        population: candidates a generation, `default_population` if None.
        strategy: class in `evosax.algorithms`.
        std: first standard deviation; the instance's if None (0.2 of the box's width).
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
    population = population or default_population(instance.dim)
    strategies = require("evosax.algorithms")
    with Meter() as meter:
        start = time.perf_counter()
        generations = max(evaluations // population, 1) if evaluations else None
        std = instance.std if std is None else std
        algorithm = getattr(strategies, strategy)(
            population_size=population,
            solution=jnp.zeros(instance.dim),
            **_schedules(strategy, std, learning_rate, generations or 1000),
        )
        params = algorithm.default_params
        if hasattr(params, "std_init"):
            params = params.replace(std_init=jnp.asarray(std))
        advance, state = _compile(algorithm, params.replace(**settings), instance, seed)
        compile_seconds = time.perf_counter() - start
        curve, state = _loop(advance, state, generations, seconds)
    point = np.clip(np.asarray(state.best_solution), instance.low, instance.high)
    return Run(
        curve=thin([(done * population, clock, best) for done, clock, best in curve]),
        best=float(state.best_fitness),
        evaluations=int(state.generation_counter) * population,
        seconds=meter.seconds - compile_seconds,
        cpu_seconds=meter.cpu_seconds,
        peak_mb=meter.peak_mb,
        compile_seconds=compile_seconds,
        extra=instance.extra(instance.unflatten(point)),
    )


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


def _compile(
    algorithm: Any, params: Any, instance: Instance, seed: int
) -> tuple[Callable[[Any, int], Any], Any]:
    """Compile `(state, count) -> (state, best value after each generation)`; first state."""
    init_key, key = jax.random.split(jax.random.key(seed))

    def value(x: jax.Array) -> jax.Array:
        return instance.fn(instance.unflatten(x))

    def generation(state: Any) -> Any:
        ask_key, tell_key = jax.random.split(jax.random.fold_in(key, state.generation_counter))
        candidates, state = algorithm.ask(ask_key, state, params)
        candidates = jnp.clip(candidates, instance.low, instance.high)
        state, _ = algorithm.tell(tell_key, candidates, jax.vmap(value)(candidates), state, params)
        return state

    def advance(state: Any, count: jax.Array) -> tuple[Any, jax.Array]:
        def step(state: Any, i: jax.Array) -> tuple[Any, jax.Array]:
            # A traced count: one program serves the last dispatch, too.
            state = jax.lax.cond(i < count, generation, lambda state: state, state)
            return state, state.best_fitness

        return jax.lax.scan(step, state, jnp.arange(SEGMENT))

    state = algorithm.init(init_key, jnp.asarray(instance.initial), params)
    # Types as the first generation leaves them, or the carry of the scan would not fit.
    shapes = jax.eval_shape(generation, state)
    state = jax.tree.map(lambda leaf, like: jnp.asarray(leaf, like.dtype), state, shapes)
    return jax.jit(advance).lower(state, 0).compile(), state


def _loop(
    advance: Callable[[Any, int], Any], state: Any, generations: int | None, seconds: float | None
) -> tuple[Curve, Any]:
    """Dispatch until the budget is spent; the curve counts generations."""
    start, now, done = time.perf_counter(), 0.0, 0
    curve: Curve = []
    while generations is None or done < generations:
        count = SEGMENT if generations is None else min(SEGMENT, generations - done)
        if seconds is not None:
            rate = done / now if done else 0.0
            count = min(count, max(int(rate * (seconds - now)), 1))
        state, bests = advance(state, count)
        bests = np.asarray(bests)[:count]
        before, now = now, time.perf_counter() - start
        clock = np.linspace(before, now, count + 1)[1:]
        for i, best in enumerate(bests):
            if not curve or best < curve[-1][2]:
                curve.append((done + i + 1, float(clock[i]), float(best)))
        done += count
        if seconds is not None and now >= seconds:
            break
    return curve, state
