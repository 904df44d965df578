"""Where a search is written down, as the user said it."""

import os
from pathlib import Path
from typing import Any, NamedTuple

from jaxhop._arguments import one_of
from jaxhop._budget import parse_runtime
from jaxhop.storage import Directory, StorageError, open_directory, read_settings


class Place(NamedTuple):
    """Where a search is written down, as the user said it.

    Attributes:
        path: the directory.
        resume: True, False or `"extend"`.
        overwrite: whether to delete what is there.
        every: seconds between two checkpoints, or None.
    """

    path: Path
    resume: bool | str
    overwrite: bool
    every: float | None

    def before(self, space: Any) -> dict[str, Any]:
        """What is written of the search that is there, if it is one of the same space.

        Args:
            space: the description of the space.

        Returns:
            Its settings; none if there is no search to go on with, or one that cannot be read or
            is of another space, which `open` tells apart.
        """
        if self.overwrite:
            return {}
        try:
            found = read_settings(self.path)
        except StorageError:
            return {}
        return found if found["space"] == space else {}

    def open(self, settings: dict[str, Any], defaults: dict[str, Any]) -> Directory:
        """The directory, which belongs to this search.

        Args:
            settings: what must be the same to go on.
            defaults: what is taken from the search that is there.

        Raises:
            StorageError: if it does not.
            ValueError: if there is a search and none may be.
        """
        directory = open_directory(
            self.path,
            settings,
            defaults,
            overwrite=self.overwrite,
            extend=self.resume == "extend",
        )
        directory.every = self.every
        if not directory.fresh and self.resume is False:
            raise ValueError(
                f"`dir={str(self.path)!r}, resume=False`: there is a search in it. Choose another"
                " directory, or leave `resume` out to go on."
            )
        return directory


def parse_place(
    dir: Any, resume: Any, overwrite: Any, every: Any, own: int | None, count_in_flight: bool
) -> Place | None:
    """Where the search is written down.

    Raises:
        ValueError: if something is said about a directory and none is given.
        TypeError: if it is no path.
    """
    one_of("resume", resume, (True, False, "extend"))
    one_of("overwrite", overwrite, (False, True))
    if dir is not None:
        if not isinstance(dir, str | os.PathLike) or not os.fspath(dir):
            raise TypeError(f'`dir={dir!r}`: a path must be given, such as "runs/lr".')
        seconds = None if every is None else parse_runtime(every, "checkpoint_every")
        return Place(Path(os.fspath(dir)), resume, overwrite, seconds)
    said = {
        "resume": resume is not True,
        "overwrite": overwrite,
        "checkpoint_every": every is not None,
        "evaluations_per_process": own is not None,
        "count_in_flight": not count_in_flight,
    }
    for name in [name for name, given in said.items() if given]:
        raise ValueError(f'`{name}` concerns a search with a directory. Say `dir="runs/lr"`, too.')
    return None
