"""The benchmark of scale: its command line, its arithmetic, and tiny measurements."""

import jax
import jax.numpy as jnp
import pytest

from benchmarks import scale
from benchmarks.scale import INFERENCE, Job, compare, measure, scale_lines, task, too_large
from benchmarks.throughput import parser, scale_jobs

QUICK = {"population": 4, "seconds": 0.05, "repeat": 2}
TINY = {"sizes": (6, 3), "batch": 2, **QUICK}


def parse(text):
    return scale_jobs(parser().parse_args(["--scale", *text.split()]))


def record(algorithm, cpu_ms):
    job = {"algorithm": algorithm, "noise": "", "population": 4, "batch": 1, "dim": 1_000}
    times = {"ms": 2 * cpu_ms, "cpu_ms": cpu_ms, "clock": "cpu_ms"}
    return {**job, **times, "peak_mb": 1.0, "device_peak_mb": 0.0}


def test_the_default_is_the_network_with_all_kinds_of_noise():
    jobs = parse("")
    assert {job.sizes for job in jobs} == {(784, 1024, 1024, 10)}
    assert {job.population for job in jobs} == {256}
    assert [job.noise for job in jobs if job.noise] == ["normal", "sign", "lowrank", "sparse"]
    names = [job.algorithm for job in jobs if not job.noise]
    assert names == [*INFERENCE, "annealed_mcmc", "Open_ES", "SNES", "Sep_CMA_ES"]
    assert scale.coordinates(jobs[0]) == 1_863_690


def test_a_sphere_or_another_network_can_be_named():
    (job, *_) = parse("--dim 10000 --population 64 --noise --rivals")
    assert (job.dim, job.sizes, job.population) == (10_000, (), 64)
    (*_, job) = parse("--model 8 8 --batch 1 --dtype bfloat16 --noise lowrank --rivals SNES")
    assert (job.algorithm, job.sizes, job.batch, job.dtype) == ("SNES", (8, 8), 1, "bfloat16")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("--dim 10 --model 4 4", "a sphere or a network"),
        ("--dim 10 --dtype bfloat16", "the sphere is searched in float32"),
        ("--model 4", "inputs and outputs"),
    ],
)
def test_a_task_that_is_none_is_refused(text, words):
    with pytest.raises(ValueError, match=words):
        parse(text)


def test_times_are_set_in_relation():
    failed = {**record("SNES", 1.0), "note": "no memory"}
    records = [record(INFERENCE[0], 4.0), record(INFERENCE[1], 2.0), record("Open_ES", 16.0)]
    records = compare([*records, record("annealed_mcmc", 8.0), failed])
    assert [one.get("of_inference") for one in records] == [50, 100, 12.5, 25, None]
    assert [one.get("over_open_es") for one in records] == [4, 8, 1, 2, None]
    assert records[3]["ns_per_coordinate"] == pytest.approx(8_000)
    lines = list(scale_lines(records))
    assert len(lines) == 2 + 4 + 1
    assert lines[-1] == "SNES  was not measured: no memory"


def test_what_was_not_measured_is_left_open():
    (ours,) = compare([record("annealed_mcmc", 8.0)])
    assert ours["of_inference"] is None and ours["over_open_es"] is None
    assert list(scale_lines([ours]))


def test_only_what_holds_a_population_is_bounded():
    sizes = {"dim": 1_000_000, "population": 256}
    assert too_large(Job(algorithm="SNES", **sizes), 4 * 10**9) == "would hold 5.1 GB"
    assert too_large(Job(algorithm="SNES", **sizes), 6 * 10**9) is None
    assert too_large(Job(algorithm="annealed_mcmc", **sizes), 1) is None
    assert too_large(Job(algorithm=INFERENCE[1], **sizes), 1) is None


def test_the_network_is_of_its_type_and_its_value_is_not():
    made = task(Job(algorithm=INFERENCE[0], dtype="bfloat16", **TINY))
    assert {leaf.dtype for leaf in jax.tree.leaves(made.point)} == {jnp.dtype("bfloat16")}
    assert jax.eval_shape(made.value, made.point, made.data).dtype == jnp.float32
    assert made.dim == scale.coordinates(Job(algorithm="", **TINY)) == 21


def test_a_measurement_that_fails_leaves_its_error():
    found = scale.measure_apart(Job(algorithm=INFERENCE[0], **{**TINY, "dtype": "float3"}), False)
    assert found["dim"] == 21 and "ms" not in found
    assert found["note"].startswith("TypeError: ") and "float3" in found["note"]


@pytest.mark.parametrize(
    ("algorithm", "noise"), [(INFERENCE[0], ""), ("search_gradient", "lowrank"), ("Open_ES", "")]
)
def test_a_measurement_is_sane(algorithm, noise):
    if algorithm in scale.RIVALS:
        pytest.importorskip("evosax")
    found = measure(Job(algorithm=algorithm, noise=noise, **TINY))
    assert found["dim"] == 21 and found["stretches"] >= 2
    assert 0 < found["least_ms"] <= found["ms"] < 1e3
    assert 0 < found["least_cpu_ms"] <= found["cpu_ms"] < 1e3
    assert found["peak_mb"] >= 0
    assert found["materialised"] == (0 if noise else None)
