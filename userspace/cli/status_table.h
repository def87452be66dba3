// SPDX-License-Identifier: Apache-2.0
//
// A stack's status, JSON, as text for people. The stack decides what its status holds; here is only
// its form:
//   a value               a line "name  value"
//   an object             a heading, then its members
//   a list of objects     a heading with the number of them, then a table with a column for each
//   member a list of values      a line with all of them
// so a new figure in the stack is shown with no change here.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace netchannel::cli {

std::string RenderStatus(const nlohmann::ordered_json& status);

}  // namespace netchannel::cli
