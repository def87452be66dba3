// SPDX-License-Identifier: Apache-2.0
//
// A connected stream socket through an io_uring.
//
// Sending: one IORING_OP_SEND for each Send or SendInPlace, never several in one. They gather in a
// chain of linked requests (IOSQE_IO_LINK), which goes to the kernel in one call when it is long
// enough or somebody needs it gone. A link starts when the one before it has been taken in full
// (MSG_WAITALL), and one chain is in flight at a time, so bytes keep their order also while the
// socket is full; that unlinked requests of one socket do not promise. All but a chain's last
// request complete silently, so a chain has one completion, its last or its first failure.
// Large data is sent from where it is, small data of a plain Send is copied first, so that the
// request may wait for the next call: a ping and the wait for its pong are one call to the kernel.
//
// Receiving: one multishot IORING_OP_RECV into the ring's buffers; it stays armed until they have
// run out. ReceiveInPlace leaves the bytes there, up to a buffer's of them at once.
//
// Not IORING_OP_SEND_ZC, and so no registered send buffers, which only that takes: between the ends
// of a veth pair the kernel copies zero-copy data all the same, only later (skb_orphan_frags_rx),
// and has pinned the pages and told of their release on top. Tried there, the sender's CPU time for
// a byte rose by three quarters.
//
// With `spin` the completion queue is polled in memory, and the kernel is entered only to submit,
// and when the queue says that there is work; else the thread sleeps in io_uring_enter.
//
// Invariants: a chain is being filled or in flight, never one of each. After an error of a send or
// a receive the stream stays at it. Thread: the one that made it. Owner: of the socket and the
// ring. The socket is a blocking one; the stream's end, also that by Ctrl-C in a call, is the
// connection's. Errors: errno as send(2) and recv(2) have it; of making one, UringRing's.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "cli/bench/transport.h"

namespace netchannel::cli {

absl::StatusOr<std::unique_ptr<ByteStream>> MakeUringStream(UniqueFd socket, bool spin);

}  // namespace netchannel::cli
