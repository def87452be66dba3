// SPDX-License-Identifier: Apache-2.0
//
// SHA-256 (FIPS 180-4) of bytes in memory, by OpenSSL.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace netchannel::cli {

using Digest = std::array<uint8_t, 32>;

absl::StatusOr<Digest> Sha256(absl::Span<const std::byte> bytes);

}  // namespace netchannel::cli
