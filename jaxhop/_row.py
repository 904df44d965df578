"""A candidate on its way to a Python objective and back."""

from dataclasses import dataclass
from typing import Any

Point = tuple[Any, ...]


@dataclass(slots=True)
class Row:
    """A candidate on its way to the objective.

    Attributes:
        point: its coordinates.
        candidate: what the objective gets.
        key: bytes that are equal for equal candidates.
        phase: position in `PHASES`.
        temperature: with which it was made.
        turn: number of its round, or of its rung, where there are such.
        index: its number in the round, or among all candidates of the rungs.
        full: whether its value can be the best: that of a low fidelity cannot.
        progress: of its round, where it is in one.
        id: its number in a ledger; -1 as long as it has none.
        text: its parameters for people to read, where there is a ledger.
    """

    point: Point
    candidate: Any
    key: bytes
    phase: int
    temperature: float = 1.0
    turn: int = 0
    index: int = 0
    full: bool = True
    progress: float = 0.0
    id: int = -1
    text: str | None = None
