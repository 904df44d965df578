"""Where the candidates of a Python objective come from, and where their values go."""

from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from jaxhop._row import Point, Row
from jaxhop.space import Store

if TYPE_CHECKING:
    from jaxhop.storage import Past


class Asker(Protocol):
    """Hands out candidates and takes in values; the only state between the two."""

    store: Store
    """The values of parameters that live in Python."""

    rounds: bool
    """Whether candidates come in rounds."""

    lost: tuple[str, ...]
    """What could not be read of what was written down."""

    def close(self) -> None:
        """Ends what it writes down; may be called more than once."""
        ...

    def first(self, candidates: Sequence[Any], known: Container[bytes] = ()) -> list[Row]:
        """Rows of candidates to begin with; none where they are part of the first round.

        Args:
            candidates: whole candidates; None stands for the space's own.
            known: keys of those that were evaluated, or handed out, before.
        """
        ...

    def prepare(self) -> None:
        """Compiles what there is to compile, before the clock starts."""
        ...

    def more(self, progress: float, wanted: int, screen: bool) -> list[Row]:
        """New candidates.

        Args:
            progress: used share of the budget.
            wanted: how many; there may be more or fewer of them.
            screen: whether to think about each.

        Returns:
            Candidates; none if the space holds none that was not tried.
        """
        ...

    def observe(self, observed: Sequence[tuple[Any, float]]) -> tuple[Row, float] | None:
        """Takes in values from elsewhere, before all others.

        Args:
            observed: whole candidates and their values, to be minimised.

        Returns:
            The best of them, None if there is none.
        """
        ...

    @property
    def like(self) -> Point:
        """Shapes and dtypes of a row's point."""
        ...

    def readable(self, row: Row) -> Any:
        """The candidate of a row as people know it."""
        ...

    def recall(
        self, seat: int, past: "Past", values: np.ndarray, memo: dict[str, Any]
    ) -> np.ndarray:
        """Takes in what a search has evaluated before; called first, if at all.

        Args:
            seat: number of this process among those of the search.
            past: the trials.
            values: float64[n], as `tell` takes them.
            memo: what `memo` gave after the last `more` on this seat; empty if there was none.

        Returns:
            bool[n], as `tell` does.
        """
        ...

    def reopen(self, rows: Sequence[Row]) -> list[Row]:
        """Candidates that were handed out before and have no value yet.

        Args:
            rows: what is known of them.

        Returns:
            These rows with their candidates, and others that were under way.
        """
        ...

    @property
    def memo(self) -> dict[str, Any]:
        """What cannot be told from the trials, as JSON takes it."""
        ...

    def taken(self, keys: Sequence[bytes]) -> None:
        """Says that others evaluate some candidates.

        Args:
            keys: theirs.
        """
        ...

    def tell(self, rows: Sequence[Row], values: np.ndarray) -> np.ndarray:
        """Takes in values.

        Args:
            rows: the candidates, in any order.
            values: float64[n], minimised; infinite where there is none.

        Returns:
            bool[n], whether the search goes on from each.
        """
        ...
