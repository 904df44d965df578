"""Finds the weights of an unchanged Flax model, a small convolutional network.

Flax keeps a model's parameters beside the model, as a dict of arrays, which is what
`jaxhop.weights` takes. The objective applies the model to a minibatch drawn by its key. Prints
the accuracy on images of scikit-learn's digits that the search has not seen, before and after.
"""

import argparse
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxhop

try:
    from flax import linen as nn
    from sklearn.datasets import load_digits
except ImportError as error:
    raise ImportError(
        f"this example needs Flax and scikit-learn, but: {error}. "
        'Run `pip install "jaxhop[examples]"`.'
    ) from error

TEST_IMAGES = 360


class Network(nn.Module):
    """Two convolutions that halve the image, and a dense layer."""

    @nn.compact
    def __call__(self, images: jax.Array) -> jax.Array:
        images = nn.relu(nn.Conv(8, (3, 3), strides=2)(images))
        images = nn.relu(nn.Conv(16, (3, 3), strides=2)(images))
        return nn.Dense(10)(images.reshape(len(images), -1))


def main() -> None:
    parser = argparse.ArgumentParser(description="Searches the weights of a Flax model.")
    parser.add_argument("--evaluations", type=int, default=20_000, help="default: 20000")
    parser.add_argument("--batch", type=int, default=256, help="images a round; default: 256")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    arguments = parser.parse_args()

    data, target = (np.asarray(column) for column in load_digits(return_X_y=True))
    order = np.random.default_rng(0).permutation(len(target))
    images = jnp.asarray(data[order].reshape(-1, 8, 8, 1) / 16, jnp.float32)
    labels = jnp.asarray(target[order])
    test_images, test_labels = images[:TEST_IMAGES], labels[:TEST_IMAGES]
    images, labels = images[TEST_IMAGES:], labels[TEST_IMAGES:]

    network = Network()

    def logits(params: Any, images: jax.Array) -> jax.Array:
        return jnp.asarray(network.apply(params, images))

    def loss(params: Any, key: jax.Array) -> jax.Array:
        """Cross entropy of a minibatch; the key is the same for all candidates of a round."""
        rows = jax.random.choice(key, len(labels), (arguments.batch,))
        log_probabilities = jax.nn.log_softmax(logits(params, images[rows]))
        return -jnp.mean(log_probabilities[jnp.arange(arguments.batch), labels[rows]])

    def accuracy(params: Any) -> jax.Array:
        return jnp.mean(jnp.argmax(logits(params, test_images), axis=1) == test_labels)

    params = network.init(jax.random.key(arguments.seed), images[:1])
    result = jaxhop.search(
        loss,
        jaxhop.weights(params),
        evaluations=arguments.evaluations,
        seed=arguments.seed,
    )
    print(result)
    print(f"test accuracy {accuracy(params):.4f} at first, {accuracy(result.best):.4f} as found")


if __name__ == "__main__":
    main()
