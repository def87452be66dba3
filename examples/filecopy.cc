// SPDX-License-Identifier: Apache-2.0
//
// Copies a file over one NetChannel socket, in C++. The receiver confirms with one byte that all of
// it is written.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "netchannel/netchannel.hpp"

namespace {

constexpr size_t kBlock = 1 << 20;

int Fail(const std::string& what, const std::error_code& ec) {
  std::cerr << "filecopy: " << what << ": " << ec.message() << "\n";
  return 1;
}

int SendFile(const nc::Stack& stack, const nc::Address& to, std::istream& file) {
  std::error_code ec;
  nc::Socket socket = nc::Socket::Create(stack, ec);
  if (!socket) return Fail("create", ec);
  if (!socket.Connect(to, ec)) return Fail("connect to " + to.ToString(), ec);
  std::vector<char> block(kBlock);
  while (file.read(block.data(), kBlock) || file.gcount() > 0) {
    const auto got = static_cast<size_t>(file.gcount());
    if (socket.Send(block.data(), got, ec) != got) return Fail("send", ec);
  }
  if (file.bad()) return Fail("read", std::make_error_code(std::errc::io_error));
  if (!socket.Shutdown(SHUT_WR, ec)) return Fail("shutdown", ec);
  if (socket.Receive(block.data(), 1, ec) != 1) return Fail("the receiver did not confirm", ec);
  return 0;
}

int ReceiveFile(const nc::Stack& stack, const nc::Address& at, std::ostream& file) {
  std::error_code ec;
  nc::Socket listener = nc::Socket::Create(stack, ec);
  if (!listener) return Fail("create", ec);
  if (!listener.Bind(at, ec)) return Fail("bind", ec);
  if (!listener.Listen(1, ec)) return Fail("listen", ec);
  nc::Socket socket = listener.Accept(ec);
  if (!socket) return Fail("accept", ec);
  std::vector<char> block(kBlock);
  while (const size_t got = socket.Receive(block.data(), kBlock, ec)) {
    if (!file.write(block.data(), static_cast<std::streamsize>(got))) break;
  }
  if (ec) return Fail("receive", ec);
  if (!file.flush()) return Fail("write", std::make_error_code(std::errc::io_error));
  // Closing waits until the confirmation is acknowledged.
  socket.SetOption(NC_LINGER_MS, 5000, ec);
  return socket.Send("", 1, ec) == 1 ? 0 : Fail("confirm", ec);
}

int Usage() {
  std::cerr << "usage: filecopy send INTERFACE IP PORT FILE\n"
               "       filecopy receive INTERFACE PORT FILE\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv, argv + argc);
  const bool sender = argc == 6 && arguments[1] == "send";
  const bool receiver = argc == 5 && arguments[1] == "receive";
  if (!sender && !receiver) return Usage();
  const std::string& path = arguments.back();
  std::fstream file(path,
                    std::ios::binary | (sender ? std::ios::in : std::ios::out | std::ios::trunc));
  if (!file) return Fail(path, std::error_code(errno, std::system_category()));
  const auto port = static_cast<uint16_t>(std::atoi(argv[sender ? 4 : 3]));
  const nc::Address address = nc::Address::Parse(sender ? arguments[3] : "0.0.0.0", port);
  if (!address) return Fail(arguments[3], std::make_error_code(std::errc::invalid_argument));
  std::error_code ec;
  const nc::Stack stack = nc::Stack::Start(arguments[2], ec);
  if (!stack) {
    std::cerr << "filecopy: " << nc::LastError() << "\n";
    return 1;
  }
  return sender ? SendFile(stack, address, file) : ReceiveFile(stack, address, file);
}
