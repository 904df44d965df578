"""Tunes how a network is trained, with a worker for each GPU and bad runs ended early.

The training is a stand-in for yours: a small network for handwritten digits, by JAX and optax.
Each worker process sees one GPU and takes it; where there is none, two workers share the cores.
The objective is a generator. After each epoch it yields the loss on images that were held out,
and the pruner ends a run that is worse than the median of the others at that epoch. Draws what
each worker did when.

Run it: `python 06_per_gpu_training.py --picture workers.png`
"""

import argparse
import shutil

import jax
import numpy as np
import optax

import jaxhop

try:
    from sklearn.datasets import load_digits
except ImportError as error:
    raise ImportError(
        f'this example needs scikit-learn, but: {error}. Run `pip install "jaxhop[examples]"`.'
    ) from error

EPOCHS = 12
BATCH = 64

parser = argparse.ArgumentParser(description="Tunes the training of a network.")
parser.add_argument("--evaluations", type=int, default=24, help="default: 24")
parser.add_argument("--jobs", type=int, help="workers; default: one for each GPU, or else 2")
parser.add_argument("--seed", type=int, default=0, help="default: 0")
parser.add_argument("--picture", help="file to draw the search into; default: none")
arguments = parser.parse_args()

data, target = (np.asarray(column) for column in load_digits(return_X_y=True))
order = np.random.default_rng(0).permutation(len(target))
images, labels = (data[order] / 16).astype(np.float32), target[order]
test = images[:360], labels[:360]
images, labels = images[360:], labels[360:]

space = {
    "units": jaxhop.int(16, 256, power_of=2),
    "rate": jaxhop.float(1e-4, 1.0, log=True),
    "optimizer": jaxhop.choice(
        {"name": "adam"}, {"name": "sgd", "momentum": jaxhop.float(0.0, 0.99, "0.2f")}
    ),
}


def training(params):
    rng = np.random.default_rng(0)
    layers = [
        rng.normal(0, np.sqrt(2 / 64), (64, params["units"])).astype(np.float32),
        rng.normal(0, np.sqrt(2 / params["units"]), (params["units"], 10)).astype(np.float32),
    ]
    kind = dict(params["optimizer"])
    optimizer = getattr(optax, kind.pop("name"))(params["rate"], **kind)

    def loss(layers, images, labels):
        logits = jax.nn.relu(images @ layers[0]) @ layers[1]
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    @jax.jit
    def step(layers, state, images, labels):
        gradients = jax.grad(loss)(layers, images, labels)
        updates, state = optimizer.update(gradients, state)
        return optax.apply_updates(layers, updates), state

    state = optimizer.init(layers)
    for _ in range(EPOCHS):
        for _ in range(len(labels) // BATCH):
            rows = rng.choice(len(labels), BATCH)
            layers, state = step(layers, state, images[rows], labels[rows])
        yield float(loss(layers, *test))


# A machine with NVIDIA's GPUs has NVIDIA's tool that lists them.
jobs = arguments.jobs or ("per-gpu" if shutil.which("nvidia-smi") else 2)
result = jaxhop.search(
    training,
    space,
    evaluations=arguments.evaluations,
    n_jobs=jobs,
    pruner=jaxhop.pruners.MedianPruner(),
    seed=arguments.seed,
)
print(result)
print(result.best)
pruned = (result.history["status"] == "pruned").sum()
print(f"{pruned} of {result.evaluations} runs were ended early")

if arguments.picture:
    import matplotlib.pyplot as plt

    _, (above, below) = plt.subplots(
        2, 1, figsize=(8, 6), height_ratios=(3, 1), sharex=True, layout="constrained"
    )
    jaxhop.plots.history(result, x="seconds", ax=above)
    jaxhop.plots.timeline(result, ax=below)
    above.set(xlabel="", ylabel="loss on held-out images")
    plt.savefig(arguments.picture)
