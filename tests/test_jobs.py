"""How `n_jobs` divides cores and GPUs."""

import os
import stat

import numpy as np
import pytest

from jaxhop.evaluators import Jobs
from jaxhop.evaluators._jobs import cores

SETTINGS = (
    "CUDA_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "XLA_PYTHON_CLIENT_MEM_FRACTION",
    "XLA_CLIENT_MEM_FRACTION",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "PJRT_NPROC",
)

DIVIDED = """GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-11111111-aaaa)
  MIG 3g.40gb     Device  0: (UUID: MIG-aaaa-1)
  MIG 3g.40gb     Device  1: (UUID: MIG-aaaa-2)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-22222222-bbbb)
"""


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch, tmp_path):
    """A machine without tools for GPUs, and a user who has set nothing."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))


def install(directory, name, output, status=0):
    """Puts a tool on the path that says `output`."""
    tool = directory / name
    tool.write_text(f"#!/bin/sh\n/bin/cat <<'END'\n{output}END\nexit {status}\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)


def gpus(n_jobs):
    """What each worker sees."""
    jobs = Jobs.of(n_jobs)
    return [jobs.environment(worker)[jobs.variable] for worker in range(jobs.count)]


def test_numbers_are_workers():
    assert Jobs.of(1) == Jobs(count=1)
    assert Jobs.of(np.int64(7)) == Jobs(count=7)
    assert Jobs.of(-1).count == cores() >= 1
    if hasattr(os, "sched_getaffinity"):
        assert cores() == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    "n_jobs", [0, -2, 10**6, "all", "0.5x per-gpu", "0x per-gpu", "x per-gpu", "-1x per-gpu", ""]
)
def test_what_is_no_number_of_workers_is_refused(n_jobs, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with pytest.raises(ValueError) as caught:
        Jobs.of(n_jobs)
    assert f"`n_jobs={n_jobs!r}`" in str(caught.value)
    assert "per-gpu" in str(caught.value) and "n_jobs=-1" in str(caught.value)


@pytest.mark.parametrize("n_jobs", [True, False, 2.0, None, [2]])
def test_other_types_are_refused(n_jobs):
    with pytest.raises(TypeError, match="`n_jobs="):
        Jobs.of(n_jobs)


def test_threads_are_shared_out(monkeypatch):
    monkeypatch.setattr("jaxhop.evaluators._jobs.cores", lambda: 16)
    few, many = Jobs(3).environment(0), Jobs(100).environment(99)
    names = set(SETTINGS[-5:])
    assert {name: few[name] for name in names} == dict.fromkeys(names, "5")
    assert {name: many[name] for name in names} == dict.fromkeys(names, "1")
    assert set(few) == names


def test_what_the_user_has_set_stays(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("XLA_PYTHON_CLIENT_MEM_FRACTION", ".2")
    environment = Jobs(4, ("0", "1")).environment(0)
    assert "OMP_NUM_THREADS" not in environment
    assert "XLA_PYTHON_CLIENT_MEM_FRACTION" not in environment
    assert "MKL_NUM_THREADS" in environment


def test_a_listed_gpu_for_each_worker(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, GPU-5ebe-7,5")
    assert gpus("per-gpu") == ["2", "GPU-5ebe-7", "5"]
    assert gpus("per_gpu") == ["2", "GPU-5ebe-7", "5"]
    assert gpus("2x per-gpu") == ["2", "GPU-5ebe-7", "5"] * 2
    assert gpus(" 1X Per-GPU ") == ["2", "GPU-5ebe-7", "5"]


def test_memory_is_shared_out_where_workers_share_a_gpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert "XLA_PYTHON_CLIENT_MEM_FRACTION" not in Jobs.of("per-gpu").environment(0)
    shared = Jobs.of("3x per-gpu").environment(5)
    assert shared["XLA_PYTHON_CLIENT_MEM_FRACTION"] == "0.250"
    monkeypatch.setenv("XLA_CLIENT_MEM_FRACTION", ".1")  # JAX refuses to be told both
    assert "XLA_PYTHON_CLIENT_MEM_FRACTION" not in Jobs.of("3x per-gpu").environment(5)


def test_gpus_are_found_by_nvidias_tool(tmp_path):
    install(tmp_path, "nvidia-smi", "GPU 0: A (UUID: GPU-1)\nGPU 1: A (UUID: GPU-2)\n")
    assert gpus("per-gpu") == ["0", "1"]
    install(tmp_path, "nvidia-smi", DIVIDED)
    assert gpus("per-gpu") == ["MIG-aaaa-1", "MIG-aaaa-2", "1"]


def test_gpus_are_found_by_amds_tool(tmp_path, monkeypatch):
    install(
        tmp_path, "rocm-smi", "GPU[0]\t: Name: MI300\nGPU[0]\t: ID: 1\nGPU[3]\t: Name: MI300\n"
    )
    assert Jobs.of("per-gpu").variable == "ROCR_VISIBLE_DEVICES"
    assert gpus("per-gpu") == ["0", "3"]
    monkeypatch.setenv("ROCR_VISIBLE_DEVICES", "1")
    assert gpus("per-gpu") == ["1"]


@pytest.mark.parametrize("case", ["nothing", "broken tool", "empty list", "ended list"])
def test_without_a_gpu_it_says_so(case, tmp_path, monkeypatch):
    if case == "broken tool":
        install(tmp_path, "nvidia-smi", "GPU 0: none of it works\n", status=9)
    elif case != "nothing":
        install(tmp_path, "nvidia-smi", DIVIDED)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "" if case == "empty list" else "-1,0")
    with pytest.raises(ValueError, match=r"no GPU.*`n_jobs=-1`"):
        Jobs.of("2x per-gpu")
