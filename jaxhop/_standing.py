"""The evaluations that a `Search` knows of, and which of them leads."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from jaxhop._arguments import parse_direction
from jaxhop._trials import Trial


class Standing:
    """Trials in the order in which they ended, and the best of those that count.

    Args:
        counts: whether a candidate obeys what is frozen.

    Attributes:
        trials: all of them.
        leader: the best that counts, or None.
        direction: `"min"` or `"max"`, or None as long as nobody has said it.

    Example:
        >>> Standing(lambda params: True).best_value
        nan
    """

    def __init__(self, counts: Callable[[Any], bool]) -> None:
        self._counts = counts
        self.trials: list[Trial] = []
        self.leader: Trial | None = None
        self.direction: str | None = None

    @property
    def best_value(self) -> float:
        """The leader's value, or NaN."""
        return float("nan") if self.leader is None else self.leader.value

    @property
    def sign(self) -> int:
        """What values are multiplied by to be minimised."""
        return -1 if self.direction == "max" else 1

    def turn(self, direction: str) -> str:
        """Takes in the direction of a run.

        Args:
            direction: `"min"` or `"max"`.

        Returns:
            The direction.

        Raises:
            ValueError: if it is neither, or not that of the run before.
        """
        direction = parse_direction(direction)
        if self.direction not in (None, direction):
            raise ValueError(
                f"`direction={direction!r}`: this search was told values of"
                f" direction={self.direction!r}, and its best one is the best of those. Make"
                " another Search for another direction."
            )
        self.direction = direction
        return direction

    def add(self, trial: Trial) -> None:
        """Adds a trial.

        Args:
            trial: one that ended.
        """
        self.trials.append(trial)
        self._lead(trial)

    def restart(self, trials: Iterable[Trial]) -> None:
        """Chooses the leader anew.

        Args:
            trials: all of them from now on.
        """
        self.trials, self.leader = list(trials), None
        for trial in self.trials:
            self._lead(trial)

    def better(self, value: float) -> bool:
        """Whether a value is better than the leader's.

        Args:
            value: in the user's direction.

        Returns:
            False if it is not finite.
        """
        return bool(np.isfinite(value)) and not self.sign * value >= self.sign * self.best_value

    def _lead(self, trial: Trial) -> None:
        """Makes a trial the best one, if it is, and counts."""
        if trial.status == "completed" and self.better(trial.value) and self._counts(trial.params):
            self.leader = trial


class Collect:
    """A callback that adds the trials of a run to those of before.

    Args:
        standing: of the search.

    Example:
        >>> collect = Collect(Standing(lambda params: True))
    """

    def __init__(self, standing: Standing) -> None:
        self._standing, self._before = standing, len(standing.trials)

    def on_trial(self, trial: Trial) -> None:
        """Adds one.

        Args:
            trial: numbered within its run.
        """
        self._standing.add(dataclasses.replace(trial, number=self._before + trial.number))
