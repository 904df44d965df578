"""The command line: what it hands to a search, what it shows of one, what it says of mistakes."""

import inspect
import os
import signal
import subprocess
import sys

import pytest
import yaml
from click.testing import CliRunner
from commands import call, found, mistake
from processes import start

import jaxhop
from jaxhop import _config
from jaxhop._cli import cli

TRAIN = """
import jaxhop

space = {"x": jaxhop.float(-1, 1), "n": jaxhop.int(1, 3)}
number = 3


def loss(params):
    return (params["x"] - 0.5) ** 2 + params["n"]


def broken(params):
    raise ValueError("this is the objective's own")


def untraceable(params):
    return float(params["x"])
"""
SPACE = "x: {lower: -1.0, upper: 1.0}\nn: {lower: 1, upper: 3}\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory, with an objective and a space in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "train_cli.py").write_text(TRAIN)
    (tmp_path / "space.yaml").write_text(SPACE)
    yield tmp_path
    sys.modules.pop("train_cli", None)


@pytest.fixture
def searched(monkeypatch):
    """What `jaxhop.search` is called with; it returns what is in `result` and searches nothing."""
    calls = Calls()
    monkeypatch.setattr(jaxhop, "search", calls)
    return calls


class Calls:
    def __init__(self):
        self.arguments, self.callbacks = [], []
        self.result = found()
        self.__signature__ = inspect.signature(jaxhop.search)

    def __call__(self, fn, space, *, callbacks=(), **settings):
        self.arguments.append((fn, space, settings))
        if settings.get("dir"):
            os.makedirs(settings["dir"], exist_ok=True)
        for callback in callbacks:
            callback.on_start(None)
        return self.result


def config(text):
    with open("config.yaml", "w") as file:
        file.write(text)
    return "config.yaml"


def test_a_configuration_file_says_it_all(folder, searched):
    call("run", config("""
        objective: train_cli.py:loss
        space: {lr: {lower: 1e-5, upper: 1e-1, log: true}, optimizer: [adam, sgd]}
        runtime: 2h
        n_jobs: per-gpu
        direction: max
        seed: 1
        target: 1e-3
        init: [{lr: 1e-3}]
        timeout: null
        pruner: {quantile: {q: 0.25}}
        algorithm: random_search
    """))  # fmt: skip
    [(fn, space, settings)] = searched.arguments
    assert fn.__name__ == "loss" and sys.modules[fn.__module__].loss is fn
    assert repr(space["lr"]) == "float(low=1e-05, high=0.1, log=True)"
    assert repr(space["optimizer"]) == "choice('adam', 'sgd')"
    assert settings.pop("algorithm") is not None
    assert settings == {
        "runtime": "2h", "n_jobs": "per-gpu", "direction": "max", "seed": 1, "target": 1e-3,
        "init": [{"lr": 1e-3}], "pruner": jaxhop.pruners.QuantilePruner(0.25),
    }  # fmt: skip


@pytest.mark.parametrize("name", [*jaxhop.algorithms.FACTORIES, "random_search"])
def test_every_algorithm_has_its_name(folder, searched, name):
    call("run", "train_cli.py:loss", "--space", "space.yaml", "--algorithm", name)
    [(_, _, settings)] = searched.arguments
    expected = getattr(jaxhop.algorithms, name)()
    assert settings["algorithm"].__qualname__ == expected.__qualname__


@pytest.mark.parametrize("space", ["space.yaml", "train_cli.py:space"])
def test_options_say_what_a_file_would(folder, searched, space):
    call(
        "run", "train_cli.py:loss", "--space", space, "--runtime", "1h 30min", "--n-jobs", -1,
        "--dir", "2024", "--direction", "max", "--seed", 0, "--evaluations", "10_000",
        "--target", "-1e-3", "--on-error", "skip", "--surrogate", "false", "--no-progress",
        "--max-memory", "8GB", "--timeout", "1:30", "--patience", 100, "--cost", 2.5,
        "--evaluations-per-process", 7, "--overwrite", "--resume", "extend",
    )  # fmt: skip
    [(fn, found, settings)] = searched.arguments
    assert fn({"x": 0.5, "n": 2}) == 2.0
    assert {name: repr(p) for name, p in found.items()} == {
        "x": repr(jaxhop.float(-1, 1)),
        "n": repr(jaxhop.int(1, 3)),
    }
    assert settings == {
        "runtime": "1h 30min", "n_jobs": -1, "dir": "2024", "direction": "max", "seed": 0,
        "evaluations": 10_000, "target": -1e-3, "on_error": "skip", "surrogate": False,
        "progress": False, "max_memory": "8GB", "timeout": 90, "patience": 100, "cost": 2.5,
        "evaluations_per_process": 7, "overwrite": True, "resume": "extend",
    }  # fmt: skip


def test_options_win_over_the_file(folder, searched):
    text = "objective: train_cli.py:loss\nspace: {y: [1, 2]}\nruntime: 2h\nseed: 1\n"
    call("run", config(text), "--runtime", "5s", "--space", "space.yaml")
    [(_, space, settings)] = searched.arguments
    assert settings == {"runtime": "5s", "seed": 1} and set(space) == {"x", "n"}


def test_paths_in_a_file_count_from_its_folder(folder, searched, monkeypatch):
    text = "objective: train_cli.py:loss\nspace: space.yaml\ndir: runs/lr\nevaluations: 5\n"
    config(text)
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    call("run", "../config.yaml")
    [(_, space, settings)] = searched.arguments
    assert set(space) == {"x", "n"}
    assert os.path.samefile(settings["dir"], folder / "runs" / "lr")


def test_every_option_is_an_argument_of_search():
    arguments = inspect.signature(jaxhop.search).parameters
    options = {p.name for name in ("run", "resume") for p in cli.commands[name].params}
    assert options - {"search", "space", "directory"} <= set(arguments)
    unsaid = {"fn", "space", "callbacks", "devices", "executor", "observed"}
    assert set(arguments) - options <= unsaid


@pytest.mark.parametrize(
    ("reason", "status"), [("runtime", 0), ("disk", 1), ("interrupted", 130), ("preempted", 143)]
)
def test_the_status_says_how_it_ended(folder, searched, reason, status):
    searched.result = found(stop_reason=reason)
    arguments = ("run", "train_cli.py:loss", "--space", "space.yaml", "--runtime", 1)
    output = call(*arguments, status=status)
    assert f"3 evaluations in 1 min 05 s, ended by {reason}" in output
    assert "best value 1.0 (min)" in output


def test_resume_goes_on_with_new_totals(folder, searched, monkeypatch):
    call(
        "run", "train_cli.py:loss", "--space", "space.yaml", "--evaluations", 10, "--seed", 3,
        "--dir", "runs/lr", "--overwrite", "--resume", "extend", "--pruner", "median",
    )  # fmt: skip
    stored = yaml.safe_load((folder / "runs/lr/config.yaml").read_text())
    assert stored == {
        "objective": f"{folder}/train_cli.py:loss",
        "space": yaml.safe_load(SPACE),
        "dir": ".", "evaluations": 10, "seed": 3, "pruner": "median",
    }  # fmt: skip
    assert os.listdir(folder / "runs/lr") == ["config.yaml"]
    (folder / "runs").rename(folder / "moved")
    (folder / "space.yaml").unlink()
    monkeypatch.chdir("/")
    done = CliRunner().invoke(cli, ["resume", f"{folder}/moved/lr", "--evaluations", "20"])
    assert done.exit_code == 0 and done.stderr == f"imports {folder}/train_cli.py:loss\n"
    (before, after) = searched.arguments
    assert after[0] is before[0] and repr(after[1]) == repr(before[1])
    pruner = jaxhop.pruners.MedianPruner()
    assert after[2] == {
        "dir": f"{folder}/moved/lr", "evaluations": 20, "seed": 3, "pruner": pruner,
    }  # fmt: skip
    assert yaml.safe_load((folder / "moved/lr/config.yaml").read_text())["evaluations"] == 20


def test_a_real_search_is_resumed(folder):
    space = ("--space", "space.yaml", "--surrogate", "false")  # whose model takes a while
    arguments = ("run", "train_cli.py:loss", *space, "--dir", "run", "--seed")
    assert call(*arguments, 0, "--evaluations", 4).startswith("4 evaluations in ")
    assert call("resume", "run", "--evaluations", 7).startswith("7 evaluations in ")
    told = mistake(*arguments, 1, "--evaluations", 9)
    assert "seed: was 0, is 1" in told
    assert call("resume", "run").startswith("7 evaluations in ")


def test_resume_says_which_space_it_imports(folder, searched):
    arguments = ("--space", "train_cli.py:space", "--evaluations", 10, "--dir", "run")
    call("run", "train_cli.py:loss", *arguments)
    done = CliRunner().invoke(cli, ["resume", "run"])
    assert done.stderr.splitlines() == [
        f"imports {folder}/train_cli.py:loss",
        f"imports {folder}/train_cli.py:space",
    ]


def test_a_configuration_of_somebody_else_is_left_alone(folder, searched):
    text = "# mine\nobjective: train_cli.py:loss\nspace: space.yaml\ndir: .\nevaluations: 5\n"
    call("run", config(text), "--evaluations", 6)
    assert (folder / "config.yaml").read_text() == text
    call("resume", ".", "--evaluations", 7)
    assert [each[2]["evaluations"] for each in searched.arguments] == [6, 7]


def test_a_refused_search_does_not_change_what_is_stored(folder, searched, monkeypatch):
    arguments = ("run", "train_cli.py:loss", "--space", "space.yaml", "--dir", "run", "--seed")
    call(*arguments, 1)
    before = (folder / "run/config.yaml").read_text()

    def refuse(*args, **settings):
        raise ValueError("the seed is another")

    monkeypatch.setattr(_config, "run", refuse)
    CliRunner().invoke(cli, list(map(str, (*arguments, 2))))
    assert (folder / "run/config.yaml").read_text() == before


def test_a_configuration_that_cannot_be_stored_stops_nothing(folder, searched, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_config._yaml, "write", full)
    arguments = ["run", "train_cli.py:loss", "--space", "space.yaml", "--dir", "run"]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0 and "No space left on device" in done.stderr
    assert os.listdir(folder / "run") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("space: space.yaml", "`objective` must be given"),
        ("objective: train_cli.py:loss", "`space` must be given"),
        ("- 1", "a mapping must be given"),
        ("objective: train_cli:loss\nspace: {}", "file and name must be given"),
        ("objective: train_cli.py:loss\nspace: there", "file and name must be given"),
        ("objective: train_cli.py:loss\nspace: none.yaml", "none.yaml`: it cannot be read"),
        ("objective: train_cli.py:loss\nspace: {}\nruntimee: 1", "Did you mean `runtime`?"),
        ("objective: train_cli.py:loss\nspace: {}\nexecutor: 1", "takes objects of Python"),
        ("objective: train_cli.py:loss\nspace: {}\ndir: 2024", "Put it in quotes"),
        ("objective: train_cli.py:los\nspace: {}", "no 'los' in it. Did you mean `loss`?"),
        ("objective: train_cli.py:number\nspace: {}", "a function must be given, not 3"),
        ("objective: none.py:loss\nspace: {}", "there is no file"),
        ("objective: train_cli.py:loss\nspace: {x: {lower: 2.0, upper: 1.0}}", 'space["x"]'),
        ("objective: train_cli.py:loss\nspace: {}\npruner: medium", "median, quantile"),
        ("objective: train_cli.py:loss\nspace: {}\npruner: {median: {q: 1}}", "'q'. Correct"),
    ],
)
def test_mistakes_in_a_file_are_one_sentence(folder, searched, text, said):
    told = mistake("run", config(text))
    assert said in told and len(told.splitlines()) == 1 and told.startswith("Error: ")
    assert not searched.arguments


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "train_cli.py:loss"), "`space` must be given"),
        (("run", "none.yaml"), "`none.yaml`: it cannot be read"),
        (("run", "train_cli.py", "--space", "space.yaml"), "file and name must be given"),
        (("run", "train_cli.py:loss", "--space", "space.yaml"), "at least one must be given"),
        (
            ("run", "train_cli.py:loss", "--space", "space.yaml", "--runtime", "soon"),
            "`runtime='soon'`: text must name a duration",
        ),
        (
            ("run", "train_cli.py:loss", "--space", "space.yaml", "--evaluations", "1e3"),
            "`evaluations=1000.0`: an int must be given",
        ),
        (("resume", "none"), "`none`: there is no config.yaml in it"),
        (("export", "none"), "one of the two must be given"),
        (("export", "none", "--csv", "--json"), "one of the two must be given"),
    ],
)
def test_mistakes_on_the_command_line_are_one_sentence(folder, arguments, said):
    told = mistake(*arguments)
    assert said in told and len(told.splitlines()) == 1


def test_a_file_is_not_taken_for_another_module(folder):
    (folder / "csv.py").write_text(TRAIN)
    assert "another module 'csv'" in mistake("run", "csv.py:loss", "--space", "space.yaml")
    (folder / "my.train.py").write_text(TRAIN)
    told = mistake("run", "my.train.py:loss", "--space", "space.yaml")
    assert "no module can be called 'my.train'" in told


def test_errors_of_the_users_code_keep_their_traceback(folder):
    rest = ["--space", "space.yaml", "--evaluations", "3"]
    done = CliRunner().invoke(cli, ["run", "train_cli.py:broken", *rest])
    assert isinstance(done.exception, ValueError) and done.exit_code == 1
    for job in ((), ("--n-jobs", "2")):  # the cause of what is raised, here and elsewhere
        skipping = ["run", "train_cli.py:broken", *rest, "--on-error", "skip", *job]
        done = CliRunner().invoke(cli, skipping)
        assert isinstance(done.exception, ValueError) and done.exit_code == 1
        assert "this is the objective's own" in str(done.exception.__cause__)
    told = mistake("run", "train_cli.py:untraceable", "--backend", "jax", *rest)
    assert "cannot be traced by JAX" in told and len(told.splitlines()) == 1
    (folder / "other_cli.py").write_text("raise OSError('mine')")
    done = CliRunner().invoke(cli, ["run", "other_cli.py:f", *rest])
    assert isinstance(done.exception, OSError) and done.exit_code == 1


def test_two_interrupts_end_it(folder, searched, monkeypatch):
    def interrupted(*args, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(_config, "run", interrupted)
    done = CliRunner().invoke(cli, ["run", "train_cli.py:loss", "--space", "space.yaml"])
    assert done.exit_code == 130 and done.stderr == "Interrupted.\n"


def test_without_the_extra_one_sentence_names_it():
    script = """
import sys
sys.modules["{}"] = None
from jaxhop.__main__ import main
main()
"""
    for name in ("click", "yaml"):
        done = subprocess.run(
            [sys.executable, "-c", script.format(name)], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 2 and done.stdout == ""
        assert done.stderr == f'`jaxhop` needs {name}. Run `pip install "jaxhop[cli]"`.\n'


def test_help_is_quick_because_it_needs_no_jax():
    script = "import sys, jaxhop._cli; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 0


def test_workers_import_the_objective_too(folder):
    """A search of another process, in two more; one Ctrl-C ends a second one."""
    script = "from jaxhop.__main__ import main; main()"
    one = start(
        script, "run", "train_cli.py:loss", "--space", "space.yaml", "--evaluations", 12,
        "--n-jobs", 2, "--surrogate", "false", "--no-progress", cwd=folder,
    )  # fmt: skip
    output, error = one.communicate(timeout=120)
    assert one.returncode == 0 and error == "", error
    assert output.startswith("12 evaluations in ") and "ended by evaluations" in output

    (folder / "slow_cli.py").write_text(
        "import time\ndef loss(params):\n    print('go', flush=True)\n    time.sleep(0.05)\n"
        "    return params['x']\n"
    )
    two = start(
        script, "run", "slow_cli.py:loss", "--space", "space.yaml", "--runtime", "60s",
        "--surrogate", "false", cwd=folder,
    )  # fmt: skip
    assert two.stdout is not None and two.stdout.readline() == "go\n"
    two.send_signal(signal.SIGINT)
    output, _ = two.communicate(timeout=120)
    assert two.returncode == 130 and "ended by interrupted" in output
