"""What every section of the configuration is: a frozen model, kebab-case keys, nothing unknown, empty where nothing
stands."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator


def _empty_is_mapping(value: object) -> object:
    """`bgp:` with nothing after it is an empty section."""
    return {} if value is None else value


EMPTY_IS_MAPPING: Final = BeforeValidator(_empty_is_mapping)


class Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=lambda name: name.rstrip("_").replace("_", "-"),
        use_attribute_docstrings=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _empty_section(cls, value: object) -> object:
        return _empty_is_mapping(value)
