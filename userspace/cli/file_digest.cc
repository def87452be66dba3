// SPDX-License-Identifier: Apache-2.0
#include "cli/file_digest.h"

#include <openssl/evp.h>

namespace netchannel::cli {

absl::StatusOr<Digest> Sha256(absl::Span<const std::byte> bytes) {
  Digest digest;
  unsigned length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1 ||
      length != digest.size()) {
    return absl::InternalError("OpenSSL cannot compute SHA-256");
  }
  return digest;
}

}  // namespace netchannel::cli
