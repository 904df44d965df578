"""YAML as people write it, and spaces in it."""

import datetime

import jax
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import jaxhop
from jaxhop._yaml import parse, read, write
from jaxhop._yaml_space import space_from_yaml

TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=8
) | st.sampled_from(["1e-5", "1E5", "-.5e3", "null", "yes", "1:30", "2020-01-01", "~", "=", "<<"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
)


def space(text):
    return space_from_yaml(parse(text, "space.yaml"))


def alike(found, expected):
    """Whether two parameters are of one type, with the same settings."""
    assert type(found) is type(expected) and repr(found) == repr(expected)
    initial = getattr(expected, "initial", None)
    if initial is not None:
        jax.tree.map(np.testing.assert_array_equal, found.initial(), initial())
    assert getattr(found, "confidence", None) == getattr(expected, "confidence", None)


@settings(max_examples=60, deadline=None)
@given(TREES)
def test_what_is_written_is_read_again(tree):
    found = parse(write(tree), "text")
    assert found == tree and repr(found) == repr(tree)


@pytest.mark.parametrize("text", ["1e-5", "1E5", "+1e3", ".5e-1", "1.e2", "1_0e1", "1.5e+2"])
def test_numbers_with_exponents_are_numbers(text):
    assert parse(text, "text") == float(text) and type(parse(text, "text")) is float
    assert parse(f"'{text}'", "text") == text


@pytest.mark.parametrize("text", ["e5", "1e", "1e5x", "v1e5", "1e5.5"])
def test_other_text_stays_text(text):
    assert parse(text, "text") == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3", "in line 3: the key 'a' is there twice"),
        ("a: [1", "in line 1"),
        ("a: !!python/object/apply:os.system [true]", "in line 1"),
        ("a: \x07", "control character|not allowed"),
        ("a: 2020-13-45", "month must be in 1..12"),
        ("[" * 1_000, "nested too deeply"),
        ("a: 1\n---\nb: 1", "but found another document"),
    ],
)
def test_what_is_no_yaml_is_refused_in_a_sentence(text, said):
    with pytest.raises(ValueError, match=rf"^`text`: it must be YAML, but.*{said}.*Correct it"):
        parse(text, "text")


def test_merged_mappings_may_say_a_key_again():
    tree = parse("base: &b {a: 1, c: 2}\nmore: {<<: *b, a: 3}\nagain: {<<: *b, a: 4}", "text")
    assert tree["more"] == {"a": 3, "c": 2} and tree["again"] == {"a": 4, "c": 2}


def test_files_that_cannot_be_read_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        read(tmp_path / "none.yaml")
    with pytest.raises(ValueError, match="cannot be read: Is a directory"):
        read(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(ValueError, match="must be text in UTF-8"):
        read(tmp_path / "binary.yaml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{lower: 1e-5, upper: 1e-1, log: true}", jaxhop.float(1e-5, 0.1, log=True)),
        ("{lower: 0, upper: 1.0}", jaxhop.float(0, 1)),
        ("{low: 0, high: 1.0, precision: 2}", jaxhop.float(0, 1, precision=2)),
        ("{lower: 0.001, upper: 1.0, fmt: 0.1g}", jaxhop.float(1e-3, 1, "0.1g")),
        ("{lower: 0.0}", jaxhop.float(low=0)),
        ("{type: float, scale: 1e-2}", jaxhop.float(scale=0.01)),
        ("{type: float, lower: 1, upper: 3}", jaxhop.float(1, 3)),
        ("{lower: 0.0, upper: 1.0, shape: [2, 3]}", jaxhop.float(0, 1, shape=(2, 3))),
        (
            "{lower: [0.0, 1.0], upper: [1, 1e1], shape: 2}",
            jaxhop.float([0, 1], [1, 10], shape=2),
        ),
        (
            "{lower: 0.0, upper: 1.0, prior: 2e-1, prior_confidence: high}",
            jaxhop.float(0, 1, init=0.2, confidence="high"),
        ),
        ("{lower: 0.0, upper: 1.0, dtype: bfloat16}", jaxhop.float(0, 1, dtype="bfloat16")),
        ("{lower: 1, upper: 8}", jaxhop.int(1, 8)),
        ("{type: int, lower: 1, upper: 1e5, log: true}", jaxhop.int(1, 100_000, log=True)),
        ("{lower: 8, upper: 64, multiple_of: 8}", jaxhop.int(8, 64, multiple_of=8)),
        (
            "{lower: 16, upper: 1024, power_of: 2, init: 32}",
            jaxhop.int(16, 1024, power_of=2, init=32),
        ),
        ("{type: bool, init: true}", jaxhop.bool(True)),
        ("[adam, sgd]", jaxhop.choice("adam", "sgd")),
        ("[1e-3, 1e-2]", jaxhop.choice(1e-3, 1e-2)),
        ("[only]", jaxhop.choice(["only"])),
        ("[[64], [64, 64]]", jaxhop.choice([64], [64, 64])),
        (
            "{choices: [a, b, c], ordinal: true, prior: c}",
            jaxhop.choice("a", "b", "c", ordinal=True, init="c"),
        ),
        ("{type: permutation, n: 5}", jaxhop.permutation(5)),
        ("{type: fidelity, lower: 1, upper: 81}", jaxhop.fidelity(1, 81)),
        ("{lower: 0.5, upper: 1e1, is_fidelity: true, eta: 2}", jaxhop.fidelity(0.5, 10.0, eta=2)),
        ("{type: int, lower: 1, upper: 1e2, is_fidelity: true}", jaxhop.fidelity(1, 100)),
        ("{lower: 1, upper: 8, is_fidelity: false}", jaxhop.int(1, 8)),
    ],
)
def test_parameters(text, expected):
    alike(space(f"p: {text}")["p"], expected)
    # Whoever reads the file with PyYAML alone gets 1e-5 as text.
    if "[1e-3" not in text:
        alike(space_from_yaml(yaml.safe_load(text)), expected)


def test_all_else_is_constant():
    found = space("""
        name: baseline
        day: 2020-01-01
        nothing: null
        nested: {rate: 0.1, type: adam, log: true}
        betas: {type: constant, value: [0.9, 0.999]}
        bounds: {type: constant, value: {lower: 1, upper: 2}}
    """)
    assert found == {
        "name": "baseline",
        "day": datetime.date(2020, 1, 1),
        "nothing": None,
        "nested": {"rate": 0.1, "type": "adam", "log": True},
        "betas": [0.9, 0.999],
        "bounds": {"lower": 1, "upper": 2},
    }


def test_options_may_hold_parameters():
    found = space("""
        opt:
          - {kind: sgd, momentum: {lower: 0.0, upper: 1.0}}
          - {kind: adam, lr: {lower: 1e-5, upper: 1e-1, log: true}, amsgrad: [false, true]}
          - [plain, {lower: 1, upper: 3}]
    """)
    made = jaxhop.Space(found)
    assert made.complete({}) == {"opt": {"kind": "sgd", "momentum": 0.5}}
    adam = {"opt": {"kind": "adam", "lr": 0.01, "amsgrad": True}}
    assert made.complete(adam) == adam
    made.validate({"opt": ["plain", 2]})
    with pytest.raises(ValueError):
        made.validate({"opt": {"kind": "adam", "lr": 0.5, "amsgrad": True}})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "{lower: 0.0, upper: 1.0, logg: true}",
            r"`logg` is no key of type float, whose keys are lower, upper, log, .* `log`\?",
        ),
        ("{lower: 0, upper: 1, precision: 2}", "Whole bounds make an int: say `type: float`"),
        ("{type: int, lower: 0, upper: 1, scale: 2}", "`scale` is no key of type int"),
        ("{type: flaot, lower: 0}", r"`type` must be one of float, .* Did you mean `float`\?"),
        ("{lower: 0, low: 1, upper: 3}", "`low` says `lower` again"),
        ("{type: int, lower: 3}", "`upper` must be given for type int"),
        ("{type: choice}", "`choices` must be given"),
        ("{choices: adam}", "`choices` must be a list, but got 'adam'"),
        ("{lower: 0, upper: 1, is_fidelity: maybe}", "`is_fidelity` must be true or false"),
        ("{lower: 1, upper: 3, is_fidelity: true, log: true}", "`log` is no key of type fidelity"),
        ("{lower: 3.0, upper: 1.0}", "`low < high` must hold"),
        ("[]", "there must be an option"),
        ("{lower: 0, upper: 4, init: 9}", "init"),
        ("{on: 1}", "keys must be text, but got True. Put it in quotes"),
    ],
)
def test_mistakes_name_their_place(text, said):
    with pytest.raises(ValueError, match=rf'^`space\["a"\]\["p"\]`: .*{said}'):
        space(f"a: {{p: {text}}}")
    with pytest.raises(ValueError, match=rf'^`space\["a"\]\[1\]\["p"\]`: .*{said}'):
        space(f"a: [x, {{p: {text}}}]")


def test_what_is_no_number_is_refused():
    with pytest.raises(TypeError, match=r'^`space\["p"\]`: .*`low` must be a number, but got'):
        space("p: {lower: none, upper: 1.0}")


def test_a_tree_that_contains_itself_is_refused():
    with pytest.raises(ValueError, match="an alias refers to itself"):
        space("p: &p {q: *p}")
