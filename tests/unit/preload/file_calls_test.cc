// SPDX-License-Identifier: Apache-2.0
//
// stdio on sockets, sendfile and splice.
#include <stdio.h>
#include <sys/sendfile.h>

#include <thread>

#include "calls_fixture.h"

namespace {

using File = Calls;

TEST_F(File, StdioReadsAndWrites) {
  const int fd = Open("ECHO");
  FILE* stream = fdopen(fd, "r+");
  ASSERT_NE(stream, nullptr);
  EXPECT_EQ(fileno(stream), fd);
  ASSERT_EQ(fprintf(stream, "line %d\n", 1), 7);
  ASSERT_EQ(fflush(stream), 0);
  char line[64];
  ASSERT_NE(fgets(line, sizeof(line), stream), nullptr);
  EXPECT_STREQ(line, "line 1\n");
  EXPECT_EQ(dprintf(fd, "line %s\n", "two"), 9);
  ASSERT_NE(fgets(line, sizeof(line), stream), nullptr);
  EXPECT_STREQ(line, "line two\n");
  EXPECT_EQ(fclose(stream), 0);
  EXPECT_EQ(write(fd, "x", 1), -1);
  EXPECT_EQ(errno, EBADF);
}

TEST_F(File, StdioWorksWithAStreamEachWay) {
  const int fd = Open("ECHO");
  FILE* const out = fdopen(fd, "w");
  FILE* const in = fdopen(dup(fd), "r");
  const std::string text = Pattern(0, 300'000);
  std::thread writer([&] {
    EXPECT_EQ(fwrite(text.data(), 1, text.size(), out), text.size());
    EXPECT_EQ(fflush(out), 0);
    shutdown(fileno(out), SHUT_WR);
  });
  std::string back(text.size(), '\0');
  EXPECT_EQ(fread(back.data(), 1, back.size(), in), back.size());
  EXPECT_EQ(back, text);
  EXPECT_EQ(fgetc(in), EOF);
  EXPECT_TRUE(feof(in));
  writer.join();
  fclose(in);
  fclose(out);
}

FILE* TemporaryFile(const std::string& data) {
  FILE* file = tmpfile();
  fwrite(data.data(), 1, data.size(), file);
  fflush(file);
  return file;
}

TEST_F(File, SendfileSendsAFile) {
  const std::string data = Pattern(0, 3'000'000);
  FILE* const file = TemporaryFile(data);
  const int fd = Open("SINK");
  off_t offset = 1000;
  while (offset < static_cast<off_t>(data.size())) {
    ASSERT_GT(sendfile(fd, fileno(file), &offset, data.size()), 0) << strerror(errno);
  }
  ASSERT_EQ(lseek(fileno(file), 0, SEEK_SET), 0);
  EXPECT_EQ(sendfile(fd, fileno(file), nullptr, 1000), 1000);
  EXPECT_EQ(lseek(fileno(file), 0, SEEK_CUR), 1000);
  shutdown(fd, SHUT_WR);
  const uint32_t sum =
      Sum(Sum(0, std::string_view(data).substr(1000)), std::string_view(data).substr(0, 1000));
  EXPECT_EQ(ReadToEnd(fd), "3000000 " + std::to_string(sum) + "\n");
  EXPECT_EQ(sendfile(fileno(file), fd, nullptr, 10), -1);
  EXPECT_EQ(errno, EINVAL);
  close(fd);
  fclose(file);
}

TEST_F(File, SpliceDoesNotWaitWhenAskedNotTo) {
  const int fd = Open("ECHO");
  ASSERT_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
  int pipes[2];
  ASSERT_EQ(pipe(pipes), 0);
  EXPECT_EQ(splice(fd, nullptr, pipes[1], nullptr, 100, SPLICE_F_NONBLOCK), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(splice(pipes[0], nullptr, fd, nullptr, 100, SPLICE_F_NONBLOCK), -1);
  EXPECT_EQ(errno, EAGAIN);
  Say(fd, "spliced");
  ASSERT_TRUE(Ready(fd, POLLIN));
  EXPECT_EQ(splice(fd, nullptr, pipes[1], nullptr, 7, SPLICE_F_NONBLOCK), 7);
  EXPECT_EQ(Read(pipes[0], 7), "spliced");
  close(pipes[0]);
  close(pipes[1]);
  close(fd);
}

TEST_F(File, SpliceMovesBetweenAPipeAndASocket) {
  const int fd = Open("ECHO");
  int in[2], out[2];
  ASSERT_EQ(pipe(in), 0);
  ASSERT_EQ(pipe(out), 0);
  const std::string data = Pattern(0, 1'000'000);
  std::thread feeder([&] {
    Say(in[1], data);
    close(in[1]);
  });
  std::thread sender([&] {
    for (;;) {
      const ssize_t moved = splice(in[0], nullptr, fd, nullptr, 65536, SPLICE_F_MOVE);
      EXPECT_GE(moved, 0) << strerror(errno);
      if (moved <= 0) break;
    }
    shutdown(fd, SHUT_WR);
  });
  std::thread receiver([&] {
    for (;;) {
      const ssize_t moved = splice(fd, nullptr, out[1], nullptr, 65536, SPLICE_F_MOVE);
      EXPECT_GE(moved, 0) << strerror(errno);
      if (moved <= 0) break;
    }
    close(out[1]);
  });
  EXPECT_EQ(Sum(0, ReadToEnd(out[0])), Sum(0, data));
  feeder.join();
  sender.join();
  receiver.join();
  close(in[0]);
  close(out[0]);
  close(fd);
}

}  // namespace
