"""PyHopper's `checkpoint_path`, `save` and `load`."""

import gzip
import os
import pickle

import pytest

from jaxhop.compat import pyhopper
from jaxhop.storage import StorageError


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def made():
    return pyhopper.Search(x=pyhopper.float(-5, 5), kind=pyhopper.choice("a", "b"))


def bowl(params):
    return 1 - (params["x"] - 3) ** 2


def run(search, steps, path, fn=bowl, **settings):
    settings = {"checkpoint_path": path, "quiet": True, "direction": "max"} | settings
    return search.run(fn, steps=steps, **settings)


def seen(search):
    return [search.history[number] for number in range(len(search.history))]


def test_a_script_that_crashed_is_run_again(tmp_path):
    def script(path, fn):
        search = made()
        run(search, 3, path, fn)
        run(search, 3, path, fn)
        return search

    whole = script(tmp_path / "whole", bowl)
    with pytest.raises(ZeroDivisionError):
        script(tmp_path / "run.ckpt", failing_once := failing(after=4))
    search = script(tmp_path / "run.ckpt", failing_once)
    assert search.checkpoint_path == str(tmp_path / "run.ckpt")
    assert seen(search) == seen(whole) and search.best == whole.best
    assert failing_once.calls == 6 + 1  # the one that failed is evaluated again
    script(tmp_path / "run.ckpt", failing_once)
    assert failing_once.calls == 6 + 1


def failing(after):
    """An objective that fails once."""

    def objective(params):
        objective.calls += 1
        if objective.calls == after:
            raise ZeroDivisionError
        return bowl(params)

    objective.calls = 0
    return objective


def test_each_further_run_makes_so_many_more(tmp_path):
    search = made()
    for number in range(1, 4):
        run(search, 2, tmp_path / "a")
        assert len(search.history) == 2 * number
        assert search.best_f == search.history.best_f == max(search.history.fs)
    assert search.history.seconds == sorted(search.history.seconds)
    search.run(bowl, "max", steps=2, quiet=True)  # from here on in memory
    assert len(search.history) == 8 and search.history.seconds == sorted(search.history.seconds)
    with pytest.raises(ValueError, match="not in the directory"):
        run(search, 2, tmp_path / "a")


def test_more_time_for_a_further_run(tmp_path):
    search = made()
    for number in (1, 2):
        search.run(bowl, "max", "0.2s", checkpoint_path=tmp_path / "a", quiet=True)
        assert search.history.seconds[-1] > 0.2 * (number - 1)
    before = len(search.history)
    run(search, 3, tmp_path / "a")
    assert len(search.history) == before + 3


def test_directories_get_numbered_ones_inside(tmp_path):
    (tmp_path / "runs").mkdir()
    for path, number in (
        (tmp_path / "runs", 0),
        (f"{tmp_path}/runs/", 1),
        (f"{tmp_path}/new/", 0),
    ):
        search = made()
        run(search, 2, path)
        own = os.path.join(path, f"pyhopper_run_0000{number}")
        assert search.checkpoint_path == own and os.path.isfile(os.path.join(own, "best.json"))
        run(search, 2, path)  # the same search goes on where it is
        assert search.checkpoint_path == own and len(search.history) == 4
    again = made()
    run(again, 4, tmp_path / "runs" / "pyhopper_run_00001")
    assert len(again.history) == 4


def test_a_search_is_overwritten(tmp_path):
    run(made(), 4, tmp_path)
    run(made(), 4, tmp_path / "pyhopper_run_00000")
    search = made()
    for _ in range(2):
        run(search, 2, tmp_path / "pyhopper_run_00000", overwrite_checkpoint=True)
        assert len(search.history) == 2
    run(made(), 2, tmp_path / "new", overwrite_checkpoint=True)
    run(made(), 1, None, overwrite_checkpoint=True)  # there is nothing to overwrite


def test_guesses_and_callbacks_know_the_directory(tmp_path):
    class Told(pyhopper.callbacks.Callback):
        def __init__(self):
            self.ends, self.bests = [], []

        def on_evaluate_end(self, candidate, f, info):
            self.ends.append(f)

        def on_new_best(self, new_best, f, info):
            self.bests.append(f)

    for steps, ends, bests in ((2, [0, 1], 2), (3, [-3], 0)):
        search, told = made(), Told()
        for x in (2.0, 3.0, 1.0)[:steps]:
            search += {"x": x}
        assert search.manual_queue_count == steps
        run(search, steps, tmp_path / "a", callbacks=told)
        assert told.ends == ends and len(told.bests) == bests and search.manual_queue_count == 0
        assert search.best["x"] == 3 and len(search.history) == steps


def test_custom_types_and_own_moves(tmp_path):
    def search():
        return pyhopper.Search(
            order=pyhopper.custom(lambda: [3, 1, 2], lambda order: order[1:] + order[:1]),
            n=pyhopper.int(0, 9, mutation_fn=lambda n: n + 1),
        )

    def value(params):
        return -params["order"][0] - params["n"]

    whole = search()
    run(whole, 5, tmp_path / "a", value)
    again = search()
    run(again, 8, tmp_path / "a", value)
    assert seen(again)[:5] == seen(whole) and len(again.history) == 8
    again.save(tmp_path / "file")
    loaded = search()
    loaded.load(tmp_path / "file")
    assert seen(loaded) == seen(again) and loaded.best == again.best


def test_by_hand(tmp_path):
    search = made()
    run(search, 4, None)
    search["kind"] = "b"
    assert search.save(tmp_path / "a.ckpt") == str(tmp_path / "a.ckpt")
    assert search.save(tmp_path) == str(tmp_path / "pyhopper_run_00000.ckpt")
    assert search.save(tmp_path) == str(tmp_path / "pyhopper_run_00001.ckpt")
    loaded = made()
    loaded.load(tmp_path / "a.ckpt")
    assert seen(loaded) == seen(search) and loaded.best == search.best
    assert loaded.history.best_fs == search.history.best_fs and loaded.checkpoint_path is None
    for each in (search, loaded):
        run(each, 4, None)
    assert seen(loaded) == seen(search) and loaded.best["kind"] == "b"


def test_what_is_not_kept_is_not_recalled(tmp_path):
    search = made()
    run(search, 2, tmp_path / "a", keep_history=False)
    assert len(search.history) == 0 and search.best is not None


def test_checkpoints_of_pyhopper_are_refused_and_not_opened(tmp_path):
    path, touched = tmp_path / "run.ckpt", tmp_path / "touched"
    path.write_bytes(gzip.compress(pickle.dumps({"best_f": Touch(str(touched))})))
    with pytest.raises(StorageError, match="is a file, and checkpoints are directories"):
        run(made(), 2, path)
    with pytest.raises(StorageError, match="is a file"):
        run(made(), 2, path, overwrite_checkpoint=True)
    with pytest.raises(StorageError, match=r"checkpoint of PyHopper.*Enqueue its best"):
        made().load(path)
    path.write_bytes(pickle.dumps(Touch(str(touched))))
    with pytest.raises(StorageError, match=r"no file that `search\.save` wrote"):
        made().load(path)
    assert not touched.exists()


def test_whatever_else_cannot_be_is_refused(tmp_path):
    search = made()
    run(search, 2, tmp_path / "a")
    with pytest.raises(StorageError, match=r"it is a directory\. Say `run\("):
        search.load(tmp_path / "a")
    with pytest.raises(StorageError, match="No such file"):
        search.load(tmp_path / "none")
    with pytest.raises(ValueError, match="what pruners know"):
        search.save(tmp_path / "b", pruner=pyhopper.pruners.TopKPruner(2))
    other = pyhopper.Search(x=pyhopper.float(0, 1))
    with pytest.raises(StorageError, match="another search"):
        run(other, 2, tmp_path / "a")
    search.save(tmp_path / "file")
    with pytest.raises(StorageError, match="another space"):
        other.load(tmp_path / "file")
    with pytest.raises(StorageError, match=r"what `search\.save` wrote is read by `search\.load`"):
        run(made(), 2, tmp_path / "file")
    with pytest.raises(TypeError):
        run(made(), 2, 5)
