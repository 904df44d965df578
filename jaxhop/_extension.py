"""Trials of a space in one with more parameters, which stand at their initial values there."""

import json

import jax
import numpy as np

from jaxhop.space import Space
from jaxhop.storage import Directory, Packing, StorageError, convert_trials, rebuild, to_plain


def extend(directory: Directory, space: Space) -> None:
    """Gives the trials of a directory the parameters that its space has got.

    Args:
        directory: the directory; what its space was before is in `extended`.
        space: the new space.

    Raises:
        StorageError: if the old space cannot be made again from its description.
    """
    where = f"`dir={str(directory.path)!r}, resume='extend'`"
    try:
        old = rebuild(directory.extended)
    except ValueError as error:
        raise StorageError(
            f"{where}: the space of before cannot be made again ({error}). Choose another"
            " directory, and give `observed=jaxhop.load(dir)`."
        ) from None
    if not directory.settings["rows"] or space.python or space.fidelity or old.fidelity:
        raise StorageError(
            f"{where}: this works for Python functions without fidelities and without values made"
            " by Python functions. Choose another directory, and give"
            " `observed=jaxhop.load(dir)`."
        )
    packing, before = Packing(space.shape), Packing(old.shape)

    def changed(point: bytes) -> tuple[bytes, bytes, str]:
        """Key, point and text of a trial in the new space."""
        candidate = space.complete(old.to_python_many(before.unpack([point]))[0])
        own = jax.tree.map(np.asarray, space.encode(candidate))
        stacked = jax.tree.map(lambda leaf: leaf[None], own)
        (made,), (key,) = space.decoded_many(stacked)
        return key, packing.pack(own), json.dumps(to_plain(made, lossy=True), allow_nan=False)

    convert_trials(directory.trials, before.size, changed)
    directory.extend()
