"""Balances a pole twice: gymnasium's CartPole in plain Python, and gymnax's compiled by JAX.

The space is the same: the weights of a small network that pushes the cart left or right. So is
the objective, the mean number of steps for which the pole stands, over the same few episodes for
all candidates. Only what the objective is written in differs; `n_jobs` says that it is Python, and
more than one job evaluates candidates in so many processes. Prints episodes a second and, over
100 episodes that the search has not seen, the mean return of the policies found.
"""

import argparse
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxhop

try:
    import gymnasium
    import gymnax
except ImportError as error:
    raise ImportError(
        f'this example needs gymnasium and gymnax, but: {error}. Run `pip install ".[examples]"`.'
    ) from error

HIDDEN = 8
STEPS = 500
EPISODES = 4  # of each candidate
UNSEEN = 100


def main() -> None:
    parser = argparse.ArgumentParser(description="Balances a pole in gymnasium and in gymnax.")
    parser.add_argument("--evaluations", type=int, default=300, help="of each; default: 300")
    parser.add_argument("--jobs", type=int, default=1, help="processes for Python; default: 1")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    arguments = parser.parse_args()

    space = {
        "hidden": jaxhop.float(-1, 1, shape=(4, HIDDEN)),
        "bias": jaxhop.float(-1, 1, shape=(HIDDEN,)),
        "out": jaxhop.float(-1, 1, shape=(HIDDEN,)),
    }
    sides: tuple[tuple[str, Callable[..., Any], dict[str, Any]], ...] = (
        ("gymnasium", gymnasium_return, {"n_jobs": arguments.jobs}),
        ("gymnax", gymnax_return(), {}),
    )
    print(f"{'':11}{'episodes/s':>11}{'compiled in':>13}{'mean return (of 500)':>22}")
    for name, mean_return, settings in sides:
        result = jaxhop.search(
            mean_return,
            space,
            direction="max",
            evaluations=arguments.evaluations,
            seed=arguments.seed,
            **settings,
        )
        score = mean_return(result.best, range(EPISODES, EPISODES + UNSEEN))
        speed = result.evaluations * EPISODES / result.seconds
        print(f"{name:11}{speed:11,.0f}{result.compile_seconds:11.1f} s{score:22.1f}")


def gymnasium_return(policy: dict[str, np.ndarray], seeds: range = range(EPISODES)) -> float:
    """Mean return of episodes, one after the other."""
    environment = gymnasium.make("CartPole-v1")
    total = 0
    for seed in seeds:
        observation, _ = environment.reset(seed=seed)
        over = False
        while not over:
            hidden = np.tanh(observation @ policy["hidden"] + policy["bias"])
            move = int(hidden @ policy["out"] > 0)
            observation, _, fallen, long_enough, _ = environment.step(move)
            over = fallen or long_enough
            total += 1
    return total / len(seeds)


def gymnax_return() -> Callable[..., jax.Array]:
    """A function that returns the mean return of episodes, all at once."""
    environment, settings = gymnax.make("CartPole-v1")

    def episode(policy: dict[str, jax.Array], seed: jax.Array) -> jax.Array:
        def step(carry: Any, key: jax.Array) -> tuple[Any, None]:
            observation, state, total, standing = carry
            hidden = jnp.tanh(observation @ policy["hidden"] + policy["bias"])
            move = (hidden @ policy["out"] > 0).astype(jnp.int32)
            observation, state, _, done, _ = environment.step_env(key, state, move, settings)
            # What comes after the fall is played, too, but does not count.
            return (observation, state, total + standing, standing & ~done), None

        start, rest = jax.random.split(jax.random.key(seed))
        first = (*environment.reset_env(start, settings), 0, True)
        (_, _, total, _), _ = jax.lax.scan(step, first, jax.random.split(rest, STEPS))
        return total

    def mean_return(policy: dict[str, jax.Array], seeds: range = range(EPISODES)) -> jax.Array:
        return jnp.mean(jax.vmap(episode, (None, 0))(policy, jnp.asarray(seeds)))

    return mean_return


if __name__ == "__main__":
    main()
