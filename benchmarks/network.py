"""Train a network on images for equal seconds: jaxhop, rivals, and gradients as the yardstick."""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree

import jaxhop
from benchmarks.extras import require
from benchmarks.images import Images, load
from benchmarks.measure import Meter
from benchmarks.provenance import ROOT, stamp
from benchmarks.report import table
from benchmarks.run import settings

CLASSES = 10
HELD_OUT = 2_000
"""Last training images, which no algorithm trains on: they choose among an algorithm's answers."""

DISPATCH_SECONDS = 0.25
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
Loss = Callable[[Any, jax.Array], jax.Array]


class Outcome(NamedTuple):
    """What an algorithm ends with.

    Attributes:
        answers: the weights it may be judged by; those best on the held-out images count.
        evaluations: forward passes over a minibatch.
        seconds: wall time without compilation.
        compile_seconds: wall time of tracing and compilation.
        materialised: operations that had to expand low-rank matrices, of jaxhop alone.
    """

    answers: list[Layers]
    evaluations: int
    seconds: float
    compile_seconds: float
    materialised: int | None = None


class Train(NamedTuple):
    """What an algorithm is given.

    Attributes:
        images: rows of pixels.
        labels: their classes.
        batch: how many of them each evaluation looks at.
        start: the first weights.
        seconds: wall time to train for.
        seed: of everything random.
    """

    images: jax.Array
    labels: jax.Array
    batch: int
    start: Layers
    seconds: float
    seed: int


@dataclass(frozen=True)
class Score:
    """How good an algorithm's network is, and what it cost; see `Outcome`."""

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


def minibatch_loss(images: Array, labels: Array, batch: int) -> Loss:
    """Cross entropy of `batch` images that the key draws."""

    def loss(layers: Layers, key: jax.Array) -> jax.Array:
        drawn = jax.random.randint(key, (batch,), 0, len(labels))
        scores = logits(layers, images[drawn])
        return optax.softmax_cross_entropy_with_integer_labels(scores, labels[drawn]).mean()

    return loss


@jax.jit
def accuracy(layers: Layers, images: Array, labels: Array) -> jax.Array:
    """Share of the images that are classified rightly."""
    return jnp.mean(jnp.argmax(logits(layers, images), axis=1) == labels)


def repeat(
    train: Train,
    state: Any,
    one_round: Callable[[Loss, Any, jax.Array, jax.Array], Any],
    per_round: int,
    answers: Callable[[Any], list[Layers]],
) -> Outcome:
    """Repeat a round in compiled loops until the seconds are over.

    Args:
        train: what to train, and for how long.
        state: the first state.
        one_round: maps loss, state, key of the round and share of time that is over to a state.
        per_round: evaluations a round.
        answers: takes the weights to be judged out of the last state.

    Returns:
        The outcome; compilation, and a first dispatch of no rounds, are not in its seconds.
    """
    # The images are an argument: as constants they would be copied into the program.
    data = train.images, train.labels

    def advance(
        state: Any, data: tuple[jax.Array, jax.Array], done: Array, count: Array, progress: Array
    ) -> Any:
        loss = minibatch_loss(*data, train.batch)

        def body(i: Array, state: Any) -> Any:
            key = jax.random.fold_in(jax.random.key(train.seed), done + i)
            return one_round(loss, state, key, progress)

        return jax.lax.fori_loop(0, count, body, state)

    begin = time.perf_counter()
    # Types and buffers of its own, or neither the loop's carry nor the donation would fit.
    loss = minibatch_loss(*data, train.batch)
    shapes = jax.eval_shape(partial(one_round, loss), state, jax.random.key(0), jnp.float32(0))
    state = jax.tree.map(lambda leaf, like: jnp.array(leaf, like.dtype), state, shapes)
    numbers = np.int32(0), np.int32(0), np.float32(0)
    program = jax.jit(advance, donate_argnums=0)
    compiled = program.lower(state, data, *numbers).compile()
    state = jax.block_until_ready(compiled(state, data, *numbers))
    compile_seconds = time.perf_counter() - begin

    start, done, now, count = time.perf_counter(), 0, 0.0, 1
    while now < train.seconds:
        numbers = np.int32(done), np.int32(count), np.float32(now / train.seconds)
        state = jax.block_until_ready(compiled(state, data, *numbers))
        done += count
        now = time.perf_counter() - start
        count = max(int(min(DISPATCH_SECONDS, train.seconds - now) * done / now), 1)
    return Outcome(answers(state), done * per_round, now, compile_seconds)


def over(value: Callable[[Array], jax.Array], candidates: Array) -> jax.Array:
    """Values of candidates; one after the other on a CPU, which was twice as fast there."""
    if jax.default_backend() == "cpu":
        return jax.lax.map(value, candidates)
    return jax.vmap(value)(candidates)


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
        minibatch_loss(train.images, train.labels, train.batch),
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
        getattr(result, "materialised", None),
    )


def run_evosax(
    train: Train,
    *,
    strategy: str,
    population: int,
    std: float,
    learning_rate: float | None = None,
    decay: float = 1.0,
    **fields: Any,
) -> Outcome:
    """Run a strategy of evosax.

    Args:
        train: what to train.
        strategy: class in `evosax.algorithms`.
        population: candidates a round.
        std: first standard deviation of a weight.
        learning_rate: Adam's; without it the strategy keeps its own way to move its mean.
        decay: factor on `learning_rate` when the time is over, reached geometrically.
        **fields: replace fields of the strategy's default parameters.

    Returns:
        The outcome. Judged are the final mean and the best candidate ever seen.
    """
    flat, unflatten = ravel_pytree(train.start)
    arguments: dict[str, Any] = {}
    if learning_rate is not None:
        arguments["optimizer"] = optax.inject_hyperparams(optax.adam)(learning_rate=learning_rate)
    if strategy == "Open_ES":
        arguments["std_schedule"] = optax.constant_schedule(std)
    algorithm = getattr(require("evosax.algorithms"), strategy)(
        population_size=population, solution=flat, **arguments
    )
    params = jax.jit(lambda: algorithm.default_params)()
    if hasattr(params, "std_init"):
        params = params.replace(std_init=jnp.asarray(std))
    params = params.replace(**fields)

    def one_round(loss: Loss, state: Any, key: jax.Array, progress: jax.Array) -> Any:
        ask_key, tell_key, loss_key = jax.random.split(key, 3)
        if learning_rate is not None:
            rate = learning_rate * decay**progress
            memory = optax.tree_utils.tree_set(state.opt_state, learning_rate=rate)
            state = state.replace(opt_state=memory)
        candidates, state = algorithm.ask(ask_key, state, params)
        values = over(lambda x: loss(unflatten(x), loss_key), candidates)
        state, _ = algorithm.tell(tell_key, candidates, values, state, params)
        return state

    state = algorithm.init(jax.random.key(train.seed), flat, params)
    return repeat(
        train,
        state,
        one_round,
        population,
        lambda state: [unflatten(state.mean), unflatten(state.best_solution)],
    )


def run_hill_climbing(train: Train, *, population: int, std: float, decay: float = 1.0) -> Outcome:
    """Replace the parent by its best Gaussian child wherever that is better on the same minibatch.

    Args:
        train: what to train.
        population: candidates a round, the parent being one of them.
        std: first standard deviation of a step.
        decay: factor on it when the time is over, reached geometrically.

    Returns:
        The outcome. Judged is the last parent.
    """
    flat, unflatten = ravel_pytree(train.start)

    def one_round(loss: Loss, parent: jax.Array, key: jax.Array, progress: jax.Array) -> jax.Array:
        draw_key, loss_key = jax.random.split(key)

        def candidate(i: Array) -> jax.Array:
            step = jax.random.normal(jax.random.fold_in(draw_key, i), parent.shape)
            return parent + jnp.where(i == 0, 0, std * decay**progress) * step

        # The winner is drawn again from its key, so that no population is held.
        values = over(lambda i: loss(unflatten(candidate(i)), loss_key), jnp.arange(population))
        return candidate(jnp.argmin(values))

    return repeat(train, flat, one_round, population, lambda parent: [unflatten(parent)])


def run_adam(train: Train, *, learning_rate: float) -> Outcome:
    """Descend gradients by back-propagation; the learning rate follows half a cosine to 0."""
    optimizer = optax.inject_hyperparams(optax.adam)(learning_rate=learning_rate)

    def one_round(loss: Loss, state: Any, key: jax.Array, progress: jax.Array) -> Any:
        layers, memory = state
        rate = learning_rate * (1 + jnp.cos(jnp.pi * progress)) / 2
        memory = optax.tree_utils.tree_set(memory, learning_rate=rate)
        updates, memory = optimizer.update(jax.grad(loss)(layers, key), memory, layers)
        return optax.apply_updates(layers, updates), memory

    state = train.start, optimizer.init(train.start)
    return repeat(train, state, one_round, 1, lambda state: [state[0]])


class Algorithm(NamedTuple):
    """A way to train, the package whose version belongs beside its numbers, and its settings."""

    run: Callable[..., Outcome]
    package: str
    settings: dict[str, Any]


ALGORITHMS: Mapping[str, Algorithm] = {
    "jaxhop": Algorithm(run_jaxhop, "jaxhop", {"batch": 64}),
    "jaxhop lowrank": Algorithm(
        run_jaxhop, "jaxhop", {"algorithm": "search_gradient", "noise": "lowrank", "batch": 64}
    ),
    "jaxhop sign": Algorithm(
        run_jaxhop, "jaxhop", {"algorithm": "search_gradient", "noise": "sign", "batch": 64}
    ),
    "jaxhop annealed_mcmc": Algorithm(
        run_jaxhop, "jaxhop", {"algorithm": "annealed_mcmc", "batch": 64}
    ),
    "Open_ES": Algorithm(
        partial(run_evosax, strategy="Open_ES"),
        "evosax",
        {"population": 16, "std": 0.02, "learning_rate": 0.01, "decay": 0.1, "batch": 256},
    ),
    "SNES": Algorithm(
        partial(run_evosax, strategy="SNES"),
        "evosax",
        {"population": 16, "std": 0.02, "learning_rate": 0.01, "decay": 0.1, "batch": 256},
    ),
    "Sep_CMA_ES": Algorithm(
        partial(run_evosax, strategy="Sep_CMA_ES"),
        "evosax",
        {"population": 32, "std": 0.03, "batch": 256},
    ),
    "hill_climbing": Algorithm(
        run_hill_climbing, "jax", {"population": 32, "std": 0.01, "decay": 0.2, "batch": 256}
    ),
    "adam": Algorithm(run_adam, "optax", {"learning_rate": 1e-3, "batch": 64}),
}
"""What can be run, by name, with its default settings: the rivals' are the best of the grid in
README.md. `batch` goes to the objective."""


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
    algorithm = ALGORITHMS[name]
    chosen = {**algorithm.settings, **(settings or {})}
    held_out = min(HELD_OUT, len(images.train_y) // 10)
    held_x, held_y = images.train_x[-held_out:], images.train_y[-held_out:]
    sizes = (images.train_x.shape[1], *hidden, CLASSES)
    train = Train(
        jnp.asarray(images.train_x[:-held_out]),
        jnp.asarray(images.train_y[:-held_out]),
        chosen.pop("batch"),
        first_layers(sizes, np.random.default_rng(seed)),
        seconds,
        seed,
    )
    with Meter() as meter:
        outcome = algorithm.run(train, **chosen)
    held_out_accuracies = [float(accuracy(layers, held_x, held_y)) for layers in outcome.answers]
    best = outcome.answers[np.argmax(held_out_accuracies)]
    return Score(
        test_accuracy=float(accuracy(best, images.test_x, images.test_y)),
        held_out_accuracy=max(held_out_accuracies),
        evaluations=outcome.evaluations,
        seconds=outcome.seconds,
        compile_seconds=outcome.compile_seconds,
        cpu_seconds=meter.cpu_seconds,
        peak_mb=meter.peak_mb,
        materialised=outcome.materialised,
    )


def execute(job: Mapping[str, Any]) -> dict[str, Any]:
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
    algorithm = ALGORITHMS[job["algorithm"]]
    chosen = {**algorithm.settings, **job["settings"]}
    head = stamp([algorithm.package, "optax"])
    return {**head, **job, "data": images.name, "settings": chosen, **asdict(score)}


def execute_apart(job: Mapping[str, Any]) -> dict[str, Any]:
    """Run one job in a process of its own, on the cores that this one may use.

    Raises:
        RuntimeError: if that process failed; the text is its own.
    """
    command = [sys.executable, "-m", "benchmarks.network", "--job", json.dumps(job)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return json.loads(done.stdout.splitlines()[-1])


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
    add("--batch", type=int, metavar="N", help="images a minibatch; each algorithm's default")
    add("--population", type=int, metavar="N", help="candidates a round; each one's default")
    add(
        "--set",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="further settings of the algorithms, values in JSON",
    )
    add(
        "--out",
        type=Path,
        default=DEFAULT_OUT,
        metavar="FILE",
        help=f"JSON lines are appended to it; default {DEFAULT_OUT}",
    )
    add("--job", help=argparse.SUPPRESS)
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
        print(json.dumps(execute(json.loads(options.job))))
        return 0
    try:
        chosen = settings(options)
    except ValueError as error:
        line.error(str(error))
    if options.batch is not None:
        chosen["batch"] = options.batch
    records, failed = [], 0
    options.out.parent.mkdir(parents=True, exist_ok=True)
    for name in options.only:
        job = {
            "algorithm": name,
            "hidden": options.hidden,
            "data": None if options.data is None else str(options.data.resolve()),
            "seed": options.seed,
            "budget": {"seconds": options.seconds},
            "settings": chosen,
        }
        try:
            record = execute_apart(job)
        except RuntimeError as error:
            # One algorithm that fails must not cost the others their run.
            print(f"{name}: failed\n{error}", file=sys.stderr)
            failed = 1
            continue
        with options.out.open("a") as file:
            file.write(json.dumps(record) + "\n")
        records.append(record)
        print(f"{name}: {record['test_accuracy']:.4f}", file=sys.stderr, flush=True)
    print(render(records))
    return failed


if __name__ == "__main__":
    sys.exit(main())
