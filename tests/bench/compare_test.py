# SPDX-License-Identifier: Apache-2.0
import unittest

from compare import against_limit, compare, in_turns


class Compare(unittest.TestCase):
    def test_ratio_is_the_median_of_the_rounds_ratios(self):
        row = compare("n", "u", [1.0, 4.0, 9.0], [1.0, 2.0, 3.0], "t", 2.0, more_is_better=True)
        self.assertEqual((row.ratio, row.ratio_min, row.ratio_max), (2.0, 1.0, 3.0))

    def test_target_is_a_lower_bound_where_more_is_better(self):
        self.assertTrue(compare("n", "u", [2.0], [2.0], "t", 1.0, more_is_better=True).met)
        self.assertFalse(compare("n", "u", [1.0], [2.0], "t", 1.0, more_is_better=True).met)

    def test_target_is_an_upper_bound_where_less_is_better(self):
        self.assertTrue(compare("n", "u", [1.0], [2.0], "t", 1.0, more_is_better=False).met)
        self.assertFalse(compare("n", "u", [3.0], [2.0], "t", 1.0, more_is_better=False).met)

    def test_without_a_target_nothing_is_met_or_missed(self):
        self.assertIsNone(compare("n", "u", [1.0], [2.0], "t", None, more_is_better=True).met)

    def test_a_limit_is_missed_above_it(self):
        self.assertTrue(against_limit("n", "u", [0.9], 1.0).met)
        self.assertFalse(against_limit("n", "u", [1.1], 1.0).met)

    def test_turns_alternate_who_is_first(self):
        order = []
        results = in_turns(2, lambda: order.append("a") or 1, lambda: order.append("b") or 2)
        self.assertEqual(order, ["a", "b", "b", "a"])
        self.assertEqual(results, [[1, 1], [2, 2]])


if __name__ == "__main__":
    unittest.main()
