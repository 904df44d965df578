"""What a checkpoint is on disk, written and read with orbax.

It is a directory `state_12` with two items: `state`, the bytes of all arrays one after the other,
and `facts`, one JSON file that lists the arrays by their paths in the pytree, with checksums of
them and of itself. One array of bytes and not one for each: orbax refuses arrays of size 0, takes
half a millisecond for each, and where one of several fails tensorstore prints tracebacks.

Orbax writes into a directory of another name and renames it when all is written, so whatever ends
the process, the checkpoints before stay whole.
"""

import contextlib
import json
import logging
import math
import os
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

PREFIX = "state"
_CHUNK = 2**28  # bytes that tensorstore handles at once
_NAMED = 3  # differences that an error names

Kind = tuple[str, tuple[int, ...]]


class Damaged(Exception):
    """Why a checkpoint is not whole, as the end of a sentence."""


class Packed(NamedTuple):
    """A copy of a state.

    Attributes:
        kinds: dtype and shape of each array by its path, in their order.
        content: the bytes of all of them, one after the other.
    """

    kinds: dict[str, Kind]
    content: np.ndarray


def pack(state: Any) -> Packed:
    """Copies a state.

    Args:
        state: a pytree of JAX's and NumPy's arrays.

    Returns:
        The copy, which shares no memory with it.
    """
    leaves = jax.tree.leaves(state)
    for leaf in leaves:
        if isinstance(leaf, jax.Array):
            leaf.copy_to_host_async()
    arrays = [np.asarray(_local(leaf)) for leaf in leaves]
    content = np.empty(sum(array.nbytes for array in arrays), np.uint8)
    end = 0
    for array in arrays:
        start, end = end, end + array.nbytes
        content[start:end] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return Packed(_kinds(state), content)


def is_one(path: Path) -> bool:
    """Whether something looks like a checkpoint, whole or not."""
    return (path / "facts").is_dir()


def manager(directory: Path, keep: int) -> Any:
    """Orbax's manager of the checkpoints of a directory, of which it keeps the newest."""
    import orbax.checkpoint as ocp

    alone, handlers = _handlers()
    options = ocp.CheckpointManagerOptions(
        max_to_keep=keep,
        step_prefix=PREFIX,
        create=False,
        save_root_metadata=False,
        lightweight_initialize=True,
        enable_async_checkpointing=False,  # it is called in a thread, where it can take its time
        multiprocessing_options=alone,
    )
    return ocp.CheckpointManager(directory, options=options, item_handlers=handlers)


def write(manager: Any, step: int, packed: Packed, facts: dict[str, Any]) -> None:
    """Writes a checkpoint and removes those that are too many.

    Args:
        manager: of `manager`.
        step: the number of the state.
        packed: the state.
        facts: what is saved with it.

    Raises:
        Exception: of any kind, if it could not be written.
    """
    import orbax.checkpoint as ocp

    whole = {
        "facts": facts,
        "arrays": [[place, dtype, list(shape)] for place, (dtype, shape) in packed.kinds.items()],
        "arrays_crc32": zlib.crc32(packed.content.data),
    }
    whole["crc32"] = _checksum(whole)
    items: dict[str, Any] = {"facts": ocp.args.JsonSave(whole)}
    if packed.content.size:
        how = {"content": ocp.SaveArgs(chunk_byte_size=_CHUNK)}
        items["state"] = ocp.args.PyTreeSave({"content": packed.content}, how)
    manager.save(step, args=ocp.args.Composite(**items), force=True)
    manager.wait_until_finished()


def read(path: Path, like: Any) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Reads a checkpoint.

    Args:
        path: its directory.
        like: a pytree of what has a shape and a dtype.

    Returns:
        Host arrays in the order of the leaves of `like`, and the facts.

    Raises:
        Damaged: if it is not whole.
        ValueError: if it is whole and has other arrays than `like`.
    """
    with quiet(), ThreadPoolExecutor(1) as thread:  # in a notebook's thread orbax cannot work
        return thread.submit(_read, path, like).result()


def _read(path: Path, like: Any) -> tuple[list[np.ndarray], dict[str, Any]]:
    facts, kinds, checksum = _read_facts(path)
    wanted = _kinds(like)
    if kinds != wanted:
        raise ValueError(
            f"`{path}` is not a state of this search: {_differences(kinds, wanted)}. Search as"
            " before, or in another directory."
        )
    dtypes = {place: leaf.dtype for place, leaf in _placed(like)}
    sizes = [math.prod(shape) * dtypes[place].itemsize for place, (_, shape) in kinds.items()]
    content = _read_content(path) if any(sizes) else np.empty(0, np.uint8)
    if content.size != sum(sizes) or zlib.crc32(content.data) != checksum:
        raise Damaged("the checksum of its arrays is wrong")
    found, end = {}, 0
    for (place, (_, shape)), size in zip(kinds.items(), sizes, strict=True):
        start, end = end, end + size
        found[place] = content[start:end].copy().view(dtypes[place]).reshape(shape)
    return [found[place] for place in wanted], facts


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps orbax from logging what goes wrong, with tracebacks, beside raising it."""
    import orbax.checkpoint  # noqa: F401  # first: it makes this logger one of its own class

    def others(record: logging.LogRecord) -> bool:
        return f"{os.sep}orbax{os.sep}" not in record.pathname

    logger = logging.getLogger("absl")
    logger.addFilter(others)
    try:
        yield
    finally:
        logger.removeFilter(others)


def _placed(tree: Any) -> list[tuple[str, Any]]:
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return [(jax.tree_util.keystr(path), leaf) for path, leaf in leaves]


def _kinds(tree: Any) -> dict[str, Kind]:
    return {place: (np.dtype(leaf.dtype).name, tuple(leaf.shape)) for place, leaf in _placed(tree)}


def _local(leaf: Any) -> Any:
    """What this process has of an array that is the same on all of several processes."""
    if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
        return leaf.addressable_data(0)
    return leaf


def _checksum(facts: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(facts, sort_keys=True).encode())


def _handlers() -> tuple[Any, dict[str, Any]]:
    """Orbax's options that keep other processes out, and what reads and writes the items."""
    import orbax.checkpoint as ocp

    this = jax.process_index()
    alone = ocp.options.MultiprocessingOptions(primary_host=this, active_processes={this})
    return alone, {
        # Compression would take most of the time and gain little on floats.
        "state": ocp.PyTreeCheckpointHandler(use_compression=False, multiprocessing_options=alone),
        "facts": ocp.JsonCheckpointHandler(multiprocessing_options=alone),
    }


def _read_facts(path: Path) -> tuple[dict[str, Any], dict[str, Kind], int]:
    """The facts, what the arrays are, and their checksum."""
    import orbax.checkpoint as ocp

    whole = _restored(path, "facts", ocp.args.JsonRestore())
    try:
        right = whole.pop("crc32") == _checksum(whole)
        kinds = {place: (dtype, tuple(shape)) for place, dtype, shape in whole["arrays"]}
        facts, checksum = whole["facts"], whole["arrays_crc32"]
    except Exception as error:  # any JSON may be there
        raise Damaged("`facts` is not what jaxhop writes") from error
    if not right:
        raise Damaged("the checksum of `facts` is wrong")
    return facts, kinds, checksum


def _read_content(path: Path) -> np.ndarray:
    import orbax.checkpoint as ocp

    how = {"content": ocp.RestoreArgs(restore_type=np.ndarray)}
    found = _restored(path, "state", ocp.args.PyTreeRestore(restore_args=how))
    content = found.get("content") if isinstance(found, dict) else None
    if not isinstance(content, np.ndarray) or content.dtype != np.uint8 or content.ndim != 1:
        raise Damaged("`state` is not what jaxhop writes")
    return content


def _restored(path: Path, item: str, how: Any) -> Any:
    """An item of a checkpoint."""
    import orbax.checkpoint as ocp

    alone, handlers = _handlers()
    options = ocp.CompositeOptions(multiprocessing_options=alone)
    handler = ocp.CompositeCheckpointHandler(composite_options=options, **handlers)
    if not (path / item).is_dir():
        raise Damaged(f"`{item}` is missing")
    try:
        with ocp.Checkpointer(handler, multiprocessing_options=alone) as reader:
            return reader.restore(path, args=ocp.args.Composite(**{item: how}))[item]
    except Exception as error:  # orbax, tensorstore and json each have their own
        system = error.strerror if isinstance(error, OSError) else None
        why = f"cannot be read: {system}" if system else "is damaged"
        raise Damaged(f"`{item}` {why}") from error


def _differences(saved: dict[str, Kind], wanted: dict[str, Kind]) -> str:
    """What differs between the arrays that were saved and those that are wanted, in words."""

    def said(kind: Kind) -> str:
        return f"{kind[0]}{list(kind[1])}"

    found = []
    for place in sorted({*saved, *wanted}):
        if place not in wanted:
            found.append(f"it has `{place}`, {said(saved[place])}")
        elif place not in saved:
            found.append(f"it has no `{place}`, {said(wanted[place])}")
        elif saved[place] != wanted[place]:
            found.append(f"`{place}` is {said(saved[place])} in it and {said(wanted[place])} here")
    more = len(found) - _NAMED
    return "; ".join(found[:_NAMED]) + (f"; and {more} more differ" if more > 0 else "")
