// SPDX-License-Identifier: Apache-2.0
//
// SHA-256 (FIPS 180-4) of a file, by OpenSSL.
#pragma once

#include <array>
#include <cstdint>

#include "absl/status/statusor.h"
#include "cli/open_file.h"

namespace netchannel::cli {

using Digest = std::array<uint8_t, 32>;

// Of its size() bytes.
absl::StatusOr<Digest> Sha256(const OpenFile& file);

}  // namespace netchannel::cli
