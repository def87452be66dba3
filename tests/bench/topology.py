# SPDX-License-Identifier: Apache-2.0
"""The link that a measurement runs over: two namespaces and a veth pair, made by scripts/lib/netns.sh."""
import itertools
import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
NETNS = ROOT / "scripts/lib/netns.sh"
QUEUES = 2
ADDRESS = {"a": "10.99.0.1", "b": "10.99.0.2"}

_numbers = itertools.count()


class Link:
    """A context: the link is there inside, and gone after it, also on an exception."""

    def __init__(self, mtu, offloads=False, xdp=False, queues=QUEUES):
        self.mtu, self.offloads, self.xdp, self.queues = mtu, offloads, xdp, queues
        # At most 12 characters: see netns.sh.
        self.name = f"nb{os.getpid()}x{next(_numbers)}"

    def __enter__(self):
        try:
            run(NETNS, "up", self.name, self.mtu, self.queues, "on" if self.offloads else "off")
            if self.xdp:
                for end in "ab":
                    run(*self.inside(end, ROOT / "scripts/setup.sh", self.interface(end)))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.xdp:
            for end in "ab":
                command = self.inside(end, ROOT / "scripts/teardown.sh", self.interface(end))
                subprocess.run([str(word) for word in command], check=False, capture_output=True)
        run(NETNS, "down", self.name)

    def interface(self, end):
        return self.name + end

    def inside(self, end, *command):
        # Not `ip netns exec`: it remounts /sys and hides the pinned maps.
        return ["nsenter", f"--net=/run/netns/{self.name}-{end}", "--", *command]


def run(*command):
    done = subprocess.run([str(word) for word in command], check=False, text=True, capture_output=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
