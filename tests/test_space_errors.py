"""What is refused at the door of a space, and the very words it is refused with."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxhop.space import Bool, Choice, Custom, Float, Int, Permutation, Space, Weights, choice

NAN = float("nan")
OPTION = Choice("a", "b").decode(jnp.int32(0))
SPACE = Space(
    {
        "opt": {"lr": Float(0, 1), "name": Choice("adam", "sgd")},
        "layers": [Int(1, 9), Int(1, 9)],
        "seed": 3,
        "net": Weights({"w": np.ones(3, np.float32)}),
    }
)
WHOLE = SPACE.complete({})


class Pair(NamedTuple):
    first: object
    second: object


def sample(key):
    return jax.random.normal(key, (3,))


REFUSED = {
    # Float
    "swapped": (
        lambda: Float(low=0.1, high=0.001),
        "`float(low=0.1, high=0.001)`: `low < high` must hold. Swap them.",
    ),
    "swapped in an array": (
        lambda: Float([0, 1], [1, 0], shape=2),
        "`low < high` must hold. Swap them.",
    ),
    "equal bounds": (
        lambda: Float(1, 1),
        "Set them apart, or put the number itself into the space",
    ),
    "bounds equal in float32": (lambda: Float(1, 1 + 1e-12), "`low < high` must hold in float32."),
    "one bound": (
        lambda: Float(5),
        "Write float(0, 5) for a range from 0, float(low=5) or float(high=5)",
    ),
    "four by position": (
        lambda: Float(0, 1, "0.1f", True),
        TypeError,
        "at most low, high and fmt by position",
    ),
    "given twice": (lambda: Float(0, 1, low=0), TypeError, "`low` is given twice. Give it once."),
    "text bound": (lambda: Float("0", 1), TypeError, "`low` must be a number, but got '0'."),
    "bool bound": (
        lambda: Float(False, True),
        TypeError,
        "`low` must be a number, but got False.",
    ),
    "complex bound": (lambda: Float(0, 1j), TypeError, "`high` must be a number, but got 1j."),
    "ragged bound": (
        lambda: Float([[0], [1, 2]], 3, shape=2),
        TypeError,
        "`low` must be a number, but got [[0], [1, 2]].",
    ),
    "infinite": (
        lambda: Float(0, float("inf")),
        "`high` must be finite, but got inf. Leave it out to have no bound.",
    ),
    "nan": (lambda: Float(NAN, 1), "`low` must be finite, but got nan."),
    "too large": (
        lambda: Float(0, 1e39),
        "bounds must fit into float32, whose greatest number is 3.4e+38.",
    ),
    "too large for float16": (lambda: Float(0, 1e5, dtype=jnp.float16), "must fit into float16"),
    "array without shape": (
        lambda: Float([0, 1], 2),
        "`low` is an array of shape (2,), so `shape` must be given. Add shape=(2,).",
    ),
    "other shape": (
        lambda: Float([0, 1], 2, shape=3),
        "`low` must have shape (3,), but its shape is (2,).",
    ),
    "zero in shape": (lambda: Float(0, 1, shape=(2, 0)), "`shape >= 1` must hold, but got 0."),
    "float in shape": (
        lambda: Float(0, 1, shape=2.0),
        TypeError,
        "`shape` must be an integer, but got 2.0.",
    ),
    "log from 0": (lambda: Float(0, 1, log=True), "`low > 0` must hold on a logarithmic scale."),
    "log of one bound": (
        lambda: Float(low=1, log=True),
        "Give both, as in float(1e-5, 1e-1, log=True).",
    ),
    "log of no bound": (lambda: Float(log=True), "a logarithmic scale needs two bounds."),
    "fmt from 0": (
        lambda: Float(0, 1, "0.1g"),
        "`float(0, 1, '0.1g')`: `low > 0` must hold on a logarithmic scale.",
    ),
    "fmt and log": (
        lambda: Float(1, 2, "0.1f", log=True),
        "Give fmt alone, or log= and precision=.",
    ),
    "fmt and precision": (
        lambda: Float(1, 2, "0.1f", precision=1),
        "`fmt` already says what `log` and `precision` say.",
    ),
    "fmt 0.01f": (
        lambda: Float(0, 1, "0.01f"),
        '`fmt` must be like "0.2f" (two decimals) or "0.2g" (log-uniform, two significant digits)',
    ),
    "fmt 1.0f": (lambda: Float(0, 1, "1.0f"), "but got '1.0f'. Write one of these two."),
    "fmt abc": (lambda: Float(0, 1, "abc"), "but got 'abc'. Write one of these two."),
    "fmt 0.0g": (lambda: Float(1, 2, "0.0g"), "but got '0.0g'. Write one of these two."),
    "fmt number": (lambda: Float(0, 1, 3), TypeError, "but got 3. Write one of these two."),
    "negative precision": (
        lambda: Float(0, 1, precision=-1),
        "`precision >= 0` must hold, but got -1.",
    ),
    "no digit": (
        lambda: Float(1, 2, log=True, precision=0),
        "`precision >= 1` must hold, but got 0.",
    ),
    "half a digit": (
        lambda: Float(0, 1, precision=0.5),
        TypeError,
        "`precision` must be an integer, but got 0.5.",
    ),
    "too many digits": (
        lambda: Float(1, 2, "0.7g"),
        "7 significant digits are asked for, but float32 tells only 6 apart.",
    ),
    "too many decimals": (
        lambda: Float(0, 1000, "0.5f"),
        "8 significant digits are asked for, but float32 tells only 6 apart.",
    ),
    "no legal decimal": (
        lambda: Float(0.12, 0.18, "0.1f"),
        "no number with precision 1 lies between the bounds.",
    ),
    "zero scale": (lambda: Float(scale=0), "`scale > 0` must hold. Give a positive scale."),
    "scale and bounds": (
        lambda: Float(0, 1, scale=2),
        "`scale` has no meaning between two bounds. Leave it out.",
    ),
    "integer dtype": (
        lambda: Float(0, 1, dtype=jnp.int32),
        TypeError,
        "`dtype` must be a floating dtype",
    ),
    "no dtype": (
        lambda: Float(0, 1, dtype="real"),
        TypeError,
        "`dtype` must be a floating dtype, but got 'real'.",
    ),
    "float64": (
        lambda: Float(0, 1, dtype=np.float64),
        "`dtype=float64` needs 64 bits, which JAX has not enabled.",
    ),
    "init outside": (
        lambda: Float(0, 1, init=2),
        "`float(low=0.0, high=1.0)`: `low <= init <= high` must hold, but got 2.0.",
    ),
    "init not rounded": (
        lambda: Float(0, 1, "0.1f", init=0.25),
        "`init` must have at most 1 decimal, but got 0.25. Round it to 0.2.",
    ),
    "init of another shape": (
        lambda: Float(0, 1, shape=3, init=[0, 1]),
        "`init` must have shape (3,), but its shape is (2,).",
    ),
    "init text": (
        lambda: Float(0, 1, init="a"),
        TypeError,
        "`init` must be a number, but got 'a'.",
    ),
    # Int
    "int swapped": (lambda: Int(9, 1), "`int(9, 1)`: `low < high` must hold. Swap them."),
    "int equal": (lambda: Int(3, 3), "`low < high` must hold. Set them apart"),
    "int from float": (lambda: Int(0, 1.5), TypeError, "`high` must be an integer, but got 1.5."),
    "int from bool": (
        lambda: Int(False, 5),
        TypeError,
        "`low` must be an integer, but got False.",
    ),
    "int too wide": (lambda: Int(0, 2**31), "`high` must fit into 32 bits, but got 2147483648."),
    "int far too wide": (lambda: Int(0, 2**70), "`high` must fit into 32 bits"),
    "int log from 0": (
        lambda: Int(0, 9, log=True),
        "`low >= 1` must hold on a logarithmic scale. Raise low.",
    ),
    "int two kinds": (
        lambda: Int(1, 9, log=True, power_of=2),
        "`log`, `multiple_of` and `power_of` exclude each other. Keep one.",
    ),
    "int multiple of 0": (
        lambda: Int(1, 9, multiple_of=0),
        "`multiple_of >= 1` must hold, but got 0.",
    ),
    "int power of 1": (lambda: Int(1, 9, power_of=1), "`power_of >= 2` must hold, but got 1."),
    "int no multiple": (
        lambda: Int(9, 15, multiple_of=8),
        "no multiple of 8 lies between the bounds. Widen them.",
    ),
    "int no power": (
        lambda: Int(-9, 0, power_of=2),
        "no power of 2 lies between the bounds. Widen them.",
    ),
    "int init outside": (
        lambda: Int(0, 9, init=10),
        "`low <= init <= high` must hold, but got 10.",
    ),
    "int init no multiple": (
        lambda: Int(0, 9, multiple_of=4, init=5),
        "`init` must be a multiple of 4, but got 5.",
    ),
    "int init no power": (
        lambda: Int(1, 9, power_of=2, init=5),
        "`init` must be a power of 2, but got 5.",
    ),
    # Choice, Bool, Permutation
    "no option": (lambda: Choice(), "`choice()`: there must be an option. Give one or more."),
    "empty list": (lambda: Choice([]), "there must be an option."),
    "init no option": (
        lambda: Choice("a", "b", init="c"),
        "`init` must be one of the options, but got 'c'. Choose one of 'a', 'b'.",
    ),
    "rules beside a parameter inside": (
        lambda: choice({"lr": Float(0, 1)}, None, sample=lambda rng: None),
        "`sample` and `mutate` are for options without parameters.",
    ),
    "bool init": (
        lambda: Bool(init=1),
        TypeError,
        "`bool(init=1)`: `init` must be True or False.",
    ),
    "permutation of 1": (
        lambda: Permutation(1),
        "`permutation(1)`: `n >= 2` must hold, but got 1.",
    ),
    "permutation of text": (
        lambda: Permutation("ab"),
        TypeError,
        "`n` must be an integer, but got 'ab'.",
    ),
    "no permutation": (
        lambda: Permutation(3, init=[0, 1, 1]),
        "`init` must hold each of 0 to 2 once, but got [0, 1, 1].",
    ),
    # Custom, Weights
    "sample no function": (
        lambda: Custom(3, lambda key, value: value),
        TypeError,
        "`sample` must be a function, but got 3.",
    ),
    "mutate no function": (
        lambda: Custom(sample, None),
        TypeError,
        "`mutate` must be a function, but got None.",
    ),
    "mutate of another shape": (
        lambda: Custom(sample, lambda key, value: value[1:]),
        "what `mutate` returns must look like what `sample` returns, float32[3], but is float32[2",
    ),
    "mutate of another dtype": (
        lambda: Custom(sample, lambda key, value: value > 0),
        "float32[3], but is bool[3].",
    ),
    "mutate of another structure": (
        lambda: Custom(sample, lambda key, value: [value]),
        "float32[3], but is [float32[3]].",
    ),
    "custom init": (
        lambda: Custom(sample, lambda key, value: value, init=1.0),
        "`init` must look like what `sample` returns",
    ),
    "no weights": (
        lambda: Weights({"n": np.arange(3)}),
        "there must be a floating array in the pytree.",
    ),
    "weights with nan": (
        lambda: Weights(np.array([1.0, NAN])),
        "`weights(pytree)`: all numbers must be finite, but an array of shape (2,) holds NaN",
    ),
    "scale structure": (
        lambda: Weights([np.ones(2)], scale={"a": 1.0}),
        "`scale` must have the structure",
    ),
    "negative scale": (
        lambda: Weights([np.ones(2)], scale=[-1.0]),
        "`scale > 0` must hold for each array, but got -1.0.",
    ),
    # Space
    "nothing to search": (
        lambda: Space({"a": 1}),
        "every leaf is a constant, so there is nothing to search.",
    ),
    "empty space": (lambda: Space({}), "there is nothing to search."),
    "one legal value": (lambda: Space([Choice("a")]), "every leaf has one legal value only"),
    "keys without order": (
        lambda: Space({"a": Float(), 1: Float()}),
        "`space`: the keys of each dict must be of one kind that has an order",
    ),
    "value outside": (
        lambda: SPACE.encode(WHOLE | {"opt": {"lr": 2, "name": "sgd"}}),
        '`space["opt"]["lr"]`: `float(low=0.0, high=1.0)`: `low <= value <= high` must hold, but',
    ),
    "value of a wrong type": (
        lambda: SPACE.validate(WHOLE | {"layers": [1, "2"]}),
        TypeError,
        "`space[\"layers\"][1]`: `int(1, 9)`: `value` must be an integer, but got '2'.",
    ),
    "value of a wrong shape": (
        lambda: SPACE.validate(WHOLE | {"layers": [1, [2, 3]]}),
        '`space["layers"][1]`: `int(1, 9)`: the value must have shape (), but its shape is (2,).',
    ),
    "no such option": (
        lambda: SPACE.validate(WHOLE | {"opt": {"lr": 1, "name": "lion"}}),
        "the value must be one of the options, but got 'lion'. Choose one of 'adam', 'sgd'.",
    ),
    "value missing": (
        lambda: SPACE.encode({"opt": {"lr": 1}}),
        '`space["layers"][0]`: a value for `int(1, 9)` is missing.',
    ),
    "unknown key": (
        lambda: SPACE.complete({"opt": {"rate": 1}}),
        "`space[\"opt\"]`: the space has no key 'rate' here. Its keys are ['lr', 'name'].",
    ),
    "no dict": (
        lambda: SPACE.complete({"opt": 3}),
        TypeError,
        "`space[\"opt\"]`: a dict with keys among ['lr', 'name'] is needed, but got 3.",
    ),
    "short list": (
        lambda: SPACE.complete({"layers": [1]}),
        '`space["layers"]`: 2 entries are needed, but got 1. Give a value for each.',
    ),
    "no list": (
        lambda: SPACE.complete({"layers": 1}),
        TypeError,
        '`space["layers"]`: a list like that of the space is needed, but got 1.',
    ),
    "no pair": (
        lambda: Space(Pair(Float(), Float())).complete([1, 2]),
        TypeError,
        "`space`: a Pair like that of the space is needed, but got [1, 2].",
    ),
    "other constant": (
        lambda: SPACE.complete({"seed": 4}),
        '`space["seed"]`: this is the constant 3 of the space, but got 4.',
    ),
    "other weights": (
        lambda: SPACE.validate(WHOLE | {"net": {"v": np.ones(3)}}),
        '`space["net"]`: `weights(3 numbers in 1 array)`: the structure of the weights must be',
    ),
    "path of an attribute": (
        lambda: Space(Pair(Float(0, 1), 2)).encode(Pair(7, 2)),
        "`space.first`: `float(low=0.0, high=1.0)`: `low <= value <= high` must hold",
    ),
    # Option
    "compared with no option": (
        lambda: OPTION == "c",
        "`option == 'c'`: an option can be compared with one of 'a', 'b'.",
    ),
    "too few functions": (
        lambda: OPTION.switch(jnp.sin),
        "the 2 options ('a', 'b') need one function each, but got 1.",
    ),
    "bool(option)": (
        lambda: bool(OPTION),
        TypeError,
        "`bool(option)`: which of the options ('a', 'b') was chosen is not known while",
    ),
    "int(option)": (lambda: int(OPTION), TypeError, "`int(option)`: which of"),
    "float(option)": (lambda: float(OPTION), TypeError, "`float(option)`: which of"),
    "index": (lambda: [1, 2][OPTION], TypeError, "`sequence[option]`: which of"),
    "dict": (lambda: {"a": 1}[OPTION], TypeError, "`hash(option)`: which of"),
    "str(option)": (lambda: str(OPTION), TypeError, "`str(option)`: which of"),
    "format": (lambda: f"{OPTION}", TypeError, "`format(option)`: which of"),
    "in": (lambda: "a" in OPTION, TypeError, "`x in option`: which of"),
    "iter": (lambda: list(OPTION), TypeError, "`iter(option)`: which of"),
    "len": (lambda: len(OPTION), TypeError, "`len(option)`: which of"),
    "item": (lambda: OPTION[0], TypeError, "`option[...]`: which of"),
    "call": (lambda: OPTION(1), TypeError, "use option.switch(one function for each option)"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_with_the_rule_and_the_remedy(case):
    make, *kind, words = REFUSED[case]
    with pytest.raises(kind[0] if kind else ValueError) as refusal:
        make()
    assert words in str(refusal.value)
    assert type(refusal.value) is (kind[0] if kind else ValueError)
    assert str(refusal.value).startswith("`")
    assert str(refusal.value).rstrip(".)'\"").count(". ") or case == "unknown key"
