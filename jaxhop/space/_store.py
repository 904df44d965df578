"""Values that are no arrays: pickled on the host, with handles in place of coordinates."""

import hashlib
import pickle
from typing import Any

import cloudpickle


class Store:
    """Values of any picklable kind by their handles.

    Every value that is taken out is a new one, so whoever changes it changes no other.

    Args:
        values: pickled values by handle. Default None: empty.

    Attributes:
        values: the same, for checkpoints.

    Example:
        >>> store = Store()
        >>> handle = store.add([1, 2])
        >>> store.get(handle).append(3)
        >>> Store(store.values).get(handle)
        [1, 2]
    """

    def __init__(self, values: dict[bytes, bytes] | None = None) -> None:
        self.values: dict[bytes, bytes] = dict(values or {})

    def __contains__(self, handle: bytes) -> bool:
        return handle in self.values

    def get(self, handle: bytes) -> Any:
        """The value of a handle.

        Args:
            handle: what it was put or added under.

        Returns:
            A new copy.
        """
        return pickle.loads(self.values[handle])

    def put(self, handle: bytes, value: Any) -> None:
        """Keeps a value under a handle.

        Args:
            handle: eight bytes.
            value: any picklable object.
        """
        self.values[handle] = pickled(value)

    def add(self, value: Any) -> bytes:
        """Keeps a value under a handle made from the value itself.

        Args:
            value: any picklable object.

        Returns:
            The handle.
        """
        data = pickled(value)
        handle = hashlib.blake2b(data, digest_size=8).digest()
        self.values[handle] = data
        return handle


def pickled(value: Any) -> bytes:
    """A value as bytes; equal bytes count as equal values.

    Args:
        value: any object that `pickle`, or else `cloudpickle`, can handle.

    Returns:
        Bytes that `pickle.loads` reads.

    Raises:
        TypeError: if it cannot be pickled.
    """
    try:
        return pickle.dumps(value)
    except (pickle.PicklingError, AttributeError, TypeError):
        pass
    try:
        return cloudpickle.dumps(value)
    except Exception as error:
        raise TypeError(
            f"a value of type `{type(value).__name__}` cannot be pickled, but values of Python"
            f" objects are kept that way. Return plain data. ({error})"
        ) from error
