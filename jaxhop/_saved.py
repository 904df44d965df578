"""A search in one file of JSON: what is written of it, and how it is read and checked."""

import contextlib
import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax

from jaxhop._asking import OneByOne
from jaxhop._history import History
from jaxhop._python_search import Memory
from jaxhop._row import Row
from jaxhop._trials import Trial
from jaxhop.space import Fidelity, Parameter, Space, known
from jaxhop.space._check import equal
from jaxhop.storage import StorageError, describe, from_plain, rebuild, to_plain
from jaxhop.storage._differences import differences
from jaxhop.storage._packing import Packing

VERSION = 1
_FORMAT = "jaxhop search"
_FACTS = ("_stream", "_asks")  # what an asker knows beside its state and its candidates
_RUNG_FACTS = ("_numbered", "_first", "_rungs", "_ids")
_ROW = ("key", "phase", "temperature", "turn", "index", "full", "progress")
_COLUMNS = ("value", "status", "phase", "seconds", "duration", "worker")
_TRIAL = (*_COLUMNS, "improved", "best_value")


def write(path: Path, plain: Any) -> None:
    """Writes a file as a whole: whoever reads it sees the old one or the new one.

    Args:
        path: the file.
        plain: what `json.dumps` takes.

    Raises:
        StorageError: if it cannot be written.
    """
    body = json.dumps(plain, allow_nan=False)
    head = {"format": _FORMAT, "version": VERSION, "blake2b": _hashed(body)}
    half = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        with open(half, "xb") as file:
            file.write(f'{json.dumps(head)[:-1]}, "search":\n{body}}}\n'.encode())
            file.flush()
            os.fsync(file.fileno())
        os.replace(half, path)
    except OSError as error:
        raise StorageError(
            f"`save({str(path)!r})`: {error.strerror or error}. Choose another file."
        ) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(half)


def read(path: Path) -> dict[str, Any]:
    """What `write` wrote.

    Args:
        path: the file.

    Returns:
        The JSON.

    Raises:
        StorageError: if there is none, it is damaged, or of somebody else, or too new.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StorageError(
            f"`load({str(path)!r})`: {error.strerror or error}. Give a file that `search.save`"
            " wrote."
        ) from error
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get("format") != _FORMAT:
        raise StorageError(
            f"`load({str(path)!r})`: it is damaged, or no file that `search.save` wrote. Give"
            " such a file, or a copy of it."
        )
    version = found.get("version")
    if isinstance(version, int) and version > VERSION:
        raise StorageError(
            f"`load({str(path)!r})`: it has version {version}, and this jaxhop reads up to"
            f" {VERSION}. Install the newer jaxhop that wrote it."
        )
    with sentences(path):
        if _hashed(json.dumps(found["search"], allow_nan=False)) != found["blake2b"]:
            raise ValueError
    return found["search"]


@contextlib.contextmanager
def sentences(path: Path) -> Iterator[None]:
    """Says in a sentence that a file does not hold what it should.

    Raises:
        StorageError: for whatever goes wrong.
    """
    try:
        yield
    except StorageError:
        raise
    except Exception as error:  # of whatever kind what was changed leads to
        raise StorageError(
            f"`load({str(path)!r})`: it is damaged, or was changed. Give a copy of it."
        ) from error


def tree_of(path: Path, description: Any, given: Any) -> Any:
    """The tree of a space that was saved.

    Args:
        path: the file, for errors.
        description: of the space.
        given: the user's tree; None to make it from the description.

    Returns:
        The tree.

    Raises:
        StorageError: if it is another space, or cannot be made from the description.
    """
    if given is None:
        try:
            return rebuild(description).tree
        except ValueError as error:
            raise StorageError(f"`load({str(path)!r})`: {error}") from None
    now = describe(known(given))
    if now != description:
        raise StorageError(
            f"`load({str(path)!r})`: it is the search of another space:\n  "
            + "\n  ".join(differences(description, now))
            + "\nGive the space of the search."
        )
    return given


def plain_candidate(tree: Any, candidate: Any) -> dict[str, Any]:
    """A candidate as JSON, without the constants of its space.

    Args:
        tree: of the space.
        candidate: a whole one; those of before a key was replaced may have another form.

    Returns:
        The values of the parameters in order, or else all of it.
    """
    leaves, structure = jax.tree.flatten(tree)
    try:
        values = structure.flatten_up_to(candidate)
    except (ValueError, TypeError):  # constants are missing, or a node is another one
        return {"whole": to_plain(candidate)}
    pairs = list(zip(leaves, values, strict=True))
    if not all(_free(leaf) or _same(leaf, value) for leaf, value in pairs):
        return {"whole": to_plain(candidate)}
    return {"values": [to_plain(value) for leaf, value in pairs if _free(leaf)]}


def read_candidate(tree: Any, plain: dict[str, Any]) -> Any:
    """The candidate that `plain_candidate` wrote.

    Args:
        tree: of the space.
        plain: the JSON.

    Returns:
        A candidate.
    """
    if "whole" in plain:
        return from_plain(plain["whole"])
    leaves, structure = jax.tree.flatten(tree)
    values = iter(plain["values"])
    return structure.unflatten(
        from_plain(next(values)) if _free(leaf) else leaf for leaf in leaves
    )


def plain_trial(tree: Any, trial: Trial) -> dict[str, Any]:
    """A trial as JSON.

    Args:
        tree: of the space.
        trial: the trial.

    Returns:
        An object.
    """
    own = {name: to_plain(getattr(trial, name)) for name in _TRIAL}
    return {**plain_candidate(tree, trial.params), **own}


def read_trial(tree: Any, number: int, plain: dict[str, Any]) -> Trial:
    """The trial that `plain_trial` wrote.

    Args:
        tree: of the space.
        number: how many came before it.
        plain: the JSON.

    Returns:
        The trial.
    """
    own = {name: from_plain(plain[name]) for name in _TRIAL}
    return Trial(number=number, params=read_candidate(tree, plain), **own)


def recorded(history: History) -> list[Trial]:
    """The trials of a search, those whose parameters are known.

    Args:
        history: of the search.

    Returns:
        One trial for each.
    """
    columns = {name: history[name].tolist() for name in (*_COLUMNS, "evaluation")}
    improved, best = set(history.improvements.tolist()), history.best().tolist()
    return [
        Trial(
            number=columns["evaluation"][row],
            params=params,
            improved=row in improved,
            best_value=best[row],
            **{name: columns[name][row] for name in _COLUMNS},
        )
        for row, params in zip(history.stored.tolist(), history.candidates(), strict=True)
    ]


def plain_asker(asker: OneByOne, asked: dict[bytes, Row]) -> dict[str, Any]:
    """What hands out candidates, as JSON.

    Args:
        asker: the asker.
        asked: the candidates that the user may tell, by their keys.

    Returns:
        An object.
    """
    packing, store = Packing(asker.like), asker.store
    facts = {name: getattr(asker, name) for name in _facts(asker)}
    rungs = hasattr(asker, "_raw")
    return {
        "seed": asker._seed,
        "duplicates": asker.tried._allow,
        "raw": rungs and asker._raw,  # pyright: ignore[reportAttributeAccessIssue]
        "facts": to_plain(facts),
        "state": to_plain(_bare(asker.state)),
        "tried": [to_plain(key) for key in sorted(asker.tried._keys)],
        "kept": [[to_plain(each), to_plain(store.get(each))] for each in store.values],
        "out": [
            {
                "point": to_plain(packing.pack(row.point)),
                "asked": asked.get(row.key) is row,
                **{name: to_plain(getattr(row, name)) for name in _ROW},
            }
            for row in asker._out.values()
        ],
    }


def read_asker(memory: Memory, space: Space, plain: dict[str, Any]) -> dict[bytes, Row]:
    """Gives a memory the asker that `plain_asker` wrote.

    Args:
        memory: a new one.
        space: the space that is searched.
        plain: the JSON.

    Returns:
        The candidates that the user may tell, by their keys.
    """
    asker = memory.asker(space, plain["seed"], None, plain["duplicates"], plain["raw"])
    facts = from_plain(plain["facts"])
    for name in _facts(asker):
        setattr(asker, name, facts[name])
    asker.state = _named(asker.state, from_plain(plain["state"]))
    asker.taken([from_plain(key) for key in plain["tried"]])
    for handle, value in plain["kept"]:
        asker.store.put(from_plain(handle), from_plain(value))
    packing = Packing(asker.like)
    rows: list[Row] = []
    for each in plain["out"]:
        points = packing.unpack([from_plain(each["point"])])
        own = {name: from_plain(each[name]) for name in _ROW}
        rows.append(Row(jax.tree.map(lambda leaf: leaf[0], points), None, **own))
    opened = asker.reopen(rows)
    pairs = zip(opened, plain["out"], strict=True)
    return {row.key: row for row, each in pairs if each["asked"]}


def _bare(node: Any) -> Any:
    """Named tuples as tuples, at any depth of tuples."""
    return tuple(map(_bare, node)) if isinstance(node, tuple) else node


def _named(like: Any, bare: Any) -> Any:
    """Tuples as the named ones that they were made of."""
    if not hasattr(like, "_fields"):
        named = isinstance(like, tuple) and any(isinstance(part, tuple) for part in like)
        return tuple(map(_named, like, bare)) if named else bare
    return type(like)(*(_named(own, part) for own, part in zip(like, bare, strict=True)))


def _facts(asker: OneByOne) -> tuple[str, ...]:
    return _FACTS + tuple(name for name in _RUNG_FACTS if hasattr(asker, name))


def _same(constant: Any, value: Any) -> bool:
    """Whether a value is the constant of the space.

    Objects that cannot be written cannot be compared either: the copy of one is another one.
    """
    if constant is value or equal(constant, value):
        return True
    try:
        to_plain(constant)
    except TypeError:
        return True
    return False


def _free(leaf: Any) -> bool:
    return isinstance(leaf, Parameter | Fidelity)


def _hashed(body: str) -> str:
    return hashlib.blake2b(body.encode(), digest_size=16).hexdigest()
