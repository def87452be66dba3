#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the paper's experiments; scripts/experiments.sh is the way to call it."""
import argparse
import contextlib
import pathlib
import signal
import subprocess
import sys
import time

from compare import in_turns
from experiments_machine import describe
from experiments_page import page
from experiments_plot import number
from experiments_results import Experiment, to_json
from experiments_runs import PLANS
from experiments_systems import SYSTEMS, unavailable

ROUNDS, QUICK_ROUNDS = 5, 3
SECONDS, QUICK_SECONDS = 4.0, 1.2
# What a run may end with that says something about that run, and not about this program.
FAILURES = (RuntimeError, OSError, subprocess.SubprocessError)


def measure_at(context, plan, x, systems, experiment):
    """All systems at one x, in turns. One that fails is left out there, and the others go on."""
    failed = set()

    def note(system, error):
        failed.add(system)
        experiment.failures.append(f"{system} at {x}: {error}")
        print(f"{experiment.name}: {experiment.failures[-1]}", file=sys.stderr, flush=True)

    def guarded(system, run):
        if system in failed:
            return {}
        try:
            return run()
        except FAILURES as error:
            note(system, error)
            return {}

    with contextlib.ExitStack() as stack:
        runs = {}
        for system in systems:
            try:
                runs[system] = stack.enter_context(plan.at(context, x, system))
            except FAILURES as error:
                note(system, error)
        results = in_turns(context.rounds, *[lambda s=s, run=run: guarded(s, run) for s, run in runs.items()])
    for system, values in zip(runs, results, strict=True):
        experiment.add(x, system, values)


def measure_experiment(context, name):
    plan = PLANS[name]
    experiment = Experiment(name, plan.title, plan.x_axis, list(plan.metrics), plan.how, plan.paper,
                            list(plan.quick_xs if context.quick else plan.xs), list(SYSTEMS),
                            not_measured=unavailable(context, plan.own_programs))
    systems = [system for system in SYSTEMS if system not in experiment.not_measured]
    started = time.monotonic()
    for x in experiment.xs:
        print(f"measuring {name}, {plan.x_axis}: {x}", file=sys.stderr, flush=True)
        measure_at(context, plan, x, systems, experiment)
    experiment.seconds = round(time.monotonic() - started, 1)
    return experiment


def print_rows(experiment):
    print(f"{experiment.title} ({experiment.seconds:.0f} s)")
    for row in experiment.rows:
        print(f"  {row.metric:<12} {row.x!s:>14}  {row.series:<30} {number(row.median):>8} {row.unit:<16} "
              f"({number(row.min)} to {number(row.max)})")
    for series, reason in experiment.not_measured.items():
        print(f"  {series}: not measured: {reason}")
    for failure in experiment.failures:
        print(f"  failed: {failure}")


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/experiments.sh", description=__doc__,
                                     epilog="names: " + " ".join(PLANS))
    parser.add_argument("--binary", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="under 10 minutes: fewer x values, rounds, seconds")
    parser.add_argument("--json", metavar="FILE", help="the results as one JSON object")
    parser.add_argument("--html", metavar="FILE", help="the results as one page with plots")
    parser.add_argument("--rounds", type=int, help=f"runs of each, in turns (default {ROUNDS}, quick {QUICK_ROUNDS})")
    parser.add_argument("--seconds", type=float, help=f"of a run (default {SECONDS:g}, quick {QUICK_SECONDS:g})")
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    context = parser.parse_args()
    context.rounds = context.rounds or (QUICK_ROUNDS if context.quick else ROUNDS)
    context.seconds = context.seconds or (QUICK_SECONDS if context.quick else SECONDS)
    # The measuring programs, in the build directory of the binary.
    context.programs = pathlib.Path(context.binary).resolve().parents[2] / "tests/bench"
    # Not at the end of the measurements.
    for path in filter(None, (context.json, context.html)):
        if not pathlib.Path(path).absolute().parent.is_dir():
            parser.error(f"{path}: no such directory")
    unknown = [name for name in context.names if name not in PLANS]
    if unknown:
        parser.error(f"{unknown[0]}: no such experiment; one of {' '.join(PLANS)}")
    return context


def write(context, machine, experiments):
    if context.json:
        pathlib.Path(context.json).write_text(to_json(machine, experiments), encoding="utf-8")
    if context.html:
        pathlib.Path(context.html).write_text(page(machine, experiments), encoding="utf-8")


def main():
    # SIGTERM ends like Ctrl-C: the links' contexts clean up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    context = parse_arguments()
    started = time.monotonic()
    machine = describe(context.rounds, context.seconds)
    experiments = []
    for name in context.names or PLANS:
        experiments.append(measure_experiment(context, name))
        print_rows(experiments[-1])
        write(context, machine, experiments)  # each time, so that an interrupted run leaves what it has
    print(f"took {(time.monotonic() - started) / 60:.1f} minutes")
    return 1 if any(experiment.failures for experiment in experiments) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
