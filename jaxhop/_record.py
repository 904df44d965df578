"""A JAX search that is written down: its evaluations at each visit, its state now and then."""

import contextlib
import errno
import math
from collections.abc import Callable, Generator
from typing import Any

import jax

from jaxhop import _hosts
from jaxhop._budget import Budget
from jaxhop._carry import Carry
from jaxhop._loop import Last, Program, Stand, run
from jaxhop._phases import PhaseTable
from jaxhop._reports import blocks_report
from jaxhop._session import Earlier
from jaxhop._trials import Report
from jaxhop.space import Space
from jaxhop.storage import (
    Blocks,
    Checkpoints,
    Directory,
    StorageError,
    StorageFull,
    read_blocks,
)


class Record:
    """What a run directory knows of a search, taken up and carried on.

    Args:
        directory: the directory, or None for a search that is not written down.
        space: the space.
        sign: 1 to minimise, -1 to maximise.
        stand: where a new search begins.

    Attributes:
        lost: whether evaluations of before are missing.
        evaluations: how many were made in all; None as long as nobody knows.
        trouble: why what was found could not be written down, if it could not.
    """

    def __init__(self, directory: Directory | None, space: Space, sign: int, stand: Stand) -> None:
        self._directory, self._space, self._sign = directory, space, sign
        self._stand = stand
        self._direction = "max" if sign < 0 else "min"
        self.lost = False
        self.evaluations: int | None = None
        self.trouble = ""

    def run(
        self, held: list[Program], budget: Budget, stops: Callable[[], str]
    ) -> Generator[Earlier | Report | Last, None, None]:
        """Goes on with a search, or begins it.

        Args:
            held: the compiled program alone, which is replaced by one with the state of before.
            budget: what ends the search.
            stops: why to stop, if somebody asked for it.

        Yields:
            What was before, then what `jaxhop._loop.run` does.

        Raises:
            StorageError: if the directory cannot be used.
        """
        assert self._directory is not None
        with contextlib.ExitStack() as stack:
            blocks = None
            if _hosts.is_first():
                blocks = Blocks(self._directory.trials, self._space.shape)
                stack.enter_context(contextlib.closing(blocks))
            # The others must not read before the first one has made its files.
            _hosts.agree(self._stand, held[0].several)
            checkpoints = self._directory.states()
            stack.callback(self._close, checkpoints)
            stand, earlier = self._recall(held, checkpoints)
            if _hosts.agree(stand, held[0].several) != stand:
                raise StorageError(
                    f"`dir={str(self._directory.path)!r}`: the hosts of this search see different"
                    " states there. Choose a directory that all of them share."
                )
            phases = PhaseTable(self._direction)
            phases.recall(earlier.report, earlier.phases)
            yield earlier

            def why() -> str:
                return "disk" if self.trouble else stops()

            def save(carry: Carry, stand: Stand, last: bool) -> None:
                self._save(checkpoints, held[0], carry, stand, last)

            for report in run(held[0], budget, self._sign, why, stand, save):
                if isinstance(report, Report):
                    phases.add(report)
                    self.evaluations = report.evaluations
                    self._write(blocks, report, phases)
                yield report

    def _recall(self, held: list[Program], checkpoints: Checkpoints) -> tuple[Stand, Earlier]:
        """Where the newest whole state stands, and what was evaluated before it."""
        assert self._directory is not None
        program = held[0]
        like = program.rounds.saved(program.carry)
        try:
            found = checkpoints.newest(like)
        except ValueError as error:
            raise StorageError(
                f"`dir={str(self._directory.path)!r}`: the search there had another algorithm or"
                f" population ({error}). Give the same ones, or choose another directory."
            ) from None
        if found is None:
            stand = self._stand
        else:
            saved = jax.tree.unflatten(jax.tree.structure(like), found.leaves)
            carry = program.rounds.restored(saved)
            placed = jax.tree.map(program.place, carry)
            held[0] = program._replace(carry=placed)
            facts = found.facts
            lowest = math.inf if facts["lowest"] is None else facts["lowest"]
            stand = Stand(facts["evaluations"], facts["rounds"], lowest, facts["seconds"])
        written = read_blocks(self._directory.trials, self._space.shape, stand.evaluations)
        self.lost = bool(written.notes)
        self.evaluations = stand.evaluations
        report = blocks_report(written, self._sign, stand.seconds)
        again = max(0, written.in_all - stand.evaluations)
        notes = (*checkpoints.skipped, *written.notes)
        if found is None and again and self._directory.has_best:
            gone = f"`{self._directory.path}`: no state of the search is whole"
            notes = (*notes, f"{gone}, so {again:,} evaluations are made again")
        return stand, Earlier(report, notes, written.numbers, written.phases, again)

    def _write(self, blocks: Blocks | None, report: Report, phases: PhaseTable) -> None:
        if blocks is None or self.trouble:
            return
        try:
            blocks.write(report, phases.state)
        except StorageFull as error:
            self.trouble = str(error)

    def _save(
        self, checkpoints: Checkpoints, program: Program, carry: Carry, stand: Stand, last: bool
    ) -> None:
        if self.trouble:  # a state must not be ahead of what is written of the evaluations
            return

        def facts() -> dict[str, Any]:
            lowest = None if math.isinf(stand.lowest) else stand.lowest
            return {**stand._asdict(), "lowest": lowest}

        step = stand.evaluations + int(carry.done) * program.rounds.stride
        try:
            if last:
                checkpoints.save(step, program.rounds.saved(carry), facts())
            else:
                checkpoints.offer(step, lambda: program.rounds.saved(carry), facts)
        except OSError as error:
            self._failed(error)

    def _close(self, checkpoints: Checkpoints) -> None:
        try:
            checkpoints.close()
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        assert self._directory is not None
        reason = "the disk is full" if error.errno == errno.ENOSPC else str(error)
        self.trouble = (
            f"`dir={str(self._directory.path)!r}`: the state could not be written ({reason})."
            " Make room, then start the search again."
        )
