# SPDX-License-Identifier: Apache-2.0
"""What an experiment comes to: rows of a metric at an x value, one a series; and what was not measured, and why."""
import dataclasses
import json
import statistics


@dataclasses.dataclass
class Metric:
    """One plot. `log`: its axis is logarithmic."""

    name: str
    unit: str
    log: bool = False


@dataclasses.dataclass
class Row:
    metric: str
    unit: str
    x: float | str
    series: str
    values: list  # of the rounds, in their order
    median: float
    min: float
    max: float


@dataclasses.dataclass
class Experiment:
    """`how` says how it was made, `paper` what the paper shows. `not_measured`: series -> why it cannot be. `failures`:
    series, x and message of runs that should have come to something."""

    name: str
    title: str
    x_axis: str
    metrics: list
    how: str
    paper: str
    xs: list
    series: list
    rows: list = dataclasses.field(default_factory=list)
    not_measured: dict = dataclasses.field(default_factory=dict)
    failures: list = dataclasses.field(default_factory=list)
    seconds: float = 0.0

    def add(self, x, series, runs):
        """`runs`: a dict of a round each, with a value for each metric that there is at this x."""
        for metric in self.metrics:
            values = [run[metric.name] for run in runs if metric.name in run]
            if values:
                self.rows.append(Row(metric.name, metric.unit, x, series, values, statistics.median(values),
                                     min(values), max(values)))

    def of(self, metric, series):
        return [row for row in self.rows if row.metric == metric and row.series == series]


def to_json(machine, experiments):
    whole = {"machine": machine, "experiments": [dataclasses.asdict(experiment) for experiment in experiments]}
    return json.dumps(whole, indent=1) + "\n"
