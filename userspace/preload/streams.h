// SPDX-License-Identifier: Apache-2.0
//
// stdio on a known socket. glibc's streams read and write past the names that a library can take
// over, so that a FILE on a known socket must be one of fopencookie(), whose functions are ours.
// fileno() of such a stream is -1 in glibc, and the socket's number here.
//
// Thread: any.
#pragma once

namespace netchannel::preload {

// At the start: a standard stream that is a virtual socket (a program started by inetd and its
// kind) becomes a stream of ours, for stdio and for iostreams. The libc of a fopencookie() stream
// has no wide characters on it: std::wcout and putwc() fail there.
void TakeStandardStreams();

// Around fork().
void LockStreams();
void UnlockStreams();

}  // namespace netchannel::preload
