# SPDX-License-Identifier: Apache-2.0
"""What is shown: two series that were measured in turns, as medians and the spread of their ratio."""
import dataclasses
import statistics


@dataclasses.dataclass
class Row:
    """One line of the table and of the JSON file. `target` bounds `ratio`: from below where more is better,
    from above where less is. None: shown for comparison, nothing is promised."""

    name: str
    unit: str
    ours: float
    theirs: float
    theirs_is: str
    ratio: float
    ratio_min: float
    ratio_max: float
    target: float | None
    met: bool | None


def compare(name, unit, ours, theirs, theirs_is, target, more_is_better):
    """`ours` and `theirs`: equally long lists; entry i of both was measured one right after the other."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    ratio = statistics.median(ratios)
    met = None
    if target is not None:
        met = ratio >= target if more_is_better else ratio <= target
    return Row(name, unit, statistics.median(ours), statistics.median(theirs), theirs_is, ratio,
               min(ratios), max(ratios), target, met)


def against_limit(name, unit, ours, limit):
    """A figure that has a limit of its own, and nothing beside it."""
    return compare(name, unit, ours, [limit] * len(ours), "limit", 1.0, more_is_better=False)


def in_turns(rounds, *measurements):
    """Calls each measurement once a round, and returns one list of results for each. The order turns
    round by round, so that no one always has the warmer machine."""
    results = [[] for _ in measurements]
    for number in range(rounds):
        order = range(len(measurements))
        for i in order if number % 2 == 0 else reversed(order):
            results[i].append(measurements[i]())
    return results
