"""The network benchmark: its loader, every algorithm for a moment, and its command line."""

import gzip
import json
import struct

import jax
import numpy as np
import pytest

from benchmarks import images, network


@pytest.fixture(autouse=True)
def quick_compilation(monkeypatch):
    """Compilation is nearly all the time that these tests take, here and in their processes."""
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


def write_idx(path, array, kind=8):
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(head + array.astype(np.uint8).tobytes()))


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for part, count in (("train", 40), ("t10k", 20)):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte.gz", rng.integers(0, 256, (count, 4, 3)))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte.gz", rng.integers(0, 10, count))
    return tmp_path


def test_images_are_rows_of_numbers_between_0_and_1(folder):
    loaded = images.load(folder)
    assert loaded.train_x.shape == (40, 12) and loaded.test_x.shape == (20, 12)
    assert loaded.train_x.dtype == np.float32 and loaded.train_y.dtype == np.int32
    assert loaded.train_x.min() >= 0 and 0.9 < loaded.train_x.max() <= 1
    assert loaded.name == folder.name
    raw = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())
    assert loaded.test_x[0] * 255 == pytest.approx(list(raw[16:28]))


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


@pytest.mark.parametrize("name", network.ALGORITHMS)
def test_every_algorithm_trains(name):
    """On images of one white pixel each, which the gradient learns in no time."""
    labels = np.random.default_rng(1).integers(0, 10, 600).astype(np.int32)
    pixels = np.eye(10, dtype=np.float32)[labels]
    data = images.Images(pixels[:500], labels[:500], pixels[500:], labels[500:], "pixels")
    score = network.measure(name, data, hidden=[32], seconds=0.3, seed=0, settings={"batch": 8})
    assert (0.9 if name == "adam" else 0) <= score.test_accuracy <= 1
    assert 0 <= score.held_out_accuracy <= 1
    assert score.evaluations > 0 and score.compile_seconds > 0
    assert score.seconds > 0.25


def test_the_command_stores_lines_and_prints_a_table(folder, tmp_path, capsys):
    out = tmp_path / "out" / "lines.jsonl"
    command = f"--only adam --hidden 5 --seconds 0.1 --batch 8 --data {folder} --out {out}"
    assert network.main(command.split()) == 0
    [line] = map(json.loads, out.read_text().splitlines())
    assert line["algorithm"] == "adam" and line["settings"]["batch"] == 8
    assert line["commit"] and line["machine"] and line["versions"]["optax"]
    assert f"| adam | {line['test_accuracy']:.4f} |" in capsys.readouterr().out
