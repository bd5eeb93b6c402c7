"""What a run had said when its owner died, beyond what is stored: the bus still has it.

An answer is stored from time to time and heard at once, so that the end of what people have read
may be in nobody's database. Where replicas share a bus it can still be had.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import structlog

from msil_mcp.bus import Bus, BusUnavailable
from msil_mcp.chat.parts import Parts, TextPart
from msil_mcp.chat.publishing import Batch, kept_batches

log = structlog.get_logger()


class _Chunk(msgspec.Struct, rename="camel"):
    type: str
    message_id: str | None = None
    delta: str = ""


@dataclass(slots=True)
class Overheard:
    """The message a run was writing, and its texts, each from its beginning."""

    message_id: str | None = None
    texts: list[str] = field(default_factory=list)


NOTHING = Overheard()
_decoder = msgspec.json.Decoder(_Chunk)


async def overhear(bus: Bus, run_id: str) -> Overheard:
    """Nothing where the bus cannot say or does not have the beginning any more."""
    try:
        return heard_in(await kept_batches(bus, run_id))
    except BusUnavailable:
        log.warning("run_not_overheard", run_id=run_id)
        return NOTHING


def heard_in(batches: Sequence[Batch]) -> Overheard:
    """The newest epoch's texts; nothing where one of its chunks is missing."""
    heard, epoch, number = Overheard(), "", 0
    for batch in batches:
        if not batch.first:
            continue
        if batch.epoch != epoch:
            heard, epoch, number = Overheard(heard.message_id), batch.epoch, 0
        if batch.first > number + 1:
            return NOTHING
        for encoded in batch.chunks[number + 1 - batch.first :]:
            number += 1
            _hear(_decoder.decode(encoded), heard)
    return heard


def _hear(chunk: _Chunk, heard: Overheard) -> None:
    if chunk.type == "start":
        heard.message_id = chunk.message_id
    elif chunk.type == "text-start":
        heard.texts.append("")
    elif chunk.type == "text-delta" and heard.texts:
        heard.texts[-1] += chunk.delta


def mended(parts: Parts, texts: Sequence[str]) -> Parts:
    """The stored parts with what was said after them; as they were where the two do not agree."""
    places = [place for place, part in enumerate(parts) if isinstance(part, TextPart)]
    whole = list(parts)
    for place, text in zip(places, texts, strict=False):
        stored = parts[place]
        goes_on = place == len(parts) - 1
        if not isinstance(stored, TextPart) or not text.startswith(stored.text):
            return parts
        if text != stored.text and not goes_on:
            return parts
        whole[place] = TextPart(text)
    if len(texts) < len(places):
        return parts
    return (*whole, *(TextPart(text) for text in texts[len(places) :] if text))
