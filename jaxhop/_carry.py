"""What goes between the rounds, the host and the device."""

from typing import Any, NamedTuple

import jax


class Carry(NamedTuple):
    """What goes from dispatch to dispatch, and into a checkpoint.

    Attributes:
        state: the algorithm's state.
        key: uint32[2], the run's key.
        round: int32, number of the present round.
        done: int32, steps of the present round that are done.
        width: int32, candidates of the present round.
        progress: float32, progress of the present round: fixed when it begins, since candidates
            are made again from it when it ends.
        values: float32[padded population], values of the present round so far.
        points: points[padded population], its candidates; only of small spaces.
        evaluated: int32[2], evaluations told: high part, low 20 bits.
        lowest: float32, lowest value told.
        since: int32, evaluations told since that one's round.
    """

    state: Any
    key: jax.Array
    round: jax.Array
    done: jax.Array
    width: jax.Array
    progress: jax.Array
    values: jax.Array
    points: Any
    evaluated: jax.Array
    lowest: jax.Array
    since: jax.Array


class Controls(NamedTuple):
    """What the host decides before a dispatch; scalars.

    Attributes:
        steps: int32, how many steps to run.
        left: int32, evaluations left of the budget.
        start: float32, and
        rate: float32; progress is start + rate x (evaluations told).

        target: float32, stop at a value as low as that.
        patience: int32, stop after so many evaluations without an improvement.
        flush: bool, end the present round with what is evaluated of it.
    """

    steps: Any
    left: Any
    start: Any
    rate: Any
    target: Any
    patience: Any
    flush: Any


class Records(NamedTuple):
    """What a dispatch hands to the host. Rows are evaluations.

    Attributes:
        rows: int32, how many rows are filled.
        rounds: int32, how many rounds ended.
        values: float32[rows].
        accepted: bool[rows].
        widths: int32[rounds], evaluations of each round.
        phases: int32[rounds].
        temperatures: float32[rounds].
        points: points[rows]; only of small spaces.
        improvements: int32, how many points the trail holds; only of large spaces.
        trail: points[trail], of the candidates that were the best when their round ended.
        trail_rows: int32[trail], the row of each.
        steps: int32, steps that were run.
    """

    rows: jax.Array
    rounds: jax.Array
    values: jax.Array
    accepted: jax.Array
    widths: jax.Array
    phases: jax.Array
    temperatures: jax.Array
    points: Any
    improvements: jax.Array
    trail: Any
    trail_rows: jax.Array
    steps: jax.Array
