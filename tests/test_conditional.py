"""Spaces whose candidates are not all alike: options with parameters, arrays of varied length."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxhop
from jaxhop import _noise
from jaxhop.space import Custom, Option, Proposal, Space, Weights

KEY = np.array([3, 4], np.uint32)
SPACE = Space(
    {
        "opt": jaxhop.choice(
            {
                "kind": "sgd",
                "momentum": jaxhop.float(0, 1),
                "rate": jaxhop.choice(jaxhop.float(0.1, 0.9, "0.1f"), "auto"),
            },
            {"kind": "adam", "betas": [jaxhop.float(0.8, 0.9), jaxhop.float(0.9, 1)]},
            "none",
        ),
        "layers": jaxhop.int(1, 4),
        "hidden": jaxhop.int(16, 256, shape=4, active=lambda params: params["layers"]),
    }
)
DRAW = jax.jit(jax.vmap(lambda i: SPACE.draw(_noise.fold_in(KEY, i))))


def drawn(number: int = 64):
    return jax.device_get(DRAW(jnp.arange(number)))


def rows(points):
    return list(zip(*points, strict=True))


def stacked(points):
    return tuple(np.stack(column) for column in zip(*points, strict=True))


def proposal(rate, forced=-1):
    half = jnp.float32(0.5)
    return Proposal(jnp.float32(rate), half, half, jnp.asarray(forced, jnp.int32))


# What a user gets


def test_only_the_chosen_option_and_the_used_entries_are_in_a_candidate():
    candidates = SPACE.to_python_many(drawn())
    kinds = set()
    for candidate in candidates:
        option = candidate["opt"]
        kinds.add(option if isinstance(option, str) else option["kind"])
        if option == "none":
            continue
        names = {"sgd": {"kind", "momentum", "rate"}, "adam": {"kind", "betas"}}
        assert set(option) == names[option["kind"]]
        if option["kind"] == "sgd":
            assert option["rate"] == "auto" or round(option["rate"] * 10) in range(1, 10)
    assert kinds == {"sgd", "adam", "none"}
    assert all(len(each["hidden"]) == each["layers"] for each in candidates)
    assert {each["layers"] for each in candidates} == {1, 2, 3, 4}


def test_a_candidate_starts_at_the_first_option_and_has_names_for_tables():
    start = SPACE.to_python(SPACE.initial())
    hidden = start.pop("hidden")
    assert start == {"opt": {"kind": "sgd", "momentum": 0.5, "rate": 0.5}, "layers": 2}
    np.testing.assert_array_equal(hidden, [136, 136])
    flat = SPACE.flat({"opt": {"kind": "adam", "betas": [0.85, 0.95]}, "layers": 1, "hidden": [9]})
    assert flat == {
        "opt.kind": "adam",
        "opt.betas.0": 0.85,
        "opt.betas.1": 0.95,
        "layers": 1,
        "hidden": [9],
    }
    assert SPACE.flat({"opt": "none", "layers": 1, "hidden": [9]})["opt"] == "none"


def test_what_a_user_does_to_a_candidate_reaches_nobody_else():
    point = SPACE.encode(SPACE.complete({"opt": {"kind": "adam"}}))
    first = SPACE.to_python(point)
    first["opt"]["kind"] = "broken"
    first["opt"]["betas"].clear()
    first["hidden"][:] = 0
    again = SPACE.to_python(point)
    assert again["opt"]["kind"] == "adam"
    assert len(again["opt"]["betas"]) == 2
    assert (again["hidden"] == 136).all()


def test_candidates_come_back_through_their_points():
    points = drawn()
    candidates, keys = SPACE.decoded_many(points)
    again = stacked([SPACE.encode(candidate) for candidate in candidates])
    assert SPACE.keys(again) == keys
    assert str(SPACE.to_python_many(again)) == str(candidates)
    # Encoding leaves what is not used at the start, as the canonical point does.
    canonical, used = jax.jit(jax.vmap(lambda point: (SPACE.canonical(point), SPACE.used(point))))(
        points
    )
    for one, other, flags in zip(canonical, again, used, strict=True):
        np.testing.assert_array_equal(np.where(flags, 0, one), np.where(flags, 0, other))
    assert SPACE.keys(canonical) == keys


def test_part_of_an_option_tells_which_it_is():
    assert SPACE.complete({"opt": {"momentum": 0.3}})["opt"] == {
        "kind": "sgd",
        "momentum": 0.3,
        "rate": 0.5,
    }
    assert SPACE.complete({"opt": {"kind": "adam"}})["opt"]["kind"] == "adam"
    assert SPACE.complete({"opt": {"kind": "sgd", "rate": "auto"}})["opt"]["rate"] == "auto"
    assert SPACE.complete({"opt": "none"})["opt"] == "none"
    assert SPACE.complete({"opt": {}})["opt"]["kind"] == "sgd"


def test_init_may_be_a_part_of_an_option():
    space = Space(
        jaxhop.choice(
            {"x": jaxhop.float(0, 1)},
            {"y": jaxhop.float(0, 1), "z": jaxhop.int(0, 8)},
            init={"y": 0.25},
        )
    )
    assert space.to_python(space.initial()) == {"y": 0.25, "z": 4}
    assert space.complete({}) == {"y": 0.25, "z": 4}
    ordinal = Space(jaxhop.choice({"x": jaxhop.float(0, 1)}, 2, 3, ordinal=True))
    assert ordinal.to_python(ordinal.initial()) == 2


# What a JAX objective gets


def test_a_jax_objective_sees_every_option():
    seen = []

    @jax.jit
    def objective(point):
        params = SPACE.decode(point)
        seen.append(params["opt"])
        chosen = params["opt"].switch(
            lambda sgd: sgd["momentum"], lambda adam: adam["betas"][0], lambda: -1.0
        )
        return params["opt"] == "none", params["opt"].index, chosen, params["hidden"]

    options = [{"kind": "sgd", "momentum": 0.75, "rate": "auto"}, {"kind": "adam"}, "none"]
    expected = [0.75, 0.85, -1.0]
    for number, (option, value) in enumerate(zip(options, expected, strict=True)):
        point = SPACE.encode(SPACE.complete({"opt": option, "layers": 3, "hidden": [20, 30, 40]}))
        none, index, chosen, hidden = objective(point)
        assert (bool(none), int(index)) == (option == "none", number)
        assert float(chosen) == pytest.approx(value)
        assert hidden.tolist() == [20, 30, 40, 0]
    (option,) = seen
    sgd, adam, none = option.values
    assert (sgd["kind"], adam["kind"], none) == ("sgd", "adam", "none")
    assert isinstance(sgd["rate"], Option)
    assert len(jax.tree.leaves(option)) == 6  # arrays only, so it may pass through jax.vmap


# Moves


def test_what_is_not_used_does_not_move():
    point = rows(drawn(1))[0]
    moved = jax.jit(jax.vmap(lambda i: SPACE.move(_noise.fold_in(KEY, i), point, proposal(0.5))))
    many = jax.device_get(moved(jnp.arange(200)))
    used = jax.device_get(jax.jit(jax.vmap(SPACE.used))(many))
    changes = 0
    for new, old, flags in zip(many, point, used, strict=True):
        flags = np.broadcast_to(flags, new.shape)
        np.testing.assert_array_equal(np.where(flags, old, new), np.broadcast_to(old, new.shape))
        changes += np.sum(np.where(flags, new != old, False))
    assert changes > 200
    assert len(set(SPACE.keys(many))) > 100
    options = {str(each["opt"])[:12] for each in SPACE.to_python_many(many)}
    assert len(options) == 3


def test_a_coordinate_to_force_is_one_of_those_in_use():
    words = jnp.arange(0, 2**32 - 1, 2**22, dtype=jnp.uint32)
    pick = jax.jit(jax.vmap(SPACE.pick, in_axes=(0, None)))
    for point in rows(drawn(6)):
        flags = [np.ravel(flag) for flag in jax.device_get(jax.jit(SPACE.used)(point))]
        numbers, counts = np.unique(pick(words, point), return_counts=True)
        np.testing.assert_array_equal(numbers, np.flatnonzero(np.concatenate(flags)))
        assert counts.max() - counts.min() <= 1
    plain = Space({"x": jaxhop.float(0, 1, shape=5), "tour": jaxhop.permutation(4)})
    assert not plain.conditional
    got = [int(plain.pick(word, plain.initial())) for word in words[::64]]
    assert got == [int(_noise.below(word, plain.size)) for word in words[::64]]


def test_leaves_of_every_type_may_be_inside_an_option():
    space = Space(
        jaxhop.choice(
            {
                "tour": jaxhop.permutation(5),
                "angle": Custom(
                    lambda key: {"a": jax.random.uniform(key), "b": jnp.zeros(2)},
                    lambda key, value: value,
                ),
            },
            {"net": Weights({"w": np.ones((2, 2), np.float32), "name": "dense"})},
        )
    )
    draw = jax.jit(jax.vmap(lambda i: space.draw(_noise.fold_in(KEY, i))))
    points = jax.device_get(draw(jnp.arange(12)))
    candidates, keys = space.decoded_many(points)
    assert len(set(keys)) == 12
    assert {tuple(sorted(each)) for each in candidates} == {("angle", "tour"), ("net",)}
    for candidate, key in zip(candidates, keys, strict=True):
        point = jax.tree.map(lambda leaf: np.asarray(leaf)[None], space.encode(candidate))
        assert space.keys(point) == [key]
    names = {name for each in candidates for name in space.flat(each)}
    assert names == {"tour", "angle.a", "angle.b", "net.w"}
    start = space.initial()
    moved = jax.jit(jax.vmap(lambda i: space.move(_noise.fold_in(KEY, i), start, proposal(1.0))))
    for candidate in space.to_python_many(jax.device_get(moved(jnp.arange(6)))):
        space.validate(candidate)


# Keys, counts


def test_keys_are_equal_where_candidates_are():
    space = Space(
        {
            "x": jaxhop.float(0, 1, "0.1f"),
            "option": jaxhop.choice({"n": jaxhop.int(1, 3)}, None),
        }
    )
    draw = jax.jit(jax.vmap(lambda i: space.draw(_noise.fold_in(KEY, i))))
    candidates, keys = space.decoded_many(jax.device_get(draw(jnp.arange(1000))))
    assert len(set(keys)) == len({str(candidate) for candidate in candidates})
    assert len({(key, str(each)) for key, each in zip(keys, candidates, strict=True)}) == len(
        set(keys)
    )
    assert len(set(keys)) == space.cardinality == 11 * 4
    signed = Space({"x": jaxhop.float(-1, 1, "0.1f")})
    zeros = (np.array([0.0, -0.0, 0.001, -0.001], np.float32),)
    assert len(set(signed.keys(zeros))) == 1
    wide = Space(jaxhop.float(0, 1, shape=50))
    points = (np.repeat(np.random.default_rng(0).random((3, 50), np.float32), 2, axis=0),)
    assert [wide.keys(points).index(key) for key in wide.keys(points)] == [0, 0, 2, 2, 4, 4]


@pytest.mark.parametrize(
    ("tree", "number"),
    [
        (jaxhop.int(-3, 3, shape=2), 49),
        (jaxhop.int(3, 40, multiple_of=5), 8),
        (jaxhop.int(3, 40, power_of=2), 4),
        (jaxhop.int(1, 9, log=True), 9),
        (jaxhop.float(-0.2, 0.3, "0.1f"), 6),
        (jaxhop.float(0.08, 2, "0.1g"), 13),
        (jaxhop.float(0.095, 0.2, "0.2g"), 16),
        (jaxhop.permutation(4), 24),
        ({"a": jaxhop.bool(), "b": jaxhop.choice("x", "y", "z"), "c": 3}, 6),
        (
            jaxhop.choice({"x": jaxhop.int(1, 3), "y": jaxhop.choice({"z": jaxhop.bool()}, 1)}, 2),
            10,
        ),
        (
            {
                "n": jaxhop.int(1, 3),
                "h": jaxhop.int(1, 2, shape=3, active=lambda params: params["n"]),
            },
            2 + 4 + 8,
        ),
    ],
    ids=repr,
)
def test_a_finite_space_lists_its_candidates(tree, number):
    space = Space(tree)
    candidates = list(space.candidates())
    assert space.cardinality == len(candidates) == number
    points = stacked([space.encode(candidate) for candidate in candidates])
    assert len(set(space.keys(points))) == number
    assert str(space.to_python_many(points)) == str(candidates)


@pytest.mark.parametrize(
    "tree",
    [
        jaxhop.float(0, 1),
        {"a": jaxhop.bool(), "b": jaxhop.float()},
        jaxhop.int(0, 9, shape=20),
        jaxhop.choice({"x": jaxhop.float(0, 1)}, 1),
        jaxhop.permutation(30),
    ],
    ids=repr,
)
def test_an_infinite_or_immense_space_has_no_number(tree):
    assert Space(tree).cardinality is None


# Arrays of varied length


def odd(number):
    return jnp.arange(number) % 2 == 0


def test_a_mask_says_which_entries_are_used():
    space = Space(
        {
            "even": jaxhop.bool(),
            "x": jaxhop.float(1, 2, shape=4, active=lambda p: odd(4) | ~p["even"]),
            "y": jaxhop.int(
                1, 9, shape=(2, 3), active=lambda p: (jnp.arange(6) < 4).reshape(2, 3) | p["even"]
            ),
            "z": jaxhop.int(1, 9, shape=(2, 3), active=lambda p: jnp.where(p["even"], 1, 2)),
        }
    )
    for even, lengths in ((True, (2, 6, (1, 3))), (False, (4, 4, (2, 3)))):
        point = space.encode(space.complete({"even": even}))
        candidate = space.to_python(point)
        assert candidate["x"].shape == (lengths[0],)
        assert np.sum(candidate["y"] != 0) == lengths[1]
        assert candidate["z"].shape == lengths[2]
        again = space.encode(candidate)
        for one, other in zip(point, again, strict=True):
            np.testing.assert_array_equal(one, other)
        seen = jax.jit(space.decode)(point)
        assert seen["x"].tolist() == [1.5, 0 if even else 1.5] * 2
        assert int(np.sum(seen["z"] != 0)) == np.prod(lengths[2])


def test_used_entries_depend_on_what_is_used_only():
    space = Space(
        {
            "a": jaxhop.choice({"n": jaxhop.int(1, 3)}, "two"),
            "h": jaxhop.int(
                1,
                9,
                shape=3,
                active=lambda p: jnp.where(p["a"] == "two", 2, p["a"].values[0]["n"]),
            ),
            "w": jaxhop.float(0, 1, shape=3, active=lambda p: jnp.sum(p["h"] > 0)),
        }
    )
    point = space.encode({"a": {"n": 3}, "h": [1, 2, 3], "w": [0.1, 0.2, 0.3]})
    np.testing.assert_array_equal(space.to_python(point)["w"], np.float32([0.1, 0.2, 0.3]))
    point = space.encode({"a": "two", "h": [1, 2], "w": [0.1, 0.2]})
    assert len(space.to_python(point)["w"]) == 2


REFUSED = {
    "no option fits": (
        lambda: SPACE.encode({"opt": {"kind": "lion"}, "layers": 1, "hidden": [16]}),
        ValueError,
        '`space["opt"]`: `choice(',
        "the value must be like one of the options, but got {'kind': 'lion'}.",
    ),
    "illegal inside": (
        lambda: SPACE.encode(
            {"opt": {"kind": "sgd", "momentum": 2.0, "rate": "auto"}, "layers": 1, "hidden": [16]}
        ),
        ValueError,
        '`space["opt"]["momentum"]`: `float(low=0.0, high=1.0)`: `low <= value <= high` must hold',
    ),
    "no part fits": (
        lambda: SPACE.complete({"opt": {"beta": 1}}),
        ValueError,
        "none of the options fits {'beta': 1}.",
    ),
    "init fits none": (
        lambda: jaxhop.choice({"x": jaxhop.float(0, 1)}, init="x"),
        ValueError,
        "`init` must be like one of the options, but got 'x'.",
    ),
    "init not legal": (
        lambda: jaxhop.choice({"x": jaxhop.float(0, 1)}, init={"x": 3}),
        ValueError,
        "`init` is not legal.",
    ),
    "too many entries": (
        lambda: SPACE.encode({"opt": "none", "layers": 2, "hidden": [20, 20, 20]}),
        ValueError,
        '`space["hidden"]`: `int(16, 256, shape=(4,))`: 2 entries are used beside these other',
        "but got [20, 20, 20].",
    ),
    "active of one number": (
        lambda: jaxhop.int(1, 3, active=lambda params: 1),
        ValueError,
        "`active` says which entries of an array are used, but this is one number.",
    ),
    "active in Python": (
        lambda: Space(
            {
                "n": jaxhop.int(1, 3),
                "h": jaxhop.int(1, 3, shape=3, active=lambda p: 1 if p["n"] > 1 else 2),
            }
        ),
        TypeError,
        "`active` is traced by JAX",
        "Use jax.numpy.where in place of `if`",
    ),
    "active of a fraction": (
        lambda: Space(jaxhop.float(0, 1, shape=3, active=lambda params: 0.5)),
        ValueError,
        "must return how many entries are used, an integer, or a bool mask of shape (3,)",
    ),
    "rules beside parameters": (
        lambda: jaxhop.choice({"x": jaxhop.float(0, 1)}, sample=lambda rng: 1),
        ValueError,
        "`sample` and `mutate` are for options without parameters.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_with_the_rule_and_the_remedy(case):
    make, kind, *words = REFUSED[case]
    with pytest.raises(kind) as refusal:
        make()
    for word in words:
        assert word in str(refusal.value)


def test_parts_of_a_space_can_be_replaced():
    space = Space({"opt": {"lr": jaxhop.float(0, 1), "n": jaxhop.int(1, 3)}, "x": jaxhop.bool()})
    assert Space(space.replaced("opt.lr", 0.125)).complete({})["opt"] == {"lr": 0.125, "n": 2}
    assert Space(space.replaced("opt", None)).complete({}) == {"opt": None, "x": False}
    with pytest.raises(KeyError, match="no place 'lr'"):
        space.replaced("lr", 1)


def test_a_value_of_two_options_is_of_the_first_that_allows_it():
    space = Space(jaxhop.choice(jaxhop.float(0, 1), jaxhop.float(0.5, 2)))
    assert space.to_python(space.encode(0.7)) == pytest.approx(0.7)
    assert space.to_python(space.encode(1.5)) == pytest.approx(1.5)


def test_an_option_that_can_be_changed_is_a_copy():
    given = [1, 2]
    space = Space({"layers": jaxhop.choice(given, [3, 4]), "x": jaxhop.float(0, 1)})
    space.to_python(space.initial())["layers"].clear()
    assert given == [1, 2]
    assert space.to_python(space.initial())["layers"] == [1, 2]
