"""Executors for clusters that bring none themselves; for `search(executor=...)`."""

import importlib
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures import wait as _wait
from typing import Any


def ray(
    num_cpus: float = 1,
    num_gpus: float = 0,
    address: str | None = None,
    slots: int | None = None,
) -> Executor:
    """An executor whose tasks run on Ray.

    Ray is started if it does not run yet in this process, and only then ended by `shutdown` (or
    at the end of a `with` block).

    Args:
        num_cpus: cores that Ray reserves for each trial.
        num_gpus: GPUs likewise; may be a fraction. Each trial sees its own only.
        address: of a cluster that runs. Default: what Ray finds, or one on this machine.
        slots: trials at once. Default: as many as the cluster has room for now.

    Returns:
        The executor.

    Raises:
        ImportError: if Ray is not installed.
        ValueError: if the cluster has no room for a single trial.

    Example:
        >>> with jaxhop.executors.ray(num_gpus=0.5) as executor:  # doctest: +SKIP
        ...     result = jaxhop.search(train, space, runtime="8h", executor=executor)
    """
    try:
        package: Any = importlib.import_module("ray")
    except ImportError as error:
        raise ImportError(
            '`jaxhop.executors.ray`: Ray is not installed. Run `pip install "jaxhop[ray]"`.'
        ) from error
    own = not package.is_initialized()
    if own:
        package.init(address=address)
    try:
        return _Ray(package, num_cpus, num_gpus, slots, own)
    except BaseException:
        if own:
            package.shutdown()
        raise


class _Ray(Executor):
    """Tasks on Ray; `_max_workers` is the name by which executors say how many run at once.

    To cancel a future ends its task, even if it runs already.
    """

    ends_cancelled_tasks = True

    def __init__(
        self, package: Any, num_cpus: float, num_gpus: float, slots: int | None, own: bool
    ) -> None:
        self._ray, self._own, self._open = package, own, True
        self._pending: set[Future[Any]] = set()
        self._max_workers = _room(package, num_cpus, num_gpus) if slots is None else slots
        # A task that dies is the search's to try again.
        self._task = package.remote(num_cpus=num_cpus, num_gpus=num_gpus, max_retries=0)(_apply)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Runs `fn(*args, **kwargs)` on the cluster."""
        if not self._open:
            raise RuntimeError("This executor was shut down. Make another one.")
        task = self._task.remote(fn, args, kwargs)
        future: Future[Any] = task.future()
        self._pending.add(future)

        def end(future: Future[Any]) -> None:
            self._pending.discard(future)
            if future.cancelled():
                self._ray.cancel(task, force=True)

        future.add_done_callback(end)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes no tasks any more, and ends Ray if this executor started it."""
        if not self._open:
            return
        self._open = False
        if cancel_futures:
            for future in list(self._pending):
                future.cancel()
        if wait:
            _wait(list(self._pending))
        if self._own:
            self._ray.shutdown()


def _apply(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return fn(*args, **kwargs)


def _room(package: Any, num_cpus: float, num_gpus: float) -> int:
    """How many trials the cluster can hold."""
    there = package.cluster_resources()
    asked = {"CPU": num_cpus, "GPU": num_gpus}
    # A quotient such as 0.3 / 0.1 falls short of the whole number that it is meant to be.
    rooms = [int(there.get(name, 0) / each + 1e-6) for name, each in asked.items() if each > 0]
    room = min(rooms, default=len(package.nodes()))
    if room < 1:
        raise ValueError(
            f"`ray(num_cpus={num_cpus}, num_gpus={num_gpus})`: no trial has room in a cluster of"
            f" {there.get('CPU', 0):g} cores and {there.get('GPU', 0):g} GPUs. Ask for less."
        )
    return room
