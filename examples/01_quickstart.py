"""Searches a small space of numbers, options and an array; prints what was found and how.

Run it: `python 01_quickstart.py`, and with `--picture quickstart.png` to see how the search went.
"""

import argparse

import jax.numpy as jnp

import jaxhop

parser = argparse.ArgumentParser(description="A first search.")
parser.add_argument("--evaluations", type=int, default=3000, help="default: 3000")
parser.add_argument("--picture", help="file to draw the search into; default: none")
arguments = parser.parse_args()

space = {
    "scale": jaxhop.float(1e-3, 1e1, "0.1g"),  # log-uniform, 1 significant digit
    "depth": jaxhop.int(1, 8),
    "gain": jaxhop.choice([0.5, 1.0, 2.0]),
    "shift": jaxhop.float(-1, 1, shape=(4,)),
    "name": "quickstart",  # anything that is no parameter is a constant
}


def loss(params):
    distance = jnp.sum((params["shift"] - jnp.array([0.1, -0.2, 0.3, -0.4])) ** 2)
    return distance + (params["gain"] * params["depth"] * params["scale"] - 0.06) ** 2


# In place of a number of evaluations, a time will do: `runtime="10s"`.
result = jaxhop.search(loss, space, evaluations=arguments.evaluations, seed=0)
print(result)
print(result.best)

if arguments.picture:
    import matplotlib.pyplot as plt

    result.plot()
    plt.savefig(arguments.picture)
