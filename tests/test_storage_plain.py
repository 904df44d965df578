"""Values as JSON and back."""

import collections
import datetime
import enum
import functools
import json
import math
import subprocess
import sys
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from jaxhop.storage._plain import from_plain, hashed, is_whole, number, short, to_plain

DTYPES = ("bool", "int8", "uint64", "int64", "float16", "float32", "float64", "complex64")


class Pair(NamedTuple):
    first: Any
    second: Any


class Color(enum.IntEnum):
    RED = 1


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("not even this")


class Chatty:
    def __repr__(self) -> str:
        return f"Chatty({object.__repr__(self)}, {'x' * 1000})"


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.complex_numbers()
    | st.timedeltas()
)
KEYS = st.text() | st.sampled_from(["$tuple", "$", "$array"]) | st.integers() | st.booleans()
ARRAYS = st.sampled_from(DTYPES).flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, min_side=0, max_side=5))
)
VALUES = st.recursive(
    SCALARS | ARRAYS | ARRAYS.filter(lambda array: array.size > 0).map(lambda x: x.flat[0]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.sets(st.integers() | st.text(), max_size=4)
        | st.frozensets(st.binary() | st.tuples(st.text()), max_size=4)
    ),
    max_leaves=12,
)


def back(value: Any, **options: Any) -> Any:
    return from_plain(json.loads(json.dumps(to_plain(value, **options), allow_nan=False)))


def assert_same(got: Any, value: Any) -> None:
    """Equal in type and bit by bit, but for the payload of NaNs."""
    assert type(got) is type(value)
    if isinstance(value, list | tuple):
        assert len(got) == len(value)
        for one, other in zip(got, value, strict=True):
            assert_same(one, other)
    elif isinstance(value, dict):
        assert list(got) == list(value)
        assert [type(key) for key in got] == [type(key) for key in value]
        for key in value:
            assert_same(got[key], value[key])
    elif isinstance(value, np.ndarray | np.generic):
        assert got.dtype == value.dtype
        assert got.shape == value.shape
        np.testing.assert_array_equal(got, value)
        for part in (np.real, np.imag) if value.dtype.kind == "c" else (np.asarray,):
            if value.dtype.kind in "fc":
                real = ~np.isnan(part(value))
                signs = np.signbit(part(got)), np.signbit(part(value))
                np.testing.assert_array_equal(signs[0][real], signs[1][real])
    elif isinstance(value, float | complex):
        assert repr(got) == repr(value)
    else:
        assert got == value


@given(VALUES)
@example(np.array(np.inf, np.float16))
@example([np.float32("nan"), np.complex64(complex(-0.0, np.inf)), np.zeros((0, 2), np.complex64)])
@settings(max_examples=300, deadline=None)
def test_values_come_back(value: Any):
    assert_same(back(value), value)
    assert is_whole(to_plain(value))


@pytest.mark.parametrize("size", [3, 64, 65, 300])
@pytest.mark.parametrize("dtype", [*DTYPES, "bfloat16", "float8_e4m3fn", "int4"])
def test_arrays_come_back_and_can_be_written_to(dtype: str, size: int):
    bits = np.random.default_rng(size).integers(0, 8, size)
    value = (bits / 3 if jnp.issubdtype(dtype, jnp.inexact) else bits).astype(dtype)
    got = back(value)
    assert got.dtype == value.dtype
    assert got.tobytes() == value.tobytes()
    got[0] = 1
    assert_same(back(value[1]), value[1])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, jnp.bfloat16])
@pytest.mark.parametrize("size", [9, 99])
def test_bits_of_floats_are_kept(dtype: Any, size: int):
    width = np.dtype(dtype).itemsize
    bits = np.random.default_rng(0).integers(0, 256, size * width, np.uint8)
    value = bits.view(dtype).copy()
    value[:3] = [-0.0, np.inf, -np.inf]
    with np.errstate(invalid="ignore"):
        value[np.isnan(value)] = 1
    assert back(value).tobytes() == value.tobytes()


def test_float32_is_written_as_people_write_it():
    assert to_plain(np.array([0.1, -0.0], np.float32))["$array"]["data"] == [0.1, -0.0]
    assert number(np.float32(1e-8)) == 1e-8


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_the_short_decimal_reads_as_the_same_float32(bits: int):
    value = np.uint32(bits).view(np.float32)
    got = np.float32(number(value))
    assert got.view(np.uint32) == bits or np.isnan(value)


def test_arrays_of_jax_are_arrays():
    assert_same(back(jnp.arange(3)), np.arange(3, dtype=np.int32))
    assert_same(back({"b": jnp.ones((2, 2), jnp.bfloat16)}), {"b": np.ones((2, 2), jnp.bfloat16)})


def test_shapes_without_numbers_come_back():
    assert_same(back(np.zeros((2, 0, 3), np.float32)), np.zeros((2, 0, 3), np.float32))


def test_text_of_numpy_comes_back():
    assert_same(back([np.str_("adam")]), [np.str_("adam")])


@pytest.mark.parametrize(
    "value",
    [
        Pair(1, 2),
        Color.RED,
        len,
        object(),
        Broken(),
        np.array([object()]),
        np.array(["text"]),
        np.longdouble(1),
        datetime.date(2000, 1, 1),
        {"deep": [({1: Color.RED},)]},
    ],
)
def test_other_objects_are_refused_or_written_as_text(value: Any):
    with pytest.raises(TypeError, match=r"of type \w+ cannot be written as JSON\. Use"):
        to_plain(value)
    plain = to_plain(value, lossy=True)
    assert not is_whole(plain)
    back(value, lossy=True)


def test_subclasses_of_containers_are_refused_or_lose_their_type():
    with pytest.raises(TypeError, match="of type OrderedDict cannot be written"):
        to_plain(collections.OrderedDict(a=1))
    assert_same(back(collections.OrderedDict(a=1), lossy=True), {"a": 1})


def test_keys_of_jax_are_refused():
    with pytest.raises(TypeError, match="cannot be written"):
        to_plain(jax.random.key(0))


def test_what_text_stands_for_objects():
    assert to_plain(Pair(1, len), lossy=True) == {
        "$fields": {"type": "Pair", "fields": {"first": 1, "second": {"$text": "len"}}}
    }
    assert back(Pair(1, (2,)), lossy=True) == {"first": 1, "second": (2,)}
    assert short(Broken()) == "<Broken object>"
    assert short(np.zeros) == "zeros"
    assert short(Pair) == "Pair"
    assert short(jax.nn.relu) == "relu"
    assert (
        short(functools.partial(assert_same, 1)) == "functools.partial(<function assert_same>, 1)"
    )
    assert "0x" not in short(Chatty())
    assert len(short(Chatty())) == 200


def test_large_arrays_are_hashed_if_that_is_enough():
    value = np.arange(65, dtype=np.float32)
    plain = to_plain([value], digest=True)
    form = {"dtype": "float32", "shape": [65], "blake2b": hashed(value)}
    assert plain == [{"$digest": form}]
    assert not is_whole(plain)
    assert hashed(value) != hashed(value[::-1])
    with pytest.raises(ValueError, match="only the hash of an array was written"):
        from_plain(plain)


def test_every_process_writes_the_same():
    program = (
        "import json; from jaxhop.storage._plain import to_plain;"
        "words = {f'word {k}' for k in range(20)};"
        "values = [words, object(), lambda: 0, {frozenset(words): 1}];"
        "print(json.dumps(to_plain(values, lossy=True)))"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "JAX_PLATFORMS": "cpu"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    "text",
    [
        '{"$tuple": 3}',
        '{"$tuple": [1], "b": 2}',
        '{"$unknown": 1}',
        '{"$float": "1.0"}',
        '{"$float": []}',
        '{"$bytes": "a"}',
        '{"$bytes": 1}',
        '{"$bytes": "é"}',
        '{"$set": [[1]]}',
        '{"$dict": [1]}',
        '{"$dict": [[[], 1]]}',
        '{"$complex": [1, 2, 3]}',
        '{"$complex": "1"}',
        '{"$timedelta": [1e300]}',
        '{"$text": 1}',
        '{"$str": null}',
        '{"$fields": {}}',
        '{"$fields": {"fields": 1}}',
        '{"$array": 1}',
        '{"$array": {}}',
        '{"$array": {"dtype": "object", "shape": [1], "data": [1]}}',
        '{"$array": {"dtype": "O", "shape": [1], "base64": "AAAAAAAAAAA="}}',
        '{"$array": {"dtype": "float32,float32", "shape": [1], "data": [1]}}',
        '{"$array": {"dtype": "V999999999999", "shape": [1], "data": [1]}}',
        '{"$array": {"dtype": 3, "shape": [1], "data": [1]}}',
        '{"$array": {"dtype": "uint8", "shape": [1], "data": [300]}}',
        '{"$array": {"dtype": "uint8", "shape": [1], "data": [1.5]}}',
        '{"$array": {"dtype": "bool", "shape": [1], "data": [1]}}',
        '{"$array": {"dtype": "float32", "shape": [1], "data": ["1"]}}',
        '{"$array": {"dtype": "float32", "shape": [2], "data": [1]}}',
        '{"$array": {"dtype": "float32", "shape": ["2"], "data": [1, 2]}}',
        '{"$array": {"dtype": "float32", "shape": 2, "data": [1, 2]}}',
        '{"$array": {"dtype": "float32", "shape": [1e99], "data": [1]}}',
        '{"$array": {"dtype": "float32", "shape": [0, 1000000000000000000000], "data": []}}',
        '{"$array": {"dtype": "float32", "shape": [1], "data": null}}',
        '{"$array": {"dtype": "float32", "shape": [1], "base64": "AAA"}}',
        '{"$array": {"dtype": "float32", "shape": [1], "base64": "AAAAAAA="}}',
        '{"$array": {"dtype": "float32", "shape": [1], "base64": 1}}',
        '{"$array": {"dtype": "complex64", "shape": [1], "data": [1]}}',
        '{"$scalar": {"dtype": "float32", "data": [1, 2]}}',
        '{"$scalar": []}',
        '[{"a": {"$tuple": [{"$bytes": 1}]}}]',
    ],
)
def test_what_was_not_written_by_it_is_refused_in_a_sentence(text: str):
    with pytest.raises(ValueError, match=r"this is no value that jaxhop wrote \(.+\)\. Restore"):
        from_plain(json.loads(text))


def test_what_is_nested_too_deep_is_refused_in_a_sentence():
    plain: Any = 1
    for _ in range(100_000):
        plain = [plain]
    with pytest.raises(ValueError, match="too deep"):
        from_plain(plain)
    while isinstance(plain, list):  # one by one, lest taking it apart goes too deep as well
        (plain,) = plain


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "$tuple",
                        "$array",
                        "$scalar",
                        "$dict",
                        "$set",
                        "$float",
                        "$bytes",
                        "$complex",
                        "$timedelta",
                        "$fields",
                        "$text",
                        "dtype",
                        "data",
                        "base64",
                        "shape",
                        "fields",
                        "a",
                    ]
                ),
                inner,
                max_size=3,
            )
        ),
        max_leaves=8,
    )
)
@settings(max_examples=300, deadline=None)
def test_whatever_json_is_read_gives_a_value_or_a_sentence(plain: Any):
    try:
        from_plain(plain)
    except ValueError as error:
        assert "no value that jaxhop wrote" in str(error)


def test_a_number_stays_a_number_after_json():
    assert math.isclose(back(0.1 + 0.2), 0.1 + 0.2, rel_tol=0)
