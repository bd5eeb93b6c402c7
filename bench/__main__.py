"""`python -m bench`: everything that is published.

By name: `compare` servers; what a `chat` costs; in which `parts` of a call the time goes.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.compare import Plan, compare
from bench.contenders import CONTENDERS
from bench.processes import NotMeasured
from bench.report import Report, publish

OUT = Path(__file__).with_name("out")


def main() -> int:
    options = _parser().parse_args()
    OUT.mkdir(exist_ok=True)
    try:
        if options.what == "parts":
            from bench.parts import measure_parts

            return measure_parts(OUT)
        missing = [part(options) for part in _parts(options)]
    except NotMeasured as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 1 if any(missing) else 0


def _parts(options: argparse.Namespace) -> list[Callable[[argparse.Namespace], bool]]:
    """What to measure; who names servers wants only those compared."""
    if options.what == "all" and not options.only:
        return [_compare, _chat]
    return [_chat] if options.what == "chat" else [_compare]


def _compare(options: argparse.Namespace) -> bool:
    """Whether something is missing."""
    known = {contender.key: contender for contender in CONTENDERS}
    unknown = [key for key in options.only if key not in known]
    if unknown:
        raise NotMeasured(f"--only knows {', '.join(known)}, not {', '.join(unknown)}")
    plan = Plan(
        contenders=[known[key] for key in options.only] if options.only else CONTENDERS,
        tools=options.tools,
        seconds=options.seconds or (1 if options.quick else 3),
        repeat=options.repeat or (1 if options.quick else 3),
        starts=1 if options.quick else 3,
        folder=OUT,
    )
    began = time.monotonic()
    results = compare(plan)
    report = Report(plan=plan, results=results, seconds=time.monotonic() - began)
    print(report.text())
    print(f"\n{report.write(OUT)}")
    if options.publish:
        publish(report.text())
    return bool(results.missing)


def _chat(options: argparse.Namespace) -> bool:
    """Whether something is missing."""
    from bench.chat import measure_chat
    from bench.chat_report import ChatReport
    from bench.chat_sessions import measure_sessions

    began = time.monotonic()
    repeat = options.repeat or (1 if options.quick else 3)
    results = measure_chat(OUT, repeat=repeat, turns=4 if options.quick else 8)
    sessions = None
    try:
        sessions = measure_sessions()
    except NotMeasured as error:
        results.missing.append(f"sessions: {error}")
    report = ChatReport(results=results, sessions=sessions, seconds=time.monotonic() - began)
    print(report.text())
    print(f"\n{report.write(OUT)}")
    if options.publish:
        publish(report.text(), what="figures of conversations")
    return bool(results.missing)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    whats = ("all", "compare", "chat", "parts")
    parser.add_argument("what", nargs="?", choices=whats, default="all")
    parser.add_argument("--quick", action="store_true", help="one short leg of each")
    parser.add_argument("--only", type=_words, default=[], help="contenders, as in ours,floor")
    parser.add_argument("--tools", type=_numbers, default=[6, 1000], help="sizes, as in 6,1000")
    parser.add_argument("--seconds", type=int, help="length of a leg (3)")
    parser.add_argument("--repeat", type=int, help="legs of each kind (3)")
    parser.add_argument("--publish", action="store_true", help="put the tables into the docs")
    return parser


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _numbers(text: str) -> list[int]:
    return [int(word) for word in _words(text)]


if __name__ == "__main__":
    sys.exit(main())
