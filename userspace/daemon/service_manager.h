// SPDX-License-Identifier: Apache-2.0
//
// What the service manager is told (sd_notify(3)): one datagram to $NOTIFY_SOCKET. Without one
// nothing happens.
//
// Thread: any.
#pragma once

#include <optional>

#include "absl/strings/string_view.h"
#include "base/units.h"

namespace netchannel {

// "READY=1", "STOPPING=1", "WATCHDOG=1"; several are separated by newlines.
void NotifyServiceManager(absl::string_view state);

// The service manager restarts us when it has not heard WATCHDOG=1 for this long; nothing: never.
std::optional<Duration> WatchdogPeriod();

}  // namespace netchannel
