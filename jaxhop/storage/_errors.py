"""What can be wrong with a run directory."""


class StorageError(RuntimeError):
    """A run directory that cannot be read or written; the message says why and what to do.

    Example:
        >>> raise StorageError("`dir='runs/lr'`: there is no search in it.")
        Traceback (most recent call last):
        jaxhop.storage._errors.StorageError: `dir='runs/lr'`: there is no search in it.
    """


class StorageFull(StorageError):
    """There is no room left to write to; the search ends with what it has.

    Example:
        >>> issubclass(StorageFull, StorageError)
        True
    """
