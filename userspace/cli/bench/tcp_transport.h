// SPDX-License-Identifier: Apache-2.0
//
// Connections of the kernel's TCP: sockets are made, configured, connected and accepted here, by
// ordinary calls; who moves their bytes, and how, is the maker's matter. Owner: a stream has its
// socket. Errors: as OpenTransport; --congestion that the kernel does not offer is InvalidArgument.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "cli/bench/transport.h"

namespace netchannel::cli {

// A stream over a connected socket, whose calls spin if so asked.
using TcpStreamMaker = absl::StatusOr<std::unique_ptr<ByteStream>> (*)(UniqueFd socket, bool spin);

std::unique_ptr<Transport> MakeTcpTransport(const EndpointOptions& options,
                                            TcpStreamMaker make_stream);

}  // namespace netchannel::cli
