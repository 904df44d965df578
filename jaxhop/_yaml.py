"""YAML as people write it: nothing is executed, 1e-5 is a number, no key is said twice."""

import os
import re
from pathlib import Path
from typing import Any

import yaml

# YAML 1.1, which PyYAML reads, wants 1.0e-5.
_NUMBER = re.compile(r"[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)[eE][-+]?[0-9]+$")
_RESOLVED = ("tag:yaml.org,2002:float", _NUMBER, list("-+.0123456789"))
_MERGE = "tag:yaml.org,2002:merge"


class _Loader(yaml.SafeLoader):
    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            name = (key.tag, key.value) if isinstance(key, yaml.ScalarNode) else None
            if name in seen and key.tag != _MERGE:
                problem = f"the key {key.value!r} is there twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            if name is not None:
                seen.add(name)
        return node


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True  # what was said once by an anchor is easier to read in its places


_Loader.add_implicit_resolver(*_RESOLVED)
_Dumper.add_implicit_resolver(*_RESOLVED)  # so that the text "1e-5" gets quotes


def parse(text: str, source: str) -> Any:
    """What a YAML text says.

    Args:
        text: the text.
        source: what errors call it.

    Returns:
        Dicts, lists and scalars.

    Raises:
        ValueError: if it is no YAML, or a mapping has a key twice.

    Example:
        >>> parse("lr: {lower: 1e-5, upper: 1e-1, log: true}", "space.yaml")
        {'lr': {'lower': 1e-05, 'upper': 0.1, 'log': True}}
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = "" if mark is None else f" in line {mark.line + 1}"
        problem = error.problem or error.context
    except yaml.YAMLError as error:  # such as a control character
        where, problem = "", " ".join(str(error).split())
    except RecursionError:
        where, problem = "", "it is nested too deeply"
    except (ValueError, OverflowError) as error:  # such as the 45th of January
        where, problem = "", str(error)
    raise ValueError(f"`{source}`: it must be YAML, but{where}: {problem}. Correct it.")


def read(path: str | os.PathLike[str]) -> Any:
    """What a YAML file says.

    Args:
        path: the file.

    Returns:
        Dicts, lists and scalars.

    Raises:
        ValueError: if there is no such file, or it is no YAML.
    """
    try:
        text = Path(path).read_text("utf-8")
    except OSError as error:
        raise ValueError(
            f"`{path}`: it cannot be read: {error.strerror}. Give a YAML file."
        ) from None
    except UnicodeDecodeError:
        raise ValueError(f"`{path}`: it must be text in UTF-8. Give a YAML file.") from None
    return parse(text, str(path))


def write(tree: Any) -> str:
    """The YAML text of a tree.

    Args:
        tree: dicts, lists and scalars, as `parse` returns them.

    Returns:
        Text that `parse` reads as the same tree.

    Example:
        >>> write({"lr": {"lower": 1e-5}, "name": "1e-5"}).splitlines()
        ['lr:', '  lower: 1.0e-05', "name: '1e-5'"]
    """
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
