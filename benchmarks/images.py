"""Images with labels from idx files, the format of MNIST and Fashion-MNIST."""

import gzip
import math
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package `dataset-fashion-mnist` puts the files."""


class Images(NamedTuple):
    """Images as rows of numbers in [0, 1], float32, and their classes, int32."""

    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    name: str


def load(folder: str | Path | None = None) -> Images:
    """Read the four idx files of a data set.

    Args:
        folder: holds `train-images-idx3-ubyte.gz` and so on. Default: where Debian's package
            `dataset-fashion-mnist` puts them.

    Returns:
        The images, named after the folder.

    Raises:
        FileNotFoundError: if the folder lacks a file.
    """
    folder = DEBIAN if folder is None else Path(folder)
    parts = []
    for part in ("train", "t10k"):
        pixels = read_idx(folder / f"{part}-images-idx3-ubyte.gz")
        parts.append(pixels.reshape(len(pixels), -1).astype(np.float32) / 255)
        parts.append(read_idx(folder / f"{part}-labels-idx1-ubyte.gz").astype(np.int32))
    return Images(*parts, name=folder.name)


def read_idx(path: Path) -> np.ndarray:
    """Read one gzipped idx file of bytes.

    Args:
        path: the file.

    Returns:
        A uint8 array of the shape that the file states.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not an idx file of bytes, or is cut short.
    """
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: the file must exist, but does not. Install Debian's package"
            " `dataset-fashion-mnist`, or give the folder that holds the four idx .gz files."
        )
    content = gzip.decompress(path.read_bytes())
    start = 4 + 4 * content[3] if len(content) > 3 else 4
    if content[:3] != b"\0\0\x08" or len(content) < start:
        raise ValueError(
            f"{path}: an idx file of bytes must begin with 0, 0, 8 and its shape, but this one"
            f" begins with {list(content[:4])}. Fetch it again."
        )
    shape = struct.unpack(f">{content[3]}I", content[4:start])
    if len(content) - start != math.prod(shape):
        raise ValueError(
            f"{path}: {math.prod(shape)} bytes must follow the shape {shape}, but"
            f" {len(content) - start} do. Fetch it again."
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
