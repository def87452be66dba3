#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
import contextlib
import io
import json
import pathlib
import tempfile
import unittest
from unittest import mock

import bench
from compare import against_limit


def interrupted(_context):
    raise KeyboardInterrupt


def failing(_context):
    raise RuntimeError("no link")


def one_row(_context):
    return [against_limit("one", "MiB", [1.0], 2.0)]


class JsonFileTest(unittest.TestCase):
    def run_bench(self, path, catalogue):
        errors = io.StringIO()
        with mock.patch.dict(bench.CATALOGUE, catalogue, clear=True), mock.patch("signal.signal"), \
                contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(errors):
            try:
                return bench.main(["--binary", "/a/b/c/netchannel", "--json", str(path)]), errors.getvalue()
            except (SystemExit, KeyboardInterrupt) as end:
                return end, errors.getvalue()

    def names_in(self, path):
        return [json.loads(line)["name"] for line in path.read_text().splitlines()]

    def test_an_interrupt_keeps_the_rows_before_it(self):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "rows.json"
            end, _ = self.run_bench(path, {"one": one_row, "two": interrupted})
            self.assertIsInstance(end, KeyboardInterrupt)
            self.assertEqual(self.names_in(path), ["one"])

    def test_a_failure_does_not_end_the_others(self):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "rows.json"
            status, errors = self.run_bench(path, {"bad": failing, "one": one_row})
            self.assertEqual(status, 1)
            self.assertIn("bad: no link", errors)
            self.assertEqual(self.names_in(path), ["one"])

    def test_a_file_that_cannot_be_written_is_refused_before_measuring(self):
        measured = mock.Mock(side_effect=one_row)
        end, errors = self.run_bench(pathlib.Path("/nonexistent/rows.json"), {"one": measured})
        self.assertIsInstance(end, SystemExit)
        self.assertIn("/nonexistent/rows.json", errors)
        measured.assert_not_called()


if __name__ == "__main__":
    unittest.main()
