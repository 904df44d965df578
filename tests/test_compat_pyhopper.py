"""PyHopper's recipes and faults, on the layer that has its names."""

import math
import os
import sys
import time

import numpy as np
import pytest

import jaxhop
from jaxhop.compat import pyhopper


def run(search, objective, direction="max", **settings):
    settings = {"steps": 30, "quiet": True} | settings
    return search.run(objective, direction, **settings)


def given(search, objective, numbers, direction="max", **settings):
    """A run of these values of x, which needs no proposals and is quick."""
    for x in numbers:
        search += {"x": x}
    return run(search, objective, direction, steps=len(numbers), **settings)


def one_number():
    return pyhopper.Search(x=pyhopper.float(0, 1))


def parabola(params):
    return -((params["x"] - 0.7) ** 2)


def itself(params):
    return params["x"]


# Recipes


def test_quickstart():
    seen = []

    def objective(params):
        seen.append(params)
        accuracy = 1 - abs(params["my_float"] - 0.3) - abs(params["my_int"] - 410) / 400
        return accuracy + (params["my_choice"] == "sgd")

    search = pyhopper.Search(
        {
            "my_const": "cifar10",
            "my_int": pyhopper.int(100, 500),
            "my_float": pyhopper.float(0, 0.4),
            "my_choice": pyhopper.choice(["adam", "rmsprop", "sgd"]),
        }
    )
    best = search.run(objective, "maximize", steps=40, quiet=True)
    assert len(seen) == 40
    assert seen[0] == {"my_const": "cifar10", "my_int": 300, "my_float": 0.2, "my_choice": "adam"}
    assert all(type(params["my_int"]) is int for params in seen)
    assert all(
        100 <= params["my_int"] <= 500 and 0 <= params["my_float"] <= 0.4 for params in seen
    )
    assert best == search.best
    assert best["my_choice"] == "sgd"
    assert search.best_f == objective(best) > 1.7


def test_kinds_of_numbers():
    seen = []
    search = pyhopper.Search(
        layers=pyhopper.int(8),
        epochs=pyhopper.int(10, 50, init=30),
        units=pyhopper.int(100, 500, multiple_of=100),
        batch=pyhopper.int(32, 512, power_of=2),
        any=pyhopper.int(),
        one=pyhopper.float(0.5),
        named=pyhopper.float(lb=0.5),
        swapped=pyhopper.float(0.5, 0.05, precision=1, log=True),
        free=pyhopper.float(),
        decimals=pyhopper.float(0, 0.5, "0.2f"),
        colon=pyhopper.float(0, 0.5, ":0.1f"),
        bare=pyhopper.float(0, 0.5, "0.1"),
        digits=pyhopper.float(1e-5, 1e-1, "0.1g"),
    )
    run(search, lambda params: seen.append(params) or params["layers"], steps=40)
    assert seen[0]["epochs"] == 30
    for params in seen:
        assert params["layers"] in range(9)
        assert 0 <= params["one"] <= 0.5
        assert 0 <= params["named"] <= 0.5
        assert params["swapped"] in [0.05, 0.06, 0.07, 0.08, 0.09, 0.1, 0.2, 0.3, 0.4, 0.5]
        assert params["decimals"] == round(params["decimals"], 2)
        assert params["colon"] == round(params["colon"], 1)
        assert params["bare"] == round(params["bare"], 1)
        assert params["digits"] == float(f"{params['digits']:.1g}")
    assert {params["units"] for params in seen} == {100, 200, 300, 400, 500}
    assert {params["batch"] for params in seen} == {32, 64, 128, 256, 512}
    assert min(params["any"] for params in seen) < -(2**28)
    assert min(params["free"] for params in seen) < 0 < max(params["free"] for params in seen)
    assert min(params["digits"] for params in seen) < 1e-3


def test_numpy_arrays():
    target = np.array([[0.5, -0.25], [0.75, 0.0]])

    def objective(params):
        assert params["weights"].shape == (2, 2)
        assert params["counts"].shape == (3,)
        assert params["counts"].dtype.kind == "i"
        assert np.all(params["bounded"] >= [0, 10])
        distance = np.sum((params["weights"] - target) ** 2)
        return distance + np.sum(np.abs(params["counts"] - 3))

    search = pyhopper.Search(
        weights=pyhopper.float(-1, 1, shape=(2, 2)),
        counts=pyhopper.int(0, 10, shape=3),
        bounded=pyhopper.float(np.array([0.0, 10.0]), np.array([1.0, 20.0])),
    )
    best = run(search, objective, "min", steps=60)
    assert isinstance(best["weights"], np.ndarray)
    first = objective(search.history[0])
    assert search.best_f < 0.7 * first


def test_a_noisy_objective_of_two_options_ends_when_both_are_evaluated():
    names = []
    search = pyhopper.Search({"name": pyhopper.choice(["adam", "eve"])})
    search.run(
        pyhopper.wrap_n_times(lambda params: names.append(params["name"]) or 0, 3),
        "minimize",
        "3s",
        quiet=True,
    )
    assert names == ["adam"] * 3 + ["eve"] * 3


def test_what_is_wrapped_gets_index_and_named_arguments():
    def objective(params, index, offset):
        return params["x"] + index + offset

    noisy = pyhopper.wrap_n_times(objective, 3, reduction="med", pass_index_arg=True)
    search = pyhopper.Search(x=pyhopper.int(0, 5))
    assert given(search, noisy, [4, 3, 5], "min", kwargs={"offset": 10}) == {"x": 3}
    assert search.best_f == 14


def test_a_generator_and_a_pruner():
    ends = []

    def objective(params):
        for _ in range(4):
            yield params["x"]
        ends.append(params["x"])

    search = pyhopper.Search(x=pyhopper.float(0, 1))
    run(search, objective, pruner=pyhopper.pruners.QuantilePruner(0.8), steps=50)
    pruned = search.history.get_pruned_marginal("x")
    assert len(pruned) + len(search.history) == 50
    assert len(search.history) == len(ends) < 40
    assert max(pruned) < search.best_f == max(ends) == max(search.history.fs)


def test_the_last_estimate_counts():
    def objective(params):
        yield 100
        yield params["x"]

    search = pyhopper.Search(x=pyhopper.int(0, 5))
    assert given(search, objective, [1, 4, 2]) == {"x": 4}
    assert search.best_f == 4


def test_should_prune_and_top_k():
    def objective(params):
        for _ in range(2):
            if pyhopper.should_prune(params["x"]):
                raise pyhopper.PruneEvaluation()
        return params["x"]

    search, numbers = one_number(), [0.5, 0.25, 0.125, 0.75, 0.375]
    best = given(search, objective, numbers, pruner=pyhopper.pruners.TopKPruner(2))
    assert best == {"x": 0.75}
    assert search.history["x"] == [0.5, 0.25, 0.75]
    assert search.history.get_pruned_marginal("x") == [0.125, 0.375]


def test_a_custom_type_of_two_functions():
    cities = np.random.default_rng(1).uniform(size=(12, 2))
    rng = np.random.default_rng(2)

    def length(params):
        tour = cities[params["order"]]
        return np.sum(np.linalg.norm(tour - np.roll(tour, 1, axis=0), axis=1))

    def swapped(order):
        i, j = rng.integers(0, 12, 2)
        order[i], order[j] = order[j], order[i]  # in place
        return order

    order = pyhopper.custom(seeding_fn=lambda: rng.permutation(12), mutation_fn=swapped)
    search = pyhopper.Search({"order": order})
    best = search.run(length, "min", steps=60, quiet=True)
    assert sorted(best["order"]) == list(range(12))
    assert length(best) == search.best_f == min(search.history.fs)
    assert search.best_f < 0.9 * search.history.fs[0]


def test_a_custom_type_as_a_class():
    class Word(pyhopper.Parameter):
        def __init__(self, size):
            super().__init__()
            self.size = size

        def sample(self):
            return "a" * self.size

        def mutate(self, value, temperature: float):
            assert 0 < temperature <= 1
            return value + "b"

    search = pyhopper.Search(word=Word(3), nested=pyhopper.choice(Word(1), "none"))
    best = run(search, lambda params: len(params["word"]))
    assert set(search.history["nested"]) > {"a", "none"}
    assert search.history[0]["word"] == "aaa"
    assert best["word"] == "aaa" + "b" * (len(best["word"]) - 3) != "aaa"


def test_nested_choices():
    seen = []
    nested = pyhopper.choice("const", pyhopper.int(0, 10), ["nested2", pyhopper.int(-10, 0)])
    search = pyhopper.Search(a=nested, b=pyhopper.float(0, 1))
    run(search, lambda params: seen.append(params["a"]) or params["b"])
    assert "const" in seen
    assert any(type(a) is int and 0 <= a <= 10 for a in seen)
    assert any(isinstance(a, list) and a[0] == "nested2" and -10 <= a[1] <= 0 for a in seen)


def test_two_workers():
    parent = os.getpid()

    def objective(params, scale):
        assert os.getpid() != parent
        assert "jax" not in sys.modules
        if pyhopper.should_prune(0.0):
            raise pyhopper.PruneEvaluation
        return scale * params["x"]

    search, numbers = one_number(), [0.125, 0.75, 0.5, 0.25]
    assert given(search, objective, numbers, n_jobs=2, kwargs={"scale": 2}) == {"x": 0.75}
    assert sorted(search.history.fs) == [0.25, 0.5, 1.0, 1.5]


def test_another_run_goes_on():
    search = pyhopper.Search({"x": pyhopper.float(-5, 5)})
    run(search, parabola, steps=10)
    before = search.best_f
    best = run(search, parabola, steps=20)
    assert len(search.history) == 30
    assert before < search.best_f == parabola(best)
    assert len(set(search.history["x"])) == 30


def test_a_run_of_a_space_that_is_used_up():
    search = pyhopper.Search(x=pyhopper.choice([1, 2, 3]))
    assert run(search, lambda params: params["x"]) == {"x": 3}
    assert run(search, lambda params: params["x"]) == {"x": 3}
    assert len(search.history) == 3


def test_guesses_are_evaluated_first():
    search = pyhopper.Search({"x": pyhopper.float(0, 1), "y": {"z": pyhopper.int(0, 9, init=4)}})
    search += {"x": 0.125}
    search.enqueue({"y": {"z": 7}})
    assert search.manual_queue_count == 2
    run(search, parabola, steps=2)
    assert search.history[0] == {"x": 0.125, "y": {"z": 4}}
    assert search.history[1] == {"x": 0.5, "y": {"z": 7}}
    search += {"y": {"z": 1}}
    run(search, parabola, steps=1)
    assert search.history[2] == {"x": 0.5, "y": {"z": 1}}
    with pytest.raises(ValueError, match="no key 'w'"):
        search += {"w": 1}


def test_history():
    search = pyhopper.Search(x=pyhopper.float(0, 1), y=pyhopper.int(0, 9))
    own = pyhopper.callbacks.History()
    given(search, parabola, [0.5, 0.25, 0.75], callbacks=own)
    given(search, parabola, [0.625], keep_history=False)
    history = search.history
    assert len(history) == len(own) == 3
    assert history["x"] == history.get_marginal("x") == own["x"] == [0.5, 0.25, 0.75]
    assert history[-1] == {"x": 0.75, "y": 4}
    assert history.fs == [parabola(history[i]) for i in range(3)]
    assert history.best_fs == np.maximum.accumulate(history.fs).tolist()
    assert history.best_f == history.best_fs[-1]
    assert history.steps == [0, 1, 2]
    assert history.seconds == sorted(history.seconds)
    assert 0 <= history.seconds[0] < history.seconds[-1] < 60 * history.minutes[-1] + 1e-6
    history.clear()
    assert (len(history), history.best_f) == (0, None)


class Told(pyhopper.callbacks.Callback):
    def __init__(self):
        self.calls = []

    def on_search_start(self, search):
        self.calls.append(("search", search.best_f))

    def on_evaluate_start(self, candidate, info):
        self.calls.append(("start", info))

    def on_evaluate_end(self, candidate, f, info):
        self.calls.append(("end", f))
        candidate.clear()  # its own copy

    def on_evaluate_pruned(self, candidate, info):
        self.calls.append(("pruned", info.is_pruned))

    def on_evaluate_nan(self, candidate, info):
        self.calls.append(("nan", info.is_nan))

    def on_new_best(self, new_best, f, info):
        self.calls.append(("best", f))

    def on_search_end(self):
        self.calls.append(("over", None))


def test_callbacks_are_told_in_order():
    def objective(params):
        if params["x"] == 0:
            raise pyhopper.PruneEvaluation
        return math.nan if params["x"] == 3 else params["x"]

    told, search = Told(), pyhopper.Search(x=pyhopper.int(0, 5))
    given(search, objective, [1, 0, 3, 2], callbacks=[told], ignore_nans=True)
    assert told.calls[0] == ("search", None)
    assert [call for call in told.calls if call[0] not in ("search", "start", "over")] == [
        *[
            ("end", 1.0),
            ("best", 1.0),
            ("pruned", True),
            ("nan", True),
            ("end", 2.0),
            ("best", 2.0),
        ]
    ]
    words = [word for word, _ in told.calls]
    assert words[1:4] == ["start", "end", "best"]
    assert words.count("start") == 4
    assert words[-1] == "over"
    assert search.history[0] == {"x": 1}
    again = Told()
    given(search, lambda params: -params["x"], [4], callbacks=again)
    assert again.calls[0] == ("search", 2.0)
    assert "best" not in [word for word, _ in again.calls]  # 2.0 was better


def test_callbacks_know_where_candidates_come_from():
    told, kinds = Told(), pyhopper.CandidateType
    search, begin = one_number(), time.time()
    run(search, lambda params: time.sleep(0.01) or params["x"], callbacks=told)
    infos = [info for word, info in told.calls if word == "start"]
    assert infos[0].type is kinds.INIT
    assert {info.type for info in infos[1:]} == {kinds.RANDOM_SEEDING, kinds.LOCAL_SAMPLING}
    assert all(0.01 <= info.finished_at - info.sampled_at < 1 for info in infos)
    assert begin <= infos[0].sampled_at <= infos[-1].finished_at <= time.time()
    told = Told()
    given(search, itself, [0.25], callbacks=told)
    assert [info.type for word, info in told.calls if word == "start"] == [kinds.MANUALLY_ADDED]


def test_an_error_in_a_callback_names_it():
    class Broken(pyhopper.callbacks.Callback):
        def on_new_best(self, new_best, f, info):
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine") as caught:
        run(one_number(), parabola, callbacks=Broken(), steps=1)
    assert "Broken` in `on_trial`" in caught.value.__notes__[0]


def test_jaxhops_own_callbacks_and_pruners_will_do():
    class Patience:
        def on_trial(self, trial):
            return trial.number == 1

    search, pruner = one_number(), jaxhop.pruners.MedianPruner()
    given(search, parabola, [0.25, 0.5, 0.75], callbacks=(Patience(),), pruner=pruner)
    assert len(search.history) == 2


def test_mutations_and_seeds_of_ones_own_are_made_legal():
    seen = []
    search = pyhopper.Search(
        real=pyhopper.float(0, 1, "0.1f", seeding_fn=lambda: 7.0, mutation_fn=lambda x: x - 0.33),
        whole=pyhopper.int(
            0, 20, multiple_of=5, seeding_fn=lambda: 8, mutation_fn=lambda n, heat: n + 30 * heat
        ),
        power=pyhopper.int(4, 64, power_of=2, seeding_fn=lambda: 30),
        array=pyhopper.float(0, 1, shape=(2,), seeding_fn=lambda: [0.25, 9.0]),
        option=pyhopper.choice(
            ["a", "b", "c"], seeding_fn=lambda: 1, mutation_fn=lambda index: (index + 1) % 3
        ),
        flag=pyhopper.bool(seeding_fn=lambda: False, mutation_fn=lambda value: not value),
    )
    run(search, lambda params: seen.append(params) or params["real"])
    drawn = [params for params in seen if params["real"] == 1 and params["power"] == 32]
    assert {(params["whole"], params["option"], params["flag"]) for params in drawn} >= {
        (10, "b", False)
    }
    assert any(np.array_equal(params["array"], [0.25, 1]) for params in drawn)
    assert {params["real"] for params in seen} >= {0.7}
    assert {params["whole"] for params in seen} >= {20}


@pytest.mark.parametrize(
    ("jobs", "count"), [("2", 2), ("-1", -1), (0, -1), (-3, -1), ("2x per-gpu", "2x per-gpu")]
)
def test_jobs_as_pyhopper_writes_them(jobs, count, monkeypatch):
    search, settings = one_number(), {}
    monkeypatch.setattr(search._search, "run", lambda fn, **found: settings.update(found))
    run(search, parabola, n_jobs=jobs)
    assert settings["n_jobs"] == count


@pytest.mark.parametrize("direction", ["max", "min"])
def test_an_endless_search_ends_when_asked(direction):
    class Enough:
        def on_trial(self, trial):
            return trial.number == 3

    search = one_number()
    search += {"x": 0.25}
    run(search, parabola, direction, steps=None, endless_mode=True, callbacks=Enough())
    assert len(search.history) == 4


# Faults that are left behind


def test_a_range_of_two_moves():
    search = pyhopper.Search(**{name: pyhopper.int(0, 1) for name in "abcd"})
    best = run(search, lambda params: sum(params.values()), steps=16)
    assert set(best.values()) == {1}


def test_a_bool_starts_where_it_is_told():
    search = pyhopper.Search(yes=pyhopper.bool(True), no=pyhopper.bool(False), x=pyhopper.bool())
    run(search, lambda params: 0.0, steps=1)
    assert search.history[0] == {"yes": True, "no": False, "x": True}


def test_two_zeros_in_a_format_are_refused():
    with pytest.raises(ValueError, match="`fmt` must be like"):
        pyhopper.float(-0.05, 0.05, "0.01f")


def test_what_is_frozen_is_obeyed_by_the_best():
    search = pyhopper.Search({"a": pyhopper.float(-10, 10), "b": pyhopper.float(0, 1)})
    run(search, lambda params: params["a"], steps=1)
    assert search.best_f == 0
    search["a"] = -20.0
    assert search.best is None
    assert search.best_f is None
    assert search.free_param_count == 1
    assert run(search, lambda params: params["a"] + params["b"], steps=1) == {"a": -20, "b": 0.5}
    assert search.best_f == -19.5


def test_without_estimates_there_is_a_value():
    search = pyhopper.Search(x=pyhopper.int(0, 5))
    noisy = pyhopper.wrap_n_times(lambda params: params["x"], 3, yield_after=None)
    assert given(search, noisy, [1, 4, 2]) == {"x": 4}
    assert search.best_f == 4


def test_a_generator_that_yields_nothing_is_refused():
    def objective(params):
        yield from ()

    with pytest.raises(TypeError, match="yielded nothing"):
        run(one_number(), objective, steps=1)


def test_what_others_do_to_a_candidate_stays_with_them():
    def objective(params):
        x = params.pop("x")
        params["list"].append(1)
        return x

    search = pyhopper.Search(x=pyhopper.float(0, 1), list=[pyhopper.int(0, 3)])
    best = given(search, objective, [0.5, 0.75])
    best.clear()
    search.best["list"].append(1)
    given(search, objective, [0.25])
    assert [search.history[i]["list"] for i in range(3)] == [[1]] * 3
    assert search.best == {"x": 0.75, "list": [1]}


def test_nan_is_an_error_or_passed_over():
    def objective(params):
        return math.nan if params["x"] < 0.6 else params["x"]

    def estimates(params):
        yield 1
        yield objective(params)

    for fn in (objective, estimates):
        search, numbers = one_number(), [0.75, 0.5, 0.875]
        with pytest.raises(ValueError, match=r"`(objective|estimates)` returned NaN.*ignore_nans"):
            given(search, fn, numbers)
        search = one_number()
        assert given(search, fn, numbers, ignore_nans=True) == {"x": 0.875}
        assert search.history.fs == [0.75, 0.875]


def test_an_error_keeps_its_type():
    def objective(params):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        run(one_number(), objective, steps=1)


def test_quiet_is_quiet(capfd):
    search = one_number()
    given(search, parabola, [0.5])
    assert capfd.readouterr() == ("", "")
    given(search, parabola, [0.25], quiet=False)
    assert "evals" in capfd.readouterr().err


def test_custom_parameters_need_one_function_only():
    def stepped(value, step=0.25):  # a default, so no temperature
        return value + step

    search = pyhopper.Search(
        seeded=pyhopper.custom(iter(range(1000)).__next__),
        mutated=pyhopper.custom(init=[0], mutation_fn=lambda value: [*value, 1]),
        stepped=pyhopper.custom(lambda: 0.0, stepped),
    )
    best = run(search, lambda params: len(params["mutated"]) + params["seeded"] / 1000)
    assert search.history[0]["mutated"] == [0]
    assert len(best["mutated"]) > 1
    assert 0.25 in search.history["stepped"]
    assert all(value % 0.25 == 0 for value in search.history["stepped"])
    for settings in ({}, {"init": 3}, {"mutation_fn": lambda value: value}):
        with pytest.raises(ValueError, match="values must come from somewhere"):
            pyhopper.custom(**settings)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"seeding_steps": 10}, "`seeding_steps=10`: how long it explores"),
        ({"seeding_runtime": "1s"}, "how long it explores"),
        ({"seeding_ratio": 0.5}, "how long it explores"),
        ({"start_temperature": 0.5}, "how far it moves"),
        ({"end_temperature": 0}, "how far it moves"),
        ({"mp_backend": "dask"}, "takes a cluster"),
        ({"steps": None}, "something must end the search"),
        ({"endless_mode": True}, "something must end the search"),
        ({"direction": "up"}, '"min" or "max"'),
        ({"n_jobs": "0.5x per-gpu"}, "n_jobs"),
    ],
)
def test_arguments_without_a_meaning_are_refused(settings, sentence):
    settings = {"direction": "max", "steps": 3, "quiet": True} | settings
    with pytest.raises(ValueError, match=sentence):
        pyhopper.Search(x=pyhopper.float(0, 1)).run(parabola, **settings)


def test_spaces_and_bounds_that_cannot_be_meant_are_refused():
    for make in (pyhopper.float, pyhopper.int):
        for bound in (-5, 0):
            with pytest.raises(ValueError, match="must be positive"):
                make(bound)
    with pytest.raises(ValueError, match="'x' is given twice"):
        pyhopper.Search({"x": pyhopper.float(0, 1)}, x=pyhopper.float(0, 1))
    assert pyhopper.Search({"n": 1}, {"n": 1}, x=pyhopper.float(0, 1)).free_param_count == 1
    with pytest.raises(AttributeError, match="trackers have no counterpart"):
        pyhopper.callbacks.wandb  # noqa: B018
    assert pyhopper.choice("a", "b", init="b").initial() == "b"
    assert pyhopper.choice(["a", ["n", pyhopper.int(4, 6)]], init_index=1).initial() == ["n", 5]
    assert pyhopper.choice([1, 2, 3, 4], is_ordinal=True).initial() == 2
    assert pyhopper.parse_runtime("1h 30min") == 5400
    with pytest.raises(ValueError, match="direction"):
        search = pyhopper.Search(x=pyhopper.float(0, 1))
        given(search, parabola, [0.5], "max")
        given(search, parabola, [0.5], "min")
