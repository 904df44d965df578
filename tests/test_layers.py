"""Files import only from what stands below them, as CONTRIBUTING.md has it."""

import ast
import graphlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "jaxhop"
# What a result offers as a method, but is above it: imported when the method is called.
LATE = {("_result", "plots"), ("_result", "_to_optuna")}


def floors():
    """The rooms of the house, from the top to the ground, as CONTRIBUTING.md lists them."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    block = re.search(r"```text\n(.*?)```", text, re.DOTALL)
    assert block is not None
    return [room for line in block[1].splitlines() for room in line.split(maxsplit=1)[1].split()]


def module(path):
    """A file's name under jaxhop: `("space", "_int")`."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts


MODULES = {module(path): path for path in PACKAGE.rglob("*.py")}


def imports(path, late):
    """The files of jaxhop that a file imports: at its top, or later in its functions."""
    tree = ast.parse(path.read_text())
    hidden, deferred = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            hidden.update(map(id, ast.walk(node)))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            deferred.update(map(id, ast.walk(node)))
    found = set()
    for node in ast.walk(tree):
        if id(node) in hidden or (id(node) in deferred) is not late:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "jaxhop":
            parts = tuple(str(node.module).split(".")[1:])
            for alias in node.names:
                whole = (*parts, alias.name)
                found.add(whole if whole in MODULES else parts or ("__init__",))
        elif isinstance(node, ast.Import) and any(a.name == "jaxhop" for a in node.names):
            found.add(("__init__",))
    return found - {module(path)}


def test_every_file_has_its_place():
    rooms = floors()
    assert sorted(rooms) == sorted(set(rooms))
    assert set(rooms) == {name[0] for name in MODULES}


@pytest.mark.parametrize("late", [False, True], ids=["at the top", "in functions"])
def test_files_import_downwards(late):
    height = {room: -at for at, room in enumerate(floors())}
    upwards = {
        (name[0], other[0])
        for name, path in MODULES.items()
        for other in imports(path, late)
        if other[0] != name[0] and height[other[0]] > height[name[0]]
    }
    assert upwards == (LATE if late else set())


@pytest.mark.parametrize("package", sorted({name[0] for name in MODULES if len(name) > 1}))
def test_files_of_a_package_import_in_one_direction(package):
    inside = {name: path for name, path in MODULES.items() if name[0] == package}
    graph = {
        name: {other for other in imports(path, late=False) if other in inside}
        for name, path in inside.items()
        if name != (package,)
    }
    list(graphlib.TopologicalSorter(graph).static_order())  # raises if there is a circle
    assert all((package,) not in others for others in graph.values())


# More than 400 lines, for a reason.
LONG = {
    "jaxhop/_interactive.py": "one class, and half of it are docstrings with examples",
}


def test_files_are_short():
    files = [path for folder in ("jaxhop", "examples") for path in (ROOT / folder).rglob("*.py")]
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    assert {name for name, count in lines.items() if count > 400} == set(LONG)
