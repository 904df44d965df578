"""Searches numbers, whole numbers, options and an array together, in one compiled program.

The model is kernel ridge regression, which is to tell three kinds of wine apart by what a
chemist measured. The space says which kernel, how wide, how much ridge, whether the inputs are
ranked first, and which of the 13 inputs are used at all: whole numbers of 0 or 1. The objective is
the error of leaving one wine out at a time, which this model has in closed form. An option that is
text arrives as a `jaxhop.Option`, and `switch` chooses by it. Draws all parameters at once.

Run it: `python 10_mixed_space.py --picture mixed.png`
"""

import argparse
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxhop

try:
    from sklearn.datasets import load_wine
except ImportError as error:
    raise ImportError(
        f'this example needs scikit-learn, but: {error}. Run `pip install "jaxhop[examples]"`.'
    ) from error

parser = argparse.ArgumentParser(description="Searches a space of all kinds of parameters.")
parser.add_argument("--evaluations", type=int, default=1500, help="default: 1500")
parser.add_argument("--seed", type=int, default=0, help="default: 0")
parser.add_argument("--picture", help="file to draw the search into; default: none")
arguments = parser.parse_args()

data: Any = load_wine()
inputs = np.asarray(data.data)
kinds = jax.nn.one_hot(data.target, 3)
standard = jnp.asarray((inputs - inputs.mean(0)) / inputs.std(0), jnp.float32)
ranked = jnp.asarray(inputs.argsort(0).argsort(0) / len(inputs) * 4 - 2, jnp.float32)

space = {
    "kernel": jaxhop.choice("gaussian", "exponential", "linear"),
    "width": jaxhop.float(0.5, 50, log=True),
    "ridge": jaxhop.float(1e-3, 1e1, "0.2g"),
    "ranked": jaxhop.bool(),
    "used": jaxhop.int(0, 1, shape=(13,)),
}


def loss(params):
    x = jnp.where(params["ranked"], ranked, standard) * params["used"] / params["width"]
    squared = jnp.sum((x[:, None] - x) ** 2, axis=2)
    kernel = params["kernel"].switch(
        lambda: jnp.exp(-squared / 2),
        lambda: jnp.exp(-jnp.sqrt(squared + 1e-12)),
        lambda: x @ x.T,
    )
    # How far the prediction for each wine would be off, had that wine not been there.
    hat = kernel @ jnp.linalg.inv(kernel + params["ridge"] * jnp.eye(len(kinds)))
    off = (kinds - hat @ kinds) / (1 - jnp.diag(hat))[:, None]
    return jnp.sqrt(jnp.mean(off**2))


result = jaxhop.search(loss, space, evaluations=arguments.evaluations, seed=arguments.seed)
print(result)
used = [name for name, one in zip(data.feature_names, result.best["used"], strict=True) if one]
print(f"inputs that are used: {', '.join(used)}")

if arguments.picture:
    import matplotlib.pyplot as plt

    jaxhop.plots.parallel_coordinates(result)
    plt.savefig(arguments.picture)
