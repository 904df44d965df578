"""Where trials are written down: the ledger of a run directory, or nowhere."""

from collections.abc import Sequence
from typing import Any, Protocol

from jaxhop._row import Row
from jaxhop.evaluators import Outcome
from jaxhop.storage import Past


class Book(Protocol):
    """What the loop asks before a trial begins, and tells when it has ended.

    Attributes:
        lasting: whether it is there when the search goes on another day.
        ended: trials that ended, of all processes.
        seconds: how long the search had run before.
    """

    lasting: bool
    ended: int
    seconds: float

    @property
    def others(self) -> int:
        """Trials under way elsewhere that count as evaluations."""
        ...

    def claim(
        self, rows: Sequence[Row], seconds: float, memo: dict[str, Any]
    ) -> tuple[list[Row], list[bytes]]:
        """Writes down what will be evaluated; see `Ledger.claim`."""
        ...

    def finish(self, ends: Sequence[tuple[Row, Outcome, str, bool]], seconds: float) -> list[bool]:
        """Writes down what came of it; see `Ledger.finish`."""
        ...

    def news(self) -> Past | None:
        """What ended elsewhere; see `Ledger.news`."""
        ...

    def orphans(self) -> list[Row]:
        """What was given up elsewhere; see `Ledger.orphans`."""
        ...


class Unwritten:
    """The book of a search without a directory.

    Example:
        >>> Unwritten().claim([], 0.0, {})
        ([], [])
    """

    lasting = False
    others = 0
    seconds = 0.0

    def __init__(self) -> None:
        self.ended = 0

    def claim(
        self, rows: Sequence[Row], seconds: float, memo: dict[str, Any]
    ) -> tuple[list[Row], list[bytes]]:
        """All may be evaluated."""
        return list(rows), []

    def finish(self, ends: Sequence[tuple[Row, Outcome, str, bool]], seconds: float) -> list[bool]:
        """All count."""
        self.ended += len(ends)
        return [True] * len(ends)

    def news(self) -> None:
        """Nobody else is there."""

    def orphans(self) -> list[Row]:
        """Nobody else is there."""
        return []
