# SPDX-License-Identifier: Apache-2.0
import argparse
import contextlib
import io
import json
import sys
import unittest
from unittest import mock
from xml.etree import ElementTree

import experiments_systems
from experiments import measure_at
from experiments_page import page
from experiments_plot import Axes, linear_ticks, log_ticks
from experiments_results import Experiment, Metric, to_json
from experiments_runs import PLANS, Plan
from experiments_systems import TCP, URING, UringLink, over, place, unavailable, why_no_start

MACHINE = {"cpu": "Made-up <CPU> & more", "cores": 2}
METRICS = (Metric("goodput", "Gbit/s"), Metric("P99", "us", True))


def made_up():
    experiment = Experiment("long", "Long & <b>bold</b>", "copy workers", list(METRICS), "how <i>", "paper \"said\"",
                            [1, 4], ["ours", "theirs <tcp>", "io_uring"],
                            not_measured={"io_uring": "there is no <such> transport"})
    experiment.add(1, "ours", [{"goodput": 1.0, "P99": 10.0}, {"goodput": 3.0, "P99": 30.0},
                               {"goodput": 2.5, "P99": 900.0}])
    experiment.add(4, "ours", [{"goodput": 8.0, "P99": 20.0}])
    experiment.add(1, "theirs <tcp>", [{"goodput": 4.0}])  # a run without the other metric
    return experiment


def page_of(experiment):
    """Parsed: what is not well-formed raises."""
    return ElementTree.fromstring(page(MACHINE, [experiment]).partition("\n")[2])


def words(element):
    return " ".join("".join(element.itertext()).split())


class Results(unittest.TestCase):
    def test_a_row_is_the_median_and_the_range_of_the_rounds(self):
        row = made_up().of("goodput", "ours")[0]
        self.assertEqual((row.x, row.median, row.min, row.max, row.values), (1, 2.5, 1.0, 3.0, [1.0, 3.0, 2.5]))

    def test_a_metric_that_no_run_has_makes_no_row(self):
        self.assertEqual(made_up().of("P99", "theirs <tcp>"), [])

    def test_json_has_the_machine_the_rows_and_what_was_not_measured(self):
        read = json.loads(to_json(MACHINE, [made_up()]))
        self.assertEqual(read["machine"], MACHINE)
        experiment = read["experiments"][0]
        self.assertEqual(len(experiment["rows"]), 5)
        self.assertEqual(experiment["rows"][0], {"metric": "goodput", "unit": "Gbit/s", "x": 1, "series": "ours",
                                                 "values": [1.0, 3.0, 2.5], "median": 2.5, "min": 1.0, "max": 3.0})
        self.assertEqual(experiment["not_measured"], {"io_uring": "there is no <such> transport"})


class Page(unittest.TestCase):
    def test_text_is_escaped(self):
        text = page(MACHINE, [made_up()])
        for raw in ("<CPU>", "<b>bold", "<i>", "<tcp>", "<such>"):
            self.assertNotIn(raw, text)
        shown = words(page_of(made_up()))
        for raw in ("Made-up <CPU> & more", "Long & <b>bold</b>", "theirs <tcp>"):
            self.assertIn(raw, shown)

    def test_a_series_that_is_missing_is_named_with_its_reason(self):
        legend = [words(item) for item in page_of(made_up()).iter("li")]
        self.assertIn("io_uring: not measured: there is no <such> transport", legend)
        self.assertIn("ours", legend)

    def test_a_failure_is_shown(self):
        experiment = made_up()
        experiment.failures.append("theirs <tcp> at 4: it broke")
        self.assertIn("failed: theirs <tcp> at 4: it broke", words(page_of(experiment)))

    def test_each_metric_has_a_plot_with_its_points_and_units(self):
        svg = "{http://www.w3.org/2000/svg}"
        plots = [plot for plot in page_of(made_up()).iter(svg + "svg") if plot.get("role") == "img"]
        titles = [[title.text for title in plot.iter(svg + "title")] for plot in plots]
        self.assertEqual(titles, [
            ["ours, 1: 2.5 Gbit/s (1 to 3)", "ours, 4: 8 Gbit/s (8 to 8)", "theirs <tcp>, 1: 4 Gbit/s (4 to 4)"],
            ["ours, 1: 30 us (10 to 900)", "ours, 4: 20 us (20 to 20)"]])
        self.assertIn("P99 (us) (logarithmic)", words(plots[1]))
        self.assertIn("copy workers", words(plots[0]))

    def test_the_page_needs_no_other_file(self):
        text = page(MACHINE, [made_up()])
        for reference in ("src=", "href=", "@import", "url(", "<script"):
            self.assertNotIn(reference, text)

    def test_an_experiment_without_rows_says_so(self):
        experiment = made_up()
        experiment.rows.clear()
        self.assertIn("Nothing was measured.", words(page_of(experiment)))


class Scales(unittest.TestCase):
    def test_linear_ticks_begin_at_0_and_reach_the_most(self):
        self.assertEqual(linear_ticks(10), [0, 2, 4, 6, 8, 10])
        self.assertGreaterEqual(linear_ticks(0.93)[-1], 0.93)

    def test_logarithmic_ticks_enclose_all(self):
        self.assertEqual(log_ticks(20, 3000), [10, 100, 1000, 10000])
        self.assertEqual(log_ticks(10, 10), [10, 100])

    def test_a_value_is_between_its_ticks(self):
        axes = Axes([1, 2, 8], [20.0, 200.0, 2000.0], True)
        self.assertAlmostEqual(axes.y(200.0) - axes.y(2000.0), axes.y(20.0) - axes.y(200.0))
        self.assertAlmostEqual((axes.x(2) - axes.x(1)) * 6, axes.x(8) - axes.x(2))

    def test_0_makes_a_logarithmic_axis_linear(self):
        self.assertFalse(Axes([1, 2], [0.0, 5.0], True).log)


class Runs(unittest.TestCase):
    """What measure_at makes of a system that fails: the others go on."""

    def measured(self, broken_at_start=False):
        @contextlib.contextmanager
        def at(_, x, system):
            if system == "bad" and broken_at_start:
                raise RuntimeError("no place")

            def run():
                if system == "bad":
                    raise RuntimeError("no run")
                return {"goodput": float(x)}

            yield run

        plan = Plan("t", "x", METRICS, "h", "p", (2,), (2,), at)
        experiment = Experiment("n", "t", "x", list(METRICS), "h", "p", [2], ["bad", "good"])
        with contextlib.redirect_stderr(io.StringIO()):
            measure_at(argparse.Namespace(rounds=3), plan, 2, ["bad", "good"], experiment)
        return experiment

    def test_a_run_that_fails_is_reported_once_and_the_others_go_on(self):
        experiment = self.measured()
        self.assertEqual(experiment.failures, ["bad at 2: no run"])
        self.assertEqual([(row.series, row.values) for row in experiment.rows], [("good", [2.0, 2.0, 2.0])])

    def test_so_is_a_place_that_cannot_be_made(self):
        experiment = self.measured(broken_at_start=True)
        self.assertEqual(experiment.failures, ["bad at 2: no place"])
        self.assertEqual(len(experiment.rows), 1)


class Systems(unittest.TestCase):
    def unavailable(self, plan, refusal):
        with mock.patch.object(experiments_systems, "why_no_uring", lambda _: refusal), \
                mock.patch.object(experiments_systems, "why_no_mptcp", lambda _: None):
            return unavailable(argparse.Namespace(), plan.own_programs)

    def test_io_uring_is_measured_by_programs_of_our_own(self):
        for name in ("long-flow", "short-messages", "isolation", "overhead"):
            self.assertEqual(self.unavailable(PLANS[name], None), {})

    def test_redis_has_none(self):
        self.assertEqual(list(self.unavailable(PLANS["redis"], None)), [URING])

    def test_a_kernel_that_refuses_it_is_the_reason(self):
        self.assertEqual(self.unavailable(PLANS["isolation"], "not permitted"), {URING: "not permitted"})

    def test_only_its_link_is_used_by_io_uring(self):
        places = {system: place(argparse.Namespace(), system, 1500) for system in (TCP, URING)}
        self.assertIsInstance(places[URING], UringLink)
        self.assertEqual({system: over(link) for system, link in places.items()}, {TCP: "tcp", URING: "tcp-uring"})

    def test_what_does_not_start_says_why_and_what_does_is_stopped(self):
        refuses = "import sys; sys.exit('netchannel: io_uring_setup: not permitted')"
        self.assertIn("io_uring_setup: not permitted", why_no_start([sys.executable, "-c", refuses]))
        serves = "import time; print('ready', flush=True); time.sleep(60)"
        self.assertIsNone(why_no_start([sys.executable, "-c", serves]))


if __name__ == "__main__":
    unittest.main()
