"""What a configuration file or a command line says, made into a search."""

import contextlib
import difflib
import importlib
import inspect
import os
import sys
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jaxhop
from jaxhop import _yaml

NAME = "config.yaml"
"""The file in a run directory that says how to go on."""

_FIRST_LINE = "# Written by `jaxhop run`; `jaxhop resume` reads it."
_ENDINGS = (".yaml", ".yml")
_IN_PYTHON = ("callbacks", "devices", "executor")  # objects that no text stands for
_THIS_TIME = ("dir", "overwrite", "resume")  # not what the next start is to do again


@dataclass(frozen=True)
class Config:
    """A search in words.

    Attributes:
        objective: file and name of the objective, such as `"/home/me/train.py:loss"`.
        space: the space as YAML describes it, or file and name of one in Python.
        settings: the other arguments of `jaxhop.search`, as YAML writes them.
    """

    objective: str
    space: Any
    settings: Mapping[str, Any]

    @property
    def imported(self) -> list[str]:
        """What running it imports: files and names."""
        return [self.objective, *([self.space] if isinstance(self.space, str) else [])]

    def but(self, **settings: Any) -> "Config":
        """The same search with other settings.

        Args:
            **settings: arguments of `jaxhop.search`; None leaves what is there.

        Returns:
            A new configuration.

        Raises:
            ValueError: if `jaxhop.search` has no such argument.
        """
        given = {name: value for name, value in settings.items() if value is not None}
        for name in given:
            _refuse_unknown(name)
        return replace(self, settings={**self.settings, **given})


def is_config(target: str) -> bool:
    """Whether a text names a configuration file, and not an objective.

    Args:
        target: such as `"config.yaml"` or `"train.py:loss"`.

    Returns:
        Whether it ends like one.
    """
    return target.lower().endswith(_ENDINGS)


def read_config(path: str | os.PathLike[str]) -> Config:
    """Reads a configuration file; the paths in it count from its folder.

    Args:
        path: a YAML file with `objective`, `space`, and arguments of `jaxhop.search`.

    Returns:
        The configuration.

    Raises:
        ValueError: if something is missing or unknown.
    """
    tree = _yaml.read(path)
    try:
        return make_config(tree, Path(path).parent)
    except ValueError as error:
        raise ValueError(f"`{path}`: {error}") from None


def make_config(tree: Any, folder: Path) -> Config:
    """A configuration from what YAML says.

    Args:
        tree: a dict with `objective`, `space`, and arguments of `jaxhop.search`.
        folder: what relative paths count from.

    Returns:
        The configuration.

    Raises:
        ValueError: if something is missing or unknown.

    Example:
        >>> tree = {"objective": "/tmp/train.py:loss", "space": {"x": [1, 2]}, "runtime": "2h"}
        >>> make_config(tree, Path()).settings
        {'runtime': '2h'}
    """
    if not isinstance(tree, Mapping):
        raise ValueError(
            "a mapping must be given. Write `objective: train.py:loss`, `space:` and a budget such"
            " as `runtime: 2h`, each on a line."
        )
    settings = {name: value for name, value in tree.items() if value is not None}
    for name, example in (("objective", "train.py:loss"), ("space", "space.yaml")):
        if name not in settings:
            raise ValueError(f"`{name}` must be given. Say such as `{example}`.")
    objective, space = settings.pop("objective"), settings.pop("space")
    if "dir" in settings:
        if not isinstance(settings["dir"], str):
            raise ValueError(f"`dir: {settings['dir']}`: text must be given. Put it in quotes.")
        settings["dir"] = str(folder / settings["dir"])
    config = Config(_place(objective, "objective", folder), find_space(space, folder), {})
    return config.but(**{str(name): value for name, value in settings.items()})


def find_space(space: Any, folder: Path) -> Any:
    """The space as a configuration holds it.

    Args:
        space: the space itself; or a YAML file with it, or file and name of one in Python.
        folder: what relative paths count from.

    Returns:
        What YAML says, or the absolute path of the file, and the name.

    Raises:
        ValueError: if it is none of these.
    """
    if isinstance(space, str) and is_config(space):
        return _yaml.read(folder / space)
    return _place(space, "space", folder) if isinstance(space, str) else space


def run(config: Config, callbacks: tuple[Any, ...] = ()) -> jaxhop.Result:
    """Searches; the files that the configuration names are imported.

    Args:
        config: the search.
        callbacks: as for `jaxhop.search`.

    Returns:
        The result.

    Raises:
        ValueError: if something that the configuration names does not exist, and as
            `jaxhop.search` does.
        TypeError: as `jaxhop.search` does.
    """
    from jaxhop._yaml_space import space_from_yaml

    objective = load(config.objective)
    if not callable(objective):
        raise ValueError(f"`{config.objective}`: a function must be given, not {objective!r}.")
    named = isinstance(config.space, str)
    space = load(config.space) if named else space_from_yaml(config.space)
    settings = dict(config.settings)
    for name, makers in _makers().items():
        if name in settings and settings[name] != "auto":
            settings[name] = _made(name, settings[name], makers)
    return jaxhop.search(objective, space, callbacks=callbacks, **settings)


def load(place: str) -> Any:
    """Imports a file and takes an object from it.

    The file is imported as a module, its folder at the head of `sys.path`: so worker processes,
    which have the same path, can import it, too.

    Args:
        place: file and name.

    Returns:
        The object.

    Raises:
        ValueError: if there is no such file or name, or another module is called like the file.
        Exception: what the file itself raises.
    """
    text, _, name = place.rpartition(":")
    path = Path(text)
    if not path.is_file():
        raise ValueError(f"`{place}`: there is no file {path}. Give one, and a name in it.")
    if "." in path.stem:
        raise ValueError(f"`{place}`: no module can be called {path.stem!r}. Rename the file.")
    if sys.path[:1] != [str(path.parent)]:
        sys.path.insert(0, str(path.parent))
    module = importlib.import_module(path.stem)
    found = getattr(module, "__file__", None)
    if found is None or not os.path.samefile(found, path):
        raise ValueError(
            f"`{place}`: there is another module {path.stem!r}, {found or 'a part of Python'}."
            " Rename the file."
        )
    if not hasattr(module, name):
        raise ValueError(f"`{place}`: there is no {name!r} in it.{_close(name, vars(module))}")
    return getattr(module, name)


def store(config: Config, directory: str | os.PathLike[str]) -> bool:
    """Writes a configuration into the run directory, over one that was stored before.

    Args:
        config: the search.
        directory: its run directory.

    Returns:
        Whether it was written: a file of this name that somebody else wrote is left alone.

    Raises:
        OSError: if it cannot be written.
    """
    path = Path(directory) / NAME
    if path.exists() and not path.read_bytes().startswith(_FIRST_LINE.encode()):
        return False
    settings = {name: v for name, v in config.settings.items() if name not in _THIS_TIME}
    tree = {"objective": config.objective, "space": config.space, "dir": ".", **settings}
    new = path.with_name(f"{NAME}.{uuid.uuid4().hex}")  # other processes write theirs
    try:
        new.write_text(f"{_FIRST_LINE}\n{_yaml.write(tree)}", "utf-8")
        new.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink()
        raise
    return True


def _refuse_unknown(name: str) -> None:
    arguments = list(inspect.signature(jaxhop.search).parameters)[2:]
    if name in _IN_PYTHON:
        raise ValueError(f"`{name}`: it takes objects of Python. Call `jaxhop.search` there.")
    if name not in arguments:
        raise ValueError(
            f"`{name}`: there is no such argument of `jaxhop.search`."
            f"{_close(name, ['objective', 'space', *arguments])}"
        )


def _place(text: Any, argument: str, folder: Path) -> str:
    """File and name, the file with its absolute path."""
    file, _, name = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    if not file.endswith(".py") or not name.isidentifier():
        files = " or a YAML file" if argument == "space" else ""
        raise ValueError(
            f"`{argument}: {text}`: file and name must be given. Say such as"
            f" `train.py:{'loss' if argument == 'objective' else argument}`{files}."
        )
    return f"{(folder / file).absolute()}:{name}"


def _close(word: str, words: Any) -> str:
    found = difflib.get_close_matches(word, list(words), 1)
    return f" Did you mean `{found[0]}`?" if found else " Look at its spelling."


def _makers() -> dict[str, dict[str, Callable[..., Any]]]:
    """What makes the arguments that are objects, by the names that stand for them."""
    algorithms, pruners = jaxhop.algorithms, jaxhop.pruners
    return {
        "algorithm": {**algorithms.FACTORIES, "random_search": algorithms.random_search},
        "pruner": {
            "median": pruners.MedianPruner,
            "quantile": pruners.QuantilePruner,
            "top_k": pruners.TopKPruner,
            "successive_halving": pruners.SuccessiveHalvingPruner,
        },
    }


def _made(argument: str, said: Any, makers: Mapping[str, Callable[..., Any]]) -> Any:
    """An algorithm or a pruner from its name, or from `{name: {settings}}`."""
    named = isinstance(said, dict) and len(said) == 1
    name, settings = next(iter(said.items())) if named else (said, None)
    if not isinstance(name, str) or name not in makers:
        raise ValueError(
            f"`{argument}: {said}`: one of {', '.join(makers)} must be given, or a mapping of it"
            f" to its settings. Say `{argument}: {next(iter(makers))}`."
        )
    try:
        call = inspect.signature(makers[name]).bind(**(settings or {}))
    except TypeError as error:
        raise ValueError(f"`{argument}: {said}`: {error}. Correct its settings.") from None
    return makers[name](*call.args, **call.kwargs)
