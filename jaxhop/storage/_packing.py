"""Points as bytes, and many of them back as stacked arrays."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np


class Packing:
    """Writes the arrays of a point one after the other, little-endian as they are.

    Args:
        like: a point, or shapes and dtypes of one.

    Attributes:
        size: bytes of a point.

    Example:
        >>> packing = Packing((np.zeros(2, np.float32), np.int32(0)))
        >>> data = packing.pack((np.array([1, 2], np.float32), np.int32(3)))
        >>> packing.unpack([data, data])[1]
        array([3, 3], dtype=int32)
    """

    def __init__(self, like: Any) -> None:
        leaves, self._structure = jax.tree.flatten(like)
        self._forms = [(tuple(leaf.shape), np.dtype(leaf.dtype)) for leaf in leaves]
        sizes = [int(np.prod(shape)) * dtype.itemsize for shape, dtype in self._forms]
        self._ends = np.cumsum([0, *sizes]).tolist()
        self.size: int = self._ends[-1]

    def pack(self, point: Any) -> bytes:
        """The bytes of a point.

        Args:
            point: its arrays.

        Returns:
            `size` bytes.
        """
        leaves = zip(jax.tree.leaves(point), self._forms, strict=True)
        return b"".join(np.asarray(leaf, dtype).tobytes() for leaf, (_, dtype) in leaves)

    def unpack(self, data: Sequence[bytes]) -> Any:
        """The points again.

        Args:
            data: what `pack` gave, for each.

        Returns:
            The pytree of a point, of arrays with a leading axis.

        Raises:
            ValueError: if these are not the bytes of such points.
        """
        if any(len(each) != self.size for each in data):
            raise ValueError(f"`unpack`: each point must have {self.size} bytes.")
        table = np.frombuffer(b"".join(data), np.uint8).reshape(len(data), self.size)
        bounds = zip(self._ends[:-1], self._ends[1:], self._forms, strict=True)
        return self._structure.unflatten(
            np.ascontiguousarray(table[:, a:b]).reshape(-1).view(dtype).reshape(-1, *shape)
            for a, b, (shape, dtype) in bounds
        )
