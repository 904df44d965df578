"""Searches that are killed at random moments and started again until they are done.

Each process gets SIGKILL, two to five times a search: most of the time while it searches, now and
then while it starts. What is found in the end is compared with a search that was left alone and
had no directory. Where the order of evaluations is chance, the table of trials is looked at
instead: all of them there, none twice, and the best one the result. The first difference ends the
command with exit status 1, and the run directory is kept.
"""

import argparse
import multiprocessing
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.fault_checks import Difference, compare, count_calls, done, tally
from benchmarks.fault_scripts import KINDS, run
from benchmarks.provenance import ROOT

_KILLS = (2, 5)
_EARLY = 0.2  # share of the kills that come while the process still starts
_LATE = 1.3  # the kills of a search are drawn from so many times its length, together
_SEEDS = 5  # searches of the same kind and seed are compared with the same one
_SECONDS = 300.0  # no process takes longer, even on a busy machine
_LOOK_SECONDS = 0.005
_SERVER = multiprocessing.get_context("forkserver")  # its children have imported all, and no more
_SERVER.set_forkserver_preload(["benchmarks.fault_scripts", "orbax.checkpoint"])
_KINDS = [name for name in KINDS if name != "shared"]


class Run(NamedTuple):
    """A search that was killed and is done.

    Attributes:
        kills: how often.
        seconds: how long everything took.
    """

    kills: int
    seconds: float


class Moment(NamedTuple):
    """When a process is killed.

    Attributes:
        seconds: after what happened.
        after: a file that is there by then, as a pattern in the working directory of the search.
            Empty: the start of the process.
    """

    seconds: float
    after: str = "child.begun"


class Reference(NamedTuple):
    """A search that was left alone.

    Attributes:
        out: what it found.
        starting: seconds before it began.
        searching: seconds after that.
    """

    out: dict[str, np.ndarray]
    starting: float
    searching: float


class Child:
    """A process that searches.

    Args:
        kind: which search.
        seed: of it.
        evaluations: how many in all.
        work: a directory for what belongs to the search.
        name: of the process, in that directory.
        directory: the run directory, or None.
    """

    def __init__(
        self,
        kind: str,
        seed: int,
        evaluations: int,
        work: Path,
        name: str = "child",
        directory: Path | None = None,
    ) -> None:
        self._out, self._begun = work / f"{name}.npz", work / f"{name}.begun"
        self._errors, self._work = work / f"{name}.errors", work
        for path in (self._out, self._begun):
            path.unlink(missing_ok=True)
        arguments = (kind, seed, evaluations, work, name, directory)
        self._process = _SERVER.Process(target=run, args=arguments)
        self._process.start()
        self._started = time.monotonic()

    @property
    def begun(self) -> bool:
        """Whether it searches, or has done so."""
        return self._begun.exists()

    @property
    def running(self) -> bool:
        """Whether it has not ended.

        Raises:
            Difference: if it takes too long.
        """
        if time.monotonic() - self._started > _SECONDS:
            raise Difference(f"a process is not done after {_SECONDS:.0f} s")
        return self._process.exitcode is None

    def seconds(self, begun: bool) -> float:
        """Waits until it has begun or ended, or only until it has ended; how long that took."""
        while self.running and not (begun and self.begun):
            time.sleep(_LOOK_SECONDS)
        return time.monotonic() - self._started

    def kill(self, moment: Moment) -> bool:
        """Kills it when it is time; False if it was faster."""
        while moment.after and self.running and not any(self._work.glob(moment.after)):
            time.sleep(_LOOK_SECONDS)
        seconds = moment.seconds + (time.monotonic() - self._started if moment.after else 0)
        while self.running and time.monotonic() - self._started < seconds:
            time.sleep(_LOOK_SECONDS)
        alive = self.running
        self.end()
        return alive

    def end(self) -> None:
        """Ends it, however."""
        self._process.kill()
        self._process.join()

    def out(self) -> dict[str, np.ndarray]:
        """What it found.

        Raises:
            Difference: if it failed.
        """
        self.seconds(begun=False)
        if self._process.exitcode:
            raise Difference(f"a process ended with\n{self._errors.read_text('utf-8')}")
        with np.load(self._out, allow_pickle=False) as file:
            return dict(file)


def alone(kind: str, seed: int, evaluations: int, work: Path) -> Reference:
    """A search that nothing happens to, without a directory.

    Args:
        kind: which.
        seed: of it.
        evaluations: how many.
        work: an empty directory.

    Returns:
        What it found, and when.
    """
    child = Child(kind, seed, evaluations, work)
    try:
        starting = child.seconds(begun=True)
        out = child.out()
        return Reference(out, starting, child.seconds(begun=False) - starting)
    finally:
        child.end()


def draw(reference: Reference, rng: np.random.Generator) -> list[Moment]:
    """Moments at which a search is killed.

    Args:
        reference: the same search, left alone.
        rng: draws them.

    Returns:
        Two to five.
    """
    kills = int(rng.integers(_KILLS[0], _KILLS[1] + 1))
    while_starting = Moment(reference.starting, "")
    while_searching = Moment(_LATE * reference.searching / kills)
    drawn = [while_starting if rng.random() < _EARLY else while_searching for _ in range(kills)]
    return [each._replace(seconds=each.seconds * rng.random()) for each in drawn]


def killed(
    kind: str,
    seed: int,
    evaluations: int,
    work: Path,
    reference: Reference,
    moments: Sequence[Moment],
) -> Run:
    """Kills a search at random moments, goes on until it is done, and looks at what it found.

    Args:
        kind: which.
        seed: of it.
        evaluations: how many.
        work: an empty directory.
        reference: the same search, left alone.
        moments: when it is killed, each time that it is started; then it may end.

    Returns:
        What happened.

    Raises:
        Difference: if anything is lost, made twice, or other than in the reference.
    """
    begin, happened, before = time.monotonic(), 0, 0
    directory = work / "dir"
    out = None
    for moment in (*moments, None):
        child = Child(kind, seed, evaluations, work, directory=directory)
        try:
            if moment is None or not child.kill(moment):
                out = child.out()
        finally:
            child.end()
        known = done(directory)
        if known < before:
            raise Difference(f"{before} evaluations were known before a kill, {known} after it")
        before = known
        if out is not None:
            break
        happened += 1
    assert out is not None
    if KINDS[kind].exact:
        compare(reference.out, out)
    else:
        tally(directory, [out], evaluations)
    count_calls(kind, evaluations, happened, work)
    if before != evaluations:
        raise Difference(f"`trials.sqlite` knows of {before} evaluations, not of {evaluations}")
    return Run(happened, time.monotonic() - begin)


def shared(
    evaluations: int,
    work: Path,
    rng: np.random.Generator,
    processes: int = 4,
    every: float = 1.0,
    most: int | None = None,
) -> Run:
    """Several processes on one directory, of which one is killed now and then and restarted.

    The one that is killed has begun to search: starting takes some seconds, and if whoever only
    starts could be hit, nobody would ever come to search.

    Args:
        evaluations: how many in all.
        work: an empty directory.
        rng: draws who is killed.
        processes: how many there are.
        every: seconds between two kills.
        most: how many kills there may be. Default: any number.

    Returns:
        What happened.

    Raises:
        Difference: if anything is lost or made twice, or a process says something else.
    """
    begin, kills, before = time.monotonic(), 0, 0
    directory = work / "dir"

    def start(number: int) -> Child:
        return Child("shared", 0, evaluations, work, f"child{number}", directory)

    children = [start(number) for number in range(processes)]
    try:
        due = time.monotonic() + every
        while any(child.running for child in children):
            time.sleep(_LOOK_SECONDS)
            victims = [at for at, child in enumerate(children) if child.running and child.begun]
            late = time.monotonic() >= due and (most is None or kills < most)
            if not late or not victims or done(directory) >= evaluations:
                continue
            at = int(rng.choice(victims))
            children[at].end()
            children[at], kills, due = start(at), kills + 1, time.monotonic() + every
            known = done(directory)
            if known < before:
                raise Difference(f"{before} evaluations were known before a kill, {known} after")
            before = known
        tally(directory, [child.out() for child in children], evaluations)
    finally:
        for child in children:
            child.end()
    count_calls("shared", evaluations, kills, work)
    return Run(kills, time.monotonic() - begin)


class _Campaign:
    """Many searches, some at a time.

    Args:
        work: a directory for all of them.
        seed: of the kills.
        evaluations: how many a search makes, instead of what its kind says.
    """

    def __init__(self, work: Path, seed: int, evaluations: int | None) -> None:
        self._work, self._seed, self._evaluations = work, seed, evaluations
        self._lock = threading.Lock()
        self._references: dict[tuple[str, int], Reference] = {}
        self._broken = threading.Event()

    def one(self, number: int, kind: str) -> Run | None:
        """One search; None if another one went wrong before."""
        if self._broken.is_set():
            return None
        seed = number % _SEEDS
        work = self._work / f"{kind}-{number}"
        work.mkdir()
        rng = np.random.default_rng([self._seed, number])
        evaluations = self._evaluations or KINDS[kind].evaluations
        try:
            reference = self._reference(kind, seed)  # and whoever comes after finds it compiled
            if kind == "shared":
                ended = shared(evaluations, work, rng)
            else:
                ended = killed(kind, seed, evaluations, work, reference, draw(reference, rng))
        except Difference as difference:
            self._broken.set()
            kept = ROOT / "benchmarks" / "out" / f"faults-{kind}-{number}"
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(work, kept)
            raise Difference(f"{kind}, run {number}, kept in {kept}: {difference}") from None
        shutil.rmtree(work)
        print(f"{kind} {number}: {ended.kills} kills, {ended.seconds:.1f} s", flush=True)
        return ended

    def _reference(self, kind: str, seed: int) -> Reference:
        with self._lock:
            if (kind, seed) not in self._references:
                work = self._work / f"{kind}-alone-{seed}"
                work.mkdir()
                evaluations = self._evaluations or KINDS[kind].evaluations
                self._references[kind, seed] = alone(kind, seed, evaluations, work)
            return self._references[kind, seed]


def main() -> None:
    """Kill searches, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="searches of all kinds together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=_KINDS, default=_KINDS)
    parser.add_argument("--shared", action="store_true", help="several processes a directory")
    parser.add_argument("--evaluations", type=int, help="of each search")
    parser.add_argument("--at-once", type=int, default=2, help="searches")
    given = parser.parse_args()
    kinds = ["shared"] if given.shared else given.kinds
    todo = [kinds[number % len(kinds)] for number in range(given.runs)]
    runs: dict[str, list[Run]] = {}
    with tempfile.TemporaryDirectory() as work:
        campaign = _Campaign(Path(work), given.seed, given.evaluations)
        at_once = 1 if given.shared else given.at_once
        with ThreadPoolExecutor(at_once) as threads:
            futures = [threads.submit(partial(campaign.one, *each)) for each in enumerate(todo)]
        wrong = [error for future in futures if (error := future.exception()) is not None]
        for kind, future in zip(todo, futures, strict=True):
            if future.exception() is None and (ended := future.result()) is not None:
                runs.setdefault(kind, []).append(ended)
    print(f"{'kind':8} {'runs':>6} {'kills':>6} {'equal':>6} {'seconds':>8}")
    for kind, own in runs.items():
        kills, seconds = sum(each.kills for each in own), np.mean([each.seconds for each in own])
        number = sum(name == kind for name in todo)
        print(f"{kind:8} {number:6} {kills:6} {len(own):6} {seconds:8.1f}")
    for error in wrong:
        print(error if isinstance(error, Difference) else repr(error), file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
