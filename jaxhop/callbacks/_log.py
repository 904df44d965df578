"""What a program may want to keep of a search, through the logger "jaxhop"."""

import logging

from jaxhop._budget import format_seconds
from jaxhop._result import Result
from jaxhop._trials import PHASES, Report, Start

logger = logging.getLogger("jaxhop")


class Log:
    """Logs the start, new phases, new best values (once a report at most) and the end, as INFO.

    But for notes, which are WARNING, it is silent unless the program turns it on:
    `logging.basicConfig(); logging.getLogger("jaxhop").setLevel(logging.INFO)`.

    Example:
        >>> from jaxhop.callbacks import Callbacks
        >>> callbacks = Callbacks([Log()])
    """

    def __init__(self) -> None:
        self._phase = -1

    def on_start(self, info: Start) -> None:
        """Logs what it takes to run the search once more.

        Args:
            info: what is known before the first evaluation.
        """
        self._phase = -1
        for note in info.notes:
            logger.warning(note)
        logger.info("start: seed %d, %d coordinates, %s", info.seed, info.size, info.budget)

    def on_round(self, report: Report) -> None:
        """Logs what is new.

        Args:
            report: the evaluations since the last one.
        """
        if len(report.phase) and report.phase[-1] != self._phase:
            self._phase = report.phase[-1]
            logger.info("phase %s at evaluation %d", PHASES[self._phase], report.evaluations)
        if report.improved.any():
            logger.info("best value %g at evaluation %d", report.best_value, report.evaluations)

    def on_end(self, result: Result) -> None:
        """Logs how the search ended.

        Args:
            result: what it found.
        """
        logger.info(
            "stopped by %s after %d evaluations in %s: best value %g",
            result.stop_reason,
            result.evaluations,
            format_seconds(result.seconds),
            result.best_value,
        )
