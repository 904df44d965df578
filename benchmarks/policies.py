"""Policies for gymnax's environments: the weights of a small network, judged by its returns."""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from benchmarks.extras import require
from benchmarks.instance import Family, Instance

HIDDEN = 16
STD = 1.0
VALIDATION = 64
TEST = 256


class Game(NamedTuple):
    """An environment.

    Attributes:
        observations: numbers that a policy sees.
        actions: choices, or numbers, that it gives.
        reach: largest size of an action; None if it is a choice.
    """

    observations: int
    actions: int
    reach: float | None

    @property
    def weights(self) -> int:
        """Numbers that a policy is made of."""
        return (self.observations + 1) * HIDDEN + (HIDDEN + 1) * self.actions


GAMES: Mapping[str, Game] = {
    "CartPole-v1": Game(4, 2, None),
    "Acrobot-v1": Game(6, 3, None),
    "Pendulum-v1": Game(3, 1, 2.0),
    "MountainCarContinuous-v0": Game(2, 1, 1.0),
}


def action(game: Game, policy: dict[str, Any], observation: Any) -> Any:
    """What a policy does.

    Args:
        game: the environment.
        policy: the weights.
        observation: what it sees.

    Returns:
        The number of the choice with the largest output, or the outputs squashed to their reach.
    """
    hidden = jnp.tanh(observation @ policy["hidden"] + policy["bias"])
    outputs = hidden @ policy["out"] + policy["shift"]
    if game.reach is not None:
        return game.reach * jnp.tanh(outputs)
    # XLA compiles an argmax inside these loops without end on a CPU.
    numbers = jnp.arange(game.actions)
    return jnp.max(jnp.where(outputs == jnp.max(outputs), numbers, 0))


def initial_policy(game: Game, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Weights whose outputs are about as large as their inputs."""

    def layer(inputs: int, outputs: int) -> np.ndarray:
        return rng.normal(0, inputs**-0.5, (inputs, outputs)).astype(np.float32)

    return {
        "hidden": layer(game.observations, HIDDEN),
        "bias": np.zeros(HIDDEN, np.float32),
        "out": layer(HIDDEN, game.actions),
        "shift": np.zeros(game.actions, np.float32),
    }


def _build(name: str, dim: int, rng: np.random.Generator) -> Instance:
    game = GAMES[name]
    environment, settings = require("gymnax").make(name)
    initial, unflatten = ravel_pytree(initial_policy(game, rng))
    # Keys of four kinds that never meet: the searches draw their own from their seeds.
    host, validation, test = jax.random.split(jax.random.key(int(rng.integers(2**31))), 3)

    def loss(policy: dict[str, Any], key: jax.Array) -> jax.Array:
        """Minus the return of one episode."""

        def step(carry: Any, key: jax.Array) -> tuple[Any, None]:
            observation, state, total, running = carry
            observation, state, reward, done, _ = environment.step_env(
                key, state, action(game, policy, observation), settings
            )
            # What comes after the end is played, too, but does not count.
            total = total + jnp.where(running, jnp.reshape(reward, ()), 0.0)
            return (observation, state, total, running & ~done), None

        start, rest = jax.random.split(key)
        first = (*environment.reset_env(start, settings), jnp.float32(0), jnp.bool(True))
        keys = jax.random.split(rest, settings.max_steps_in_episode)
        (_, _, total, _), _ = jax.lax.scan(step, first, keys)
        return -total

    @jax.jit
    def one(x: jax.Array, number: Any) -> jax.Array:
        return loss(unflatten(x), jax.random.fold_in(host, number))

    @partial(jax.jit, static_argnums=2)
    def mean(x: jax.Array, key: jax.Array, episodes: int) -> jax.Array:
        return jnp.mean(jax.vmap(partial(loss, unflatten(x)))(jax.random.split(key, episodes)))

    def judge(answers: Sequence[np.ndarray]) -> float:
        scores = [float(mean(jnp.asarray(x), validation, VALIDATION)) for x in answers]
        return float(mean(jnp.asarray(answers[int(np.argmin(scores))]), test, TEST))

    number = count()
    return Instance(
        fn=loss,
        fn_numpy=lambda x: float(one(jnp.asarray(x, jnp.float32), next(number))),
        kind="weights",
        dim=dim,
        low=-5.0,
        high=5.0,
        std=STD,
        initial=np.asarray(initial),
        sample=lambda rng: rng.normal(0, 1, dim).astype(np.float32),
        unflatten=unflatten,
        scale=1.0,
        judge=judge,
    )


POLICIES: Mapping[str, Family] = {
    name: Family(partial(_build, name), default_dim=game.weights, fixed_dim=True)
    for name, game in GAMES.items()
}
"""One family an environment. Every evaluation is one episode."""
