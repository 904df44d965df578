"""What was evaluated before, as one report for the history."""

import math

import jax
import numpy as np

from jaxhop._trials import Report
from jaxhop.storage import Past, Written


def past_report(past: Past, accepted: np.ndarray, sign: int, elapsed: float = 0.0) -> Report:
    """Trials of a Python objective as a report.

    Args:
        past: the trials.
        accepted: bool[n], whether the search went on from each.
        sign: 1 to minimise, -1 to maximise.
        elapsed: seconds since the search began. Default 0.

    Returns:
        The report, with the parameters of the trials whose points were kept.
    """
    usable = (past.status == 0) & past.full & np.isfinite(past.value)
    inner = np.where(usable, sign * past.value, np.inf)
    so_far = np.minimum.accumulate(np.append(np.inf, inner))
    return Report(
        first=0,
        values=past.value,
        phase=past.phase,
        step=past.turn,
        seconds=past.seconds,
        temperature=past.temperature,
        accepted=accepted,
        improved=so_far[1:] < so_far[:-1],
        status=past.status,
        duration=past.duration,
        worker=past.worker,
        cost=past.cost,
        kept=past.kept,
        points=tuple(jax.tree.leaves(past.points)),
        best_value=float(sign * so_far[-1]) if np.isfinite(so_far[-1]) else math.nan,
        elapsed=elapsed,
        progress=0.0,
    )


def blocks_report(written: Written, sign: int, elapsed: float) -> Report:
    """Evaluations of a JAX objective as a report.

    Args:
        written: what was kept of them.
        sign: 1 to minimise, -1 to maximise.
        elapsed: seconds since the search began.

    Returns:
        The report; its rows have the numbers of `written`.
    """
    values = written.columns["values"]
    inner = sign * values[np.isfinite(values)]
    return Report(
        first=0,
        **written.columns,
        kept=written.kept,
        points=tuple(jax.tree.leaves(written.points)),
        best_value=float(sign * inner.min()) if len(inner) else math.nan,
        elapsed=elapsed,
        progress=0.0,
    )
