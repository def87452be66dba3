# SPDX-License-Identifier: Apache-2.0
"""The five systems that each experiment compares, and the places that their programs run in. A place has
inside(end, *command), as a Link has."""
import socket

from daemons import Daemons, bench_run
from measure import measure, start, stop, wait_ready
from topology import Link, run

XDP = "NetChannel over AF_XDP"
CHANNELS = "NetChannel over TCP channels"
TCP = "kernel TCP"
URING = "kernel TCP with io_uring"
MPTCP = "MPTCP"
SYSTEMS = (XDP, CHANNELS, TCP, URING, MPTCP)

KERNEL_FLAGS = ("--nodelay", "--congestion", "cubic")


class UringLink(Link):
    """A Link on which bench() drives its sockets by an io_uring."""


class MptcpLink(Link):
    """A Link of which programs inside get MPTCP for TCP, with so many subflows a connection: each but the first
    comes from a further address of end b."""

    def __init__(self, library, mtu, offloads=False, subflows=1):
        super().__init__(mtu, offloads=offloads)
        self.library, self.subflows = library, subflows

    def __enter__(self):
        super().__enter__()
        try:
            more = self.subflows - 1
            for end in "ab":
                run(*super().inside(end, "ip", "mptcp", "limits", "set", "subflow", more, "add_addr_accepted", more))
            for i in range(more):
                address, device = f"10.99.0.{10 + i}", self.interface("b")
                run(*super().inside("b", "ip", "address", "add", f"{address}/24", "dev", device))
                run(*super().inside("b", "ip", "mptcp", "endpoint", "add", address, "dev", device, "subflow"))
        except BaseException:
            self.__exit__()
            raise
        return self

    def inside(self, end, *command):
        return super().inside(end, "env", f"LD_PRELOAD={self.library}", *command)


def mptcp_library(context):
    return context.programs / "libmptcp_sockets.so"


def why_no_mptcp(context):
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP).close()
    except OSError as error:
        return f"this kernel makes no MPTCP sockets: {error.strerror}"
    if not mptcp_library(context).exists():
        return "this build has no libmptcp_sockets.so"
    return None


def why_no_start(server):
    """What the command says when it does not become a server that is ready; it is stopped again."""
    with start(server) as process:
        try:
            wait_ready(process)
        except RuntimeError as error:
            return str(error)
        finally:
            stop(process)
    return None


def why_no_uring(context):
    """In a network namespace of its own: nobody can connect."""
    return why_no_start(["unshare", "--net", context.binary, "bench", "stream", "--over", "tcp-uring", "--server"])


def unavailable(context, own_programs):
    """System -> why it cannot be measured here. `own_programs`: what is measured is netchannel bench, and not programs
    as they are, which make the calls that they make."""
    reasons = {}
    if not own_programs:
        reasons[URING] = "the programs have no io_uring of their own"
    elif (reason := why_no_uring(context)) is not None:
        reasons[URING] = reason
    if (reason := why_no_mptcp(context)) is not None:
        reasons[MPTCP] = reason
    return reasons


def place(context, system, mtu, offloads=False, settings=(), subflows=1):
    """A context: a link of its own for the system. AF_XDP's has no offloads. `settings`: of NetChannel's daemons."""
    if system == XDP:
        return Daemons(context.binary, mtu, settings)
    if system == CHANNELS:
        return Daemons(context.binary, mtu, settings, over_tcp=True, offloads=offloads)
    if system == TCP:
        return Link(mtu, offloads=offloads)
    if system == URING:
        return UringLink(mtu, offloads=offloads)
    return MptcpLink(mptcp_library(context), mtu, offloads, subflows)


def over(link):
    """How `netchannel bench` is to use the link's TCP."""
    return "tcp-uring" if isinstance(link, UringLink) else "tcp"


def bench(context, where, workload, client=(), on_client=None):
    """`netchannel bench` in the place, over what its TCP sockets are there, and as the system drives them."""
    if isinstance(where, Daemons):
        return bench_run(context.binary, where, workload, client=client, seconds=context.seconds)
    return measure(context.binary, where, workload, over(where), both=KERNEL_FLAGS, client=client,
                   seconds=context.seconds, on_client=on_client)
