"""The benchmark of tours: its loader, its solvers for a moment, its table and command line."""

import json

import numpy as np
import pytest

from benchmarks import tsp
from benchmarks.tsp_rivals import ROWS, Cities, nearest_neighbour

SQUARE = """NAME : square
EDGE_WEIGHT_TYPE : EUC_2D
NODE_COORD_SECTION
1 0 0
2 3 3
3 0 3
4 3.2e0 0
5 1.5 -1
EOF
"""


pytestmark = pytest.mark.usefixtures("quick_compilation")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "square.tsp").write_text(SQUARE)
    (tmp_path / "optima.json").write_text(json.dumps({"square": 13}))
    return tmp_path


def test_distances_are_rounded_as_tsplib_says(folder):
    cities, optimum = tsp.make("square", str(folder))
    assert optimum == 13
    assert cities.points.shape == (5, 2)
    assert cities.distances()[0].tolist() == [0, 4, 3, 3, 2]
    assert cities.length(np.array([0, 2, 1, 3, 4])) == 3 + 3 + 3 + 2 + 2
    (folder / "square.tsp").write_text(SQUARE.replace("EUC_2D", "GEO"))
    with pytest.raises(ValueError, match="must be EUC_2D"):
        tsp.make("square", str(folder))


def test_random_cities_are_the_same_every_time():
    (one, unknown), (other, _) = tsp.make("random20", None), tsp.make("random20", None)
    assert unknown is None and not one.rounded
    assert np.array_equal(one.points, other.points)


@pytest.mark.parametrize("name", ROWS)
def test_solvers_find_tours(name):
    if ROWS[name].package != "jaxhop":
        pytest.importorskip(ROWS[name].package)
    cities = Cities(np.random.default_rng(1).uniform(size=(12, 2)), rounded=False)
    seconds = 1.0 if name == "ortools" else 0.2
    tour = ROWS[name].run(cities, seconds, 0)
    assert sorted(tour.order) == list(range(12))
    greedy = cities.length(nearest_neighbour(cities.distances()))
    if "pyhopper" not in name:
        assert cities.length(tour.order) <= greedy * 1.001


def test_the_table_shows_medians_over_the_optimum():
    record = {"instance": "a", "algorithm": "jaxhop", "seconds": 5.0, "optimum": 100}
    record |= {"evaluations": 10, "took": 5.0}
    lines = tsp.render([record | {"length": length} for length in (101, 103, 110)]).splitlines()
    assert lines[-1] == "| a | jaxhop | 5 | 3.00 | 2.00 to 6.50 | 10 | 5.0 | 3 |"
    unknown = tsp.render([record | {"optimum": None, "length": length} for length in (50, 60)])
    assert "| 10.00 |" in unknown


def test_runs_that_stand_in_the_file_are_not_repeated(folder, tmp_path, monkeypatch, capsys):
    done = []

    def execute(module, job):
        done.append((job["algorithm"], job["seconds"], job["seed"]))
        return {**job, "commit": "c", "optimum": 13, "length": 13, "evaluations": 1, "took": 1}

    monkeypatch.setattr(tsp, "execute_apart", execute)
    monkeypatch.setattr(tsp, "commit", lambda: ("c", False))
    command = ["--folder", str(folder), "--seconds", "1", "2", "--seeds", "2"]
    command += ["--only", "jaxhop", "elkai", "ortools", "--out", str(tmp_path / "out.jsonl")]
    assert tsp.main(command) == 0
    first = list(done)
    assert tsp.main(command) == 0
    assert done == first
    assert sorted(first) == [
        ("elkai", 1.0, 0),
        *(("jaxhop", seconds, seed) for seconds in (1.0, 2.0) for seed in (0, 1)),
        ("ortools", 1.0, 0),
        ("ortools", 2.0, 0),
    ]
    assert "| square | jaxhop | 2 | 0.00 |" in capsys.readouterr().out
