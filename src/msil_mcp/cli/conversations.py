"""Commands about conversations: what their models took, and what may be learnt from them."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, get_args

import typer

from msil_mcp.cli.output import AsJson, fail, load_settings, run, show_json, show_table

if TYPE_CHECKING:
    from msil_mcp.chat.usage import By
    from msil_mcp.chat.usage_api import AmountsView, BudgetView, UsageRow, UsageView

First = Annotated[str | None, typer.Option("--from", help="The first day (UTC), as 2026-11-01.")]
Last = Annotated[str | None, typer.Option("--to", help="The last day (UTC); today if absent.")]

conversations = typer.Typer(help="Conversations of everybody.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("usage")(show_usage)
    app.add_typer(conversations, name="conversations")


def show_usage(
    first: First = None,
    last: Last = None,
    by: Annotated[
        list[str] | None, typer.Option(help="day, user, model or door; may be repeated.")
    ] = None,
    user: Annotated[str | None, typer.Option(help="Only this user's, as in user:7.")] = None,
    model: Annotated[str | None, typer.Option(help="Only this model's.")] = None,
    limit: Annotated[int, typer.Option(help="Most rows to show.", min=1)] = 200,
    as_json: AsJson = False,
) -> None:
    """Show turns, tokens and cost of the models; of the last thirty days unless told otherwise."""
    from msil_mcp.chat.usage import Range, days
    from msil_mcp.chat.usage_api import usage_view
    from msil_mcp.cli.database import desk

    apart = _known(by or ["day"])
    settings = load_settings()

    async def work() -> "UsageView":
        begin, end = days(_day(first), _day(last))
        wanted = Range(first=begin, last=end, user_id=user, model=model)
        async with desk(settings) as at:
            budget_for = user or at.principal.id
            return await usage_view(
                at.database, settings, wanted, apart, budget_for=budget_for, limit=limit
            )

    found = run(work())
    if as_json:
        show_json(found.model_dump(mode="json", by_alias=True))
        return
    _show(found, apart, with_budget=user is not None)


@conversations.command("export-finetuning")
def export_finetuning(
    rating: Annotated[str, typer.Option(help="Answers rated so: up or down.")] = "up",
    first: First = None,
    last: Last = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; else standard output.")
    ] = None,
) -> None:
    """Write rated answers as examples for fine-tuning, in OpenAI's chat format, masked."""
    from msil_mcp.chat.finetuning import Examples, Wanted
    from msil_mcp.cli.database import desk

    if rating not in {"up", "down"}:
        fail("--rating is up or down", code=2)
    wanted = Wanted(rating="down" if rating == "down" else "up", first=_day(first), last=_day(last))
    settings = load_settings()

    async def work() -> Examples:
        async with desk(settings) as at:
            await at.record("chat.exported", target="chat", details=wanted.facts)
            examples = Examples(
                database=at.database, wanted=wanted, context_tokens=settings.chat_context_tokens
            )
            with _opened(output) as file:
                async for line in examples.lines():
                    await asyncio.to_thread(file.write, line)
                file.flush()
            return examples

    done = run(work())
    print(f"{done.written} examples written.", file=sys.stderr)
    if done.left_out:
        print(
            f"{done.left_out} answers were left out: a tool they call, or a result, is gone.",
            file=sys.stderr,
        )


@contextmanager
def _opened(path: Path | None) -> Iterator[IO[bytes]]:
    if path is None:
        yield sys.stdout.buffer
    else:
        with path.open("wb") as file:
            yield file


def _show(found: "UsageView", by: "list[By]", *, with_budget: bool) -> None:
    amounts = ("turns", "requests", "input tokens", "cached", "output tokens", "cost usd")
    rows = [(*_key(row, by), *_amounts(row)) for row in found.items]
    if rows:
        rows.append((*("total", *[""] * len(by))[: len(by)], *_amounts(found.totals)))
    empty = f"No model was asked from {found.first} to {found.last}."
    show_table((*by, *amounts), rows, empty=empty)
    if found.next_cursor is not None:
        print("There are more rows; ask for fewer days, or for more with --limit.")
    if found.totals.unpriced_requests:
        print(
            f"{found.totals.unpriced_requests} requests have no known price and cost nothing here; "
            "see MSIL_MODEL_PRICES."
        )
    if with_budget:
        _show_budget(found.budget)


def _show_budget(budget: "BudgetView") -> None:
    tokens, cost = budget.tokens, budget.cost_usd
    if tokens.limit is None and cost.limit is None:
        print(f"{budget.user_id} has no daily budget; today {tokens.used:,} tokens were used.")
    if tokens.limit is not None:
        print(f"{tokens.left:,} of {tokens.limit:,} tokens are left to {budget.user_id} today.")
    if cost.limit is not None:
        print(f"${cost.left:.2f} of ${cost.limit:.2f} are left to {budget.user_id} today.")


def _key(row: "UsageRow", by: "list[By]") -> list[object]:
    who = row.user_id if row.user_name is None else f"{row.user_id} {row.user_name}"
    values = {"day": row.day, "user": who, "model": row.model or "(none)", "door": row.door}
    return [values[name] for name in by]


def _amounts(found: "AmountsView") -> list[object]:
    tokens = (found.input_tokens, found.cached_tokens, found.output_tokens)
    shown = [f"{count:,}" for count in tokens]
    return [found.turns, found.requests, *shown, f"{found.cost_usd:.4f}"]


def _known(by: list[str]) -> "list[By]":
    from msil_mcp.chat.usage import By

    known: list[By] = [name for name in get_args(By) if name in by]
    if unknown := set(by) - set(known):
        fail(f"--by is day, user, model or door, not {', '.join(sorted(unknown))}", code=2)
    return known


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        fail(f"{text!r} is not a day; write it as 2026-11-01", code=2)
