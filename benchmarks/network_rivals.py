"""What jaxhop is set beside in `network.py`: loops that train any weights, and their settings."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree

from benchmarks.extras import require

DISPATCH_SECONDS = 0.25
LARGE = 300_000
"""Weights from which an algorithm takes its settings for large networks: between the two sizes
that settings were tuned for, 101,770 and 1,068,810."""

Array = Any
Weights = Any
Loss = Callable[[Weights, jax.Array], jax.Array]
"""Maps weights and a key, which draws a minibatch, to a value."""


class Train(NamedTuple):
    """What an algorithm is given.

    Attributes:
        loss: maps data, weights and a key to a value.
        data: arrays that the loss is about.
        start: the first weights, a pytree.
        seconds: wall time to train for.
        seed: of everything random.
    """

    loss: Callable[[Any, Weights, jax.Array], jax.Array]
    data: Any
    start: Weights
    seconds: float
    seed: int


class Outcome(NamedTuple):
    """What an algorithm ends with.

    Attributes:
        answers: the weights it may be judged by.
        evaluations: calls of the loss.
        seconds: wall time without compilation.
        compile_seconds: wall time of tracing and compilation.
        materialised: of jaxhop alone, the operations that had low-rank matrices written out.
    """

    answers: list[Weights]
    evaluations: int
    seconds: float
    compile_seconds: float
    materialised: int | None = None


@dataclass(frozen=True)
class Algorithm:
    """A way to train, with default settings.

    Attributes:
        run: maps `Train` and settings to `Outcome`.
        package: whose version belongs beside its numbers.
        settings: arguments of `run`, and `batch`, which goes to the loss.
        large: those that are others from `LARGE` weights on.
    """

    run: Callable[..., Outcome]
    package: str
    settings: Mapping[str, Any]
    large: Mapping[str, Any]

    def settings_for(self, weights: int) -> dict[str, Any]:
        """Choose the settings for so many weights."""
        return {**self.settings, **(self.large if weights >= LARGE else {})}


def repeat(
    train: Train,
    state: Any,
    one_round: Callable[[Loss, Any, jax.Array, jax.Array], Any],
    per_round: int,
    answers: Callable[[Any], list[Weights]],
) -> Outcome:
    """Repeat a round in compiled loops until the seconds are over.

    Args:
        train: what to train, and for how long.
        state: the first state.
        one_round: maps loss, state, key of the round and share of time that is over to a state.
        per_round: evaluations a round.
        answers: takes the weights to be judged out of the last state.

    Returns:
        The outcome; compilation, and a first dispatch of no rounds, are not in its seconds.
    """

    # The data are an argument: as constants they would be copied into the program.
    def advance(state: Any, data: Any, done: Array, count: Array, progress: Array) -> Any:
        loss = partial(train.loss, data)

        def body(i: Array, state: Any) -> Any:
            key = jax.random.fold_in(jax.random.key(train.seed), done + i)
            return one_round(loss, state, key, progress)

        return jax.lax.fori_loop(0, count, body, state)

    begin = time.perf_counter()
    # Types and buffers of its own, or neither the loop's carry nor the donation would fit.
    loss = partial(train.loss, train.data)
    shapes = jax.eval_shape(partial(one_round, loss), state, jax.random.key(0), jnp.float32(0))
    state = jax.tree.map(lambda leaf, like: jnp.array(leaf, like.dtype), state, shapes)
    numbers = np.int32(0), np.int32(0), np.float32(0)
    program = jax.jit(advance, donate_argnums=0)
    compiled = program.lower(state, train.data, *numbers).compile()
    state = jax.block_until_ready(compiled(state, train.data, *numbers))
    compile_seconds = time.perf_counter() - begin

    start, done, now, count = time.perf_counter(), 0, 0.0, 1
    while now < train.seconds:
        numbers = np.int32(done), np.int32(count), np.float32(now / train.seconds)
        state = jax.block_until_ready(compiled(state, train.data, *numbers))
        done += count
        now = time.perf_counter() - start
        count = max(int(min(DISPATCH_SECONDS, train.seconds - now) * done / now), 1)
    return Outcome(answers(state), done * per_round, now, compile_seconds)


def over(value: Callable[[Array], jax.Array], candidates: Array) -> jax.Array:
    """Values of candidates; one after the other on a CPU, which was twice as fast there."""
    if jax.default_backend() == "cpu":
        return jax.lax.map(value, candidates)
    return jax.vmap(value)(candidates)


def run_evosax(
    train: Train,
    *,
    strategy: str,
    population: int,
    std: float,
    learning_rate: float | None = None,
    decay: float = 1.0,
    **fields: Any,
) -> Outcome:
    """Run a strategy of evosax.

    Args:
        train: what to train.
        strategy: class in `evosax.algorithms`.
        population: candidates a round.
        std: first standard deviation of a weight.
        learning_rate: Adam's; without it the strategy keeps its own way to move its mean.
        decay: factor on `learning_rate` when the time is over, reached geometrically.
        **fields: replace fields of the strategy's default parameters.

    Returns:
        The outcome. Judged are the final mean and the best candidate ever seen.
    """
    flat, unflatten = ravel_pytree(train.start)
    arguments: dict[str, Any] = {}
    if learning_rate is not None:
        arguments["optimizer"] = optax.inject_hyperparams(optax.adam)(learning_rate=learning_rate)
    if strategy == "Open_ES":
        arguments["std_schedule"] = optax.constant_schedule(std)
    algorithm = getattr(require("evosax.algorithms"), strategy)(
        population_size=population, solution=flat, **arguments
    )
    params = jax.jit(lambda: algorithm.default_params)()
    if hasattr(params, "std_init"):
        params = params.replace(std_init=jnp.asarray(std))
    params = params.replace(**fields)

    def one_round(loss: Loss, state: Any, key: jax.Array, progress: jax.Array) -> Any:
        ask_key, tell_key, loss_key = jax.random.split(key, 3)
        if learning_rate is not None:
            rate = learning_rate * decay**progress
            memory = optax.tree_utils.tree_set(state.opt_state, learning_rate=rate)
            state = state.replace(opt_state=memory)
        candidates, state = algorithm.ask(ask_key, state, params)
        values = over(lambda x: loss(unflatten(x), loss_key), candidates)
        state, _ = algorithm.tell(tell_key, candidates, values, state, params)
        return state

    state = algorithm.init(jax.random.key(train.seed), flat, params)
    return repeat(
        train,
        state,
        one_round,
        population,
        lambda state: [unflatten(state.mean), unflatten(state.best_solution)],
    )


def run_hill_climbing(train: Train, *, population: int, std: float, decay: float = 1.0) -> Outcome:
    """Replace the parent by its best Gaussian child wherever that is better on the same minibatch.

    Args:
        train: what to train.
        population: candidates a round, the parent being one of them.
        std: first standard deviation of a step.
        decay: factor on it when the time is over, reached geometrically.

    Returns:
        The outcome. Judged is the last parent.
    """
    flat, unflatten = ravel_pytree(train.start)

    def one_round(loss: Loss, parent: jax.Array, key: jax.Array, progress: jax.Array) -> jax.Array:
        draw_key, loss_key = jax.random.split(key)

        def candidate(i: Array) -> jax.Array:
            step = jax.random.normal(jax.random.fold_in(draw_key, i), parent.shape)
            return parent + jnp.where(i == 0, 0, std * decay**progress) * step

        # The winner is drawn again from its key, so that no population is held.
        values = over(lambda i: loss(unflatten(candidate(i)), loss_key), jnp.arange(population))
        return candidate(jnp.argmin(values))

    return repeat(train, flat, one_round, population, lambda parent: [unflatten(parent)])


def run_adam(train: Train, *, learning_rate: float) -> Outcome:
    """Descend gradients by back-propagation; the learning rate follows half a cosine to 0."""
    optimizer = optax.inject_hyperparams(optax.adam)(learning_rate=learning_rate)

    def one_round(loss: Loss, state: Any, key: jax.Array, progress: jax.Array) -> Any:
        weights, memory = state
        rate = learning_rate * (1 + jnp.cos(jnp.pi * progress)) / 2
        memory = optax.tree_utils.tree_set(memory, learning_rate=rate)
        updates, memory = optimizer.update(jax.grad(loss)(weights, key), memory, weights)
        return optax.apply_updates(weights, updates), memory

    state = train.start, optimizer.init(train.start)
    return repeat(train, state, one_round, 1, lambda state: [state[0]])


RIVALS: Mapping[str, Algorithm] = {
    "Open_ES": Algorithm(
        partial(run_evosax, strategy="Open_ES"),
        "evosax",
        {"population": 16, "std": 0.02, "learning_rate": 0.01, "decay": 0.1, "batch": 256},
        {"population": 8, "batch": 64},
    ),
    "SNES": Algorithm(
        partial(run_evosax, strategy="SNES"),
        "evosax",
        {"population": 16, "std": 0.02, "learning_rate": 0.01, "decay": 0.1, "batch": 256},
        {"learning_rate": 0.02, "batch": 64},
    ),
    "Sep_CMA_ES": Algorithm(
        partial(run_evosax, strategy="Sep_CMA_ES"),
        "evosax",
        {"population": 32, "std": 0.03, "batch": 256},
        {"population": 16, "batch": 64},
    ),
    "hill_climbing": Algorithm(
        run_hill_climbing,
        "jax",
        {"population": 32, "std": 0.01, "decay": 0.2, "batch": 256},
        {"population": 8},
    ),
    "adam": Algorithm(run_adam, "optax", {"learning_rate": 1e-3, "batch": 64}, {}),
}
"""By name, with the best settings of the grids in README.md."""
