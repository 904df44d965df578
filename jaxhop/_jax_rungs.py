"""JAX objectives with a fidelity: the candidates of a rung evaluated by one compiled call."""

import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxhop import _noise
from jaxhop._asking import stacked
from jaxhop._objective import Objective
from jaxhop._row import Point
from jaxhop.evaluators import Outcome

_SIZES = 4  # candidates are padded to powers of this, so that little is compiled


class Rungs:
    """Evaluates points whose last entry is their fidelity, rung by rung.

    Each fidelity is compiled on its own, so that loops and shapes may depend on it.

    Args:
        objective_at: from a fidelity to the objective, traced with it.
        slots: candidates at once.
        sign: 1 to minimise, -1 to maximise.
        key: uint32[2], of the numbers that a random objective draws.
    """

    def __init__(
        self, objective_at: Callable[[float], Objective], slots: int, sign: int, key: Any
    ) -> None:
        self.slots = slots
        self._objective_at, self._sign, self._key = objective_at, sign, key
        self._programs: dict[float, Callable[..., Any]] = {}
        self._waiting: list[tuple[int, Point]] = []

    def submit(self, number: int, candidate: Any) -> None:
        """Adds a point to those that are evaluated next; see `Evaluator`."""
        self._waiting.append((number, candidate))

    def wait(self, seconds: float) -> list[Outcome]:
        """Evaluates all that were submitted; see `Evaluator`."""
        del seconds
        waiting, self._waiting = self._waiting, []
        rungs: dict[float, list[tuple[int, Point]]] = {}
        for number, point in waiting:
            rungs.setdefault(float(point[-1]), []).append((number, point[:-1]))
        return [
            outcome for level, rung in rungs.items() for outcome in self._evaluated(level, rung)
        ]

    def stop(self, grace: float) -> list[Outcome]:
        """Nothing is ever under way; what was submitted is evaluated if there is time."""
        return self.wait(grace) if grace > 0 else []

    def close(self) -> None:
        """Nothing is left behind."""

    def _evaluated(self, level: float, rung: list[tuple[int, Point]]) -> list[Outcome]:
        begin = time.perf_counter()
        numbers, points = zip(*rung, strict=True)
        size = 1
        while size < len(points):
            size *= _SIZES
        padded = stacked([*points, *[points[-1]] * (size - len(points))])
        # All candidates of a call meet the same luck.
        key = _noise.fold_in(self._key, numbers[0])
        values = np.asarray(self._program(level)(padded, key), np.float64)
        each = (time.perf_counter() - begin) / len(points)
        return [
            Outcome(number, "completed", self._sign * value, (), each, 0, None)
            for number, value in zip(numbers, values.tolist(), strict=False)
        ]

    def _program(self, level: float) -> Callable[..., Any]:
        if level not in self._programs:
            objective = self._objective_at(level)

            def value(points: Any, key: Any) -> Any:
                one = jax.vmap(objective.value, (None, 0, None))
                return one(objective.constants, points, key)

            self._programs[level] = jax.jit(value)
        return self._programs[level]
