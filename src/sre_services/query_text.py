"""Base of values that a query has as text and that are parsed once, at the edge of the API."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from sre_services.syntax import Syntax


class QueryText:
    """A value made from its text; a subclass raises ValueError with what would be right."""

    LONGEST: ClassVar[int] = 80
    SYNTAX: ClassVar[Syntax]

    def __init__(self, text: str) -> None:
        self.text = self.SYNTAX.check(text)

    def __str__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and str(other) == self.text

    def __hash__(self) -> int:
        return hash((type(self), self.text))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> CoreSchema:
        text = core_schema.str_schema(max_length=cls.LONGEST)
        return core_schema.no_info_after_validator_function(cls, text, serialization=core_schema.to_string_ser_schema())

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), **cls.SYNTAX.schema}
