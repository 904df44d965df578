"""The benchmarks: problems agree in both forms, runs are stored once, reports render."""

import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import report, run
from benchmarks.job import stream_apart
from benchmarks.measure import Meter
from benchmarks.problems import BLOCK, Problem, nearest_neighbour, rotation
from benchmarks.record import Recorder, thin
from benchmarks.rivals import RIVALS

ROOT = Path(__file__).resolve().parent.parent
CLASSIC = ["sphere", "ellipsoid", "rotated_ellipsoid", "rosenbrock", "rastrigin", "ackley"]
BOXES = [*CLASSIC, "scrambled_ellipsoid"]


@pytest.mark.parametrize("name", [*BOXES, "digits_mlp", "tsp"])
def test_numpy_and_jax_agree(name):
    instance = Problem.of(name).make(seed=1)
    for seed in range(3):
        x = instance.sample(np.random.default_rng(seed))
        value = instance.fn(instance.unflatten(jnp.asarray(x)))
        assert value.shape == () and value.dtype == jnp.float32
        assert float(value) == pytest.approx(instance.fn_numpy(x), rel=1e-4)


@pytest.mark.parametrize("name", BOXES)
@pytest.mark.parametrize("dim", [2, 47])
def test_optimum_is_where_it_is_said_to_be(name, dim):
    instance = Problem.of(name, dim).make(seed=2)
    assert instance.solution is not None and instance.solution.shape == (dim,)
    assert instance.fn_numpy(instance.solution) == instance.optimum
    assert float(instance.fn(jnp.asarray(instance.solution))) == instance.optimum
    assert np.all(np.abs(instance.solution) <= 4)
    rng = np.random.default_rng(0)
    for scale in (1e-3, 1.0):
        assert instance.fn_numpy(instance.solution + scale * rng.normal(size=dim)) > 0


@pytest.mark.parametrize("name", BOXES)
def test_no_search_starts_at_the_optimum(name):
    problem = Problem.of(name, 10)
    solutions = [problem.make(seed).solution for seed in range(20)]
    for seed, solution in enumerate(solutions):
        instance = problem.make(seed)
        centre = np.full(10, (instance.low + instance.high) / 2)
        assert np.all(np.abs(solution - centre) > 1e-4)
        assert np.all(np.abs(solution - instance.initial) > 1e-4)
        assert instance.fn_numpy(instance.initial) > 0.1
    assert len({solution.tobytes() for solution in solutions}) == 20


def test_same_seed_makes_the_same_instance():
    first, second = (Problem.of("rotated_ellipsoid", 30).make(3) for _ in range(2))
    x = first.sample(np.random.default_rng(0))
    assert first.fn_numpy(x) == second.fn_numpy(x)


@pytest.mark.parametrize("dim", [7, 40, 53])
def test_rotation_is_orthogonal_in_blocks(dim):
    rotate = rotation(dim, np.random.default_rng(0))
    matrix = np.stack([rotate(np, row) for row in np.eye(dim)])
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(dim), atol=1e-5)
    assert np.all(np.count_nonzero(matrix, axis=1) <= BLOCK)
    assert np.count_nonzero(matrix) == dim // BLOCK * BLOCK**2 + (dim % BLOCK) ** 2


def test_objectives_work_under_vmap_and_jit():
    instance = Problem.of("rotated_ellipsoid", 25).make(0)
    points = jnp.zeros((3, 25))
    values = jax.jit(jax.vmap(instance.fn))(points)
    np.testing.assert_allclose(values, instance.fn_numpy(np.zeros(25)), rtol=1e-4)


def test_digits_report_accuracy():
    instance = Problem.of("digits_mlp").make(0)
    accuracy = instance.extra(instance.unflatten(instance.initial))["test_accuracy"]
    assert 0 <= accuracy < 0.5
    assert (
        sum(leaf.size for leaf in jax.tree.leaves(instance.unflatten(instance.initial))) == 50826
    )


def test_nearest_neighbour_is_a_tour():
    cities = np.random.default_rng(0).uniform(size=(30, 2))
    assert sorted(nearest_neighbour(cities)) == list(range(30))


@pytest.mark.parametrize(
    ("name", "dim", "message"),
    [
        ("spere", None, "must be one of sphere, ellipsoid"),
        ("sphere", 0, "must have dim >= 2"),
        ("digits_mlp", 10, "has 50826 coordinates"),
    ],
)
def test_wrong_problems_are_refused(name, dim, message):
    with pytest.raises(ValueError, match=message):
        Problem.of(name, dim)


def test_recorder_keeps_improvements():
    recorder = Recorder(lambda x: float(x[0]))
    for value in (3.0, 5.0, 2.0, 2.0, 1.0):
        recorder(np.array([value]))
    assert [(count, best) for count, _, best in recorder.curve] == [(1, 3.0), (3, 2.0), (5, 1.0)]
    assert recorder.evaluations == 5


def test_thin_keeps_the_last_improvement():
    curve = [(i, float(i), -float(i)) for i in range(1, 50_000)]
    assert len(thin(curve)) <= 201
    assert thin(curve)[-1] == curve[-1]
    assert thin(curve)[0][0] == 1
    assert thin([]) == []


def test_meter_sees_memory_that_was_given_back():
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pytest.skip("a process may not reset its memory peak here")
    with Meter() as meter:
        np.ones(30_000_000).sum()
    assert 100 < meter.peak_mb < 400
    assert meter.seconds > 0 and meter.cpu_seconds > 0


@pytest.mark.parametrize("algorithm", ["random", "pyhopper", "pyhopper-scalars", "SNES"])
def test_rivals_keep_their_budget(algorithm):
    if RIVALS[algorithm].package != "numpy":
        pytest.importorskip(RIVALS[algorithm].package)
    done = RIVALS[algorithm].run(Problem.of("sphere", 4), 0, evaluations=60)
    assert 50 <= done.evaluations <= 60
    assert done.best == done.curve[-1][2] == min(best for _, _, best in done.curve)
    assert done.curve[-1][0] <= done.evaluations


def test_pyhopper_tours():
    pytest.importorskip("pyhopper")
    problem = Problem.of("tsp", 12)
    done = RIVALS["pyhopper"].run(problem, 0, evaluations=300)
    assert done.best < problem.make(0).fn_numpy(np.arange(12))


def test_vector_methods_refuse_tours():
    with pytest.raises(ValueError, match="must be a vector of numbers"):
        RIVALS["SNES"].run(Problem.of("tsp", 12), 0, evaluations=60)


def test_jaxhop_runs():
    done = RIVALS["jaxhop"].run(Problem.of("sphere", 4), 0, evaluations=200)
    assert done.evaluations == 200
    assert done.best == pytest.approx(done.curve[-1][2])
    assert done.curve[0][0] >= 1 and done.curve[-1][0] <= 200


@pytest.fixture
def command(tmp_path, monkeypatch):
    """A small run on a fixed commit, and the file it writes."""
    monkeypatch.setattr(run, "commit", lambda: ("abc", False))
    monkeypatch.setattr("benchmarks.provenance.commit", lambda: ("abc", False))
    out = tmp_path / "runs.jsonl"
    options = "--problem sphere --dim 5 --algorithm random --evaluations 50 --in-process"
    return [*options.split(), "--out", str(out)], out


def test_run_writes_lines_and_resumes(command, capsys):
    arguments, out = command
    assert run.main([*arguments, "--seeds", "1"]) == 0
    line = json.loads(out.read_text())
    assert (line["problem"], line["dim"], line["algorithm"], line["seed"]) == (
        "sphere",
        5,
        "random",
        0,
    )
    assert line["commit"] == "abc" and line["dirty"] is False
    assert line["evaluations"] == 50 and line["budget"] == {"evaluations": 50}
    assert line["curve"][-1][2] == line["best"]
    assert {"python", "jax", "jaxlib", "numpy", "jaxhop"} <= set(line["versions"])
    assert {"cpu", "cores", "memory_gb", "devices"} <= set(line["machine"])
    assert min(line["seconds"], line["cpu_seconds"]) >= 0

    assert run.main([*arguments, "--seeds", "2"]) == 0
    assert "stands in" in capsys.readouterr().out
    assert [json.loads(text)["seed"] for text in out.read_text().splitlines()] == [0, 1]
    assert run.main([*arguments, "--seeds", "1", "--population", "8"]) == 0
    assert len(out.read_text().splitlines()) == 3


def test_failed_run_does_not_stop_the_others(command, capsys):
    arguments, out = command
    both = [*arguments, "--seeds", "1", "--problem", "tsp", "--algorithm", "SNES", "random"]
    assert run.main(both) == 1
    assert "must be a vector of numbers" in capsys.readouterr().err
    assert json.loads(out.read_text())["algorithm"] == "random"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--algorithm random", "`--problem` or `--suite` must be given"),
        ("--suite classic --evaluations 5 --seconds 5", "must be one of the two"),
        ("--suite classic --evaluations 0", "must be positive"),
        ("--suite classic --set algorithm=anneal", "VALUE in JSON"),
    ],
)
def test_wrong_commands_are_refused(arguments, message, capsys):
    with pytest.raises(SystemExit):
        run.main(arguments.split())
    assert message in capsys.readouterr().err


def test_suite_is_six_problems():
    options = run.parser().parse_args(["--suite", "classic", "--seeds", "1"])
    jobs = list(run.jobs(options))
    assert [job["problem"] for job in jobs] == CLASSIC
    assert all(job["dim"] == 100 and job["budget"] == {"evaluations": 20_000} for job in jobs)


def test_run_in_a_process_of_its_own(tmp_path):
    out = tmp_path / "runs.jsonl"
    options = "--problem sphere --dim 3 --algorithm random --evaluations 50 --seeds 1 --out"
    assert run.main([*options.split(), str(out)]) == 0
    assert json.loads(out.read_text())["evaluations"] == 50


def test_a_process_that_fails_is_an_error():
    with pytest.raises(RuntimeError, match="failed with code 2"):
        list(stream_apart("json.tool", {}))


def test_help_explains_itself():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.run", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "examples:" in done.stdout and "--suite classic" in done.stdout


def test_report_renders(command, capsys):
    arguments, out = command
    run.main([*arguments, "--seeds", "3"])
    lines = out.read_text().splitlines()
    ours = [{**json.loads(text), "algorithm": "jaxhop", "best": 0.5} for text in lines]
    out.write_text("\n".join([*lines, *map(json.dumps, ours)]) + "\n")
    capsys.readouterr()
    assert report.main([str(out)]) == 0
    text = capsys.readouterr().out
    assert "| median best | jaxhop | random |" in text
    assert "### sphere D=5, 50 evaluations" in text
    best = float(np.median([json.loads(line)["best"] for line in lines]))
    row = next(row for row in text.splitlines() if row.startswith("| random |"))
    assert row.split(" | ")[1:3] == [f"{best:.3g}", f"{best / 0.5:.3g}"]
    assert row.endswith("| 3 |")


def test_report_takes_the_newest_of_equal_runs(command):
    arguments, out = command
    run.main([*arguments, "--seeds", "1"])
    old = json.loads(out.read_text())
    new = {**old, "commit": "def", "date": "9999-01-01T00:00:00+00:00", "best": 0.25}
    out.write_text(json.dumps(new) + "\n" + json.dumps(old) + "\n")
    assert [line["best"] for line in report.load([out])] == [0.25]


def test_a_report_on_no_file_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        report.main([str(tmp_path / "absent.jsonl")])
    assert "absent.jsonl: must be a file" in capsys.readouterr().err
