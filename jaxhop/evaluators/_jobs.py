"""How many workers there are, and what part of the machine each may use."""

import math
import operator
import os
import re
import subprocess
from dataclasses import dataclass
from typing import Any

_THREADS: tuple[str, ...] = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "PJRT_NPROC",  # XLA's thread pool on a CPU
)
_MEMORY = "XLA_PYTHON_CLIENT_MEM_FRACTION"
_MEMORY_TOO = "XLA_CLIENT_MEM_FRACTION"  # JAX refuses to be told both
_MEMORY_SHARE = 0.75  # what JAX takes of a GPU by itself
_CUDA, _ROCM = "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"
_PER_GPU = re.compile(r"(?:(\d+)\s*x\s*)?per[-_]gpu")
_MOST = 4096
_TOOL_SECONDS = 20


@dataclass(frozen=True)
class Jobs:
    """Workers, and how the machine is divided among them.

    Attributes:
        count: how many there are.
        gpus: names of the GPUs that they share; none if GPUs are not divided.
        variable: what tells a process which GPU it may see.

    Example:
        >>> jobs = Jobs(count=4, gpus=("0", "1"))
        >>> [jobs.environment(worker)["CUDA_VISIBLE_DEVICES"] for worker in range(4)]
        ['0', '1', '0', '1']
    """

    count: int
    gpus: tuple[str, ...] = ()
    variable: str = _CUDA

    @classmethod
    def of(cls, n_jobs: Any) -> "Jobs":
        """Workers as the user described them.

        Args:
            n_jobs: how many; -1 for one on each core that this process may use; `"per-gpu"` for
                one, `"2x per-gpu"` for two on each GPU.

        Returns:
            The workers.

        Raises:
            TypeError: if it is neither a whole number nor text.
            ValueError: if it is neither of these, or there is no GPU.

        Example:
            >>> Jobs.of(3).count
            3
        """
        if isinstance(n_jobs, str):
            found = _PER_GPU.fullmatch(n_jobs.strip().lower())
            each = int(found[1] or 1) if found else 0
            if not each:
                raise ValueError(_refusal(n_jobs))
            variable, gpus = find_gpus()
            if not gpus:
                raise ValueError(
                    f"`n_jobs={n_jobs!r}`: there is no GPU here. Say `n_jobs=-1` for one worker on"
                    " each core."
                )
            return cls(each * len(gpus), gpus, variable)
        try:
            if isinstance(n_jobs, bool):
                raise TypeError
            count = operator.index(n_jobs)
        except TypeError:
            raise TypeError(_refusal(n_jobs)) from None
        if count != -1 and not 1 <= count <= _MOST:
            raise ValueError(_refusal(n_jobs))
        return cls(cores() if count == -1 else count)

    def environment(self, worker: int) -> dict[str, str]:
        """Variables of a worker: its share of the threads and of the GPUs.

        Args:
            worker: its number.

        Returns:
            What is to be set on top of what is set here. What the user has set stays as it is,
            but for the GPU.

        Example:
            >>> Jobs(count=10**6).environment(0).get("OMP_NUM_THREADS", "1")
            '1'
        """
        threads = str(max(1, cores() // self.count))
        wanted = dict.fromkeys(_THREADS, threads)
        each = math.ceil(self.count / len(self.gpus)) if self.gpus else 1
        if each > 1 and _MEMORY_TOO not in os.environ:
            wanted[_MEMORY] = f"{_MEMORY_SHARE / each:.3f}"
        found = {name: value for name, value in wanted.items() if name not in os.environ}
        if self.gpus:
            found[self.variable] = self.gpus[worker % len(self.gpus)]
        return found


def cores() -> int:
    """How many cores this process may use.

    Example:
        >>> cores() >= 1
        True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def find_gpus() -> tuple[str, tuple[str, ...]]:
    """The GPUs that this process may use; frameworks are not asked, since they would take them.

    Returns:
        The variable that chooses among them, and their names.
    """
    for variable, command, parse in (
        (_CUDA, ("nvidia-smi", "-L"), _nvidia),
        (_ROCM, ("rocm-smi", "--showid"), _rocm),
    ):
        visible = os.environ.get(variable)
        gpus = parse(_output(command)) if visible is None else _listed(visible)
        if gpus or visible is not None:
            return variable, gpus
    return _CUDA, ()


def _refusal(n_jobs: Any) -> str:
    return (
        f"`n_jobs={n_jobs!r}`: it must be a whole number in [1, {_MOST}], -1 for one worker on"
        ' each core, or "per-gpu" or such as "2x per-gpu". Say `n_jobs=-1`.'
    )


def _listed(visible: str) -> tuple[str, ...]:
    """The GPUs of a list; CUDA itself ends it at -1."""
    names = [name.strip() for name in visible.split(",")]
    if "-1" in names:
        names = names[: names.index("-1")]
    return tuple(name for name in names if name)


def _output(command: tuple[str, ...]) -> str:
    """What a tool says; nothing if it is not there or does not work."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TOOL_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout


def _nvidia(output: str) -> tuple[str, ...]:
    """Names by `nvidia-smi -L`: of each GPU, or of its parts where it is divided."""
    names: list[str] = []
    parts: dict[str, list[str]] = {}
    for line in output.splitlines():
        if gpu := re.match(r"GPU (\d+):", line):
            names.append(gpu[1])
        elif (part := re.search(r"UUID:\s*(MIG-[^)\s]+)", line)) and names:
            parts.setdefault(names[-1], []).append(part[1])
    return tuple(part for name in names for part in parts.get(name, [name]))


def _rocm(output: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(re.findall(r"GPU\[(\d+)\]", output)))
