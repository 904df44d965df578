"""The reference: no public name is left out, and none is there that is not public."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import click
import pytest

import jaxhop
from jaxhop._cli import cli

pytestmark = pytest.mark.docs

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
FACES = (
    "jaxhop",
    "jaxhop.space",
    "jaxhop.algorithms",
    "jaxhop.callbacks",
    "jaxhop.plots",
    "jaxhop.pruners",
    "jaxhop.executors",
    "jaxhop.sklearn",
    "jaxhop.compat.pyhopper",
    "jaxhop.compat.pyhopper.callbacks",
    "jaxhop.compat.pyhopper.pruners",
)


def public(face):
    """The public names of a module: those that it lists, or else those that it defines."""
    module = importlib.import_module(face)
    defined = [n for n, o in vars(module).items() if getattr(o, "__module__", None) == face]
    names = getattr(module, "__all__", [name for name in defined if not name.startswith("_")])
    return {f"{face}.{name}" for name in names} - set(FACES)


def entries():
    """What the pages describe."""
    text = "".join(path.read_text(encoding="utf-8") for path in REFERENCE.glob("*.md"))
    return re.findall(r"^::: (\S+)$", text, re.MULTILINE)


@pytest.mark.parametrize("face", FACES)
def test_every_public_name_has_an_entry(face):
    described = {id(pkgutil.resolve_name(path)) for path in entries()}
    missing = {path for path in public(face) if id(pkgutil.resolve_name(path)) not in described}
    assert not missing
    if face == "jaxhop":  # these go by the name that users write
        assert public(face) <= {*entries(), *FACES}


def test_every_entry_is_public_and_there_once():
    listed = entries()
    assert len(listed) == len(set(listed))
    assert set(listed) <= set.union(set(FACES), *map(public, FACES))


def test_every_public_module_is_looked_at():
    modules = {f"jaxhop.{n}" for n in jaxhop.__all__ if inspect.ismodule(getattr(jaxhop, n))}
    assert modules <= set(FACES)


def test_every_command_and_option_is_on_its_page():
    text = (REFERENCE / "command-line.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## jaxhop (\w+)\n(.*?)(?=^## )", text, re.DOTALL | re.MULTILINE))
    assert set(sections) == set(cli.commands)
    for name, command in cli.commands.items():
        options = [each for each in command.params if isinstance(each, click.Option)]
        flags = {flag for each in options for flag in (*each.opts, *each.secondary_opts)}
        shared = flags & set(re.findall(r"`(--[\w-]+)", sections["run"]))
        listed = set(re.findall(r"^\| `(--[\w-]+)", sections[name], re.MULTILINE))
        if name == "resume":
            assert flags == shared
        else:
            assert flags - {"--no-progress"} == listed
        for each in options if name in ("run", "resume") else ():
            assert f"| {each.help} |" in sections["run"]
