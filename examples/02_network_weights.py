"""Trains a small network on handwritten digits without gradients.

The network has 64-64-10 units, 4,810 weights. The objective is the cross entropy of images that
its key draws, anew in each round. Prints the accuracy on images that the search has not seen,
and draws how the loss fell beside some of these images with the network's answers.

Run it: `python 02_network_weights.py --picture digits.png`
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np

import jaxhop

try:
    from sklearn.datasets import load_digits
except ImportError as error:
    raise ImportError(
        f'this example needs scikit-learn, but: {error}. Run `pip install "jaxhop[examples]"`.'
    ) from error

BATCH = 256

parser = argparse.ArgumentParser(description="Trains a network without gradients.")
parser.add_argument("--evaluations", type=int, default=20_000, help="default: 20000")
parser.add_argument("--seed", type=int, default=0, help="default: 0")
parser.add_argument("--picture", help="file to draw the search into; default: none")
arguments = parser.parse_args()

rng = np.random.default_rng(arguments.seed)
data, target = (np.asarray(column) for column in load_digits(return_X_y=True))
order = rng.permutation(len(target))
images, labels = jnp.asarray(data[order] / 16, jnp.float32), jnp.asarray(target[order])
test_images, test_labels = images[:360], labels[:360]
images, labels = images[360:], labels[360:]


def logits(network, images):
    hidden = jax.nn.relu(images @ network["w1"] + network["b1"])
    return hidden @ network["w2"] + network["b2"]


def loss(network, key):
    rows = jax.random.choice(key, len(labels), (BATCH,))
    log_probabilities = jax.nn.log_softmax(logits(network, images[rows]))
    return -jnp.mean(log_probabilities[jnp.arange(BATCH), labels[rows]])


start = {
    "w1": rng.normal(0, np.sqrt(2 / 64), (64, 64)).astype(np.float32),
    "b1": np.zeros(64, np.float32),
    "w2": rng.normal(0, np.sqrt(2 / 64), (64, 10)).astype(np.float32),
    "b2": np.zeros(10, np.float32),
}
result = jaxhop.search(
    loss, jaxhop.weights(start), evaluations=arguments.evaluations, seed=arguments.seed
)
print(result)

answers = jnp.argmax(logits(result.best, test_images), axis=1)
print(f"test accuracy {jnp.mean(answers == test_labels):.4f}")

if arguments.picture:
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(11, 4), layout="constrained")
    grid = figure.add_gridspec(4, 13)
    jaxhop.plots.history(result, ax=figure.add_subplot(grid[:, :8]))
    for i in range(20):
        ax = figure.add_subplot(grid[i // 5, 8 + i % 5])
        ax.imshow(test_images[i].reshape(8, 8), cmap="gray_r")
        ax.set_title(f"{answers[i]}", color="black" if answers[i] == test_labels[i] else "red")
        ax.axis("off")
    plt.savefig(arguments.picture)
