"""Settings: strict reading, overriding by tails, keys without effect."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from lstmlab.errors import InputError
from lstmlab.recipe import (
    Settings,
    describe,
    dump,
    fields,
    override,
    parse_overrides,
    read_yaml,
    refuse_idle,
    resolve,
    scalar,
    validate,
    write_yaml,
)


class Optimizer(Settings):
    """An inner block."""

    rate: float = Field(0.1, gt=0)
    """Step size."""
    method: str = "adam"
    momentum: float = 0.9

    def idle(self) -> dict[str, str]:
        return {} if self.method == "sgd" else {"momentum": "it belongs to sgd"}


class Whole(Settings):
    """A small recipe."""

    name: str = "it"
    """What it is called."""
    optimizer: Optimizer = Optimizer()
    sizes: tuple[int, ...] = (1, 2)
    limit: int | None = None


PATHS = [path for path, _ in fields(Whole)]


def test_fields_lists_every_leaf() -> None:
    assert PATHS == ["name", "optimizer.rate", "optimizer.method", "optimizer.momentum", "sizes", "limit"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("no", "no"),
        ("true", True),
        ("null", None),
        ("3", 3),
        ("[max, mean]", ["max", "mean"]),
        ("a: b", "a: b"),
        ("{a: 1}", "{a: 1}"),
        ("2020-01-01", "2020-01-01"),
        ("", None),
        ("x.csv", "x.csv"),
    ],
)
def test_scalar_reads_yaml_1_2(text: str, value: object) -> None:
    assert scalar(text) == value


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"optimizer": {"ratee": 1}}, 'no setting "optimizer.ratee". Did you mean optimizer.rate?'),
        ({"optimizr": {"rate": 1}}, 'no setting "optimizr". Did you mean optimizer?'),
        ({"optimizer": {"rate": "fast"}}, 'optimizer.rate: expected number, got "fast"'),
        ({"optimizer": {"rate": True}}, "optimizer.rate: expected number, got true"),
        ({"optimizer": {"rate": -1}}, "optimizer.rate: expected greater than 0, got -1"),
        ({"sizes": ["a"]}, 'sizes.0: expected integer, got "a"'),
        ({"name": 3}, "name: expected string, got 3"),
        ({"limit": 1.5}, "limit: expected"),
        ({"optimizer": 3}, "optimizer: expected"),
    ],
)
def test_wrong_settings_are_refused_in_words(tree: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as error:
        validate(Whole, tree, "my.yaml")
    assert f"my.yaml: {message}" in str(error.value)


def test_resolve_takes_any_unambiguous_tail() -> None:
    assert resolve("rate", PATHS) == "optimizer.rate"
    assert resolve("optimizer.rate", PATHS) == "optimizer.rate"
    with pytest.raises(InputError, match=r'no setting "mtehod". Did you mean optimizer.method\?'):
        resolve("mtehod", PATHS)
    with pytest.raises(InputError, match='"x" could be any of a.x, b.x'):
        resolve("x", ["a.x", "b.x"])
    assert resolve("x", ["a.x", "x"]) == "x"


def test_override_keeps_the_original_and_refuses_the_same_key_twice() -> None:
    tree = {"optimizer": {"method": "sgd"}}
    merged, typed = override(tree, {"rate": 1, "limit": 5}, PATHS)
    assert merged == {"optimizer": {"method": "sgd", "rate": 1}, "limit": 5}
    assert typed == ["optimizer.rate", "limit"]
    assert tree == {"optimizer": {"method": "sgd"}}
    with pytest.raises(InputError, match="given twice"):
        override(tree, {"rate": 1, "optimizer.rate": 2}, PATHS)


@pytest.mark.parametrize(
    ("words", "message"),
    [(["rate"], "expected key=value"), (["=1"], "expected key=value"), (["a=1", "a=2"], "given twice")],
)
def test_malformed_overrides(words: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_overrides(words)


def test_a_typed_key_without_effect_is_refused_and_an_untyped_one_is_not() -> None:
    whole = validate(Whole, {"optimizer": {"momentum": 0.5}}, "it")
    refuse_idle(whole, [])
    with pytest.raises(InputError, match=r"optimizer.momentum would have no effect: it belongs to sgd"):
        refuse_idle(whole, ["optimizer.momentum"])
    refuse_idle(validate(Whole, {"optimizer": {"method": "sgd"}}, "it"), ["optimizer.momentum"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", 'line 3: the key "a" stands twice'),
        ("a: [1", "not YAML"),
        ("- 1", "expected `key: value`"),
        ("1: 2", "expected `key: value`"),
        ("a: !!python/object:os.system x", "not YAML"),
    ],
)
def test_bad_yaml_names_the_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_yaml(text, "my.yaml")


@given(
    name=st.text(min_size=0, max_size=20),
    rate=st.floats(1e-12, 1e12),
    sizes=st.lists(st.integers(-(2**40), 2**40), max_size=4),
    limit=st.none() | st.integers(0, 9),
)
def test_settings_survive_yaml(name: str, rate: float, sizes: list[int], limit: int | None) -> None:
    whole = validate(Whole, {"name": name, "optimizer": {"rate": rate}, "sizes": sizes, "limit": limit}, "it")
    assert validate(Whole, read_yaml(write_yaml(dump(whole)), "it"), "it") == whole
    assert validate(Whole, read_yaml(describe(whole), "it"), "it") == whole


def test_describe_tells_meaning_and_idleness() -> None:
    text = describe(Whole())
    assert "rate: 0.1" in text
    assert "# Step size." in text
    assert "momentum" in text


class Owner(Settings):
    """Its block has other defaults than the block's class."""

    optimizer: Optimizer = Optimizer(method="sgd")


def test_a_block_given_in_part_keeps_its_owners_defaults() -> None:
    assert validate(Owner, {}, "it").optimizer.method == "sgd"
    assert validate(Owner, {"optimizer": {"rate": 0.5}}, "it").optimizer == Optimizer(method="sgd", rate=0.5)
    assert validate(Owner, {"optimizer": {"method": "adam"}}, "it").optimizer == Optimizer(method="adam")


BOMB = "a0: &a0 [1, 2, 3]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 9))
"""Nine to the power of eight values, if one unfolds the aliases."""


@pytest.mark.parametrize(
    "text", ["\x85", "a\u2028b", "\ufeff", "\x00", "\x1b[31m", " ", "", "'", '"', "no", "1e3", "#", "é\n"]
)
def test_any_text_survives_yaml(text: str) -> None:
    assert read_yaml(write_yaml({"name": text}), "it") == {"name": text}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &a [*a]", "it: a: more than 10000 values or 20 levels: not a recipe"),
        ("a: " + "[" * 3000, "it"),
        (BOMB, "more than"),
        ("a: !!set {b}", "expected text, a number, true, false, null or a list, got a set"),
        ("a: {1: 2}", "it: a: expected a word as key, got 1"),
        ("a: 2020-99-01", "it: not YAML"),
    ],
)  # fmt: skip
def test_yaml_that_is_no_recipe(text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        read_yaml(text, "it")
    assert message in str(error.value)


def test_dates_are_the_text_they_look_like() -> None:
    assert read_yaml("a: 2020-01-31", "it") == {"a": "2020-01-31"}


def test_a_key_below_something_that_is_no_block() -> None:
    with pytest.raises(InputError, match=r"optimizer: expected settings of its own \(key: value\), got \[1\]"):
        override({"optimizer": [1]}, {"rate": 1}, PATHS)


def test_settings_are_frozen() -> None:
    with pytest.raises(Exception, match="frozen"):
        Whole().name = "other"
