# SPDX-License-Identifier: Apache-2.0
"""idle-cpu, idle-memory, idle-sockets: what a stack takes while nothing happens. Both ends are measured, the
worse one counts."""
import functools

from compare import against_limit
from measure import measure
from topology import Link

MTU = 1500
CHANNELS = 4
MIB = 1024 * 1024
CPU_PERCENT = 1.0       # of a core
MEMORY_MIB = 128.0      # resident
SOCKETS = 10000
SOCKETS_MIB = 256.0     # resident, beyond what the stack had before
SECONDS = 10


def idle(binary, link, connections, seconds):
    return measure(binary, link, "idle", "netchannel", both=("--channels", CHANNELS),
                   client=("--count", connections), seconds=seconds)


@functools.cache
def stack_runs(binary, rounds):
    """idle-cpu and idle-memory come from the same runs."""
    with Link(MTU, xdp=True) as link:
        return [idle(binary, link, 1, SECONDS) for _ in range(rounds)]


def cpu_rows(context):
    percent = [100 * max(r["client_cpu_seconds"], r["server_cpu_seconds"]) / r["client_seconds"]
               for r in stack_runs(context.binary, context.rounds)]
    return [against_limit("idle-cpu", "% of a core", percent, CPU_PERCENT)]


def memory_rows(context):
    resident = [max(r["client_resident_bytes"], r["server_resident_bytes"]) / MIB for r in stack_runs(context.binary, context.rounds)]
    return [against_limit("idle-memory", "MiB", resident, MEMORY_MIB)]


def socket_rows(context):
    with Link(MTU, xdp=True) as link:
        runs = [idle(context.binary, link, SOCKETS, 2) for _ in range(context.rounds)]
    growth = [max(r[f"{end}_resident_bytes"] - r[f"{end}_resident_at_start"] for end in ("client", "server"))
              / MIB for r in runs]
    return [against_limit("idle-sockets", f"MiB for {SOCKETS} sockets", growth, SOCKETS_MIB)]
