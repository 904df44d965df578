"""Trains a network written in PyTorch, a whole population of its weights at a time.

With `vectorized=True` the objective gets all candidates of a round as NumPy arrays with a leading
axis, and returns an array of values. `torch.func.functional_call` runs an unchanged module with
weights from outside, and `torch.vmap` does so for all of them at once, on a GPU if there is one.
Draws what the network found says of each place, beside how the loss fell.

Run it: `python 11_pytorch_vectorized.py --picture torch.png`
"""

import argparse

import numpy as np

import jaxhop

try:
    import torch
except ImportError as error:
    raise ImportError(
        f"this example needs PyTorch, but: {error}. Run `pip install torch`."
    ) from error

parser = argparse.ArgumentParser(description="Trains a PyTorch module without gradients.")
parser.add_argument("--evaluations", type=int, default=20_000, help="default: 20000")
parser.add_argument("--seed", type=int, default=0, help="default: 0")
parser.add_argument("--picture", help="file to draw the search into; default: none")
arguments = parser.parse_args()

# Two spirals, a class each.
rng = np.random.default_rng(arguments.seed)
turn = rng.uniform(0.5, 3.0, 400)
label = rng.integers(0, 2, 400)
angle = 2 * turn + np.pi * label
points = np.stack([turn * np.cos(angle), turn * np.sin(angle)], axis=1)
points += rng.normal(0, 0.1, points.shape)

device = "cuda" if torch.cuda.is_available() else "cpu"
inputs = torch.tensor(points, dtype=torch.float32, device=device)
labels = torch.tensor(label, dtype=torch.float32, device=device)
torch.manual_seed(arguments.seed)
model = torch.nn.Sequential(
    torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 16), torch.nn.Tanh(),
    torch.nn.Linear(16, 1),
).to(device)  # fmt: skip
start = {name: weights.detach().cpu().numpy() for name, weights in model.named_parameters()}


def on_device(params):
    return {name: torch.as_tensor(each, device=device) for name, each in params.items()}


def logits(weights, inputs):
    return torch.func.functional_call(model, weights, inputs).squeeze(-1)


def loss(weights):
    return torch.nn.functional.binary_cross_entropy_with_logits(logits(weights, inputs), labels)


@torch.no_grad()
def losses(params):
    """Values of shape (population,); `params` are arrays of shape (population, ...)."""
    return torch.vmap(loss)(on_device(params)).cpu().numpy()


result = jaxhop.search(
    losses,
    jaxhop.weights(start, scale=0.5),
    evaluations=arguments.evaluations,
    vectorized=True,
    seed=arguments.seed,
)
print(result)
right = (logits(on_device(result.best), inputs) > 0) == (labels > 0.5)
print(f"accuracy {right.float().mean():.4f}")

if arguments.picture:
    import matplotlib.pyplot as plt

    _, (left, right) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    jaxhop.plots.history(result, ax=left)
    x, y = np.meshgrid(np.linspace(-4, 4, 100), np.linspace(-4, 4, 100))
    grid = torch.tensor(np.stack([x, y], axis=-1), dtype=torch.float32, device=device)
    with torch.no_grad():
        answer = torch.sigmoid(logits(on_device(result.best), grid)).cpu().numpy()
    right.contourf(x, y, answer, levels=20, cmap="RdBu", alpha=0.6)
    right.scatter(*points.T, c=label, cmap="RdBu", s=12, edgecolor="black", linewidth=0.5)
    right.set(aspect="equal", title="the network found")
    plt.savefig(arguments.picture)
