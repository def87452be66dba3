// SPDX-License-Identifier: Apache-2.0
//
// nc_setopt and nc_getopt: a table with a row per option. Options that the stack must know are sent
// to it as one record (Op::kSetOptions); the others live in the client.
#include <errno.h>

#include <algorithm>
#include <climits>
#include <cstdint>
#include <cstring>

#include "client/socket.h"
#include "ipc/socket_slot.h"

namespace netchannel {
namespace {

constexpr int kReadOnly = INT_MIN;

// The values that an option takes. lowest == kReadOnly: none.
struct Range {
  nc_option option;
  int lowest;
  int highest;
};

constexpr Range kRanges[] = {
    {NC_CLASS, 0, 1},
    {NC_WEIGHT, 1, 255},
    {NC_NONBLOCK, 0, 1},
    {NC_NODELAY, 0, 1},
    {NC_REUSEADDR, 0, 1},
    {NC_PROBE, 0, 1},
    {NC_REUSEPORT, 0, 1},
    {NC_KEEPALIVE, 0, 1},
    {NC_KEEPIDLE_MS, 1, INT_MAX},
    {NC_KEEPINTERVAL_MS, 1, INT_MAX},
    {NC_KEEPCOUNT, 1, 127},  // as TCP_KEEPCNT
    {NC_USER_TIMEOUT_MS, 0, INT_MAX},
    {NC_LINGER_MS, -1, INT_MAX},
    {NC_ERROR, kReadOnly, 0},
    {NC_SPIN, 0, 1},
    {NC_RECEIVE_QUEUE, kReadOnly, 0},
    {NC_SEND_QUEUE, kReadOnly, 0},
    {NC_SEND_TIMEOUT_MS, 0, INT_MAX},
    {NC_RECEIVE_TIMEOUT_MS, 0, INT_MAX},
    {NC_SEND_BUFFER, 1, INT_MAX},
    {NC_RECEIVE_BUFFER, 1, INT_MAX},
};

const Range* FindRange(nc_option option) {
  const auto* end = kRanges + sizeof(kRanges) / sizeof(kRanges[0]);
  const auto* found =
      std::find_if(kRanges, end, [&](const Range& row) { return row.option == option; });
  return found != end ? found : nullptr;
}

void SetBit(uint8_t bit, int value, uint8_t& bits) {
  bits = static_cast<uint8_t>(value != 0 ? bits | bit : bits & ~bit);
}

int ToInt(uint64_t bytes) { return static_cast<int>(std::min<uint64_t>(bytes, INT_MAX)); }

// Sets `value` in the record for the stack. False: the option is not one of its.
bool SetInRecord(nc_option option, int value, ipc::Options* record) {
  switch (option) {
    case NC_CLASS:
      record->app_class = static_cast<uint8_t>(value);
      return true;
    case NC_WEIGHT:
      record->weight = static_cast<uint16_t>(value);
      return true;
    case NC_REUSEADDR:
      SetBit(ipc::kReuseAddress, value, record->reuse);
      return true;
    case NC_REUSEPORT:
      SetBit(ipc::kReusePort, value, record->reuse);
      return true;
    case NC_PROBE:
      record->probe = static_cast<uint8_t>(value);
      return true;
    case NC_KEEPALIVE:
      record->keepalive = static_cast<uint8_t>(value);
      return true;
    case NC_KEEPIDLE_MS:
      record->keepalive_idle_ms = static_cast<uint32_t>(value);
      return true;
    case NC_KEEPINTERVAL_MS:
      record->keepalive_interval_ms = static_cast<uint32_t>(value);
      return true;
    case NC_KEEPCOUNT:
      record->keepalive_count = static_cast<uint16_t>(value);
      return true;
    case NC_USER_TIMEOUT_MS:
      record->user_timeout_ms = static_cast<uint32_t>(value);
      return true;
    case NC_LINGER_MS:
      record->linger_ms = value;
      return true;
    case NC_RECEIVE_BUFFER:
      record->receive_buffer = std::max(static_cast<uint32_t>(value), ipc::kMinReceiveBuffer);
      return true;
    default:
      return false;
  }
}

int GetFromRecord(const nc_socket* socket, nc_option option, const ipc::Options& record) {
  switch (option) {
    case NC_CLASS:
      return record.app_class == ipc::kNoClass ? 0 : record.app_class;
    case NC_WEIGHT:
      return std::max<int>(record.weight, 1);
    case NC_REUSEADDR:
      return (record.reuse & ipc::kReuseAddress) != 0 ? 1 : 0;
    case NC_REUSEPORT:
      return (record.reuse & ipc::kReusePort) != 0 ? 1 : 0;
    case NC_PROBE:
      return record.probe;
    case NC_KEEPALIVE:
      return record.keepalive;
    case NC_KEEPIDLE_MS:
      return static_cast<int>(record.keepalive_idle_ms);
    case NC_KEEPINTERVAL_MS:
      return static_cast<int>(record.keepalive_interval_ms);
    case NC_KEEPCOUNT:
      return record.keepalive_count;
    case NC_USER_TIMEOUT_MS:
      return static_cast<int>(record.user_timeout_ms);
    case NC_RECEIVE_BUFFER:
      return ToInt(ReceiveBufferOf(socket, record));
    default:
      return record.linger_ms;
  }
}

// 0, or errno. Precondition: the options' lock.
int SendRecord(nc_socket* socket, const ipc::Options& record) {
  ipc::CallRequest request;
  request.op = ipc::Op::kSetOptions;
  request.socket = socket->index;
  request.options = record;
  const int error = socket->home->calls.Execute(request).error;
  if (error == 0) KeepOptions(socket, record);
  return error;
}

// The client's own. Precondition: the options' lock.
void SetOwn(nc_socket* socket, nc_option option, int value) {
  ipc::SocketClient* client = socket->client;
  const auto ring = static_cast<int>(std::min<uint64_t>(socket->send_ring.size, INT_MAX));
  switch (option) {
    case NC_NONBLOCK:
      client->nonblocking.store(static_cast<uint32_t>(value), std::memory_order_relaxed);
      break;
    case NC_SPIN:
      client->spin.store(static_cast<uint32_t>(value), std::memory_order_relaxed);
      break;
    case NC_SEND_TIMEOUT_MS:
      client->send_timeout_ms.store(value, std::memory_order_relaxed);
      break;
    case NC_RECEIVE_TIMEOUT_MS:
      client->receive_timeout_ms.store(value, std::memory_order_relaxed);
      break;
    case NC_SEND_BUFFER:
      client->send_limit.store(
          static_cast<uint64_t>(std::clamp(value, static_cast<int>(ipc::kMinRingBytes), ring)),
          std::memory_order_relaxed);
      // The place where room begins has moved.
      AwaitRoom(socket);
      WakeOwnWaiters(socket);
      break;
    default:
      client->nodelay = static_cast<uint32_t>(value);
      break;
  }
}

int ReceiveQueue(const nc_socket* socket) {
  // A listener's ring holds connections.
  if (ipc::StateOf(socket->Flags()) == ipc::SlotState::kListening) return 0;
  return ToInt(socket->slot->received.load(std::memory_order_acquire) -
               socket->slot->consumed.load(std::memory_order_relaxed));
}

int SendQueue(const nc_socket* socket) {
  const uint64_t acknowledged = socket->slot->acknowledged.load(std::memory_order_acquire);
  return ToInt(socket->slot->written.load(std::memory_order_relaxed) - acknowledged);
}

int GetOwn(nc_socket* socket, nc_option option) {
  const ipc::SocketClient* client = socket->client;
  switch (option) {
    case NC_NONBLOCK:
      return socket->nonblocking() ? 1 : 0;
    case NC_SPIN:
      return static_cast<int>(client->spin.load(std::memory_order_relaxed));
    case NC_SEND_TIMEOUT_MS:
      return client->send_timeout_ms.load(std::memory_order_relaxed);
    case NC_RECEIVE_TIMEOUT_MS:
      return client->receive_timeout_ms.load(std::memory_order_relaxed);
    case NC_SEND_BUFFER:
      return ToInt(client->send_limit.load(std::memory_order_relaxed));
    case NC_ERROR:
      return TakeError(socket);
    case NC_RECEIVE_QUEUE:
      return ReceiveQueue(socket);
    case NC_SEND_QUEUE:
      return SendQueue(socket);
    default:
      return static_cast<int>(client->nodelay);
  }
}

}  // namespace
}  // namespace netchannel

using netchannel::Fail;

extern "C" {

int nc_setopt(nc_socket* socket, enum nc_option option, int value) {
  const auto* range = netchannel::FindRange(option);
  if (range == nullptr || range->lowest == netchannel::kReadOnly) return Fail(ENOPROTOOPT);
  if (value < range->lowest || value > range->highest) return Fail(EINVAL);
  const netchannel::SharedLockGuard lock(&socket->client->options_lock);
  netchannel::ipc::Options record = socket->client->options;
  if (!netchannel::SetInRecord(option, value, &record)) {
    netchannel::SetOwn(socket, option, value);
    return 0;
  }
  // The stack has it as it is.
  if (std::memcmp(&record, &socket->client->options, sizeof(record)) == 0) return 0;
  const int error = netchannel::SendRecord(socket, record);
  return error == 0 ? 0 : Fail(error);
}

int nc_getopt(nc_socket* socket, enum nc_option option, int* value) {
  if (value == nullptr) return Fail(EINVAL);
  if (netchannel::FindRange(option) == nullptr) return Fail(ENOPROTOOPT);
  const netchannel::SharedLockGuard lock(&socket->client->options_lock);
  const netchannel::ipc::Options& options = socket->client->options;
  netchannel::ipc::Options scratch = options;
  *value = netchannel::SetInRecord(option, 0, &scratch)
               ? netchannel::GetFromRecord(socket, option, options)
               : netchannel::GetOwn(socket, option);
  return 0;
}

}  // extern "C"
