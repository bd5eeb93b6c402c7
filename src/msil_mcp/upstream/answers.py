"""From an HTTP answer to the result a model reads. Pure."""

import codecs
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import msgspec

from msil_mcp.egress import Answer
from msil_mcp.errors import MsilError
from msil_mcp.locales import Message
from msil_mcp.tools.call import Outcome, ToolResult
from msil_mcp.upstream.errors import (
    OutcomeUnknown,
    UnreadableAnswer,
    UpstreamBroken,
    UpstreamRateLimited,
    UpstreamRedirected,
    UpstreamRefused,
    UpstreamRefusedCredential,
)

RULE: Final = "upstream"
EXCERPT_CHARACTERS: Final = 500
MAX_RETRY_AFTER_SECONDS: Final = 86_400.0
GATEWAY_LOST_IT: Final = frozenset({502, 504})

_JSON: Final = re.compile(r"application/(json|[\w.+-]+\+json)|text/json")
_TEXT: Final = re.compile(
    r"text/.*|application/(xml|[\w.+-]+\+xml|yaml|x-yaml|javascript|x-www-form-urlencoded|csv"
    r"|x-ndjson|graphql|sql|toml)"
)
_UNSHOWABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\s]+")
_STACK_TRACE: Final = re.compile(r"Traceback \(most recent|\n\s+at [\w.$<>]+\(|goroutine \d+ \[")
_EXPLANATIONS: Final = ("detail", "message", "error_description", "error", "title", "reason")

_ADVICE: Final = {
    400: Message("reasons.upstream.correct"),
    404: Message("reasons.upstream.check"),
    409: Message("reasons.upstream.read_first"),
    410: Message("reasons.upstream.check"),
    412: Message("reasons.upstream.read_first"),
    413: Message("reasons.upstream.send_less"),
    422: Message("reasons.upstream.correct"),
}
_NO_USE: Final = Message("reasons.upstream.no_use")


def result_of(answer: Answer, *, is_write: bool) -> ToolResult:
    """Success for 2xx; otherwise a failure that says what to do, or unknown for a lost write."""
    status = answer.status
    if 200 <= status < 300:
        return _success(answer)
    error = _error(answer, is_write=is_write)
    return ToolResult(
        outcome="unknown" if isinstance(error, OutcomeUnknown) else "failed",
        text=str(error),
        error=error.slug,
        rule=RULE,
        status=error.status,
        upstream_status=status,
        upstream_seconds=answer.seconds,
        retry_after=retry_after(answer.headers) if status in {429, 503} else None,
    )


def failure(error: MsilError, *, outcome: Outcome = "failed", seconds: float | None) -> ToolResult:
    """A call that got no answer at all."""
    return ToolResult(
        outcome=outcome,
        text=str(error),
        error=error.slug,
        rule=RULE,
        status=error.status,
        upstream_seconds=seconds,
        retry_after=getattr(error, "retry_after", None),
    )


def _success(answer: Answer) -> ToolResult:
    status, headers, body, seconds = answer
    if not body.strip():
        return ToolResult(
            outcome="succeeded",
            text=f"Done ({status}).",
            upstream_status=status,
            upstream_seconds=seconds,
        )
    media_type, charset = _media_type(headers)
    unlabelled = not media_type or media_type == "application/octet-stream"
    is_json = _JSON.fullmatch(media_type) is not None
    if is_json or unlabelled:
        document = _json_bytes(body, charset)
        if document is not None:
            return ToolResult(
                outcome="succeeded",
                text=document.decode(),
                structured=msgspec.Raw(document) if document.startswith(b"{") else None,
                upstream_status=status,
                upstream_seconds=seconds,
            )
    if is_json or (_is_text(body) if unlabelled else _TEXT.fullmatch(media_type)):
        return ToolResult(
            outcome="succeeded",
            text=_text(body, charset),
            upstream_status=status,
            upstream_seconds=seconds,
        )
    error = UnreadableAnswer(answered=status, media_type=media_type, size=len(body))
    return ToolResult(
        outcome="failed",
        text=str(error),
        error=error.slug,
        rule=RULE,
        status=error.status,
        upstream_status=status,
        upstream_seconds=seconds,
    )


def _error(answer: Answer, *, is_write: bool) -> MsilError:
    status = answer.status
    if status < 400:
        return UpstreamRedirected(answered=status)
    if status in {401, 403}:
        return UpstreamRefusedCredential(answered=status, detail=_explanation(answer))
    if status in GATEWAY_LOST_IT and is_write:
        return OutcomeUnknown(answered=status)
    detail = _explanation(answer)
    if status == 429:
        wait = retry_after(answer.headers)
        advice = (
            Message("reasons.upstream.wait_for", seconds=round(wait))
            if wait
            else Message("reasons.upstream.wait")
        )
        return UpstreamRateLimited(answered=status, detail=detail, advice=advice)
    if status >= 500:
        advice = (
            Message("reasons.upstream.read_before_repeating")
            if is_write
            else Message("reasons.upstream.try_again")
        )
        return UpstreamBroken(answered=status, detail=detail, advice=advice)
    return UpstreamRefused(answered=status, detail=detail, advice=_ADVICE.get(status, _NO_USE))


def _media_type(headers: Mapping[str, str]) -> tuple[str, str]:
    """Content type in lower case without parameters, and the name of a codec that exists."""
    value = headers.get("Content-Type", "")
    if value == "application/json":
        return value, "utf-8"
    media_type, _, parameters = value.partition(";")
    charset = "utf-8"
    if match := re.search(r"charset\s*=\s*[\"']?([\w.:-]+)", parameters, re.IGNORECASE):
        try:
            known = codecs.lookup(match[1])
        except LookupError:
            pass
        else:
            charset = known.name if known._is_text_encoding else charset  # noqa: SLF001
    return media_type.strip().lower(), charset


def _json_bytes(body: bytes, charset: str) -> bytes | None:
    """The document as UTF-8 on one line, or None when it is not JSON."""
    document = body.removeprefix(codecs.BOM_UTF8) if charset == "utf-8" else _recoded(body, charset)
    try:
        msgspec.json.decode(document)
        if b"\n" in document or b"\r" in document:
            # One line: a result may travel in an event stream, where a line break ends the data.
            document = msgspec.json.format(document, indent=-1)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return document.strip()


def _recoded(body: bytes, charset: str) -> bytes:
    return body.decode(charset, errors="replace").encode("utf-8", errors="replace")


def _text(body: bytes, charset: str) -> str:
    return body.decode(charset, errors="replace").removeprefix("\ufeff")


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return b"\x00" not in body


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds from now (RFC 9110 section 10.2.3), when it makes sense."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit() and len(value) < 10:
        seconds = float(value)
    else:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (moment - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _explanation(answer: Answer) -> str:
    """What the service itself says went wrong, short and harmless; empty when nothing fits.

    A failing service's own page may hold a stack trace, so of a 5xx only problem details
    (RFC 9457) are shown, and markup never is.
    """
    media_type, charset = _media_type(answer.headers)
    if _JSON.fullmatch(media_type) or not media_type:
        document = _json_bytes(answer.body[: 1 << 16], charset)
        if document is not None:
            return _explained(msgspec.json.decode(document), answer.status, media_type)
    if answer.status >= 500 or media_type != "text/plain":
        return ""
    return _excerpt(_text(answer.body[:4096], charset))


def _explained(document: Any, status: int, media_type: str) -> str:
    if isinstance(document, dict):
        parts = [
            value
            for name in ("title", "detail")
            if isinstance(value := document.get(name), str) and value
        ]
        is_problem = media_type == "application/problem+json"
        if parts and (is_problem or len(parts) == 2):
            if errors := document.get("errors") if status < 500 else None:
                parts.append(msgspec.json.encode(errors).decode())
            return _excerpt(": ".join(dict.fromkeys(parts)))
        if status < 500 and (said := _said(document)):
            return _excerpt(said)
    return "" if status >= 500 else _excerpt(msgspec.json.encode(document).decode())


def _said(document: Mapping[str, Any]) -> str:
    """The explanation of the usual home-made error objects."""
    for name in _EXPLANATIONS:
        value = document.get(name)
        if isinstance(value, dict):
            value = value.get("message")
        if isinstance(value, str) and value:
            return value
    return ""


def _excerpt(text: str) -> str:
    if _STACK_TRACE.search(text):
        return ""
    short = _UNSHOWABLE.sub(" ", text).strip()
    if len(short) > EXCERPT_CHARACTERS:
        short = short[: EXCERPT_CHARACTERS - 1].rstrip() + "…"
    return short
