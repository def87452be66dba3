// SPDX-License-Identifier: Apache-2.0
//
// NetChannel's C++ API: owners with destructors over netchannel.h, header only, C++17, no other
// dependency.
//
// Errors are values, never exceptions. A function that can fail takes a std::error_code& as its
// last argument, sets it (to "no error" on success), and returns an empty owner, false, or 0 on
// failure. The codes are errno values in std::system_category(): compare with std::errc, as in
//
//   std::error_code ec;
//   nc::Stack stack = nc::Stack::Start("eth0", ec);
//   if (!stack) { std::cerr << nc::LastError() << "\n"; return 1; }
//   nc::Socket socket = nc::Socket::Create(stack, ec);
//   if (!socket.Connect(nc::Address::Parse("10.0.0.2", 7000), ec)) ...
//
// Owners: move-only; destroying a Socket closes it, a Set destroys it, a Stack stops it. A Stack
// outlives its Sockets and Sets. Threads, units and the meaning of each call: netchannel.h.
#ifndef NETCHANNEL_NETCHANNEL_HPP_
#define NETCHANNEL_NETCHANNEL_HPP_

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "netchannel/netchannel.h"

namespace nc {

// The message of this thread's last failed call that has one.
inline std::string LastError() { return nc_last_error(); }

namespace detail {

inline bool Check(bool succeeded, std::error_code& ec) {
  if (succeeded) {
    ec.clear();
  } else {
    ec.assign(errno, std::system_category());
  }
  return succeeded;
}

struct StopStack {
  void operator()(nc_stack* stack) const { nc_stack_stop(stack); }
};
struct CloseSocket {
  void operator()(nc_socket* socket) const { nc_close(socket); }
};
struct DestroySet {
  void operator()(nc_set* set) const { nc_set_destroy(set); }
};

}  // namespace detail

// An IPv4 or IPv6 address with a port. A value.
class Address {
 public:
  Address() { std::memset(&storage_, 0, sizeof(storage_)); }

  // From numbers, as "10.0.0.2" or "fd00::2"; names are not looked up. Invalid text gives an
  // address that is false, which every call refuses with EINVAL or EAFNOSUPPORT.
  static Address Parse(const std::string& text, uint16_t port) {
    Address address;
    sockaddr_in v4{};
    sockaddr_in6 v6{};
    if (inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
      v4.sin_family = AF_INET;
      v4.sin_port = htons(port);
      std::memcpy(&address.storage_, &v4, sizeof(v4));
      address.length_ = sizeof(v4);
    } else if (inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(port);
      std::memcpy(&address.storage_, &v6, sizeof(v6));
      address.length_ = sizeof(v6);
    }
    return address;
  }

  explicit operator bool() const { return length_ != 0; }
  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  sockaddr* data() { return reinterpret_cast<sockaddr*>(&storage_); }
  socklen_t length() const { return length_; }
  socklen_t* length_address() {
    length_ = sizeof(storage_);
    return &length_;
  }

  uint16_t port() const {
    if (length_ == 0) return 0;
    sockaddr_in v4;  // the port is at the same place in both families
    std::memcpy(&v4, &storage_, sizeof(v4));
    return ntohs(v4.sin_port);
  }

  std::string ToString() const {  // "10.0.0.2:80", "[fd00::2]:80", or empty
    char text[INET6_ADDRSTRLEN] = "";
    if (length_ == sizeof(sockaddr_in)) {
      const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage_);
      inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
      return std::string(text).append(":").append(std::to_string(port()));
    }
    if (length_ == sizeof(sockaddr_in6)) {
      const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage_);
      inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
      return std::string("[").append(text).append("]:").append(std::to_string(port()));
    }
    return {};
  }

 private:
  sockaddr_storage storage_;
  socklen_t length_ = 0;
};

class Stack {
 public:
  Stack() = default;

  // As nc_stack_start; why it failed is in LastError().
  static Stack Start(const std::string& interface, std::error_code& ec) {
    return Started(nc_stack_start(interface.c_str(), nullptr), ec);
  }
  static Stack Start(const std::string& interface, const std::string& config_path,
                     std::error_code& ec) {
    return Started(
        nc_stack_start(interface.empty() ? nullptr : interface.c_str(), config_path.c_str()), ec);
  }

  // As nc_stack_connect: the stack that all processes of the host share. Empty: the default path.
  static Stack Connect(const std::string& socket_path, std::error_code& ec) {
    return Started(nc_stack_connect(socket_path.empty() ? nullptr : socket_path.c_str()), ec);
  }

  std::string Status(std::error_code& ec) const {  // JSON
    std::unique_ptr<char, void (*)(void*)> text(nc_stack_status(get()), &std::free);
    return detail::Check(text != nullptr, ec) ? std::string(text.get()) : std::string();
  }

  explicit operator bool() const { return stack_ != nullptr; }
  nc_stack* get() const { return stack_.get(); }

 private:
  static Stack Started(nc_stack* started, std::error_code& ec) {
    Stack stack;
    stack.stack_.reset(started);
    detail::Check(started != nullptr, ec);
    return stack;
  }
  std::unique_ptr<nc_stack, detail::StopStack> stack_;
};

class Socket {
 public:
  Socket() = default;
  explicit Socket(nc_socket* owned) : socket_(owned) {}

  // flags: 0 or SOCK_NONBLOCK.
  static Socket Create(const Stack& stack, std::error_code& ec, int flags = 0) {
    Socket socket(nc_socket_create(stack.get(), flags));
    detail::Check(static_cast<bool>(socket), ec);
    return socket;
  }

  // The socket that `fd` stands for (nc_socket_adopt); the descriptor stays the caller's.
  static Socket Adopt(const std::string& socket_path, int fd, std::error_code& ec) {
    Socket socket(nc_socket_adopt(socket_path.empty() ? nullptr : socket_path.c_str(), fd));
    detail::Check(static_cast<bool>(socket), ec);
    return socket;
  }
  // The descriptor that stands for the socket, from now on the caller's to close (nc_socket_fd):
  // the connection lives as long as a copy of it is open, in any process. -1 on failure.
  int Descriptor(std::error_code& ec) {
    const int fd = nc_socket_fd(get());
    detail::Check(fd >= 0, ec);
    return fd;
  }

  bool Bind(const Address& local, std::error_code& ec) {
    return detail::Check(nc_bind(get(), local.data(), local.length()) == 0, ec);
  }
  bool Listen(int backlog, std::error_code& ec) {
    return detail::Check(nc_listen(get(), backlog) == 0, ec);
  }
  // `peer` may be nullptr.
  Socket Accept(std::error_code& ec, Address* peer = nullptr, int flags = 0) {
    Address ignored;
    Address& address = peer != nullptr ? *peer : ignored;
    Socket socket(nc_accept(get(), address.data(), address.length_address(), flags));
    detail::Check(static_cast<bool>(socket), ec);
    return socket;
  }
  bool Connect(const Address& peer, std::error_code& ec) {
    return detail::Check(nc_connect(get(), peer.data(), peer.length()) == 0, ec);
  }

  // The bytes sent: with a blocking socket all, unless an error, a timeout or a signal came in
  // between.
  size_t Send(const void* data, size_t length, std::error_code& ec, int flags = 0) {
    return Count(nc_send(get(), data, length, flags), ec);
  }
  // The bytes received; 0 without an error is the end of the stream.
  size_t Receive(void* data, size_t length, std::error_code& ec, int flags = 0) {
    return Count(nc_recv(get(), data, length, flags), ec);
  }
  size_t Send(const iovec* parts, int count, std::error_code& ec, int flags = 0) {
    return Count(nc_sendv(get(), parts, count, flags), ec);
  }
  size_t Receive(const iovec* parts, int count, std::error_code& ec, int flags = 0) {
    return Count(nc_recvv(get(), parts, count, flags), ec);
  }

  bool Shutdown(int how, std::error_code& ec) {
    return detail::Check(nc_shutdown(get(), how) == 0, ec);
  }
  void Close() { socket_.reset(); }

  Address LocalAddress(std::error_code& ec) const { return Name(&nc_getsockname, ec); }
  Address PeerAddress(std::error_code& ec) const { return Name(&nc_getpeername, ec); }

  bool SetOption(nc_option option, int value, std::error_code& ec) {
    return detail::Check(nc_setopt(get(), option, value) == 0, ec);
  }
  int GetOption(nc_option option, std::error_code& ec) const {
    int value = 0;
    detail::Check(nc_getopt(get(), option, &value) == 0, ec);
    return value;
  }
  unsigned Ready() const { return nc_ready(get()); }

  explicit operator bool() const { return socket_ != nullptr; }
  nc_socket* get() const { return socket_.get(); }
  nc_socket* release() { return socket_.release(); }

 private:
  static size_t Count(ssize_t result, std::error_code& ec) {
    return detail::Check(result >= 0, ec) ? static_cast<size_t>(result) : 0;
  }
  Address Name(int (*function)(nc_socket*, sockaddr*, socklen_t*), std::error_code& ec) const {
    Address address;
    if (!detail::Check(function(get(), address.data(), address.length_address()) == 0, ec))
      return {};
    return address;
  }

  std::unique_ptr<nc_socket, detail::CloseSocket> socket_;
};

class Set {
 public:
  Set() = default;

  static Set Create(const Stack& stack, std::error_code& ec) {
    Set set;
    set.set_.reset(nc_set_create(stack.get()));
    detail::Check(set.set_ != nullptr, ec);
    return set;
  }

  // NC_* bits, with NC_EDGE and NC_ONESHOT; events 0 removes.
  bool Watch(const Socket& socket, unsigned events, void* data, std::error_code& ec) {
    return detail::Check(nc_set_watch(get(), socket.get(), events, data) == 0, ec);
  }
  // The number of events; 0 without an error is a timeout. timeout_ms -1: none.
  int Wait(nc_event* events, int capacity, int timeout_ms, std::error_code& ec) {
    const int count = nc_set_wait(get(), events, capacity, timeout_ms);
    return detail::Check(count >= 0, ec) ? count : 0;
  }
  int Descriptor(std::error_code& ec) {
    const int fd = nc_set_fd(get());
    detail::Check(fd >= 0, ec);
    return fd;
  }

  explicit operator bool() const { return set_ != nullptr; }
  nc_set* get() const { return set_.get(); }

 private:
  std::unique_ptr<nc_set, detail::DestroySet> set_;
};

}  // namespace nc

#endif  // NETCHANNEL_NETCHANNEL_HPP_
