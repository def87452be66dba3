#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: count_tests.py TESTLOG_JSON XML_DIR LABEL

Counts what one run of `meson test` ran: every GoogleTest case counts, and every other test as one. Names the
failed and the skipped with their reason on stderr; prints "PASSED FAILED SKIPPED" on stdout.
"""
import collections
import json
import os
import sys
import xml.etree.ElementTree as ET


def read_cases(xml_dir):
    """Program's name -> its reports, each a list of (name, outcome, reason)."""
    reports = collections.defaultdict(list)
    for entry in sorted(os.listdir(xml_dir)):
        program = entry.rsplit(".", 2)[0]
        try:
            root = ET.parse(os.path.join(xml_dir, entry)).getroot()
        except ET.ParseError:
            continue  # died while it wrote: meson's verdict on the program counts
        reports[program].append([classify(case) for case in root.iter("testcase")])
    return reports


def classify(case):
    name = f"{case.get('classname')}.{case.get('name')}"
    failure = case.find("failure")
    if failure is not None:
        return name, "failed", first_line(failure.get("message"))
    skipped = case.find("skipped")
    if skipped is not None or case.get("result") == "skipped":
        return name, "skipped", reason_of(skipped)
    if case.get("status") == "notrun":
        return name, "skipped", "disabled"
    return name, "passed", ""


def reason_of(skipped):
    text = (skipped.get("message") or skipped.text or "") if skipped is not None else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # GoogleTest puts "file:line" in front.
    return lines[-1] if lines else "no reason given"


def first_line(text):
    return " ".join((text or "").split())[:200]


def meson_outcome(test):
    if test["result"] in ("OK", "EXPECTEDFAIL"):
        return "passed"
    return "skipped" if test["result"] == "SKIP" else "failed"


def last_line(test):
    lines = [line for line in (test.get("stdout") or "").splitlines() if line.strip()]
    lines += [line for line in (test.get("stderr") or "").splitlines() if line.strip()]
    return lines[-1] if lines else "no reason given"


def main():
    testlog, xml_dir, label = sys.argv[1:]
    reports = read_cases(xml_dir)
    outcomes = []
    bad_runs = collections.Counter()
    with open(testlog, encoding="utf-8") as log:
        for line in log:
            test = json.loads(line)
            programs = [os.path.basename(word) for word in test["command"]]
            program = next((p for p in programs if p in reports), None)
            if program is None:
                reason = last_line(test) if meson_outcome(test) == "skipped" else test["result"]
                outcomes.append((test["name"], meson_outcome(test), reason))
            elif meson_outcome(test) == "failed":
                bad_runs[program] += 1
    for program, runs in reports.items():
        for run in runs:
            outcomes += run
        # Every case passed and still the program failed: a sanitizer's report at exit, a crash, a timeout.
        explained = sum(any(outcome == "failed" for _, outcome, _ in run) for run in runs)
        for _ in range(bad_runs[program] - explained):
            outcomes.append((program, "failed", "the program failed outside of its cases"))
    for wanted in ("skipped", "failed"):
        for name, outcome, reason in outcomes:
            if outcome == wanted:
                print(f"{wanted}: {label}: {name}: {reason}", file=sys.stderr)
    count = collections.Counter(outcome for _, outcome, _ in outcomes)
    print(count["passed"], count["failed"], count["skipped"])


if __name__ == "__main__":
    main()
