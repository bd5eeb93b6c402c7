"""What leaves: no control characters, no secrets, configured personal data masked, bounded size."""

import re
from typing import Any, Final

import msgspec

from msil_mcp.audit.masking import Masker, mask_text
from msil_mcp.settings import Settings
from msil_mcp.tools.call import ToolCall, ToolInvoker, ToolResult

# Terminal sequences, then C0 but tab and line breaks, DEL and C1.
ANSI: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-_]?")
CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# The same inside JSON text, where they stand as escapes, or raw from DEL on.
SUSPECT: Final = re.compile(r"\\u00(?:[01789]|7[fF])|\\[bf]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def clean(text: str) -> str:
    """Text that a terminal or a log shows as it is."""
    return CONTROL.sub("", ANSI.sub("", text))


def _is_plain(json_text: str) -> bool:
    """Whether there is neither an escape nor anything but printable ASCII in it."""
    return json_text.isascii() and "\\" not in json_text and "\x7f" not in json_text


def _clean_value(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(key): _clean_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean_value(item) for item in value]
    return value


class Redact:
    """Cleans, masks and caps the answer on its way out."""

    def __init__(self, *, settings: Settings, inner: ToolInvoker) -> None:
        self._inner = inner
        self._kinds = frozenset({"secret", *settings.redact_output})
        self._masker = Masker(kinds=self._kinds)
        self._max_bytes = settings.max_result_bytes

    async def invoke(self, call: ToolCall) -> ToolResult:
        """Pass on, then clean what comes back."""
        result = await self._inner.invoke(call)
        text = result.text
        structured = result.structured
        if structured is not None:
            if not _is_plain(text) and SUSPECT.search(text):
                text = _encode(_clean_value(msgspec.json.decode(structured)))
        else:
            text = clean(text)
        masked = mask_text(text, kinds=self._kinds)
        if structured is not None and masked != result.text:
            # Value by value: what is masked in JSON text may be a number, or end in a bracket.
            masked = _encode(self._masker.mask(msgspec.json.decode(text)))
            structured = msgspec.Raw(masked.encode())
        if len(masked) * 4 > self._max_bytes and len(masked.encode()) > self._max_bytes:
            return self._cut(result, masked)
        if masked == result.text:
            return result
        return result.but(text=masked, structured=structured)

    def _cut(self, result: ToolResult, text: str) -> ToolResult:
        size = len(text.encode())
        kept = text.encode()[: self._max_bytes].decode(errors="ignore")
        note = (
            f"The answer has {size} bytes; the first {len(kept.encode())} follow. "
            "Ask for less at once.\n"
        )
        return result.but(text=note + kept, structured=None, truncated=True)


def _encode(value: Any) -> str:
    return msgspec.json.encode(value).decode()
