# SPDX-License-Identifier: Apache-2.0
"""long-scaling: one socket, large writes, its copies by 1 or 3 copy workers of which each has a fixed share of a
core, and nobody else to copy. What is compared is the same stack with another number of workers."""
from compare import compare, in_turns
from measure import run_pair
from quotas import Shares, await_threads
from topology import ADDRESS, Link

MTU = 9000
SHARE_PERCENT = 2  # so little that three of them stay below what the rest of the stack can do
SECONDS = 4
TARGET = 2.5
# Room for pieces of all workers beside what the network holds; a caller that copied, too, would hide them.
SETTINGS = ("copy.help=false", "copy.threshold_kib=64", "sockets.buffer_kib=2048", "copy.send_in_flight_kib=1536")


def goodput(binary, link, workers, more=(), seconds=SECONDS):
    """Gbit/s, and how often each worker was short of its share. `more`: SECTION.KEY=VALUE of both ends."""
    def command(end, *settings):
        flags = [word for setting in (*settings, *more) for word in ("--set", setting)]
        return link.inside(end, binary, "bench", "stream", "--over", "netchannel", "--channels", "1",
                           "--interface", link.interface(end), *flags)

    server = [*command("a", "copy.workers=0", "sockets.buffer_kib=2048"), "--server", "--once"]
    client = [*command("b", *SETTINGS, f"copy.workers={workers}"), "--connect", ADDRESS["a"],
              "--seconds", seconds, "--json"]
    with Shares(SHARE_PERCENT) as shares:
        def limit_workers(process):
            for thread in await_threads(process, "nc-copy-", workers):
                shares.limit(thread)

        return run_pair(server, client, seconds, limit_workers)["goodput_gbps"], shares.throttled()


def limited_goodput(binary, link, workers, policy):
    gbps, throttled = goodput(binary, link, workers, (f"copy.policy={policy}",))
    # Else something other than the shares was the limit, and the figure would say nothing.
    if min(throttled) == 0:
        raise RuntimeError(f"with {workers} workers, one was never short of its share: {throttled}")
    return gbps


def rows(context):
    with Link(MTU, xdp=True) as link:
        def run(workers, policy="least-loaded"):
            return lambda: limited_goodput(context.binary, link, workers, policy)

        one, two, three, turns = in_turns(context.rounds, run(1), run(2), run(3), run(3, "round-robin"))
    beside = f"1 copy worker, {SHARE_PERCENT} % of a core each"
    return [
        compare("long-scaling", "Gbit/s", three, one, beside, TARGET, True),
        compare("long-scaling-2", "Gbit/s", two, one, beside, None, True),
        compare("long-scaling-round-robin", "Gbit/s", turns, one, beside, None, True),
    ]
