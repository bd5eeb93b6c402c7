"""Finds personal data and secrets in text and leaves a usable hint: 98******10, r***@e***.

Numbers are found from their first digit, e-mail from its `@`, secrets from a few telling words;
text with none of these costs one fast scan. What only looks alike is told apart by check digits,
registration codes and surroundings: dates, decimals, UUIDs, hexadecimal and order ids stay.
"""

import base64
import binascii
import re
from collections.abc import Callable, Set
from typing import Final, Literal

from msil_mcp.audit.checksums import luhn_holds, verhoeff_holds

Kind = Literal["mobile", "email", "aadhaar", "pan", "card", "plate", "secret"]
ALL: Final[frozenset[Kind]] = frozenset(
    ("mobile", "email", "aadhaar", "pan", "card", "plate", "secret")
)
HIDDEN: Final = "****"
_SHORTEST: Final = 6
_SHORTEST_SECRET: Final = 14

_REGISTRATION_CODES: Final = (
    "ANAPARASBRCGCHDDDLDNGAGJHPHRJHJKKAKLLALDMHMLMNMPMZNLODORPBPYRJSKTNTRTSTGUAUKUPWB"
)
_STATES: Final = frozenset(re.findall("..", _REGISTRATION_CODES))

# Everything after the first digit, so that the engine can skip to digits without trying.
_FROM_A_DIGIT: Final = re.compile(
    r"""\d(?:
      (?<![A-Za-z0-9]\d)(?P<bharat>\d[ -]?[Bb][Hh][ -]?\d{4}[ -]?[A-Za-z]{1,2}(?![A-Za-z0-9]))
    | (?:(?<=[A-Za-z]{2}\d)|(?<=[A-Za-z]{2}[ -]\d))
        (?P<plate>\d?[ -]?[A-Za-z][ -]?[A-Za-z]{0,2}[ -]?\d{1,4}(?![A-Za-z0-9]))
    | (?<=[A-Za-z]{5}\d)(?P<pan>\d{3}[A-Za-z](?![A-Za-z0-9]))
    | (?<![A-Za-z0-9]\d)(?<!\d\.\d)(?P<number>(?:[ -]?\d){9,})
    )""",
    re.VERBOSE,
)
# What any of these needs, in the shape of the text: digits as 9, letters as A, no separators.
_SHAPE: Final = {
    code: "9" if chr(code).isdigit() else "A" if chr(code).isalpha() else "." for code in range(128)
} | dict.fromkeys(map(ord, " -"))
_TELLING_SHAPES: Final = ("9" * 10, "AA9A", "AA99A", "A9999A")
_CARD: Final = re.compile(
    r"(?:\d{4}([ -]?)\d{4}\1\d{4}\1\d{1,7}|3[47]\d\d([ -]?)\d{6}\2\d{5}|\d{13,19})(?![A-Za-z\d])"
)
_CARD_ISSUERS: Final = ("2", "30", "34", "35", "36", "37", "38", "39", "4", "5", "6", "81", "82")
_AADHAAR: Final = re.compile(r"[2-9२-९]\d{3}([ -]?)\d{4}\1\d{4}(?![A-Za-z\d])(?![ -]\d{4}(?!\d))")
_MOBILE: Final = re.compile(
    r"""(?:(?:00)?91[ -]?|0[ -]?)?  # then ten digits, ASCII or Devanagari, in usual groups
    ([6-9६-९](?:\d{9}|\d{4}[ -]\d{5}|\d[ -]\d{4}[ -]\d{4}|\d\d[ -]\d{3}[ -]\d{4}|\d\d[ -]\d{7}
      |\d{3}[ -]\d{3}[ -]\d{3}|\d{3}[ -]\d{6}|\d\d[ -]\d{4}[ -]\d{3}|\d{4}[ -]\d\d[ -]\d{3}))
    (?![A-Za-z\d]|\.\d)""",
    re.VERBOSE,
)
_DIGITS: Final = re.compile(r"\d+")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_LOCAL_PART: Final = re.compile(r"[\w.%+'-]+\Z")
_DOMAIN: Final = re.compile(r"[\w-]+(?:\.[\w-]+)+")

_SECRET_WORDS: Final = (
    "bearer ",
    "basic ",
    "eyj",
    "msil_",
    "sk-",
    "sk_",
    "akia",
    "asia",
    "gh",
    "xox",
    "aiza",
    "key",
    "passw",
    "secret",
    "token",
)
_SECRET: Final = re.compile(
    r"""(?P<scheme>\b[Bb](?:earer|asic)|\bBEARER|\bBASIC)\s{1,4}(?P<credential>[\w.~+/=-]{8,})
    | -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----(?s:.*?)(?:-----END[ ][A-Z ]*PRIVATE[ ]KEY-----|\Z)
    | (?P<named>(?i:passw(?:or)?d|passwd|(?:client|aws|secret)[_-]?(?:secret|access|key)\w{0,20}
        |secret|api[_-]?key|(?:access|refresh|id|auth|session)[_-]?token|token))
      (?P<assigned>["']?\s{0,4}[=:]\s{0,4}["']?)(?P<value>[^\s"',;&}]{4,})
    | \beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)*
    | (?P<ours>\bmsil_)(?P<key>[\w-]{16,})
    | \b[sr]k[-_][\w-]{16,}
    | \b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}\b
    | \b(?:gh[pousr]_|github_pat_)\w{20,}
    | \bxox[abeprs]-[\w-]{10,}
    | \bAIza[\w-]{35}""",
    re.VERBOSE,
)


_IN_NUMBERS: Final[frozenset[Kind]] = frozenset(("mobile", "aadhaar", "pan", "card", "plate"))


def mask_text(text: str, kinds: Set[str] = ALL) -> str:
    """The text with every found value replaced by its hint; the same object when there is none."""
    if len(text) < _SHORTEST:
        return text
    if len(text) >= _SHORTEST_SECRET and "secret" in kinds:
        text = _mask_secrets(text)
    if "@" in text and "email" in kinds:
        text = _mask_emails(text)
    if _IN_NUMBERS.isdisjoint(kinds) or (text.isascii() and not _may_hold_numbers(text)):
        return text
    found = _FROM_A_DIGIT.search(text)
    return text if found is None else _mask_numbers(text, found, kinds)


def _may_hold_numbers(text: str) -> bool:
    """False where no number, plate or account can be; far faster than looking for them."""
    shape = text.translate(_SHAPE)
    return any(telling in shape for telling in _TELLING_SHAPES)


def _mask_secrets(text: str) -> str:
    lower = text.lower()
    for word in _SECRET_WORDS:
        if word in lower:
            masked = _SECRET.sub(_hide_secret, text)
            return text if masked == text else masked
    return text


def mobile_hint(text: str) -> str:
    """First and last two of the ten digits."""
    digits = _only_digits(text)[-10:]
    return f"{digits[:2]}******{digits[-2:]}" if len(digits) > 5 else HIDDEN


def email_hint(text: str) -> str:
    """First letters on both sides of the `@`."""
    local, _, domain = text.strip().rpartition("@")
    return f"{local[:1]}***@{domain[:1]}***"


def aadhaar_hint(text: str) -> str:
    """The last four digits, as on a masked Aadhaar letter."""
    return "********" + _only_digits(text)[-4:]


def card_hint(text: str) -> str:
    """The last four digits, as on a receipt."""
    return "************" + _only_digits(text)[-4:]


def pan_hint(text: str) -> str:
    """The first two letters and the last."""
    return f"{text[:2]}*******{text[-1:]}"


def plate_hint(text: str) -> str:
    """Where it is registered, and its last two characters."""
    compact = text.replace(" ", "").replace("-", "")
    return f"{compact[:4]}****{compact[-2:]}"


HINTS: Final[dict[str, Callable[[str], str]]] = {
    "mobile": mobile_hint,
    "phone": mobile_hint,
    "email": email_hint,
    "aadhaar": aadhaar_hint,
    "card": card_hint,
    "pan": pan_hint,
    "plate": plate_hint,
}


def _only_digits(text: str) -> str:
    return "".join(_DIGITS.findall(text))


def _mask_numbers(text: str, found: re.Match[str] | None, kinds: Set[str]) -> str:
    parts: list[str] = []
    done = 0
    uuids: list[tuple[int, int]] | None = None
    while found is not None:
        start, end = found.span()
        if found.lastgroup == "number":
            for first, last, hint in _in_run(text, start, end, kinds):
                if uuids is None:
                    uuids = [match.span() for match in _UUID.finditer(text)]
                if not any(low <= first < high for low, high in uuids):
                    parts += (text[done:first], hint)
                    done = last
        else:
            kind, first = _plate_or_pan(text, found)
            if kind is not None and kind in kinds:
                parts += (text[done:first], HINTS[kind](text[first:end]))
                done = end
        found = _FROM_A_DIGIT.search(text, end)
    return "".join((*parts, text[done:])) if parts else text


def _in_run(text: str, start: int, end: int, kinds: Set[str]) -> list[tuple[int, int, str]]:
    """What is personal in a run of digits with single spaces or dashes between groups."""
    found: list[tuple[int, int, str]] = []
    place = start
    while place < end:
        hit = _number_at(text, place, kinds)
        if hit is not None:
            found.append(hit)
        group = _DIGITS.match(text, place)
        place = hit[1] if hit else group.end() if group else end
        while place < end and text[place] in " -":
            place += 1
    return found


def _number_at(text: str, place: int, kinds: Set[str]) -> tuple[int, int, str] | None:
    if "card" in kinds and (match := _CARD.match(text, place)):
        digits = _only_digits(match[0])
        if len(digits) >= 13 and digits.startswith(_CARD_ISSUERS) and luhn_holds(digits):
            return place, match.end(), card_hint(digits)
    if "mobile" in kinds and (match := _MOBILE.match(text, place)):
        return match.start(1), match.end(), mobile_hint(match[1])
    if (
        "aadhaar" in kinds
        and (match := _AADHAAR.match(text, place))
        and verhoeff_holds(_only_digits(match[0]))
    ):
        return place, match.end(), aadhaar_hint(match[0])
    return None


def _plate_or_pan(text: str, found: re.Match[str]) -> tuple[Kind | None, int]:
    """The kind a match with letters proves to be, and where it begins."""
    start, end = found.span()
    if found.lastgroup == "bharat":
        return "plate", start
    if found.lastgroup == "pan":
        first = start - 5
        holds = text[start - 2].upper() in "PCHABGJLFT" and not _joined(text, first)
        return ("pan" if holds else None), first
    first = start - (2 if text[start - 1].isalpha() else 3)
    whole = text[first:end]
    # Lower-case words with numbers between them are prose unless they are written as one.
    written_as_one = whole.isalnum() and whole[-3:].isdigit()
    holds = whole[:2].upper() in _STATES and (whole.isupper() or written_as_one)
    return ("plate" if holds and not _joined(text, first) else None), first


def _joined(text: str, first: int) -> bool:
    return first > 0 and text[first - 1].isalnum()


def _mask_emails(text: str) -> str:
    parts: list[str] = []
    done = 0
    at = text.find("@")
    while at != -1:
        local = _LOCAL_PART.search(text, max(done, at - 64), at)
        domain = _DOMAIN.match(text, at + 1)
        if local and domain:
            parts += (text[done : local.start()], email_hint(local[0] + "@" + domain[0]))
            done = domain.end()
        at = text.find("@", max(at + 1, done))
    return "".join((*parts, text[done:])) if parts else text


def _hide_secret(match: re.Match[str]) -> str:
    if match["scheme"]:
        if not _is_credential(match["scheme"].lower(), match["credential"]):
            return match[0]
        return f"{match['scheme']} {HIDDEN}"
    if match["named"]:
        return f"{match['named']}{match['assigned']}{HIDDEN}"
    if match["ours"]:
        key = match["key"]
        # Names in our own code begin alike; keys hold digits and capitals.
        looks_random = any(map(str.isdigit, key)) and (key.lower() != key or key.isalnum())
        return f"msil_{HIDDEN}" if looks_random else match[0]
    return f"{match[0][:4]}{HIDDEN}"


def _is_credential(scheme: str, credential: str) -> bool:
    if scheme == "bearer":
        return not credential.isalpha() or len(credential) > 24
    try:
        return b":" in base64.b64decode(credential + "=" * (-len(credential) % 4))
    except (binascii.Error, ValueError):
        return False
