// SPDX-License-Identifier: Apache-2.0
#include "cli/status_table.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace netchannel::cli {
namespace {

std::string Render(const char* text) {
  return RenderStatus(nlohmann::ordered_json::parse(text, nullptr, false));
}

TEST(StatusTable, AlignsTheValuesOfAnObject) {
  EXPECT_EQ(Render(R"({"mtu": 1500, "interface": "eth0"})"),
            "mtu        1500\n"
            "interface  eth0\n");
}

TEST(StatusTable, ShowsAnObjectUnderItsName) {
  EXPECT_EQ(Render(R"({"device": {"mode": "copy"}})"),
            "device\n"
            "  mode  copy\n");
}

TEST(StatusTable, MakesAColumnOfEachMemberAndAlignsNumbersRight) {
  EXPECT_EQ(Render(R"({"lanes": [{"lane": 0, "class": "latency"}, {"lane": 10, "class": "x"}]})"),
            "lanes (2)\n"
            "  lane  class\n"
            "     0  latency\n"
            "    10  x\n");
}

TEST(StatusTable, ShowsADashForAMemberThatARowLacks) {
  EXPECT_EQ(Render(R"({"l": [{"a": 1}, {"b": 2}]})"),
            "l (2)\n"
            "  a  b\n"
            "  1  -\n"
            "  -  2\n");
}

TEST(StatusTable, LiftsATableOutOfARowAndLeadsItWithTheRowsFirstMember) {
  EXPECT_EQ(Render(R"({"sessions": [{"peer": "p", "channels": [{"n": 0}, {"n": 1}]}]})"),
            "sessions (1)\n"
            "  peer\n"
            "  p\n"
            "channels (2)\n"
            "  peer  n\n"
            "  p     0\n"
            "  p     1\n");
}

TEST(StatusTable, PutsAListOfValuesOnOneLine) {
  EXPECT_EQ(Render(R"({"addresses": ["10.0.0.1", "fd00::1"], "none": []})"),
            "addresses  10.0.0.1 fd00::1\n"
            "none       -\n");
}

TEST(StatusTable, SurvivesTextThatIsNotUtf8) {
  nlohmann::ordered_json status;
  status["name"] = nlohmann::ordered_json::array({std::string("\xff")});
  EXPECT_NE(RenderStatus(status).find("name"), std::string::npos);
}

}  // namespace
}  // namespace netchannel::cli
