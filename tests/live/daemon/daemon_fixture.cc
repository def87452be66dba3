// SPDX-License-Identifier: Apache-2.0
#include "daemon_fixture.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "ipc/control.h"
#include "ipc/fd_message.h"

namespace netchannel::test {
namespace {

namespace fs = std::filesystem;

uint64_t KibOf(pid_t process, const std::string& field) {
  std::ifstream file("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(field + ":", 0) == 0)
      return std::strtoull(line.c_str() + field.size() + 1, nullptr, 10);
  }
  return 0;
}

// How many files a process has open, and how many of them are named `name`.
std::pair<size_t, size_t> FilesOf(pid_t process, const std::string& name) {
  size_t all = 0, named = 0;
  std::error_code ignored;
  for (const auto& entry :
       fs::directory_iterator("/proc/" + std::to_string(process) + "/fd", ignored)) {
    ++all;
    const fs::path target = fs::read_symlink(entry.path(), ignored);
    named += target.string().find(name) != std::string::npos;
  }
  return {all, named};
}

}  // namespace

bool RawClient::IsDisconnected() const {
  char byte;
  const ssize_t got = recv(control.get(), &byte, 1, MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EAGAIN);
}

bool RawClient::Send(const void* message, size_t size, int fd) const {
  const int fds[] = {fd};
  return ipc::SendMessage(control.get(), message, size, absl::MakeConstSpan(fds, fd >= 0 ? 1 : 0),
                          MSG_DONTWAIT);
}

bool Usage::SameObjects(const Usage& other) const {
  return applications == other.applications && connections == other.connections &&
         descriptors == other.descriptors && sockets == other.sockets && files == other.files &&
         memory_files == other.memory_files && guardian_files == other.guardian_files;
}

std::string Usage::ToString() const {
  std::ostringstream text;
  text << applications << " applications, " << connections << " connections, " << descriptors
       << " descriptors of sockets, " << sockets << " sockets, " << files << " files ("
       << memory_files << " regions), " << guardian_files << " of the guardian, " << anonymous_kib
       << " KiB of its own, " << shared_kib << " KiB shared";
  return text.str();
}

void DaemonTest::SetUp() {
  StackTest::SetUp();
  if (IsSkipped()) return;
  ASSERT_NO_FATAL_FAILURE(MakeHosts(1500));
}

void DaemonTest::StartDaemons(const Words& more) {
  for (const int end : {kA, kB}) {
    Words words = {std::getenv("NETCHANNEL_DAEMON_BINARY"),
                   "--interface",
                   NamespacePair::kInterface,
                   "--set",
                   "daemon.socket=" + Socket(end),
                   "--set",
                   "status.status_directory=" + StatusDirectory(end)};
    for (const std::string& setting : more) words.insert(words.end(), {"--set", setting});
    daemons_.emplace_back(StartIn(end, words));
    ASSERT_TRUE(daemons_.back().WaitForOutput("ready\n")) << daemons_.back().err();
  }
}

void DaemonTest::TearDown() {
  for (nc_stack* stack : stacks_) nc_stack_stop(stack);
  daemons_.clear();
  StackTest::TearDown();
}

nc_stack* DaemonTest::Connect(int end) {
  stacks_.push_back(nc_stack_connect(Socket(end).c_str()));
  EXPECT_NE(stacks_.back(), nullptr) << nc_last_error();
  return stacks_.back();
}

RawClient DaemonTest::ConnectRaw(int end) {
  UniqueFd control(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, Socket(end).c_str(), sizeof(address.sun_path) - 1);
  EXPECT_EQ(connect(control.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  const ipc::HelloMessage hello{ipc::MakeControlHead(ipc::ControlType::kHello),
                                ipc::HelloPurpose::kNewRegion};
  EXPECT_TRUE(ipc::SendMessage(control.get(), &hello, sizeof(hello), {}));
  ipc::WelcomeMessage welcome{};
  auto received = ipc::ReceiveMessage(control.get(), &welcome, sizeof(welcome));
  EXPECT_EQ(received.fd_count, 2u);
  auto region = ipc::Region::Map(received.fds[0].Release());
  EXPECT_TRUE(region.ok()) << region.status();
  return {std::move(control), std::move(received.fds[1]), *std::move(region)};
}

sockaddr_in DaemonTest::AddressOf(int end, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  inet_pton(AF_INET, NamespacePair::Address(end).c_str(), &address.sin_addr);
  return address;
}

void DaemonTest::MakeConnection(nc_stack* a, nc_stack* b) {
  // What a daemon opens once, at the first wake-up of a set, is no leak.
  for (nc_stack* stack : {a, b}) ASSERT_NE(nc_set_create(stack), nullptr);
  stack_a_ = a;
  const sockaddr_in address = AddressOf(kB);
  nc_socket* const listener = nc_socket_create(b, 0);
  ASSERT_EQ(nc_bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(nc_listen(listener, 8), 0);
  client_ = nc_socket_create(a, 0);
  ASSERT_EQ(nc_connect(client_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0)
      << std::strerror(errno);
  server_ = nc_accept(listener, nullptr, nullptr, 0);
  ASSERT_NE(server_, nullptr) << std::strerror(errno);
}

Usage DaemonTest::UsageOf(int end) {
  const Json status = StatusOf(end);
  const Json daemon = status.value("daemon", Json::object());
  const pid_t process = daemons_[static_cast<size_t>(end)].pid();
  Usage usage;
  usage.applications = daemon.value("applications", uint64_t{0});
  usage.connections = daemon.value("connections", uint64_t{0});
  usage.descriptors = daemon.value("descriptors", uint64_t{0});
  usage.sockets = status.value("counters", Json::object()).value("sockets", uint64_t{0});
  std::tie(usage.files, usage.memory_files) = FilesOf(process, "memfd:netchannel");
  usage.guardian_files = FilesOf(daemon.value("guardian_pid", 0), "").first;
  usage.anonymous_kib = KibOf(process, "RssAnon");
  usage.shared_kib = KibOf(process, "RssShmem");
  return usage;
}

void DaemonTest::ExpectBackAt(int end, const Usage& baseline) {
  Usage now;
  const bool back = Eventually(daemons_[static_cast<size_t>(end)], [&] {
    now = UsageOf(end);
    return now.SameObjects(baseline);
  });
  EXPECT_TRUE(back) << "host " << (end == kA ? "a" : "b") << "\nwas: " << baseline.ToString()
                    << "\n is: " << now.ToString();
}

uint64_t DaemonTest::CpuMillis(int end) const {
  const pid_t process = daemons_[static_cast<size_t>(end)].pid();
  // The first number: time on a CPU, ns, of the main thread alone in /proc/PID/schedstat.
  uint64_t nanos = 0;
  for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
    std::ifstream file(task.path() / "schedstat");
    uint64_t of_thread = 0;
    file >> of_thread;
    nanos += of_thread;
  }
  return nanos / 1'000'000;
}

// ---- Survivors

Survivors::Survivors(nc_socket* from, nc_socket* to)
    : from_(from), to_(to), writer_([this] { Write(); }), reader_([this] { Read(); }) {}

void Survivors::Write() {
  std::vector<std::byte> block(kBlock);
  while (!stop_.load()) {
    pattern_.Fill(sent_.load(), absl::MakeSpan(block));
    const ssize_t put = nc_send(from_, block.data(), block.size(), 0);
    if (put <= 0) {
      intact_ = false;
      return;
    }
    sent_ += static_cast<uint64_t>(put);
  }
  nc_shutdown(from_, SHUT_WR);
}

void Survivors::Read() {
  std::vector<std::byte> block(kBlock);
  for (ssize_t got; (got = nc_recv(to_, block.data(), block.size(), 0)) != 0;) {
    const auto bytes =
        absl::MakeConstSpan(block.data(), static_cast<size_t>(std::max(got, ssize_t{0})));
    if (got < 0 || !pattern_.Matches(received_.load(), bytes)) {
      intact_ = false;
      return;
    }
    received_ += bytes.size();
  }
}

bool Survivors::Stop() {
  stop_ = true;
  if (writer_.joinable()) writer_.join();
  if (reader_.joinable()) reader_.join();
  return intact_.load() && sent_.load() == received_.load();
}

}  // namespace netchannel::test
