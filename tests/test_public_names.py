"""Every public name says what it is, takes and returns, and shows it in an example."""

import ast
import functools
import importlib
import inspect
import itertools
import pkgutil
import re
from pathlib import Path

import pytest

import jaxhop
from jaxhop.compat import pyhopper

PACKAGE = Path(jaxhop.__file__).parent
NOTHING = (None, "None")
HELD = (
    jaxhop.Result,
    jaxhop.History,
    jaxhop.Search,
    jaxhop.Space,
    jaxhop.Option,
    pyhopper.Search,
)  # what users hold in their hands: of these, methods and properties count, too


def modules():
    """The modules that users may import: those without an underscore on the way to them."""
    walked = pkgutil.walk_packages(jaxhop.__path__, "jaxhop.")
    names = ["jaxhop", *(each.name for each in walked)]
    return [importlib.import_module(name) for name in names if "._" not in name]


def public(module):
    """What a module offers: what it lists, or else what is made in it or in its package."""
    here = (n for n, o in vars(module).items() if made_in(o).startswith(module.__name__))
    names = getattr(module, "__all__", [name for name in here if not name.startswith("_")])
    return {name: getattr(module, name) for name in names}


def made_in(thing):
    return str(getattr(thing, "__module__", ""))


NAMES = {
    f"{module.__name__}.{name}": thing
    for module in modules()
    for name, thing in public(module).items()
    if not inspect.ismodule(thing)
}
DESCRIBED = {name: o for name, o in NAMES.items() if callable(o)}
CONSTANTS = sorted(NAMES.keys() - DESCRIBED.keys())
MEMBERS = {
    f"{made_in(owner)}.{owner.__name__}.{name}": (owner, name)
    for owner in HELD
    for name in dir(owner)
    if not name.startswith("_") and name not in vars(owner).get("__dataclass_fields__", {})
}


def function(member):
    """The function behind a method or property."""
    names = {property: "fget", functools.cached_property: "func", classmethod: "__func__"}
    return getattr(member, names[type(member)]) if type(member) in names else member


def text(thing):
    """A docstring that somebody wrote: dataclasses make up one of their own."""
    written = inspect.cleandoc(thing.__doc__ or "")
    return "" if written.startswith(f"{thing.__name__}(") else written


def section(written, title):
    """The names that a section of a docstring explains, and None if there is no such section."""
    found = re.search(rf"^{title}:\n((?:    .*\n?|\n)+)", written, re.MULTILINE)
    return None if found is None else re.findall(r"^    (\*{0,2}\w+): ", found[1], re.MULTILINE)


def parameters(thing):
    """Names of what a function or class takes, with the stars that they have."""
    stars = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    taken = inspect.signature(thing).parameters.values()
    return [stars.get(p.kind, "") + p.name for p in taken if p.name not in ("self", "cls")]


def made_of_fields(cls):
    """Whether a class lists its attributes, and takes one argument for each."""
    generated = getattr(vars(cls).get("__dataclass_params__"), "init", False)
    return generated or hasattr(cls, "_fields")


def is_protocol(cls):
    """Whether a class only says what others have; typing then makes its `__init__`."""
    return getattr(cls, "_is_protocol", False)


def check_form(thing):
    """A docstring has a summary, says exactly what is taken, and what is returned."""
    written = text(thing)
    first = written.split("\n\n")[0]
    assert re.search(r"[.?:]$", first), "a docstring begins with a sentence"
    if inspect.isclass(thing) and made_of_fields(thing):
        fields = section(written, "Args") or section(written, "Attributes")
        assert fields == parameters(thing)
    elif not inspect.isclass(thing) or ("__init__" in vars(thing) and not is_protocol(thing)):
        assert section(written, "Args") == (parameters(thing) or None)
    if not inspect.isclass(thing) and inspect.signature(thing).return_annotation not in NOTHING:
        assert section(written, "Returns") is not None


def shown(written):
    """The lines of a docstring that are run."""
    return "\n".join(re.findall(r"^ *(?:>>>|\.\.\.) .*$", written, re.MULTILINE))


@pytest.mark.parametrize("name", sorted(DESCRIBED))
def test_public_names_are_described_and_shown(name):
    check_form(DESCRIBED[name])
    written = text(DESCRIBED[name])
    assert re.search(r"^Example:$", written, re.MULTILINE)
    assert ">>> " in written


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_are_described_below_them(name):
    module, _, own = name.rpartition(".")
    folder = PACKAGE.joinpath(*module.split(".")[1:])
    found = []
    for path in folder.glob("*.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for this, below in itertools.pairwise(body):
            targets = [*getattr(this, "targets", []), getattr(this, "target", None)]
            if any(isinstance(each, ast.Name) and each.id == own for each in targets):
                found.append(isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant))
    assert found == [True]


@pytest.mark.parametrize("name", sorted(MEMBERS))
def test_members_of_what_users_hold_are_described_and_shown(name):
    owner, own = MEMBERS[name]
    member = inspect.getattr_static(owner, own)
    written = text(function(member))
    if isinstance(member, property | functools.cached_property):
        assert written
    else:
        check_form(function(member))
    assert re.search(rf"\.{own}\b", shown(f"{text(owner)}\n{written}"))
