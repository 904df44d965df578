"""Finds the weights of an unchanged Equinox model, without gradients.

`jaxhop.weights(model)` takes the model as it is: its floating arrays are searched, and all else
in it, such as activation functions, is passed through. The objective gets a whole model each
time, and the best one comes back as a model. Prints its accuracy on images of scikit-learn's
digits that the search has not seen, before and after.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np

import jaxhop

try:
    import equinox as eqx
    from sklearn.datasets import load_digits
except ImportError as error:
    raise ImportError(
        f"this example needs Equinox and scikit-learn, but: {error}. "
        'Run `pip install "jaxhop[examples]"`.'
    ) from error

TEST_IMAGES = 360


def main() -> None:
    parser = argparse.ArgumentParser(description="Searches the weights of an Equinox model.")
    parser.add_argument("--evaluations", type=int, default=40_000, help="default: 40000")
    parser.add_argument("--batch", type=int, default=256, help="images a round; default: 256")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    arguments = parser.parse_args()

    data, target = (np.asarray(column) for column in load_digits(return_X_y=True))
    order = np.random.default_rng(0).permutation(len(target))
    images, labels = jnp.asarray(data[order] / 16, jnp.float32), jnp.asarray(target[order])
    test_images, test_labels = images[:TEST_IMAGES], labels[:TEST_IMAGES]
    images, labels = images[TEST_IMAGES:], labels[TEST_IMAGES:]

    def loss(model: eqx.nn.MLP, key: jax.Array) -> jax.Array:
        """Cross entropy of a minibatch; the key is the same for all models of a round."""
        rows = jax.random.choice(key, len(labels), (arguments.batch,))
        log_probabilities = jax.nn.log_softmax(jax.vmap(model)(images[rows]))
        return -jnp.mean(log_probabilities[jnp.arange(arguments.batch), labels[rows]])

    def accuracy(model: eqx.nn.MLP) -> jax.Array:
        return jnp.mean(jnp.argmax(jax.vmap(model)(test_images), axis=1) == test_labels)

    model = eqx.nn.MLP(64, 10, width_size=64, depth=1, key=jax.random.key(arguments.seed))
    result = jaxhop.search(
        loss,
        jaxhop.weights(model),
        evaluations=arguments.evaluations,
        seed=arguments.seed,
    )
    print(result)
    print(f"test accuracy {accuracy(model):.4f} at first, {accuracy(result.best):.4f} as found")


if __name__ == "__main__":
    main()
