"""Percentiles that are read from bins."""

import math

from hypothesis import given
from hypothesis import strategies as st

from msil_mcp.analytics.bins import DECADES, edges, percentiles


def bin_of(milliseconds: float) -> int:
    """As the queries number them."""
    decade = next(one for one in DECADES if milliseconds < one.limit)
    return int((milliseconds - decade.start) / decade.width) + decade.first


@given(st.floats(0, 900_000))
def test_a_time_lies_within_its_bin(milliseconds: float) -> None:
    low, width = edges(bin_of(milliseconds))
    assert low - 1e-6 <= milliseconds <= low + width + 1e-6
    assert width <= max(0.1, low / 10 + 1e-6)


@given(st.lists(st.floats(1, 600_000), min_size=50, max_size=300), st.sampled_from([0.5, 0.95]))
def test_a_percentile_is_within_its_bin_of_the_exact_one(times: list[float], share: float) -> None:
    bins: dict[int, int] = {}
    for time in times:
        bins[bin_of(time)] = bins.get(bin_of(time), 0) + 1
    [found] = percentiles(bins, [share])
    assert found is not None
    ordered = sorted(times)
    place = share * len(ordered)
    below, above = ordered[math.ceil(place) - 1], ordered[min(int(place), len(ordered) - 1)]
    assert edges(bin_of(below))[0] - 0.001 <= found <= sum(edges(bin_of(above))) + 0.001


def test_of_nothing_there_is_no_percentile() -> None:
    assert percentiles({}, [0.5, 0.99]) == [None, None]
