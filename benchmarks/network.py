"""Train a network on images for equal seconds: jaxhop, rivals, and gradients as the yardstick."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxhop
from benchmarks.images import Images, load
from benchmarks.job import Job, Line, add_options, answer, execute_apart, perform, settings
from benchmarks.measure import Meter
from benchmarks.network_rivals import RIVALS, Algorithm, Outcome, Train
from benchmarks.provenance import stamp
from benchmarks.report import table

CLASSES = 10
HELD_OUT = 2_000
"""Last training images, which no algorithm trains on: they choose among an algorithm's answers."""

DEFAULT_OUT = Path("benchmarks/out/network.jsonl")

EXAMPLES = """examples:
  python -m benchmarks.network --hidden 128 --seconds 60
  python -m benchmarks.network --hidden 1024 256 --only jaxhop Open_ES adam
  python -m benchmarks.network --only SNES --population 64 --set std=0.02 --out trial.jsonl

For one core: taskset -c 0, and in the environment
  XLA_FLAGS="--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
"""

Array = Any
Layers = list[dict[str, Array]]


@dataclass(frozen=True)
class Score:
    """How good an algorithm's network is, with which settings, and what it cost; see `Outcome`."""

    settings: Mapping[str, Any]
    test_accuracy: float
    held_out_accuracy: float
    evaluations: int
    seconds: float
    compile_seconds: float
    cpu_seconds: float
    peak_mb: float
    materialised: int | None


def first_layers(sizes: Sequence[int], rng: np.random.Generator) -> Layers:
    """Weights as He et al. (2015) start networks of rectified linear units."""
    return [
        {
            "w": rng.normal(0, np.sqrt(2 / inputs), (inputs, outputs)).astype(np.float32),
            "b": np.zeros(outputs, np.float32),
        }
        for inputs, outputs in pairwise(sizes)
    ]


def logits(layers: Layers, images: Array) -> jax.Array:
    """The network's outputs for rows of pixels."""
    *hidden, last = layers
    for layer in hidden:
        images = jax.nn.relu(images @ layer["w"] + layer["b"])
    return images @ last["w"] + last["b"]


def minibatch_loss(
    data: tuple[jax.Array, jax.Array], layers: Layers, key: jax.Array, *, batch: int
) -> jax.Array:
    """Cross entropy of `batch` images, with their labels, that the key draws."""
    images, labels = data
    drawn = jax.random.randint(key, (batch,), 0, len(labels))
    scores = logits(layers, images[drawn])
    return optax.softmax_cross_entropy_with_integer_labels(scores, labels[drawn]).mean()


@jax.jit
def accuracy(layers: Layers, images: Array, labels: Array) -> jax.Array:
    """Share of the images that are classified rightly."""
    return jnp.mean(jnp.argmax(logits(layers, images), axis=1) == labels)


def run_jaxhop(
    train: Train,
    *,
    population: int | None = None,
    algorithm: str | None = None,
    **options: Any,
) -> Outcome:
    """Run `jaxhop.search`.

    Args:
        train: what to train.
        population: candidates a round; jaxhop's default if None.
        algorithm: a factory in `jaxhop.algorithms`; "auto" if None.
        **options: arguments of the factory.

    Returns:
        The outcome. Judged is `result.best`.
    """
    make = None if algorithm is None else getattr(jaxhop.algorithms, algorithm)
    result = jaxhop.search(
        partial(train.loss, train.data),
        jaxhop.weights(train.start),
        runtime=train.seconds,
        population=population,
        algorithm=make(**options) if make else "auto",
        seed=train.seed,
        progress=False,
    )
    return Outcome(
        [result.best],
        result.evaluations,
        result.seconds,
        result.compile_seconds,
        result.materialised,
    )


def ours(**settings: Any) -> Algorithm:
    """Make a row of jaxhop: `run_jaxhop` with these settings."""
    return Algorithm(run_jaxhop, "jaxhop", {**settings, "batch": 256}, large={"batch": 64})


ALGORITHMS: Mapping[str, Algorithm] = {
    "jaxhop": ours(),
    "jaxhop lowrank": ours(algorithm="search_gradient", noise="lowrank"),
    "jaxhop sign": ours(algorithm="search_gradient", noise="sign"),
    "jaxhop annealed_mcmc": ours(algorithm="annealed_mcmc"),
    **RIVALS,
}
"""What can be run, by name."""


def measure(
    name: str,
    images: Images,
    *,
    hidden: Sequence[int],
    seconds: float,
    seed: int,
    settings: Mapping[str, Any] | None = None,
) -> Score:
    """Train with one algorithm and judge its network.

    Args:
        name: of `ALGORITHMS`.
        images: the data; the last of the training images are held out.
        hidden: units of the hidden layers.
        seconds: wall time of the training, without compilation.
        seed: of first weights and of everything random.
        settings: replace the algorithm's own.

    Returns:
        Accuracies and costs.
    """
    held_out = min(HELD_OUT, len(images.train_y) // 10)
    held_x, held_y = images.train_x[-held_out:], images.train_y[-held_out:]
    sizes = (images.train_x.shape[1], *hidden, CLASSES)
    start = first_layers(sizes, np.random.default_rng(seed))
    algorithm = ALGORITHMS[name]
    weights = sum(leaf.size for leaf in jax.tree.leaves(start))
    chosen = {**algorithm.settings_for(weights), **(settings or {})}
    options = dict(chosen)
    train = Train(
        loss=partial(minibatch_loss, batch=options.pop("batch")),
        data=(
            jnp.asarray(images.train_x[:-held_out]),
            jnp.asarray(images.train_y[:-held_out]),
        ),
        start=start,
        seconds=seconds,
        seed=seed,
    )
    with Meter() as meter:
        outcome = algorithm.run(train, **options)
    held_out_accuracies = [float(accuracy(layers, held_x, held_y)) for layers in outcome.answers]
    best = outcome.answers[np.argmax(held_out_accuracies)]
    return Score(
        settings=chosen,
        test_accuracy=float(accuracy(best, images.test_x, images.test_y)),
        held_out_accuracy=max(held_out_accuracies),
        evaluations=outcome.evaluations,
        seconds=outcome.seconds,
        compile_seconds=outcome.compile_seconds,
        cpu_seconds=meter.cpu_seconds,
        peak_mb=meter.peak_mb,
        materialised=outcome.materialised,
    )


def execute(job: Job) -> Line:
    """Run one job in this process; return the line to store."""
    images = load(job["data"])
    score = measure(
        job["algorithm"],
        images,
        hidden=job["hidden"],
        seconds=job["budget"]["seconds"],
        seed=job["seed"],
        settings=job["settings"],
    )
    head = stamp([ALGORITHMS[job["algorithm"]].package, "optax"])
    return {**head, **job, "data": images.name, **asdict(score)}


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    line = argparse.ArgumentParser(
        prog="python -m benchmarks.network",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = line.add_argument
    add("--hidden", nargs="+", type=int, default=[128], metavar="N", help="default: 128")
    add("--seconds", type=float, default=60.0, metavar="S", help="of each training; default 60")
    add(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder of the idx .gz files; default: Debian's package",
    )
    add(
        "--only",
        nargs="+",
        choices=ALGORITHMS,
        default=list(ALGORITHMS),
        metavar="NAME",
        help=f"of {', '.join(ALGORITHMS)}; default all",
    )
    add("--seed", type=int, default=0, help="default: 0")
    add("--batch", type=int, metavar="N", help="images a minibatch; default: each algorithm's own")
    add_options(line, DEFAULT_OUT)
    return line


def render(records: Sequence[Mapping[str, Any]]) -> str:
    """Write the table of the records."""
    head = ["algorithm", "test accuracy", "held out", "evaluations", "s", "compile s", "peak MB"]
    rows = [
        [
            record["algorithm"],
            f"{record['test_accuracy']:.4f}",
            f"{record['held_out_accuracy']:.4f}",
            f"{record['evaluations']:,}",
            f"{record['seconds']:.1f}",
            f"{record['compile_seconds']:.1f}",
            f"{record['peak_mb']:,.0f}",
        ]
        for record in records
    ]
    return "\n".join(table(head, rows))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for and print the table.

    Args:
        arguments: the command line, that of the process if None.

    Returns:
        0, or 1 if an algorithm failed.
    """
    line = parser()
    options = line.parse_args(arguments)
    if options.job:
        return answer([execute(options.job)])
    try:
        chosen = settings(options)
    except ValueError as error:
        line.error(str(error))
    if options.batch is not None:
        chosen["batch"] = options.batch
    jobs = [
        {
            "algorithm": name,
            "hidden": options.hidden,
            "data": None if options.data is None else str(options.data.resolve()),
            "seed": options.seed,
            "budget": {"seconds": options.seconds},
            "settings": chosen,
        }
        for name in options.only
    ]
    lines, failed = perform(
        jobs,
        partial(execute_apart, "benchmarks.network"),
        options.out,
        lambda job: job["algorithm"],
        lambda line: f"{line['test_accuracy']:.4f}",
        sys.stderr,
    )
    print(render(lines))
    return failed


if __name__ == "__main__":
    sys.exit(main())
