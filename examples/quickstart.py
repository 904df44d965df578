"""Searches a small space of numbers, options and an array; prints what was found and how."""

import jax.numpy as jnp

import jaxhop

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


if __name__ == "__main__":
    result = jaxhop.search(loss, space, runtime="3s", seed=0)
    print(result)
    print(result.best)
