"""Where a number comes from: commit, versions and machine."""

import hashlib
import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ("*.py", "*.toml")


def commit() -> tuple[str, bool]:
    """Name the state of the source.

    Returns:
        The commit, and whether the working tree differs from it. Sources that differ get a
        fingerprint of the difference behind the commit, so that two such states are told apart.
        `("unknown", False)` outside a git repository.
    """
    head = _git("rev-parse", "--short=12", "HEAD").strip()
    if not head:
        return "unknown", False
    untracked = _git("ls-files", "--others", "--exclude-standard", "--", *SOURCE)
    changes = _git("diff", "HEAD", "--", *SOURCE) + untracked
    if not changes:
        return head, False
    contents = _git("hash-object", "--stdin-paths", text=untracked)
    return f"{head}+{hashlib.sha256((changes + contents).encode()).hexdigest()[:8]}", True


def source() -> str:
    """A fingerprint of jaxhop's own source, which other changes to the repository leave alone."""
    found = hashlib.sha256()
    for path in sorted((ROOT / "jaxhop").rglob("*.py")):
        found.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return found.hexdigest()[:12]


def _git(*arguments: str, text: str = "") -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, input=text, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""


def versions(packages: Iterable[str]) -> dict[str, str | None]:
    """Look up installed versions, None for what is not installed as a distribution."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def machine() -> dict[str, Any]:
    """Describe processor, cores, memory and JAX devices of this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 2**30, 1),
        "devices": [f"{device.platform}:{device.device_kind}" for device in jax.devices()],
    }


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def stamp(packages: Iterable[str] = ()) -> dict[str, Any]:
    """Everything above, and the date, as the head of a JSON line.

    Args:
        packages: distributions whose versions matter beside jax, jaxlib, numpy and jaxhop.

    Returns:
        A dict of JSON values.
    """
    name, dirty = commit()
    return {
        "commit": name,
        "dirty": dirty,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(("jax", "jaxlib", "numpy", "jaxhop", *packages)),
        "machine": machine(),
    }
