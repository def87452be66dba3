// SPDX-License-Identifier: Apache-2.0
//
// The part of a stack's status that answers "which path did my connection take, and why": the
// connections that are on NetChannel, whose they are, and those that lately went over the kernel's
// TCP instead. Thread: any. Errors: what the status lacks is left out.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace netchannel::cli {

nlohmann::ordered_json SelectConnections(const nlohmann::ordered_json& status);

}  // namespace netchannel::cli
