"""Trains a network of a million weights on images of clothes, without gradients.

The network has 784-1024-256-10 units, 1,068,810 weights in all, and starts from He's
initialisation. The search lowers the cross entropy of a few training images that each round draws
anew. Prints the accuracy on the test images before and after.

The images are Fashion-MNIST: four idx .gz files, in a folder given by --data, or where Debian's
package dataset-fashion-mnist puts them. Without them, scikit-learn's digits stand in.
"""

import argparse
import gzip
import itertools
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxhop

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def main() -> None:
    parser = argparse.ArgumentParser(description="Trains a network without gradients.")
    parser.add_argument("--data", type=Path, help=f"folder of the images; default: {DEBIAN}")
    parser.add_argument("--seconds", type=float, default=60, help="default: 60")
    parser.add_argument("--hidden", type=int, nargs="+", default=[1024, 256], metavar="UNITS")
    parser.add_argument("--batch", type=int, default=64, help="images a round; default: 64")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    arguments = parser.parse_args()

    if arguments.data or DEBIAN.exists():
        folder = arguments.data or DEBIAN
        train, test = idx_images(folder, "train"), idx_images(folder, "t10k")
    else:
        print(f"No {DEBIAN}, and no --data: training on scikit-learn's digits instead.")
        train, test = digits()
    images, labels = (jnp.asarray(column) for column in train)

    def loss(layers: Any, key: jax.Array) -> jax.Array:
        drawn = jax.random.randint(key, (arguments.batch,), 0, len(labels))
        log_probabilities = jax.nn.log_softmax(logits(layers, images[drawn]))
        return -jnp.mean(log_probabilities[jnp.arange(arguments.batch), labels[drawn]])

    sizes = (images.shape[1], *arguments.hidden, 10)
    start = initial_layers(sizes, np.random.default_rng(arguments.seed))
    result = jaxhop.search(
        loss, jaxhop.weights(start), runtime=arguments.seconds, seed=arguments.seed
    )
    print(result)
    for name, layers in (("at first", start), ("found", result.best)):
        print(f"{name}: test accuracy {accuracy(layers, *test):.4f}")


def idx_images(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Rows of pixels in [0, 1], and their classes, from two idx .gz files."""
    pixels = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    # Four bytes of kind, then four for each dimension: three of images, one of labels.
    rows = np.frombuffer(pixels, np.uint8, offset=16).reshape(-1, 28 * 28)
    return rows.astype(np.float32) / 255, np.frombuffer(labels, np.uint8, offset=8)


def digits() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """scikit-learn's digits, each pixel made 3 by 3 and a border drawn to reach 28 by 28."""
    from sklearn.datasets import load_digits

    data, labels = (np.asarray(column) for column in load_digits(return_X_y=True))
    pixels = np.kron(data.reshape(-1, 8, 8) / 16, np.ones((1, 3, 3)))
    rows = np.pad(pixels, ((0, 0), (2, 2), (2, 2))).reshape(-1, 28 * 28).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(labels))
    rows, labels = rows[order], labels[order]
    return (rows[360:], labels[360:]), (rows[:360], labels[:360])


def initial_layers(
    sizes: tuple[int, ...], rng: np.random.Generator
) -> list[dict[str, np.ndarray]]:
    """Weights as He et al. (2015) start networks of rectified linear units."""
    return [
        {
            "w": rng.normal(0, np.sqrt(2 / inputs), (inputs, outputs)).astype(np.float32),
            "b": np.zeros(outputs, np.float32),
        }
        for inputs, outputs in itertools.pairwise(sizes)
    ]


def logits(layers: Any, images: jax.Array | np.ndarray) -> jax.Array:
    *hidden, last = layers
    outputs = jnp.asarray(images)
    for layer in hidden:
        outputs = jax.nn.relu(outputs @ layer["w"] + layer["b"])
    return outputs @ last["w"] + last["b"]


def accuracy(layers: Any, images: np.ndarray, labels: np.ndarray) -> float:
    return float(jnp.mean(jnp.argmax(logits(layers, images), axis=1) == labels))


if __name__ == "__main__":
    main()
