"""Stacked points as candidates and their keys, a block at a time."""

import functools
import hashlib
from typing import Any

import jax
import numpy as np

from jaxhop.space._column import Column
from jaxhop.space._entries import shortened
from jaxhop.space._host import host_lists, key_bytes
from jaxhop.space._index import Index
from jaxhop.space._parameter import Parameter
from jaxhop.space._python import Held, PythonCustom
from jaxhop.space._store import Store
from jaxhop.space._tree import Tree
from jaxhop.space._usage import Usage

_SIZES = (1, 4, 16, 64, 256, 1024, 4096)  # points that are decoded together,
_BLOCK_BYTES = 2**22  # and what they may hold
_LONG = 64  # longer keys are hashed


class Decoder:
    """Makes candidates of points.

    Args:
        tree: the space.
        columns: its columns.
        usage: which coordinates count.
        nbytes: size of a point.
    """

    def __init__(self, tree: Tree, columns: tuple[Column, ...], usage: Usage, nbytes: int) -> None:
        self._tree, self._columns, self._usage = tree, columns, usage
        most = max(1, _BLOCK_BYTES // max(nbytes, 1))
        self._sizes = [size for size in _SIZES if size <= most] or [1]

    def candidates(
        self, points: Any, store: Store | None, keyed: bool
    ) -> tuple[list[Any], list[bytes]]:
        """Candidates as a user reads them, and their keys.

        Args:
            points: stacked points on the host.
            store: of Python values, if the space has any.
            keyed: whether keys are wanted.

        Returns:
            The candidates; and bytes that are equal where they are, or nothing.
        """
        made: list[Any] = []
        keys: list[bytes] = []
        for block in self._blocks(points):
            decoded, used = self.decoded(block)
            lists = self.lists(block, decoded, used, store)
            made += self._tree.rows(lists, None)
            if keyed:
                keys += self._keys(block, decoded, used, lists)
        return made, keys

    def decoded(self, points: Any) -> tuple[Any, Any]:
        """What each column decodes to, and which coordinates count.

        Args:
            points: not more of them than a block has.

        Returns:
            For each column stacked NumPy arrays, and stacked bools; no bools at all where every
            coordinate always counts.
        """
        number = len(jax.tree.leaves(points)[0])
        size = next((size for size in self._sizes if size >= number), number)
        if size > number:  # every block is of one of few sizes, so that few programs serve all
            rows = np.minimum(np.arange(size), number - 1)
            points = jax.tree.map(lambda leaf: np.asarray(leaf)[rows], points)
        decoded, used = jax.device_get(self._compiled(points))
        if size > number:
            decoded, used = jax.tree.map(lambda leaf: leaf[:number], (decoded, used))
        return decoded, used

    def lists(self, points: Any, decoded: Any, used: Any, store: Store | None) -> list[Any]:
        """For each leaf a list of its values as a user reads them.

        Args:
            points: stacked points.
            decoded: what `decoded` returned for them.
            used: likewise.
            store: of Python values.

        Returns:
            One list for each leaf; Python values in it are `Held`.
        """
        lists: list[Any] = [None] * len(self._tree.leaves)
        for which, column in enumerate(self._columns):
            x = np.asarray(points[which]) if not isinstance(points[which], dict) else points[which]
            if isinstance(column.parameter, PythonCustom):
                parameter = column.parameter
                lists[column.numbers[0]] = [Held(parameter, row.tobytes(), store) for row in x]
                continue
            if not column.leaves:
                continue
            own = host_lists(column, points[which], decoded[which])
            for number, values in zip(column.numbers, own, strict=True):
                lists[number] = values
                if number in self._usage.gated:
                    masks = self._of_leaf(column, number, used[which])
                    counted = number in self._usage.counted
                    lists[number] = shortened(np.stack(values), masks, counted)
        return lists

    def _blocks(self, points: Any) -> Any:
        number = len(jax.tree.leaves(points)[0])
        size = self._sizes[-1]
        if number <= size:
            return [points] if number else []
        return [
            jax.tree.map(lambda leaf, first=first: leaf[first : first + size], points)
            for first in range(0, number, size)
        ]

    def _keys(self, points: Any, decoded: Any, used: Any, lists: list[Any]) -> list[bytes]:
        parts: list[Any] = []
        flags: list[Any] = []
        held = []
        for which, column in enumerate(self._columns):
            flag = used[which] if used else True
            if isinstance(column.parameter, PythonCustom):
                held.append((lists[column.numbers[0]], flag))
            elif isinstance(column.parameter, Index):
                parts.append(np.asarray(points[which]))
                flags.append(flag)
            elif column.leaves:
                own = jax.tree.leaves(decoded[which])
                parts += own
                flags += [flag] * len(own)
        number = len(jax.tree.leaves(points)[0])
        keys = key_bytes(parts, flags) if parts else [b""] * number
        for values, flag in held:
            counts = np.ones(number, bool) if flag is True else flag.reshape(number, -1)[:, 0]
            keys = [
                key + (_hashed(value.data()) if count else b"-")
                for key, value, count in zip(keys, values, counts, strict=True)
            ]
        return [_hashed(key) for key in keys] if len(keys[0]) > _LONG else keys

    def _of_leaf(self, column: Column, number: int, array: Any) -> np.ndarray:
        """The part of a stacked column that is one leaf's."""
        place = column.numbers.index(number)
        leaf: Any = column.leaves[place]
        first = sum(other.pairs for other in column.leaves[:place])
        flat = np.asarray(array).reshape(len(array), -1)
        return flat[:, first : first + leaf.pairs].reshape(len(flat), *leaf.shape)

    @functools.cached_property
    def _compiled(self) -> Any:
        # Taken apart on the host: a program with a thousand results compiles for half a minute.
        def one(point: Any) -> Any:
            pairs = zip(self._columns, point, strict=True)
            decoded = tuple(
                column.decode(x) if isinstance(column.parameter, Parameter) else ()
                for column, x in pairs
            )
            return decoded, self._usage.used(point) if self._usage.conditional else ()

        return jax.jit(jax.vmap(one))


def _hashed(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
