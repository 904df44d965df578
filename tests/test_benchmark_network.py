"""The network benchmark: its loader, every algorithm for a moment, and its command line."""

import contextlib
import gzip
import io
import json
import struct
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import images, job, network


@pytest.fixture(autouse=True)
def quick_compilation_apart(quick_compilation, monkeypatch):
    """In the processes of these tests, too."""
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")


def write_idx(path, array, kind=8):
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(head + array.astype(np.uint8).tobytes()))


@pytest.fixture
def folder(tmp_path):
    """Images of one pixel each, whose place is the class: gradients learn them in no time."""
    for part, count in (("train", 400), ("t10k", 20)):
        labels = np.random.default_rng(count).integers(0, 10, count)
        pixels = 255 * np.eye(10, 12)[labels].reshape(count, 4, 3)
        write_idx(tmp_path / f"{part}-images-idx3-ubyte.gz", pixels)
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte.gz", labels)
    return tmp_path


def test_images_are_rows_of_numbers_between_0_and_1(folder):
    loaded = images.load(folder)
    assert loaded.train_x.shape == (400, 12) and loaded.test_x.shape == (20, 12)
    assert loaded.train_x.dtype == np.float32 and loaded.train_y.dtype == np.int32
    assert set(loaded.train_x.ravel()) == {0, 1}
    assert loaded.name == folder.name
    assert loaded.test_x[:, :10].argmax(axis=1).tolist() == loaded.test_y.tolist()


def test_what_is_no_idx_file_is_refused(folder):
    path = folder / "train-images-idx3-ubyte.gz"
    with pytest.raises(FileNotFoundError, match="dataset-fashion-mnist"):
        images.read_idx(folder / "absent.gz")
    write_idx(path, np.zeros((2, 3, 3)), kind=13)
    with pytest.raises(ValueError, match="must begin with 0, 0, 8"):
        images.read_idx(path)
    for content in (b"", b"\0\0\x08\x03\0\0"):
        path.write_bytes(gzip.compress(content))
        with pytest.raises(ValueError, match="must begin with 0, 0, 8"):
            images.read_idx(path)
    path.write_bytes(gzip.compress(struct.pack(">BBBBI", 0, 0, 8, 1, 5) + b"1234"))
    with pytest.raises(ValueError, match="5 bytes must follow"):
        images.read_idx(path)


def test_settings_follow_from_the_number_of_weights():
    algorithm = network.ALGORITHMS["jaxhop sign"]
    assert algorithm.settings_for(101_770)["batch"] == 256
    assert algorithm.settings_for(1_068_810) == {**algorithm.settings, "batch": 64}


@pytest.mark.parametrize("name", ["jaxhop sign", "Open_ES"])
def test_an_algorithm_trains(name, folder):
    pytest.importorskip(network.ALGORITHMS[name].package)
    score = network.measure(
        name, images.load(folder), hidden=[32], seconds=0.1, seed=0, settings={"batch": 8}
    )
    assert score.settings == {**network.ALGORITHMS[name].settings, "batch": 8}
    assert 0 <= score.test_accuracy <= 1 and 0 <= score.held_out_accuracy <= 1
    assert score.evaluations > 0 and score.compile_seconds > 0
    assert score.seconds > 0.05
    assert (score.materialised is not None) == name.startswith("jaxhop")


@pytest.fixture
def here(monkeypatch):
    """Does in this process what the command does in others, which would import JAX again."""

    def run(command, **_):
        assert command[:3] == [sys.executable, "-m", "benchmarks.network"]
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            network.main(command[3:])
        return subprocess.CompletedProcess(command, 0, stdout=printed.getvalue())

    monkeypatch.setattr(job, "subprocess", SimpleNamespace(run=run))


def test_the_command_stores_lines_and_prints_a_table(folder, tmp_path, capsys, here, monkeypatch):
    # Other work on the machine would else leave too little of the time for training.
    monkeypatch.setattr(time, "perf_counter", time.process_time)
    out = tmp_path / "out" / "lines.jsonl"
    command = "--only hill_climbing adam --hidden 32 --seconds 0.2 --batch 8".split()
    assert network.main([*command, "--data", str(folder), "--out", str(out)]) == 0
    climbing, adam = map(json.loads, out.read_text().splitlines())
    assert adam["settings"] == {**network.ALGORITHMS["adam"].settings, "batch": 8}
    assert adam["machine"] and adam["versions"]["optax"]
    assert adam["test_accuracy"] > 0.9
    printed = capsys.readouterr().out
    for line in (climbing, adam):
        assert f"| {line['algorithm']} | {line['test_accuracy']:.4f} |" in printed


def test_a_failure_is_told_and_costs_the_others_nothing(tmp_path, capsys, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, stdout="", stderr="no images")
    monkeypatch.setattr(job, "subprocess", SimpleNamespace(run=lambda *_, **__: failed))
    assert network.main(["--only", "SNES", "adam", "--out", str(tmp_path / "lines")]) == 1
    assert capsys.readouterr().err == "SNES: failed\nno images\nadam: failed\nno images\n"
