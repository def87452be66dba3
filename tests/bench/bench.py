#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the measurements by name and prints a table; scripts/bench.sh is the way to call it."""
import argparse
import dataclasses
import json
import pathlib
import signal
import sys

import connections
import daemons
import idles
import isolation
import long_flow
import messages
import pingpongs
import redis_runs
import scaling
import stalled_reader
import streams
import tcp_channels

# Name -> what measures it. A measurement may add rows of its own that are for information.
CATALOGUE = {
    "stream-1500": lambda c: streams.rows(c, 1500),
    "stream-3484": lambda c: streams.rows(c, 3484),
    "stream-9000": lambda c: streams.rows(c, 9000),
    "messages-64": lambda c: messages.rows(c, "messages-64", 64),
    "messages-4096": lambda c: messages.rows(c, "messages-4096", 4096),
    "pingpong-spin": lambda c: pingpongs.rows(c, "spin"),
    "pingpong-block": lambda c: pingpongs.rows(c, "block"),
    "idle-cpu": idles.cpu_rows,
    "idle-memory": idles.memory_rows,
    "idle-sockets": idles.socket_rows,
    "daemon-stream-1500": daemons.stream_rows,
    "daemon-messages-64": daemons.message_rows,
    "daemon-pingpong": daemons.pingpong_rows,
    "redis-p1": lambda c: redis_runs.rows(c, 1),
    "redis-p16": lambda c: redis_runs.rows(c, 16),
    "redis-paper": redis_runs.paper_rows,
    "connections": connections.rows,
    "long-scaling": long_flow.rows,
    "tcp-channels": tcp_channels.rows,
    "isolation-1": lambda c: isolation.rows(c, 1),
    "isolation-4": lambda c: isolation.rows(c, 4),
    "isolation-8": lambda c: isolation.rows(c, 8),
    "isolation-automatic": isolation.automatic_rows,
    "short-scaling": scaling.rows,
    "stalled-reader": stalled_reader.rows,
    "short-unlimited": lambda c: messages.rows(c, "short-unlimited", 4096),
}
ROUNDS = 5  # medians of so many

COLUMNS = ("name", "unit", "ours", "theirs", "ratio", "ratio_min", "ratio_max", "target", "met", "theirs_is")


def cell(value):
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def print_table(rows):
    lines = [COLUMNS] + [tuple(cell(getattr(row, column)) for column in COLUMNS) for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(prog="scripts/bench.sh", description=__doc__,
                                     epilog="names: " + " ".join(CATALOGUE))
    parser.add_argument("--binary", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--json", metavar="FILE", type=argparse.FileType("w", encoding="utf-8"),
                        help="one object a line, beside the table, each as it is measured")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="runs of each, in turns (default 5)")
    parser.add_argument("--stall-seconds", type=float, default=stalled_reader.STALL_SECONDS,
                        help="how long stalled-reader's reader stops (default 60, which is what is promised)")
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    context = parser.parse_args(arguments)
    # The measuring programs, in the build directory of the binary.
    context.programs = pathlib.Path(context.binary).resolve().parents[2] / "tests/bench"
    unknown = [name for name in context.names if name not in CATALOGUE]
    if unknown:
        parser.error(f"{unknown[0]}: no such measurement; one of {' '.join(CATALOGUE)}")
    return context


def main(arguments=None):
    # SIGTERM ends like Ctrl-C: the links' contexts clean up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    context = parse_arguments(arguments)
    rows, failed = [], []
    try:
        for name in context.names or CATALOGUE:
            print(f"measuring {name}", file=sys.stderr, flush=True)
            try:
                measured = CATALOGUE[name](context)
            except RuntimeError as error:
                print(f"{name}: {error}", file=sys.stderr)
                failed.append(name)
                continue
            rows += measured
            if context.json:  # at once: an interrupt keeps what has been measured
                context.json.writelines(json.dumps(dataclasses.asdict(row)) + "\n" for row in measured)
                context.json.flush()
    finally:
        print_table(rows)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
