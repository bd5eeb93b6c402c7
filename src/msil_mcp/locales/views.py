"""Sentences in the views that routes answer with."""

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, ValidationInfo
from starlette.requests import Request
from starlette.responses import Response

from msil_mcp.locales.catalogue import ENGLISH, Language, Message
from msil_mcp.locales.negotiation import language_of

LANGUAGE: Final = "language"


def _told(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, Message):
        return value
    language: Language = (info.context or {}).get(LANGUAGE, ENGLISH)
    return value.told(language)


Told = Annotated[str, BeforeValidator(_told)]
"""A Message, told in the language of the context: `validate(row, context=answering(…))`."""


def answering(request: Request, response: Response) -> dict[str, Language]:
    """The context for views with a `Told`; the answer says in which language it is."""
    language = language_of(request.scope)
    response.headers.update(in_language(language))
    return {LANGUAGE: language}


def in_language(language: Language) -> dict[str, str]:
    """Headers of an answer that another caller would get in another language."""
    return {"Content-Language": language, "Vary": "Accept-Language"}
