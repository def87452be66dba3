// SPDX-License-Identifier: Apache-2.0
//
// `netchannel steer show`: what the pinned maps of an interface hold now, stack or no stack.
#pragma once

#include "absl/status/status.h"
#include "netdriver/xdp/steering_maps.h"

namespace netchannel::cli {

absl::Status ShowSteering(xdp::SteeringMaps& maps);

}  // namespace netchannel::cli
