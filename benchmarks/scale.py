"""How near a whole search comes to pure inference: time and memory of one evaluation.

Pure inference is the same model on as many inputs with one set of weights for all candidates:
no noise is drawn and nothing is learnt. A row is one measurement, in a process of its own.
"""

import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from benchmarks.extras import require
from benchmarks.measure import Meter
from benchmarks.provenance import ROOT
from benchmarks.report import table

Record = dict[str, Any]
Lap = tuple[float, float]
"""Wall and processor seconds of one evaluation, the mean over a stretch of time."""

INFERENCE = ("inference at once", "inference in a loop")
OURS = ("search_gradient", "annealed_mcmc")
NOISE = ("auto", "normal", "sign", "lowrank", "sparse")
RIVALS = ("Open_ES", "SNES", "Sep_CMA_ES")
DTYPES = ("float32", "bfloat16", "float16")
MODEL = (784, 1024, 1024, 10)
POPULATIONS_HELD = 5
"""Arrays of population x D floats that a rival is expected to hold at its worst."""

_BOX = 5.0
_ROUNDS = 10_000  # more than are run: the clock ends the search
_ONE_CORE = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One measurement.

    Attributes:
        algorithm: one of `INFERENCE`, `OURS` and `RIVALS`.
        population: candidates a round.
        noise: one of `NOISE`, of search_gradient; empty for the others.
        sizes: units of each layer of the network; empty for the sphere.
        dim: coordinates of the sphere, 0 for a network.
        batch: inputs for each candidate of a network.
        dtype: one of `DTYPES`, of the network's weights and inputs.
        seconds: how long is timed.
        repeat: into how many stretches this is cut, at least.
    """

    algorithm: str
    population: int
    noise: str = ""
    sizes: Sequence[int] = ()
    dim: int = 0
    batch: int = 1
    dtype: str = "float32"
    seconds: float = 3.0
    repeat: int = 3


@dataclass(frozen=True)
class Task:
    """What a job evaluates.

    Attributes:
        value: the objective of a point and the data.
        point: where searches start.
        data: floats that the objective is about.
        box: bound of all coordinates, None for weights.
    """

    value: Callable[[Any, jax.Array], jax.Array]
    point: Any
    data: jax.Array
    box: float | None

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return sum(leaf.size for leaf in jax.tree.leaves(self.point))

    def space(self) -> Any:
        """Build the search space for `jaxhop.search`."""
        jaxhop = require("jaxhop")
        if self.box is None:
            return jaxhop.weights(self.point)
        return jaxhop.float(-self.box, self.box, shape=self.point.shape)


def task(job: Job) -> Task:
    """Make the network or the sphere of a job."""
    if job.sizes:
        return _network(job.sizes, job.batch, job.dtype)
    rng = np.random.default_rng(0)
    target = jnp.asarray(rng.uniform(-_BOX, _BOX, job.dim), jnp.float32)
    return Task(
        value=lambda x, target: jnp.mean((x - target) ** 2),
        point=jnp.zeros(job.dim),
        data=target,
        box=_BOX,
    )


def _network(sizes: Sequence[int], batch: int, dtype: str) -> Task:
    """Cross entropy of a network of rectified linear units; input i is of class i, modulo."""
    rng = np.random.default_rng(0)
    layers = [
        {
            "w": jnp.asarray(rng.normal(0, math.sqrt(2 / n), (n, m)), dtype),
            "b": jnp.asarray(rng.normal(0, 0.01, m), dtype),
        }
        for n, m in pairwise(sizes)
    ]
    labels = np.arange(batch) % sizes[-1]

    def value(layers: Any, inputs: jax.Array) -> jax.Array:
        *hidden, last = layers
        for layer in hidden:
            inputs = jax.nn.relu(inputs @ layer["w"] + layer["b"])
        logits = (inputs @ last["w"] + last["b"]).astype(jnp.float32)
        return -jnp.mean(jax.nn.log_softmax(logits)[np.arange(batch), labels])

    inputs = jnp.asarray(rng.uniform(size=(batch, sizes[0])), dtype)
    return Task(value, layers, inputs, box=None)


class Timing(NamedTuple):
    """What a job took.

    Attributes:
        laps: one for each stretch of time.
        materialised: of jaxhop alone, the operations that had low-rank matrices written out.
    """

    laps: list[Lap]
    materialised: int | None = None


class Laps:
    """A callback that times the stretches between reports, and ends the search after enough.

    The first stretch starts at the first report, which leaves compilation and set-up out.

    Args:
        seconds: how long is timed.
        least: how many stretches are timed in any case.
    """

    def __init__(self, seconds: float, least: int) -> None:
        self._seconds, self._least = seconds, least
        self._notes: list[tuple[int, float, float]] = []

    def __call__(self, report: Any) -> bool:
        """Note how far the search is; True once enough was timed."""
        self._notes.append((report.evaluations, *_clocks()))
        timed = self._notes[-1][1] - self._notes[0][1]
        return len(self._notes) > self._least and timed >= self._seconds

    def laps(self) -> list[Lap]:
        """One lap for each pair of reports."""
        return [
            ((wall - old_wall) / (count - old), (cpu - old_cpu) / (count - old))
            for (old, old_wall, old_cpu), (count, wall, cpu) in pairwise(self._notes)
        ]


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def stretches(call: Callable[[int], Any], evaluations: int, seconds: float, repeat: int) -> Timing:
    """Time something that is compiled, in stretches of equal length.

    Args:
        call: does so many rounds and waits for them.
        evaluations: how many there are in a round.
        seconds: how long all stretches take together, about; each is one round at least.
        repeat: number of stretches.

    Returns:
        One lap for each stretch.
    """
    call(1)
    start, _ = _clocks()
    call(1)
    once = time.perf_counter() - start
    count = max(1, round(seconds / repeat / once))
    laps = []
    for _ in range(repeat):
        before = _clocks()
        call(count)
        wall, cpu = (b - a for a, b in zip(before, _clocks(), strict=True))
        laps.append((wall / (count * evaluations), cpu / (count * evaluations)))
    return Timing(laps)


def inference(job: Job) -> Timing:
    """Time the objective with one point for all candidates.

    Each evaluation moves the data by a number of its own: equal ones would be computed once.
    """
    made = task(job)

    def value(shift: jax.Array, point: Any, data: jax.Array) -> jax.Array:
        return made.value(point, data + shift)

    @jax.jit
    def values(shifts: jax.Array, point: Any, data: jax.Array) -> jax.Array:
        if job.algorithm == INFERENCE[0]:
            return jax.vmap(lambda shift: value(shift, point, data))(shifts)
        return jax.lax.map(lambda shift: value(shift, point, data), shifts)

    shifts = jnp.linspace(0, 1, job.population, dtype=made.data.dtype)

    def call(count: int) -> None:
        for _ in range(count):
            jax.block_until_ready(values(shifts, made.point, made.data))

    return stretches(call, job.population, job.seconds, job.repeat)


def ours(job: Job) -> Timing:
    """Time the rounds of `jaxhop.search`: noise, evaluations and updates."""
    jaxhop, made, laps = require("jaxhop"), task(job), Laps(job.seconds, job.repeat)
    settings = {}
    if job.algorithm == "search_gradient":
        settings["noise"] = None if job.noise == "auto" else job.noise
    # Exploring is a tenth of a search at most, and none of what makes it advance.
    algorithm = getattr(jaxhop.algorithms, job.algorithm)(explore=0.0, **settings)
    result = jaxhop.search(
        lambda point: made.value(point, made.data),
        made.space(),
        algorithm=algorithm,
        evaluations=job.population * _ROUNDS,
        population=job.population,
        seed=0,
        callbacks=[laps],
        progress=False,
    )
    return Timing(laps.laps(), result.materialised)


def rival(job: Job) -> Timing:
    """Time generations of a strategy of evosax at its defaults, in one compiled loop."""
    strategies, made = require("evosax.algorithms"), task(job)
    # Weights are searched in float32, whatever the network computes in.
    start, unravel = ravel_pytree(jax.tree.map(lambda leaf: leaf.astype("float32"), made.point))
    strategy = getattr(strategies, job.algorithm)(
        population_size=job.population, solution=jnp.zeros(made.dim)
    )
    params = strategy.default_params

    def value(flat: jax.Array, data: jax.Array) -> jax.Array:
        return made.value(jax.tree.map(lambda leaf: leaf.astype(job.dtype), unravel(flat)), data)

    def generation(state: Any, key: jax.Array, data: jax.Array) -> Any:
        ask, tell = jax.random.split(key)
        candidates, state = strategy.ask(ask, state, params)
        if made.box is not None:
            candidates = jnp.clip(candidates, -made.box, made.box)
        values = jax.vmap(value, (0, None))(candidates, data)
        return strategy.tell(tell, candidates, values, state, params)[0]

    @jax.jit
    def generations(state: Any, key: jax.Array, count: jax.Array, data: jax.Array) -> Any:
        def step(i: jax.Array, state: Any) -> Any:
            return generation(state, jax.random.fold_in(key, i), data)

        return jax.lax.fori_loop(0, count, step, state)

    key = jax.random.key(0)
    state = strategy.init(key, start, params)
    # Types as the first generation leaves them, or the carry of the loop would not fit.
    shapes = jax.eval_shape(generation, state, key, made.data)
    state = jax.tree.map(lambda leaf, like: jnp.asarray(leaf, like.dtype), state, shapes)

    def call(count: int) -> None:
        jax.block_until_ready(generations(state, key, count, made.data))

    return stretches(call, job.population, job.seconds, job.repeat)


def measure(job: Job) -> Record:
    """Do one job in this process.

    Returns:
        The job, wall and processor milliseconds of an evaluation (median and least over the
        stretches), the clock to compare by, peak memory in MB, compilation included, and the
        operations that had low-rank matrices written out.
    """
    # The first computation starts JAX's backend, which is no part of what is measured.
    jax.block_until_ready(jax.jit(lambda x: x + 1)(0.0))
    kinds = {**dict.fromkeys(INFERENCE, inference), **dict.fromkeys(OURS, ours)}
    if job.algorithm in RIVALS:
        require("evosax.algorithms")  # its import would count as memory below
    with Meter() as meter:
        laps, materialised = kinds.get(job.algorithm, rival)(job)
    walls, cpus = ([1e3 * lap[i] for lap in laps] for i in range(2))
    device = jax.devices()[0]
    return {
        **asdict(job),
        "dim": coordinates(job),
        "ms": median(walls),
        "least_ms": min(walls),
        "cpu_ms": median(cpus),
        "least_cpu_ms": min(cpus),
        "stretches": len(laps),
        "materialised": materialised,
        # Processor time suffers less from other programs, but says nothing of an accelerator.
        "clock": "cpu_ms" if device.platform == "cpu" else "ms",
        "peak_mb": meter.peak_mb,
        "device_peak_mb": (device.memory_stats() or {}).get("peak_bytes_in_use", 0) / 2**20,
    }


def coordinates(job: Job) -> int:
    """Count what a job searches."""
    return job.dim or sum((n + 1) * m for n, m in pairwise(job.sizes))


def measure_apart(job: Job, one_core: bool) -> Record:
    """Do one job in a process of its own.

    Args:
        job: what to measure.
        one_core: whether the process is kept to one core and XLA to one thread.

    Returns:
        What `measure` returns, or, if it failed, the job and its error as `note`.
    """
    code = (
        "import json; from benchmarks.scale import Job, measure; "
        f"print(json.dumps(measure(Job(**{asdict(job)!r}))))"
    )
    environment = dict(os.environ)
    if one_core:
        code = f"import os; os.sched_setaffinity(0, {{min(os.sched_getaffinity(0))}}); {code}"
        environment["XLA_FLAGS"] = f"{environment.get('XLA_FLAGS', '')} {_ONE_CORE}".strip()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    if done.returncode:
        # JAX adds lines of its own behind the error.
        errors = re.findall(r"^[\w.]+(?:Error|Exception)\b.*", done.stderr, re.MULTILINE)
        return _skipped(job, errors[-1] if errors else f"ended with {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def _skipped(job: Job, note: str) -> Record:
    return {**asdict(job), "dim": coordinates(job), "note": note}


def jobs(noise: Iterable[str], rivals: Iterable[str], **settings: Any) -> Iterator[Job]:
    """List the measurements of one table; `settings` are the fields that all jobs share."""
    for algorithm in INFERENCE:
        yield Job(algorithm=algorithm, **settings)
    for kind in noise:
        yield Job(algorithm="search_gradient", noise=kind, **settings)
    yield Job(algorithm="annealed_mcmc", **settings)
    for algorithm in rivals:
        yield Job(algorithm=algorithm, **settings)


def too_large(job: Job, memory: int) -> str | None:
    """Say why a job would not fit into so many bytes; None if it does."""
    if job.algorithm in RIVALS:
        held = POPULATIONS_HELD * 4 * coordinates(job) * job.population
    elif job.algorithm == INFERENCE[0]:
        # Inputs, what they are made of and every layer's outputs; or the sphere's differences.
        width = job.batch * (job.sizes[0] + sum(job.sizes)) if job.sizes else job.dim
        held = 4 * width * job.population
    else:
        return None
    return f"would hold {held / 1e9:,.1f} GB" if held > memory else None


def scale(jobs: Iterable[Job], memory: int, one_core: bool) -> list[Record]:
    """Do jobs one after the other, each in a process of its own.

    Args:
        jobs: what to measure.
        memory: bytes that rivals, and inference at once, may hold.
        one_core: whether each process is kept to one core.

    Returns:
        One record a job, compared by `compare`; those that could not run have a `note`.
    """
    if one_core and not hasattr(os, "sched_setaffinity"):
        raise RuntimeError(
            f"`--one-core`: the system must let a process choose its cores, but {sys.platform} "
            "does not. Leave it out."
        )
    records = []
    for job in jobs:
        note = too_large(job, memory)
        records.append(_skipped(job, note) if note else measure_apart(job, one_core))
        took = records[-1].get("note") or f"{records[-1]['ms']:.4g} ms"
        print(f"{job.algorithm} {job.noise}: {took}", file=sys.stderr, flush=True)
    return compare(records)


def compare(records: Sequence[Record]) -> list[Record]:
    """Set times in relation to each other.

    Args:
        records: of jobs on one task.

    Returns:
        The records with `of_inference`, the percentage of the rate of the faster inference;
        `ns_per_coordinate`; and `over_open_es`, how many times Open_ES's rate. None where that
        was not measured.
    """
    done = [record for record in records if "note" not in record]
    pure, open_es = (
        min((own[own["clock"]] for own in done if own["algorithm"] in names), default=None)
        for names in (INFERENCE, ("Open_ES",))
    )
    compared = []
    for record in records:
        if "note" not in record:
            own = record[record["clock"]]
            record = {
                **record,
                "of_inference": pure and 100 * pure / own,
                "ns_per_coordinate": 1e6 * own / record["dim"],
                "over_open_es": open_es and open_es / own,
            }
        compared.append(record)
    return compared


def scale_lines(records: Sequence[Record]) -> Iterator[str]:
    """Write the table of evaluation times, and why some are missing."""
    head = ["algorithm", "noise", "D", "population", "batch", "ms", "CPU ms", "% of inference"]
    rows = [
        [
            record["algorithm"],
            record["noise"],
            f"{record['dim']:,}",
            f"{record['population']:,}",
            f"{record['batch']:,}",
            f"{record['ms']:.4g}",
            f"{record['cpu_ms']:.4g}",
            _number(record["of_inference"], ".1f"),
            f"{record['ns_per_coordinate']:.3g}",
            f"{record['peak_mb']:,.0f}",
            f"{record['device_peak_mb']:,.0f}",
            _number(record["over_open_es"], ".2f"),
        ]
        for record in records
        if "note" not in record
    ]
    more = ["ns/coordinate", "peak MB", "device peak MB", "/ Open_ES"]
    yield from table([*head, *more], rows)
    for record in records:
        if "note" in record:
            yield f"{record['algorithm']} {record['noise']} was not measured: {record['note']}"


def _number(number: float | None, form: str) -> str:
    return "" if number is None else format(number, form)
