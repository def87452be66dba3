# SPDX-License-Identifier: Apache-2.0
"""The results as one HTML page that needs no other file."""
from html import escape

from experiments_plot import Line, key, number, plot

STYLE = """
body { font: 15px/1.45 sans-serif; max-width: 1180px; margin: 2em auto; padding: 0 1em; color: #222; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2em; border-top: 1px solid #ccc; padding-top: .8em; }
table { border-collapse: collapse; font-size: 13px; } th, td { padding: 2px 10px 2px 0; text-align: left; }
td.number { text-align: right; } .plots { display: flex; flex-wrap: wrap; gap: 12px; }
.legend { list-style: none; padding: 0; } .missing { color: #666; } .failed { color: #a00; }
svg text { font: 12px sans-serif; fill: #333; } svg .grid { stroke: #ddd; } svg .axis { stroke: #333; }
svg .range { stroke-width: 1.5; } svg.key { vertical-align: middle; margin-right: 6px; }
"""


def legend(experiment):
    """Every series has its line: drawn, or why it is not."""
    items = []
    for colour, series in enumerate(experiment.series):
        reason = experiment.not_measured.get(series)
        if reason is not None:
            items.append(f'<li class="missing">{escape(series)}: not measured: {escape(reason)}</li>')
        else:
            items.append(f"<li>{key(colour)}{escape(series)}</li>")
    items += [f'<li class="failed">failed: {escape(failure)}</li>' for failure in experiment.failures]
    return f'<ul class="legend">{"".join(items)}</ul>'


def metric_plot(experiment, metric):
    lines = [Line(series, colour, [(row.x, row.median, row.min, row.max) for row in experiment.of(metric.name, series)])
             for colour, series in enumerate(experiment.series)]
    return plot(experiment.x_axis, metric.name, metric.unit, experiment.xs, lines, metric.log)


def table(experiment):
    heads = ("metric", "unit", experiment.x_axis, "series", "median", "min", "max", "rounds")
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = []
    for row in experiment.rows:
        words = "".join(f"<td>{escape(str(word))}</td>" for word in (row.metric, row.unit, row.x, row.series))
        figures = "".join(f'<td class="number">{number(value)}</td>' for value in (row.median, row.min, row.max))
        rounds = f"<td>{escape(', '.join(map(number, row.values)))}</td>"
        body.append(f"<tr>{words}{figures}{rounds}</tr>")
    return (f"<details><summary>All values</summary><table><thead><tr>{head}</tr></thead>"
            f"<tbody>{''.join(body)}</tbody></table></details>")


def section(experiment):
    plots = "\n".join(metric_plot(experiment, metric) for metric in experiment.metrics)
    return (f'<section id="{escape(experiment.name)}"><h2>{escape(experiment.title)}</h2>\n'
            f"<p>{escape(experiment.how)}</p>\n<p>{escape(experiment.paper)}</p>\n{legend(experiment)}\n"
            f'<div class="plots">\n{plots}\n</div>\n{table(experiment)}</section>')


def page(machine, experiments):
    about = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in machine.items())
    sections = "\n".join(section(experiment) for experiment in experiments)
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"/><title>NetChannel: the paper's experiments</title><style>{STYLE}</style></head>
<body>
<h1>NetChannel: the paper's experiments</h1>
<p>The experiments of "Towards µs Tail Latency and Terabit Ethernet" (SIGCOMM 2022), made again on one machine by
scripts/experiments.sh. A point is the median of the rounds, its bar goes from the least to the most.</p>
<table>{about}</table>
{sections}
</body>
</html>
"""
