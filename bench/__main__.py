"""`python -m bench`: compare servers; `python -m bench parts`: where a call's time goes."""

import argparse
import sys
import time
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
        return _compare(options)
    except NotMeasured as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _compare(options: argparse.Namespace) -> int:
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
    return 1 if results.missing else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("compare", "parts"), default="compare")
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
