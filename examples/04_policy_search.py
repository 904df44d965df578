"""Finds a policy by the return of its episodes: gymnax's CartPole, balanced for 500 steps.

The objective plays a few episodes by `jax.lax.scan` and returns their mean return, so a whole
population of policies plays at once, in one compiled program. Its key draws the starts of the
episodes, which are the same for all policies of a round. Prints the mean return over 100 episodes
that the search has not seen, and draws the learning curve.

Run it: `python 04_policy_search.py --picture policy.png`
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np

import jaxhop

try:
    import gymnax
except ImportError as error:
    raise ImportError(
        f'this example needs gymnax, but: {error}. Run `pip install "jaxhop[examples]"`.'
    ) from error

HIDDEN = 16
STEPS = 500

parser = argparse.ArgumentParser(description="Searches the weights of a CartPole policy.")
parser.add_argument("--evaluations", type=int, default=2_000, help="default: 2000")
parser.add_argument("--episodes", type=int, default=4, help="a policy; default: 4")
parser.add_argument("--seed", type=int, default=0, help="default: 0")
parser.add_argument("--picture", help="file to draw the search into; default: none")
arguments = parser.parse_args()

environment, settings = gymnax.make("CartPole-v1")


def action(policy, observation):
    """Left or right, whichever has the larger output."""
    left, right = jnp.tanh(observation @ policy["hidden"] + policy["bias"]) @ policy["out"]
    return (right > left).astype(jnp.int32)


def episode(policy, key):
    """The return of one episode: how many steps the pole stood."""

    def step(carry, key):
        observation, state, total, standing = carry
        observation, state, reward, done, _ = environment.step_env(
            key, state, action(policy, observation), settings
        )
        # What comes after the fall is played, too, but does not count.
        total = total + jnp.where(standing, reward, 0.0)
        return (observation, state, total, standing & ~done), None

    start, rest = jax.random.split(key)
    first = (*environment.reset_env(start, settings), 0.0, True)
    (_, _, total, _), _ = jax.lax.scan(step, first, jax.random.split(rest, STEPS))
    return total


def mean_return(policy, key, episodes=arguments.episodes):
    return jnp.mean(jax.vmap(episode, (None, 0))(policy, jax.random.split(key, episodes)))


rng = np.random.default_rng(arguments.seed)
start = {
    "hidden": rng.normal(0, 0.5, (4, HIDDEN)).astype(np.float32),
    "bias": np.zeros(HIDDEN, np.float32),
    "out": rng.normal(0, 0.25, (HIDDEN, 2)).astype(np.float32),
}
result = jaxhop.search(
    mean_return,
    jaxhop.weights(start, scale=1.0),
    direction="max",
    evaluations=arguments.evaluations,
    seed=arguments.seed,
)
print(result)

unseen = jax.random.key(arguments.seed + 1)
for name, policy in (("at first", start), ("found", result.best)):
    score = jax.jit(lambda policy: mean_return(policy, unseen, 100))(policy)
    print(f"{name}: mean return {score:.1f} of {STEPS}")

if arguments.picture:
    import matplotlib.pyplot as plt

    ax = jaxhop.plots.history(result)
    rounds = np.unique(result.history["step"])
    means = [result.history["value"][result.history["step"] == each].mean() for each in rounds]
    ends = np.searchsorted(result.history["step"], rounds, side="right")
    ax.plot(ends, means, color="black", label="mean of a round")
    ax.set_ylabel(f"return (of {STEPS})")
    ax.legend(loc="lower right", fontsize=8)
    plt.savefig(arguments.picture)
