# SPDX-License-Identifier: Apache-2.0
"""redis-p1, redis-p16: redis-benchmark's requests a second, 64 B values, 50 clients, pipeline 1 and 16, MTU 1500.
redis-paper: 8 client threads, 4 KB values, 95 % GET, P99. Redis and its clients as Debian has them, over NetChannel's
daemons and over the kernel's TCP (CUBIC)."""
import contextlib
import csv
import io
import json

import daemons
from compare import compare, in_turns
from measure import GRACE_SECONDS, finish, start, stop, wait_ready
from topology import ADDRESS, Link

MTU = 1500
PORT = 6379
# Of a run; enough for two seconds of each command on the machines that the targets are for.
REQUESTS = {1: 300_000, 16: 3_000_000}
TIMES_KERNEL_TCP = 1.0
PAPER_THREADS = 8
PAPER_DEPTHS = (1, 16)
# 1500 is what the target is for; the others, where a value travels in two frames and in one, are reported beside.
PAPER_MTUS = (1500, 3484, 9000)
PAPER_SECONDS = 2


@contextlib.contextmanager
def redis_server(place):
    """`place`: a Link, or daemons.Daemons."""
    server = start(place.inside("a", "redis-server", "--port", PORT, "--bind", ADDRESS["a"], "--protected-mode", "no",
                                "--save", "", "--appendonly", "no"))
    try:
        wait_ready(server, "Ready to accept connections")
        yield
    finally:
        stop(server)


def benchmark(place, pipeline):
    with redis_server(place):
        out = finish(place.inside("b", "redis-benchmark", "-h", ADDRESS["a"], "-p", PORT, "-t", "set,get", "-c", 50,
                                  "-d", 64, "-n", REQUESTS[pipeline], "-P", pipeline, "--csv"), GRACE_SECONDS)
    rates = {row["test"]: float(row["rps"]) for row in csv.DictReader(io.StringIO(out))}
    return {name: rates[name] / 1e3 for name in ("SET", "GET")}


def rows(context, pipeline):
    with daemons.Daemons(context.binary) as ours, Link(MTU) as plain, Link(MTU, offloads=True) as fast:
        places = (ours, plain, fast)
        run = [lambda place=place: benchmark(place, pipeline) for place in places]
        ours, tcp_off, tcp_on = in_turns(context.rounds, *run)

    def row(suffix, command, theirs, theirs_is, target):
        return compare(f"redis-p{pipeline}-{command.lower()}{suffix}", "thousand/s", [r[command] for r in ours],
                       [r[command] for r in theirs], theirs_is, target, True)

    return [row(*columns) for command in ("SET", "GET") for columns in (
        ("", command, tcp_off, "kernel TCP, offloads off", TIMES_KERNEL_TCP),
        ("-tcp-on", command, tcp_on, "kernel TCP, offloads on", None))]


def paper_run(context, place, depth, seconds=PAPER_SECONDS):
    program = context.programs / "redis_mix"
    with redis_server(place):
        return json.loads(finish(place.inside("b", program, ADDRESS["a"], PORT, PAPER_THREADS, depth, seconds),
                                 seconds + GRACE_SECONDS))


def paper_rows_at(context, mtu):
    result = []
    with daemons.Daemons(context.binary, mtu) as daemon_pair, Link(mtu) as plain:
        for depth in PAPER_DEPTHS:
            ours, tcp = in_turns(context.rounds, lambda: paper_run(context, daemon_pair, depth),
                                 lambda: paper_run(context, plain, depth))
            name = f"redis-paper-{depth}" if mtu == MTU else f"redis-paper-{depth}-mtu{mtu}"
            for suffix, key, unit, target, more_is_better in (
                    ("", "p99_us", "us P99", 1.0 if mtu == MTU else None, False),
                    ("-rate", "requests_per_second", "requests/s", None, True)):
                result.append(compare(name + suffix, unit, [r[key] for r in ours], [r[key] for r in tcp],
                                      "kernel TCP, offloads off", target, more_is_better))
    return result


def paper_rows(context):
    return [row for mtu in PAPER_MTUS for row in paper_rows_at(context, mtu)]
