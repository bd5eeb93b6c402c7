"""Commands about language models: the scripted one served by itself, and conversations scored."""

import socket
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from msil_mcp.cli.output import AsJson, fail, load_settings, run, show_json, show_table

if TYPE_CHECKING:
    from msil_mcp.cli.evaluating import CaseScore, ModelScore


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("scripted-model")(scripted_model)
    app.command("eval")(evaluate)


def scripted_model(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="TCP port.", min=0, max=65535)] = 8002,
    pace: Annotated[
        float, typer.Option(help="Seconds between the pieces of a streamed answer.", min=0, max=10)
    ] = 0.02,
) -> None:
    """Serve the scripted model, which speaks OpenAI's protocol and needs no key."""
    from msil_mcp.llm.scripted.server import serve

    port = _bindable(host, port)
    shown = f"[{host}]" if ":" in host else host
    print(
        f"The scripted model answers at http://{shown}:{port}/v1. A server uses it with "
        f"OPENAI_BASE_URL=http://{shown}:{port}/v1 OPENAI_API_KEY=none "
        "OPENAI_MODEL=openai:msil-scripted",
        flush=True,
    )
    serve(host, port, pace_seconds=pace)


def evaluate(
    file: Annotated[
        str | None,
        typer.Argument(help="YAML file of conversations; else the booking ones that are shipped."),
    ] = None,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option(help="Two models to hold them with, instead of the configured one."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Hold conversations with a model and score what it called and what was booked then.

    The booking service runs on this machine in a directory of its own; nothing else is touched.
    """
    from msil_mcp.chat.evals.cases import read_suite
    from msil_mcp.cli.evaluating import evaluate as hold
    from msil_mcp.errors import MsilError

    try:
        suite = read_suite(file)
    except MsilError as error:
        fail(str(error), code=2)
    models: Sequence[str | None] = compare or [None]
    scores = run(hold(load_settings(), suite, models=models, on_case=_progress))
    if as_json:
        show_json(scores)
    else:
        _show_scores(scores)
    if any(score.passed < len(score.cases) for score in scores):
        raise typer.Exit(1)


def _progress(model: str, score: "CaseScore") -> None:
    """A line for each conversation, where somebody watches."""
    if sys.stderr.isatty():
        print(f"{model}  {score.id}  {_verdict(score)}", file=sys.stderr)


def _show_scores(scores: "Sequence[ModelScore]") -> None:
    columns = ["conversation", *(score.model for score in scores), "calls", "why"]
    show_table(columns, _rows(scores), empty="There are no conversations.")
    for score in scores:
        cost = "unknown" if score.cost_usd is None else f"${score.cost_usd:.4f}"
        print(
            f"{score.model}: {score.passed} of {len(score.cases)} passed, "
            f"{score.tokens} tokens, cost {cost}, {score.seconds:.1f} s"
        )


def _rows(scores: "Sequence[ModelScore]") -> Iterator[list[object]]:
    """One conversation a row; further reasons stand below the first."""
    for cases in zip(*(score.cases for score in scores), strict=True):
        named = len(cases) > 1
        reasons = [
            f"{score.model}: {fault}" if named else fault
            for score, case in zip(scores, cases, strict=True)
            for fault in case.faults
        ]
        calls = "/".join(str(case.calls) for case in cases)
        first, *rest = reasons or [""]
        yield [cases[0].id, *map(_verdict, cases), calls, first]
        for reason in rest:
            yield [*([""] * (len(cases) + 2)), reason]


def _verdict(score: "CaseScore") -> str:
    return "FAILED" if score.faults else "passed"


def _bindable(host: str, port: int) -> int:
    """The port, or a free one for 0; fails where nothing can listen there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family) as probe:
            return int(probe.getsockname()[1])
    except OSError as error:
        fail(f"Cannot listen on {host} port {port}: {error.strerror}. Choose another with --port.")
