"""The command line: run a search, go on with it, look at it."""

import contextlib
import os
import shutil
import sys
import sysconfig
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

import jaxhop
from jaxhop import _config, _yaml

_INTERRUPTED = 130
_STATUSES = {"disk": 1, "interrupted": _INTERRUPTED, "preempted": 143}
_HERE = os.path.dirname(os.path.abspath(__file__))
_LIBRARIES = (
    _HERE,
    "<frozen",
    *(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")),
)
_TOP, _LOG_LINES, _LOG_BYTES = 10, 5, 8192

_OPTIONS = {
    "runtime": ("TIME", "How long to search: 90, 30min, 1:30:00."),
    "evaluations": ("N", "How many evaluations to make in all."),
    "target": ("VALUE", "A value that is good enough."),
    "cost": ("COST", "How much may be spent, where the objective returns a cost."),
    "patience": ("N", "Evaluations without improvement after which to stop."),
    "evaluations_per_process": ("N", "How many of the evaluations this process makes."),
    "n_jobs": ("JOBS", "Worker processes: 4, -1 for every core, per-gpu."),
    "timeout": ("TIME", "How long a trial may take."),
    "on_error": ("WHAT", "What an exception means: raise, skip, or a number."),
    "max_memory": ("BYTES", "Bound on what is held on each device: 8GB."),
    "checkpoint_every": ("TIME", "How long between two checkpoints, at least."),
    "grace": ("TIME", "How long running trials have when the process is asked to go."),
    "count_in_flight": ("BOOL", "Whether trials that run count as made."),
}
_FIRST = {
    "direction": ("min|max", "Which values are better."),
    "seed": ("N", "The seed of everything random."),
    "population": ("N", "Candidates a round."),
    "algorithm": ("NAME", "The algorithm: random_search, '{annealed_mcmc: {chains: 4}}'."),
    "init": ("LIST", "Candidates to evaluate first: '[{lr: 0.1}]'."),
    "average": ("N", "Keys for each candidate of a random JAX objective."),
    "backend": ("NAME", "auto, jax or python."),
    "vectorized": ("BOOL", "Whether the objective takes a whole population."),
    "pruner": ("NAME", "What ends trials early: median, '{quantile: {q: 0.3}}'."),
    "duplicates": ("WHAT", "skip or allow."),
    "surrogate": ("WHAT", "Whether a model screens candidates: auto, true, false."),
    "resume": ("WHAT", "What a directory with a search in it means: true, extend."),
}


class _Yaml(click.ParamType):
    """An option means what the same text means in a configuration file."""

    name = "yaml"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        try:
            return _yaml.parse(value, value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Mistake(click.ClickException):
    exit_code = 2


class _Commands(click.Group):
    """Says what the user did wrong in a sentence; all else keeps its traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort, BrokenPipeError):  # click's own business
            raise
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(_INTERRUPTED)
        except (ValueError, TypeError, RuntimeError, OSError) as error:
            if not _refused(error):
                raise
            raise _Mistake(str(error)) from None


class _Store:
    """Stores the configuration when the search is accepted, not before."""

    def __init__(self, config: _config.Config, directory: str) -> None:
        self._config, self._directory = config, directory

    def on_start(self, info: Any) -> None:
        del info
        try:
            _config.store(self._config, self._directory)
        except OSError as error:
            click.echo(f"{error}: `jaxhop resume` will not know this search.", err=True)


def _with(options: dict[str, tuple[str, str]]) -> Callable[[Any], Any]:
    """Adds options to a command."""

    def added(command: Any) -> Any:
        for name, (metavar, text) in reversed(options.items()):
            flag = f"--{name.replace('_', '-')}"
            command = click.option(flag, name, type=_Yaml(), metavar=metavar, help=text)(command)
        return command

    return added


_PROGRESS = click.option(
    "--progress/--no-progress", default=None, help="Whether to show a live line."
)
_DIRECTORY = click.argument("directory", metavar="DIR")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(jaxhop.__version__)
def cli() -> None:
    """Searches for the best parameters of a function, and shows what was found."""


@cli.command()
@click.argument("search", metavar="CONFIG.YAML|FILE.PY:NAME")
@click.option("--space", metavar="FILE", help="The space: space.yaml or train.py:space.")
@click.option("--dir", "dir", metavar="DIR", help="Where to keep the search, and go on with it.")
@click.option("--overwrite", is_flag=True, default=None, help="Start anew in that directory.")
@_with(_OPTIONS)
@_with(_FIRST)
@_PROGRESS
def run(search: str, space: str | None, **settings: Any) -> None:
    """Runs a search.

    It is what a configuration file says, or an objective with a --space. Options win over the
    file. In the same --dir the search goes on where it was.

    The exit status is 0, 130 after Ctrl-C, 143 after SIGTERM, 1 if the disk is full or the
    objective raised an error, and 2 for mistakes.
    """
    if _config.is_config(search):
        config = _config.read_config(search)
        if space is not None:
            config = replace(config, space=_config.find_space(space, Path()))
    else:
        config = _config.make_config({"objective": search, "space": space}, Path())
    _search(config.but(**settings))


@cli.command()
@_DIRECTORY
@_with(_OPTIONS)
@_PROGRESS
def resume(directory: str, **settings: Any) -> None:
    """Goes on with a search of `jaxhop run`.

    Budgets are totals. The objective is imported from the file that DIR/config.yaml names, which
    is printed.
    """
    path = Path(directory) / _config.NAME
    if not path.is_file():
        raise ValueError(
            f"`{directory}`: there is no {_config.NAME} in it, which `jaxhop run` writes. Run what"
            " began this search again, with the same directory."
        )
    config = _config.read_config(path).but(dir=directory, **settings)
    for place in config.imported:
        click.echo(f"imports {place}", err=True)
    _search(config)


@cli.command()
@_DIRECTORY
def show(directory: str) -> None:
    """Shows how a search stands.

    Prints the status, the best parameters, a table of the best candidates, and the end of the log.
    """
    from jaxhop import _shown

    result = jaxhop.load(directory)
    click.echo(f"{_shown.plain(directory)}\n{_shown.status(result)}")
    if _shown.has_best(result):
        click.echo(f"\ntop {_TOP}\n{_shown.top(result, _TOP)}")
    if lines := _last_lines(Path(directory) / "log"):
        click.echo("\n".join(["\nlog", *map(_shown.plain, lines)]))


@cli.command()
@_DIRECTORY
@click.option("--csv", is_flag=False, flag_value="-", metavar="[PATH]", help="As a table.")
@click.option("--json", is_flag=False, flag_value="-", metavar="[PATH]", help="As one object.")
def export(directory: str, csv: str | None, json: str | None) -> None:
    """Writes all evaluations as CSV or JSON.

    They go to PATH, or else to standard output.
    """
    from jaxhop import _shown

    if (csv is None) == (json is None):
        raise ValueError("`--csv`, `--json`: one of the two must be given. Say `--csv`.")
    result = jaxhop.load(directory)
    if json is not None:
        text = _shown.export(result)
        with click.open_file(json, "w", encoding="utf-8") as file:
            click.echo(text, file)
    elif csv is not None and csv != "-":
        result.to_csv(csv)
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "history.csv"
            result.to_csv(path)
            with path.open(encoding="utf-8", newline="") as file:
                shutil.copyfileobj(file, sys.stdout)


@cli.command()
@_DIRECTORY
@click.option("--value", is_flag=True, help="The best value instead.")
def best(directory: str, value: bool) -> None:
    """Prints the best parameters as JSON."""
    from jaxhop import _shown

    result = jaxhop.load(directory)
    if not _shown.has_best(result):
        raise ValueError(f"`{directory}`: no evaluation has a finite value yet. Search on.")
    click.echo(repr(float(result.best_value)) if value else _shown.dumps(result.best, indent=2))


@cli.command()
@_DIRECTORY
@click.option("--every", type=click.FloatRange(0.1), default=1.0, help="Seconds between looks.")
@click.option("--once", is_flag=True, help="Look once.")
def watch(directory: str, every: float, once: bool) -> None:
    """Follows the search in a directory, or all those in a folder, until Ctrl-C.

    Where the output is no terminal, each change is one line. Nothing is written.
    """
    with _extra("cli"):
        from jaxhop import _watch

    _watch.watch(directory, every, once)


@cli.command()
@_DIRECTORY
@click.option("--port", type=click.IntRange(0, 65535), default=8421, show_default=True)
def serve(directory: str, port: int) -> None:
    """Serves a page that follows the search in a directory, or all those in a folder.

    Only this machine can open it, at the address that is printed (port 0 takes any free one).
    Nothing is written. Ctrl-C ends it.
    """
    with _extra("serve"):
        from jaxhop import _serve

    _serve.serve(directory, port)


@contextlib.contextmanager
def _extra(name: str) -> Iterator[None]:
    """Imports what only looks at searches: it must take no GPU away from them.

    Raises:
        ValueError: if a library is missing.
    """
    import jax

    jax.config.update("jax_platforms", "cpu")
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("jaxhop"):
            raise
        command = click.get_current_context().command.name
        raise ValueError(
            f'`jaxhop {command}` needs {error.name}. Run `pip install "jaxhop[{name}]"`.'
        ) from None


def _search(config: _config.Config) -> None:
    """Searches, prints what was found, and ends with the status that says how it ended."""
    from jaxhop import _shown

    directory = config.settings.get("dir")
    result = _config.run(config, () if directory is None else (_Store(config, directory),))
    click.echo(_shown.status(result))
    click.get_current_context().exit(_STATUSES.get(result.stop_reason, 0))


def _last_lines(path: Path) -> list[str]:
    """The last lines of a file, none if it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _LOG_BYTES))
            return file.read().decode("utf-8", "replace").splitlines()[-_LOG_LINES:]
    except OSError:
        return []


def _refused(error: BaseException) -> bool:
    """Whether an error is a sentence of jaxhop's; what the user's code raised never is."""
    innermost = _files(error)[-1]
    cause: BaseException | None = error
    while cause is not None:
        # What a worker raised has its traceback there as its cause.
        if type(cause).__name__ == "RemoteTraceback":
            return False
        if not all(file.startswith(_LIBRARIES) for file in _files(cause)):
            return False
        cause = cause.__cause__
    return isinstance(error, OSError) or innermost.startswith(_HERE)


def _files(error: BaseException) -> list[str]:
    """The files that an error came through, the one that raised it last."""
    frames = traceback.walk_tb(error.__traceback__)
    return [frame.f_code.co_filename for frame, _ in frames]
