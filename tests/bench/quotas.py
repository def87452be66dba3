# SPDX-License-Identifier: Apache-2.0
"""A fixed share of a core for each of some threads, so that several of them fit on few cores: by the cpu
controller's quota, in a group a thread. cgroup v1 (a hierarchy of its own) and v2 (threaded groups)."""
import itertools
import os
import pathlib
import time

QUOTA_US = 1000  # a period; the least that the kernel takes, so that who has used it up is not away for long
START_SECONDS = 10  # for the threads to appear

_numbers = itertools.count()


def hierarchy():
    """Where groups with the cpu controller can be made, and whether it is v1."""
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        for line in mounts:
            _, where, kind, options = line.split()[:4]
            if kind == "cgroup" and "cpu" in options.split(","):
                return pathlib.Path(where), True
            if kind == "cgroup2" and "cpu" in (pathlib.Path(where) / "cgroup.controllers").read_text().split():
                return pathlib.Path(where), False
    raise RuntimeError("no cpu controller of cgroups is mounted: the share of a thread cannot be limited")


class Shares:
    """A context: threads that are given to limit() get `percent` of a core each, until its end."""

    def __init__(self, percent):
        self.period_us = QUOTA_US * 100 // percent
        self.root, self.v1 = hierarchy()
        self.parent = self.root / f"nb{os.getpid()}-{next(_numbers)}"
        self.groups = []

    def __enter__(self):
        self.parent.mkdir()
        if not self.v1:
            (self.root / "cgroup.subtree_control").write_text("+cpu")
            (self.parent / "cgroup.type").write_text("threaded")
            (self.parent / "cgroup.subtree_control").write_text("+cpu")
        return self

    def __exit__(self, *_):
        for group in self.groups:
            # It is empty when the kernel is done with the process that has ended.
            for _ in range(1000):
                try:
                    group.rmdir()
                    break
                except OSError:
                    time.sleep(0.005)
        self.groups = []
        self.parent.rmdir()

    def limit(self, thread):
        group = self.parent / f"t{thread}"
        group.mkdir()
        self.groups.append(group)
        if self.v1:
            (group / "cpu.cfs_period_us").write_text(str(self.period_us))
            (group / "cpu.cfs_quota_us").write_text(str(QUOTA_US))
            (group / "tasks").write_text(str(thread))
        else:
            (group / "cgroup.type").write_text("threaded")
            (group / "cpu.max").write_text(f"{QUOTA_US} {self.period_us}")
            (group / "cgroup.threads").write_text(str(thread))

    def throttled(self):
        """How many periods each of them has run out of its share in."""
        counts = []
        for group in self.groups:
            stat = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
            counts.append(int(stat["nr_throttled"]))
        return counts


def threads_of(process, name=""):
    """Its threads whose names begin with `name`."""
    found = []
    for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
        try:
            if (task / "comm").read_text().startswith(name):
                found.append(int(task.name))
        except OSError:
            continue  # it has ended meanwhile
    return found


def await_threads(process, name, count):
    """The threads of `process` whose names begin with `name`, as soon as there are `count`."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        found = threads_of(process, name)
        if len(found) == count:
            return found
        time.sleep(0.0005)
    raise RuntimeError(f"the {count} threads {name}* did not appear")
