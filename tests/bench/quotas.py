# SPDX-License-Identifier: Apache-2.0
"""Threads that may use a fixed share of a core: so the curve over more threads than the machine has cores is real.
With version 1 of the kernel's cpu controller, in which single threads can be put into groups."""
import itertools
import os
import pathlib

PERIOD_US = 20_000
SHARE = 0.05  # the kernel's least quota is 1 ms a period

_numbers = itertools.count()


def controller():
    for line in pathlib.Path("/proc/mounts").read_text(encoding="ascii").splitlines():
        _, where, kind, options, *_ = line.split()
        if kind == "cgroup" and "cpu" in options.split(","):
            return pathlib.Path(where)
    raise RuntimeError("thread quotas need the cpu controller of cgroup version 1; mount it: mount -t cgroup -o cpu "
                       "cpu /sys/fs/cgroup/cpu")


def threads_named(pid, prefix):
    """The thread numbers of a process whose names begin so, in the order of the names."""
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text(encoding="ascii").strip()
        if name.startswith(prefix):
            found.append((name, int(task.name)))
    return [number for _, number in sorted(found)]


class Quotas:
    """A context: each of the threads in a group of its own, with SHARE of a core."""

    def __init__(self, threads, share=SHARE):
        self.threads, self.share = threads, share
        self.groups = []

    def __enter__(self):
        try:
            for thread in self.threads:
                group = controller() / f"nc-bench-{os.getpid()}-{next(_numbers)}"
                group.mkdir()
                self.groups.append(group)
                (group / "cpu.cfs_period_us").write_text(str(PERIOD_US), encoding="ascii")
                (group / "cpu.cfs_quota_us").write_text(str(int(PERIOD_US * self.share)), encoding="ascii")
                (group / "tasks").write_text(str(thread), encoding="ascii")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for group in self.groups:
            for thread in (group / "tasks").read_text(encoding="ascii").split():
                try:
                    (controller() / "tasks").write_text(thread, encoding="ascii")
                except ProcessLookupError:
                    pass  # it has ended
            group.rmdir()
