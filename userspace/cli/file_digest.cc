// SPDX-License-Identifier: Apache-2.0
#include "cli/file_digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace netchannel::cli {
namespace {

constexpr uint64_t kChunk =
    256 * 1024;  // bytes of one read: caches hold them until they are hashed

absl::Status Failed() { return absl::InternalError("OpenSSL cannot compute SHA-256"); }

}  // namespace

absl::StatusOr<Digest> Sha256(const OpenFile& file) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) return Failed();
  std::vector<std::byte> chunk(std::min(kChunk, file.size()));
  for (uint64_t at = 0; at < file.size(); at += chunk.size()) {
    const auto part = absl::MakeSpan(chunk).first(std::min(kChunk, file.size() - at));
    if (auto status = file.ReadAt(at, part); !status.ok()) return status;
    if (EVP_DigestUpdate(context.get(), part.data(), part.size()) != 1) return Failed();
  }
  Digest digest;
  unsigned length = 0;
  if (EVP_DigestFinal_ex(context.get(), digest.data(), &length) != 1 || length != digest.size()) {
    return Failed();
  }
  return digest;
}

}  // namespace netchannel::cli
