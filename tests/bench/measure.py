# SPDX-License-Identifier: Apache-2.0
"""One measurement: `netchannel bench` at both ends of a Link, its figures as a dict."""
import json
import os
import select
import subprocess
import time

import topology

START_SECONDS = 30  # for a server to say "ready"
# What needs no interface that is set up.
OVER_KERNEL = ("tcp", "tcp-uring")
GRACE_SECONDS = 60  # beyond the measured time, before a run counts as hung


class Ends:
    """How the two processes are run: the CPUs they are pinned to (None: the scheduler's choice)."""

    def __init__(self, server_cpu=None, client_cpu=None):
        self.cpu = {"a": server_cpu, "b": client_cpu}

    def flags(self, end):
        return [] if self.cpu[end] is None else ["--cpu", str(self.cpu[end])]


def measure(binary, link, workload, over, both=(), client=(), ends=Ends(), seconds=2, on_client=None):
    """Server at end a, client at b. `both` goes to both ends, `client` to the client alone. `on_client`: is called with
    the client's process when it has started."""
    common = [binary, "bench", workload, "--over", over, *both]
    if over not in OVER_KERNEL:
        commands = {end: [*common, "--interface", link.interface(end)] for end in "ab"}
    else:
        commands = {end: common for end in "ab"}
    server = link.inside("a", *commands["a"], *ends.flags("a"), "--server", "--once")
    client = link.inside("b", *commands["b"], *ends.flags("b"), "--connect", topology.ADDRESS["a"],
                         "--seconds", seconds, "--json", *client)
    return run_pair(server, client, seconds, on_client)


def run_pair(server_command, client_command, seconds, on_client=None):
    with start(server_command) as server:
        try:
            wait_ready(server)
            out = finish(client_command, seconds + GRACE_SECONDS, on_client)
            server.wait(timeout=GRACE_SECONDS)
            if server.returncode != 0:
                raise RuntimeError(f"server: {server.stderr.read().strip()}")
            return json.loads(out)
        finally:
            stop(server)


def start(command):
    return subprocess.Popen([str(word) for word in command], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)


def wait_ready(server, text="ready"):
    """Until the server has printed `text`."""
    deadline = time.monotonic() + START_SECONDS
    printed = b""
    while time.monotonic() < deadline:
        if select.select([server.stdout], [], [], 0.2)[0]:
            # Not readline: what it has read beyond a line, select does not know of.
            more = os.read(server.stdout.fileno(), 4096)
            printed += more
            if text.encode() in printed:
                return
            if not more:
                break
        if server.poll() is not None:
            break
    stop(server)
    raise RuntimeError(f"server does not start: {server.stderr.read().strip()}")


def finish(command, seconds, on_start=None):
    """Runs it to its end; what it printed. `on_start`: is called with the process."""
    with start(command) as process:
        try:
            if on_start is not None:
                on_start(process)
            out, error = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as late:
            raise RuntimeError(f"no end after {late.timeout} s: {' '.join(late.cmd)}") from late
        finally:
            stop(process)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {error.strip() or out.strip()}")
    return out


def stop(process):
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
