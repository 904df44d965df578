"""The suites: they expand to runs, resume, and every rival keeps to its budget."""

import warnings

import numpy as np
import pytest

from benchmarks import record, suite
from benchmarks.evosax_rivals import STRATEGIES
from benchmarks.extras import require
from benchmarks.host_rivals import hosted
from benchmarks.policies import GAMES, action, initial_policy
from benchmarks.problems import PROBLEMS, Problem
from benchmarks.rivals import RIVALS, Rival
from benchmarks.suites import SUITES

SLOW = {"optuna TPE", "hyperopt TPE", "annealed_mcmc", "search_gradient", "jaxhop"}
SAME = {*STRATEGIES, "jaxhop (rounds)"} - {"DifferentialEvolution"}  # as others, inside
BROKEN = {"nevergrad NGOpt"}  # with NumPy 2.4, in its own code


def needs(package: str) -> None:
    """Skips the test if a package of the `bench` extra is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations in what they import
        pytest.importorskip(package, exc_type=ImportError)


def test_suites_name_what_there_is():
    for own in SUITES.values():
        assert set(own.rivals) <= set(RIVALS)
        assert {task.problem for task in own.tasks()} <= set(PROBLEMS)


def test_classic_is_six_functions_at_four_sizes():
    tasks = list(SUITES["classic"].tasks())
    assert [(task.dim, task.budget) for task in tasks[::6]] == [
        (10, 5_000),
        (100, 20_000),
        (1000, 50_000),
        (10_000, 50_000),
    ]
    assert len(tasks) == len(set(tasks)) == 24
    assert "pycma" not in SUITES["classic"].rivals_at(10_000)
    assert "pycma sep" in SUITES["classic"].rivals_at(10_000)


def jobs(text: str) -> list[suite.Job]:
    return list(suite.jobs(suite.parser().parse_args(text.split())))


def test_a_job_is_a_rival_at_a_size():
    wanted = jobs("classic --rival random SNES --dim 10 100 --seeds 2")
    assert [(job["rival"], len(job["runs"])) for job in wanted] == [
        ("random", 12),
        ("SNES", 12),
        ("random", 12),
        ("SNES", 12),
    ]
    assert wanted[0]["runs"][:2] == [["sphere", 10, 5000, 1000], ["sphere", 10, 5000, 1001]]
    assert {run[2] for job in jobs("policies --evaluations 12800") for run in job["runs"]} == {
        12_800
    }


def test_a_slow_rival_has_one_seed_unless_told_otherwise():
    def seeds(text):
        runs = {job["rival"]: job["runs"] for job in jobs(text)}
        return {run[3] for run in runs["optuna TPE"]}, {run[3] for run in runs["SNES"]}

    assert seeds("classic --dim 10") == ({1000}, {1000, 1001, 1002, 1003, 1004})
    assert seeds("classic --dim 10 --seeds 2") == ({1000, 1001}, {1000, 1001})


@pytest.mark.parametrize("text", ["classic --dim 7", "policies --problem sphere"])
def test_nothing_to_do_is_refused(text, capsys):
    with pytest.raises(SystemExit):
        suite.main(text.split())
    assert "a size and a seed must be left" in capsys.readouterr().err


def test_runs_are_stored_once(tmp_path, capsys):
    out = tmp_path / "runs.jsonl"
    job = {
        "suite": "classic",
        "rival": "random",
        "runs": [["sphere", 3, 40, 5], ["ackley", 3, 40, 5]],
    }
    for line in suite.execute({**job, "runs": job["runs"][:1]}):
        suite.append(out, line)
    (line,) = suite.load(out)
    assert line["evaluations"] == line["budget"] == 40 and line["optimum"] == 0.0
    assert line["curve"][-1][2] == line["best"] and line["version"] == np.__version__
    assert suite.left(job, [line])["runs"] == job["runs"][1:]
    assert suite.left(job, [{**line, "version": "0"}])["runs"] == job["runs"]
    assert suite.run_all([{**job, "runs": job["runs"][:1]}], out, 1) == 0
    assert "0 runs to do" in capsys.readouterr().out


def test_a_command_runs_in_processes_of_their_own(tmp_path, capsys):
    out = tmp_path / "runs.jsonl"
    options = "classic --rival random --dim 10 --problem sphere --seeds 2 --workers 2 --out"
    assert suite.main([*options.split(), str(out)]) == 0
    assert [line["seed"] for line in suite.load(out)] == [1000, 1001]
    assert "2 runs to do" in capsys.readouterr().out


def test_a_failure_is_said_and_not_stored():
    job = {"suite": "classic", "rival": "SNES", "runs": [["tsp", 5, 40, 0]]}
    (line,) = suite.execute(job)
    assert "must be a vector of numbers" in line["failed"]


def test_a_stopped_rival_runs_no_further_seeds(monkeypatch):
    def searches_on(instance, objective, seed):
        while True:
            objective(instance.initial)
            monkeypatch.setattr(record, "CPU_LIMIT", -1.0)

    monkeypatch.setattr(record, "CPU_LIMIT", 600.0)
    monkeypatch.setitem(RIVALS, "random", Rival(hosted(searches_on), "numpy"))
    job = {
        "suite": "classic",
        "rival": "random",
        "runs": [["sphere", 2, 9, 0], ["sphere", 2, 9, 1]],
    }
    lines = list(suite.execute(job))
    assert [(line["seed"], line["stopped"], line["evaluations"]) for line in lines] == [
        (0, True, 1)
    ]
    assert suite.left(job, lines)["runs"] == []


@pytest.mark.parametrize("name", sorted(set(RIVALS) - SLOW - SAME - BROKEN))
def test_every_rival_keeps_its_budget(name):
    package = RIVALS[name].package
    if package not in ("numpy", "jaxhop"):
        needs(package)
    if name == "optuna CMA":
        needs("cmaes")
    done = RIVALS[name].run(Problem.of("sphere", 4), 0, evaluations=200)
    assert 150 <= done.evaluations <= 200 and not done.stopped
    assert done.curve[-1][2] == pytest.approx(done.best)
    start = Problem.of("sphere", 4).make(0)
    assert done.best < start.fn_numpy(start.initial)


@pytest.mark.parametrize("name", ["jaxhop (rounds)", "pyhopper", "pycma", "cmaes margin", "SNES"])
def test_whole_numbers_stay_whole(name):
    needs("cocoex")
    if RIVALS[name].package != "jaxhop":
        needs(RIVALS[name].package)
    problem = Problem.of("mixint_f01", 10)
    instance = problem.make(1000)
    groups = list(instance.groups())
    assert [(group.size, group.high, group.whole) for group in groups] == [
        (2, 1, True),
        (2, 3, True),
        (2, 7, True),
        (2, 15, True),
        (2, 5, False),
    ]
    done = RIVALS[name].run(problem, 1000, evaluations=300)
    assert instance.optimum is not None
    assert instance.optimum < done.best < instance.fn_numpy(instance.initial)


def test_strategies_are_classes_of_evosax():
    needs("evosax")
    assert all(hasattr(require("evosax.algorithms"), name) for name in STRATEGIES)


def test_coco_instances_follow_the_seed():
    needs("cocoex")
    problem = Problem.of("bbob_f09", 40)
    first, again, other = (problem.make(seed) for seed in (1000, 1015, 1001))
    assert first.solution is not None and first.optimum is not None
    assert np.array_equal(first.solution, again.solution) and first.optimum == again.optimum
    assert first.optimum != other.optimum
    near = first.solution + 1e-3
    assert first.optimum < first.fn_numpy(near) < first.fn_numpy(first.initial)
    with pytest.raises(ValueError, match="must be a size that COCO"):
        Problem.of("bbob_f09", 41).make(0)


def test_policies_are_judged_afterwards():
    needs("gymnax")
    done = RIVALS["random"].run(Problem.of("Pendulum-v1"), 0, evaluations=3)
    assert 100 < done.best < 2000 and done.evaluations == 3
    assert done.best != done.curve[-1][2]


def test_actions_are_the_largest_output_or_within_reach():
    for name, game in GAMES.items():
        policy = initial_policy(game, np.random.default_rng(0))
        observation = np.linspace(-1, 1, game.observations)
        outputs = np.tanh(observation @ policy["hidden"]) @ policy["out"]
        chosen = np.asarray(action(game, policy, observation))
        if game.reach is None:
            assert chosen == np.argmax(outputs), name
        else:
            np.testing.assert_allclose(chosen, game.reach * np.tanh(outputs), rtol=1e-5)
        assert game.weights == sum(leaf.size for leaf in policy.values())


def test_other_commands_get_their_options(monkeypatch):
    calls = []
    monkeypatch.setattr(suite.hpo, "main", lambda own: calls.append(own) or 0)
    monkeypatch.setattr(suite.network, "main", lambda own: calls.append(own) or 1)
    assert suite.main(["hpo", "--seeds", "2", "--task", "svr"]) == 0
    assert suite.main(["network", "--seeds", "2", "--first-seed", "5", "--only", "adam"]) == 1
    assert calls == [
        ["--task", "svr", "--seeds", "2", "--first-seed", "1000"],
        ["--only", "adam", "--seed", "5"],
        ["--only", "adam", "--seed", "6"],
    ]
