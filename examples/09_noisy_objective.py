"""Finds the cheapest way to keep a shop in stock, where no two years cost the same.

A shop orders as many as `quantity` when its stock falls to `reorder_at`; what it orders arrives
after five days. The objective plays a year by JAX, with customers who come as its key draws
them. A single year may be lucky, so the search ends by trying its best candidates on many years
more (phase confirm) and returns the one with the best mean. Prints what the cheapest single year
promised, and what its candidate and the one that was found cost in the long run.

Run it: `python 09_noisy_objective.py --picture noise.png`
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np

import jaxhop

DAYS, DELAY = 365, 5

parser = argparse.ArgumentParser(description="Minimises a cost that chance has a part in.")
parser.add_argument("--evaluations", type=int, default=3000, help="default: 3000")
parser.add_argument("--seed", type=int, default=0, help="default: 0")
parser.add_argument("--picture", help="file to draw the search into; default: none")
arguments = parser.parse_args()

space = {"reorder_at": jaxhop.int(0, 150), "quantity": jaxhop.int(1, 300)}


def daily_cost(policy, key):
    """What a day costs, in the mean over a year."""
    customers = jax.random.poisson(key, 12.0, (DAYS,))

    def day(carry, customers):
        stock, coming = carry  # coming: what arrives tomorrow, the day after, and so on
        stock, coming = stock + coming[0], jnp.roll(coming, -1).at[-1].set(0)
        missed = jnp.maximum(customers - stock, 0)
        stock = jnp.maximum(stock - customers, 0)
        ordered = stock + jnp.sum(coming) <= policy["reorder_at"]
        coming = coming.at[-1].set(jnp.where(ordered, policy["quantity"], 0))
        # Goods that lie there, customers who leave with nothing, and a delivery.
        return (stock, coming), 0.1 * stock + 5.0 * missed + 40.0 * ordered

    full = (jnp.asarray(100), jnp.zeros(DELAY, int))
    return jnp.mean(jax.lax.scan(day, full, customers)[1])


result = jaxhop.search(daily_cost, space, evaluations=arguments.evaluations, seed=arguments.seed)
print(result)
print(result.best)


@jax.jit
def long_run(policy):
    return jnp.mean(
        jax.vmap(daily_cost, (None, 0))(policy, jax.random.split(jax.random.key(1), 4096))
    )


values = result.history["value"]
luckiest = int(np.argmin(values))
candidate = result.history.params(luckiest)
print(f"the cheapest single year: {values[luckiest]:.3f} a day")
print(f"    its candidate in the long run: {long_run(candidate):.3f} {candidate}")
print(f"the candidate found, in the long run: {long_run(result.best):.3f}")

if arguments.picture:
    import matplotlib.pyplot as plt

    ax = jaxhop.plots.history(result)
    ax.set_ylabel("cost of a day (lower is better)")
    plt.savefig(arguments.picture)
