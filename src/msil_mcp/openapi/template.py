"""How a tool's arguments become an HTTP request; written at import, stored with the tool."""

from typing import Literal

import msgspec

from msil_mcp.openapi.operations import Location

Style = Literal[
    "simple", "label", "matrix", "form", "spaceDelimited", "pipeDelimited", "deepObject", "json"
]


class ParameterBinding(msgspec.Struct, frozen=True):
    """One argument's place outside the body; `name` is the name on the wire.

    The style `json` is a parameter whose value is sent as JSON text.
    """

    argument: str
    name: str
    location: Location
    style: Style
    explode: bool
    allow_reserved: bool = False


class FieldBinding(msgspec.Struct, frozen=True):
    """One argument that is a member of the body.

    Style and explode matter to forms only. None as style means a form field the document says
    nothing about: repeated for a list, JSON for an object.
    """

    argument: str
    name: str
    style: Style | None = None
    explode: bool = True
    allow_reserved: bool = False


class BodyBinding(msgspec.Struct, frozen=True):
    """The body: one argument as a whole, or an object of several.

    An object without a single argument given is sent as `{}` when required, else not at all.
    """

    media_type: str
    encoding: Literal["json", "form"]
    required: bool
    argument: str | None = None
    fields: tuple[FieldBinding, ...] = ()


class RequestTemplate(msgspec.Struct, frozen=True):
    """Method and path template of the operation, and where each argument goes."""

    method: str
    path: str
    parameters: tuple[ParameterBinding, ...] = ()
    body: BodyBinding | None = None
