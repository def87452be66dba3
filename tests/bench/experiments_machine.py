# SPDX-License-Identifier: Apache-2.0
"""The description of the machine that goes with the results."""
import datetime
import os
import pathlib
import platform
import subprocess

from topology import ROOT


def field(path, name):
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"


def commit():
    """With `+` where the checkout has changes of its own."""
    done = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+"],
                          check=False, text=True, capture_output=True)
    return done.stdout.strip() or "unknown"


def describe(rounds, seconds):
    flags = field("/proc/cpuinfo", "flags").split()
    return {
        "cpu": field("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory": f"{int(field('/proc/meminfo', 'MemTotal').split()[0]) / 1024 ** 2:.1f} GiB",
        "virtual machine": "yes" if "hypervisor" in flags else "no",
        "kernel": platform.release(),
        "link": "a veth pair between two network namespaces; MTU and offloads as each experiment says",
        "commit": commit(),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "runs": f"{rounds} rounds of {seconds:g} s a run, the series in turns",
    }
