"""Errors in settings name the key and the value that was found."""

from typing import Self

import pytest
from pydantic import Field, field_validator, model_validator

from mien.common.settings import Settings, parse
from mien.errors import ConfigError


class Span(Settings):
    """From `low` to `high`."""

    low: int
    high: int

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError("Low is above high")
        return self


class Whole(Settings):
    """A span in another group."""

    span: Span


class Shape(Settings):
    """A shape by its name."""

    name: str

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        raise ValueError(f"unknown shape '{name}'")


class Doubled(Settings):
    """A number and, unless it is given, its double."""

    number: int
    double: int = Field(default_factory=lambda settings: 2 * int(settings["number"]))


def sentence(kind: type[Settings], raw: object) -> str:
    with pytest.raises(ConfigError) as error:
        parse(kind, raw, "here")  # type: ignore[arg-type]
    return str(error.value)


def test_an_unknown_key_gets_the_nearest_and_a_missing_one_is_named() -> None:
    whole = {"low": 1, "high": 2}
    assert sentence(Span, whole | {"hihg": 3}) == "here: unknown key 'hihg'. Did you mean 'high'? Known: high, low"
    assert sentence(Whole, {"span": whole | {"xyz": 3}}) == "here: unknown key 'span.xyz'. Known: high, low"
    assert sentence(Span, {"low": 1}) == "here: 'high' is missing"


def test_an_error_names_its_key_and_what_was_found() -> None:
    assert sentence(Span, {"low": "a", "high": 2}) == 'here: low: input should be a valid integer (found "a")'
    assert (
        sentence(Whole, {"span": {"low": 3, "high": 2}})
        == 'here: span: low is above high (found {"low": 3, "high": 2})'
    )


def test_a_long_mapping_is_not_shown() -> None:
    large = {"low": 10**30, "high": -(10**30)}
    assert sentence(Whole, {"span": large}) == "here: span: low is above high"


def test_a_word_that_the_sentence_holds_is_not_repeated() -> None:
    assert sentence(Shape, {"name": "rond"}) == "here: name: unknown shape 'rond'"


def test_an_error_of_all_settings_does_not_repeat_them() -> None:
    assert sentence(Span, {"low": 3, "high": 2}) == "here: low is above high"
    assert "found 7" in sentence(Span, 7), "a value that is no mapping is shown"


def test_a_default_made_from_a_wrong_setting_is_no_error_of_its_own() -> None:
    assert sentence(Doubled, {"number": "a"}) == 'here: number: input should be a valid integer (found "a")'
    assert sentence(Doubled, {}) == "here: 'number' is missing"
