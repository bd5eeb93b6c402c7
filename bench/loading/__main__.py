"""`python -m bench.loading`: the load test, its figures beside their targets; see docs."""

import argparse
import sys
from pathlib import Path

from bench.loading.legs import Leg, Plan, run_leg
from bench.loading.report import publish, text_of, write_json
from bench.loading.stage import SETTINGS
from bench.loading.throughput import Throughput, measure_throughput
from bench.processes import NotMeasured

OUT = Path(__file__).parents[1] / "out"


def main() -> int:
    """0 when every figure holds, 1 when one does not, 2 when one could not be measured."""
    options = _parser().parse_args()
    OUT.mkdir(exist_ok=True)
    try:
        return _run(options)
    except NotMeasured as error:
        print(f"load: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _run(options: argparse.Namespace) -> int:
    plan = Plan(
        folder=OUT,
        steady_seconds=options.seconds or (15 if options.quick else 60),
        rung_seconds=5 if options.quick else 10,
    )
    legs: list[Leg] = [
        run_leg(setting, plan) for setting in SETTINGS if options.only in {"", setting.key}
    ]
    throughput: Throughput | None = None
    if options.throughput or options.only == "throughput":
        seconds = 3 if options.quick else 10
        throughput = measure_throughput(OUT, seconds=seconds, legs=3)
    text = text_of(plan, legs, throughput)
    print(text)
    print(f"\n{write_json(OUT, plan, legs, throughput)}")
    if options.publish:
        publish(text)
    held = all(verdict.holds for leg in legs for verdict in leg.verdicts)
    return 0 if held and (throughput is None or throughput.holds) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.loading", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short leg of each")
    parser.add_argument("--seconds", type=int, help="length of the steady scenario (60)")
    parser.add_argument(
        "--only", default="", choices=("one", "two", "throughput"), help="just this leg"
    )
    parser.add_argument(
        "--throughput", action="store_true", help="also how many calls two replicas answer"
    )
    parser.add_argument("--publish", action="store_true", help="put the figures into the docs")
    return parser


if __name__ == "__main__":
    sys.exit(main())
