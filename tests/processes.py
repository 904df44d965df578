"""Runs scripts in processes of their own, for what one process cannot show."""

import os
import subprocess
import sys
from typing import Any

import jax

SECONDS = 180
"""No script takes longer, even on a busy machine."""


def start(script: str, *arguments: Any, devices: int = 1, **pipes: Any) -> subprocess.Popen[str]:
    """Starts a script, with warnings as errors and so many virtual devices."""
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        "JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir or "",
    }
    command = [sys.executable, "-W", "error", "-c", script, *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | pipes
    return subprocess.Popen(command, env=environment, text=True, **pipes)


def finish(*processes: subprocess.Popen[str]) -> list[tuple[str, str]]:
    """What each process wrote to its output and to its error output; all must have succeeded."""
    try:
        written = [process.communicate(timeout=SECONDS) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    for process, (_, error) in zip(processes, written, strict=True):
        assert process.returncode == 0, error
    return written


def run(script: str, *arguments: Any, devices: int = 1) -> str:
    """What a script writes to its output."""
    return finish(start(script, *arguments, devices=devices))[0][0]
