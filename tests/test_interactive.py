"""`jaxhop.Search`: a search that goes on, run by run."""

import sys

import cloudpickle
import jax.numpy as jnp
import numpy as np
import pytest
from plain import plain

import jaxhop
from jaxhop import Search

# Workers get the functions below by value: to import this file would take them seconds.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

SPACE = {
    "x": jaxhop.float(-5, 5),
    "net": {"n": jaxhop.int(1, 8), "word": jaxhop.choice("a", "b", "c")},
    "constant": 7,
}


def bowl(params):
    """Lowest at x = 2, n = 3 and "b"."""
    net = params["net"]
    return (params["x"] - 2) ** 2 + (net["n"] - 3) ** 2 + (net["word"] != "b")


def run(search, fn=bowl, evaluations=20, direction="min", **settings):
    """Another run without a model, which would be compiled."""
    settings = {"surrogate": False, "backend": "python"} | settings
    return search.run(fn, direction=direction, evaluations=evaluations, **settings)


def keys(search):
    return [repr(trial.params) for trial in search.history]


def test_each_run_goes_on_from_the_last():
    search = Search(SPACE)
    assert search.best is None and np.isnan(search.best_value) and search.history == ()
    bests = []
    for number in range(1, 4):
        result = run(search)
        bests.append(search.best_value)
        assert result.evaluations == 20 and len(search.history) == 20 * number
        assert result.best_value == search.best_value == bowl(search.best) == min(bests)
        assert result.best == search.best
    assert len(set(keys(search))) == 60
    assert [trial.number for trial in search.history] == list(range(60))
    assert len(search.results) == 3
    assert bests[-1] < bests[0]
    starts = [trial for trial in search.history if trial.phase == "initial"]
    assert len(starts) == 1  # later runs begin with what is known


def test_several_runs_find_the_optimum():
    search = Search(SPACE)
    for _ in range(4):
        run(search, evaluations=50)
    assert search.best["net"] == {"n": 3, "word": "b"} and abs(search.best["x"] - 2) < 0.2


def test_workers_take_turns_with_this_process():
    search = Search(SPACE)
    for jobs in (None, 2, None):
        run(search, evaluations=12, n_jobs=jobs)
    assert len(set(keys(search))) == 36


def test_maximising():
    search = Search(SPACE)
    for _ in range(2):
        run(search, lambda params: -bowl(params), direction="max")
    assert search.best_value == max(trial.value for trial in search.history)
    assert search.best_value == -bowl(search.best)


def test_the_direction_must_be_said_and_stay():
    search = Search(SPACE)
    with pytest.raises(TypeError, match="direction"):
        search.run(bowl, evaluations=5)  # pyright: ignore[reportCallIssue]
    run(search, evaluations=3)
    with pytest.raises(ValueError, match=r"`direction='max'`.*direction='min'"):
        run(search, direction="max")
    with pytest.raises(ValueError, match=r'"min" or "max"'):
        run(search, direction="up")
    run(search, direction="minimize", evaluations=3)
    assert len(search.history) == 6


def test_enqueued_candidates_come_first():
    search = Search(SPACE)
    search += {"x": 4.5}
    search.enqueue({"net": {"word": "c"}, "x": 1.5})
    run(search, evaluations=10)
    first, second = (trial.params for trial in search.history[:2])
    assert first == {"x": 4.5, "net": {"n": 4, "word": "a"}, "constant": 7}
    assert second == {"x": 1.5, "net": {"n": 4, "word": "c"}, "constant": 7}
    before = search.best
    search += {"net": {"n": 8}}
    run(search, evaluations=5)
    assert search.history[10].params == before | {"net": before["net"] | {"n": 8}}


@pytest.mark.parametrize(
    ("candidate", "told"),
    [
        ({"x": 7.0}, "x"),
        ({"net": {"n": 2.5}}, "n"),
        ({"net": {"word": "z"}}, "word"),
        ({"net": {"layers": 3}}, "layers"),
        ({"y": 1.0}, "y"),
        ({"x": "text"}, "x"),
        (3.0, "dict"),
    ],
    ids=repr,
)
def test_what_does_not_fit_is_refused_with_its_place(candidate, told):
    search = Search(SPACE)
    with pytest.raises((ValueError, TypeError), match=told):
        search.enqueue(candidate)
    run(search, evaluations=3)
    assert len(search.history) == 3
    with pytest.raises((ValueError, TypeError), match=told):
        search += candidate


def test_init_of_a_run_is_evaluated_too():
    search = Search(SPACE)
    run(search, evaluations=4, init=[{"x": 4.0}])
    assert 4.0 in [trial.params["x"] for trial in search.history[:2]]


def test_a_frozen_parameter():
    search = Search(SPACE)
    run(search, evaluations=30)
    free = search.best_value
    search["x"] = 4.0
    assert search.best is None or search.best["x"] == 4.0
    result = run(search, evaluations=30)
    assert result.best["x"] == search.best["x"] == 4.0 == search["x"]
    assert all(trial.params["x"] == 4.0 for trial in search.history[30:])
    assert search.best_value == bowl(search.best) >= 4 > free
    search["x"] = SPACE["x"]
    assert search.best_value == free
    run(search, evaluations=30)
    assert len({trial.params["x"] for trial in search.history[60:]}) > 10
    assert search.best_value <= free


def test_what_is_frozen_beforehand_counts_as_well():
    search = Search(SPACE)
    search["net"] = {"n": 8, "word": "a"}
    run(search, evaluations=20)
    assert all(trial.params["net"] == {"n": 8, "word": "a"} for trial in search.history)
    assert search.best_value >= 26


def test_a_key_that_is_none_is_refused():
    search = Search(SPACE)
    with pytest.raises(KeyError, match="no such key"):
        search["y"] = 3
    with pytest.raises(KeyError, match="no such key"):
        search["y"]
    with pytest.raises(KeyError, match="no such key"):
        Search([jaxhop.float(0, 1)])[0]
    assert search["constant"] == 7


def test_the_best_can_be_changed_without_harm():
    search = Search(SPACE)
    run(search, evaluations=5)
    search.best["net"].clear()
    assert search.best["net"].keys() == {"n", "word"}
    run(search, evaluations=5)
    assert len(search.history) == 10


def test_a_space_that_is_used_up_stays_so():
    search = Search(n=jaxhop.int(1, 3), flag=jaxhop.bool())
    for evaluations in (4, 10, 10):
        result = run(search, lambda params: params["n"] + params["flag"], evaluations)
    assert result.stop_reason == "exhausted" and result.evaluations == 0
    assert result.best_value == search.best_value == 1
    assert len(set(keys(search))) == len(search.history) == 6


def test_runs_of_other_functions():
    search = Search(SPACE)
    run(search)
    run(search, lambda params: 100 + bowl(params))
    assert len(set(keys(search))) == 40 and search.best_value < 100


def test_callbacks_of_a_run():
    search = Search(SPACE)
    numbers = []

    class Note:
        def on_trial(self, trial):
            numbers.append(trial.number)
            return trial.number == 4

    result = run(search, callbacks=[Note()], evaluations=100)
    assert result.stop_reason == "interrupted"
    assert numbers == [0, 1, 2, 3, 4] and len(search.history) == 5
    run(search, evaluations=3)
    assert [trial.number for trial in search.history] == list(range(8))


def test_a_run_that_fails_keeps_what_it_found():
    search = Search(SPACE)
    calls = []

    def fails(params):
        calls.append(1)
        if len(calls) == 6:
            raise OSError("the sixth")
        return bowl(params)

    with pytest.raises(OSError, match="the sixth"):
        run(search, fails)
    assert len(search.history) == 5 and search.best is not None
    run(search, evaluations=10)
    assert len(search.history) == 15


def jax_bowl(params):
    net = params["net"]
    return (
        jnp.square(params["x"] - 2)
        + jnp.square(net["n"] - 3.0)
        + jnp.where(net["word"] == "b", 0, 1)
    )


def test_jax_objectives_go_on_as_well():
    search = Search(SPACE)
    bests = []
    for seed in range(2):
        result = run(
            search, jax_bowl, 64, backend="jax", population=16, algorithm=plain, seed=seed
        )
        bests.append(search.best_value)
        assert result.evaluations == 64
    assert bests[1] <= bests[0] and len(search.history) == 128
    assert search.history[64].params == min(search.history[:64], key=lambda t: t.value).params
    assert search.best_value == pytest.approx(bowl(search.best), rel=1e-5)


@pytest.mark.parametrize(
    ("tree", "value"),
    [
        (jaxhop.float(-1, 1), lambda x: x),
        ([jaxhop.float(-1, 1), (jaxhop.int(0, 5), "word")], lambda x: x[0] + x[1][0]),
        (jaxhop.Space({"x": jaxhop.float(-1, 1)}), lambda x: x["x"]),
    ],
    ids=["leaf", "list", "space"],
)
def test_any_pytree_is_a_space(tree, value):
    search = Search(tree)
    for _ in range(2):
        run(search, value, evaluations=8)
    assert search.best_value == min(value(trial.params) for trial in search.history)
    assert len(set(keys(search))) == 16


def test_dicts_and_names_are_put_together():
    more = {"y": jaxhop.int(1, 3)}
    search = Search({"x": jaxhop.float(0, 1)}, more, word="constant", z=jaxhop.bool())
    run(search, lambda params: params["x"] + params["y"] + params["z"], evaluations=5)
    assert search.best.keys() == {"x", "y", "word", "z"} and search.best["word"] == "constant"
    with pytest.raises(ValueError, match="'y' is given twice"):
        Search(more, y=3)
    with pytest.raises(TypeError, match="must be dicts"):
        Search(jaxhop.float(0, 1), y=3)


def test_repr_says_what_it_is():
    search = Search(x=jaxhop.float(0, 1))
    run(search, lambda params: params["x"], evaluations=3)
    assert repr(search).startswith("Search(") and "float(" in repr(search)
    assert "3 evaluations" in repr(search)


class TestByHand:
    """Loops that the user owns."""

    def test_a_loop_finds_the_optimum(self):
        search = Search(SPACE)
        for _ in range(15):
            candidates = search.ask(4)
            assert len(candidates) == 4
            search.tell(candidates, [bowl(candidate) for candidate in candidates])
        assert search.best["net"] == {"n": 3, "word": "b"}
        assert search.best_value < 0.5 and len(set(keys(search))) == 60

    def test_the_first_candidate_is_the_initial_one(self):
        search = Search({"x": jaxhop.float(-5, 5, init=3.0)})
        assert search.ask() == [{"x": 3.0}]
        assert len(search.ask(3)) == 3

    def test_any_number_can_be_asked_for_before_anything_is_told(self):
        search = Search(SPACE)
        asked = [candidate for _ in range(10) for candidate in search.ask(3)]
        assert len({repr(candidate) for candidate in asked}) == 30

    def test_more_can_be_enqueued_than_is_asked_for(self):
        search = Search({"x": jaxhop.float(-5, 5)})
        for x in (1.0, 2.0, 3.0):
            search += {"x": x}
        asked = [candidate["x"] for n in (1, 2, 2) for candidate in search.ask(n)]
        assert asked[:3] == [1.0, 2.0, 3.0] and len(set(asked)) == 5

    def test_values_come_in_any_order(self):
        search = Search(SPACE)
        first, second = search.ask(2), search.ask(2)
        search.tell(second[::-1], [bowl(c) for c in second[::-1]])
        search.tell(first[1:], [bowl(first[1])])
        assert len(search.history) == 3
        assert search.best_value == min(map(bowl, [*second, first[1]]))

    def test_candidates_of_the_users_own(self):
        search = Search(SPACE)
        own = {"x": 2.0, "net": {"n": 3, "word": "b"}, "constant": 7}
        search.tell([own], [0.0])
        assert search.best == own and search.best_value == 0
        asked = search.ask(5)
        assert own not in asked
        with pytest.raises((ValueError, TypeError), match="x"):
            search.tell([own | {"x": 50.0}], [0.0])
        with pytest.raises(ValueError, match="as many values"):
            search.tell([own], [1.0, 2.0])
        with pytest.raises(TypeError, match="tell"):
            search.tell([own], ["text"])  # pyright: ignore[reportArgumentType]

    def test_values_that_are_not_finite_never_win(self):
        search = Search(SPACE)
        candidates = search.ask(3)
        search.tell(candidates, [float("nan"), 5.0, float("-inf")])
        assert search.best == candidates[1] and search.best_value == 5

    def test_directions(self):
        search = Search(SPACE)
        candidates = search.ask(2)
        search.tell(candidates, [1.0, 2.0], direction="max")
        assert search.best_value == 2.0
        search.tell(search.ask(1), [3.0])
        assert search.best_value == 3.0
        with pytest.raises(ValueError, match="direction"):
            search.tell(search.ask(1), [3.0], direction="min")

    def test_a_finite_space_runs_dry(self):
        search = Search(n=jaxhop.int(1, 3))
        asked = search.ask(2)
        search.tell(asked, [1.0, 2.0])
        assert len(search.ask(5)) == 1
        assert search.ask(5) == []

    def test_less_than_one_is_refused(self):
        with pytest.raises(ValueError, match=r"`ask\(0\)`"):
            Search(SPACE).ask(0)

    def test_hand_and_run_take_turns(self):
        search = Search(SPACE)
        candidates = search.ask(6)
        search.tell(candidates, [bowl(c) for c in candidates])
        run(search, evaluations=10)
        candidates = search.ask(6)
        search.tell(candidates, [bowl(c) for c in candidates])
        assert len(set(keys(search))) == 22
        assert [trial.number for trial in search.history] == list(range(22))
