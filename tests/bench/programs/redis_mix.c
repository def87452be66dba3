/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: redis_mix ADDRESS PORT THREADS DEPTH SECONDS
 *
 * The Redis experiment of the paper: THREADS clients with a connection each keep DEPTH requests
 * outstanding, of which 95 % are GETs and 5 % SETs, of values of 4 KB. A client sends DEPTH
 * requests at once and takes their answers; the time of each is from its being sent to its answer's
 * last byte. Prints one line of JSON.
 */
#include "common.h"

enum { KEYS = 1000, VALUE = 4096, SET_PERCENT = 5, MOST_DEPTH = 64, MOST_SAMPLES = 4000000 };

static struct sockaddr_in server;
static int depth;
static int64_t stop_at;
static char value[VALUE];

struct client {
  pthread_t thread;
  uint64_t random;
  size_t count;
  uint32_t* times; /* ns */
};

static uint64_t next_random(uint64_t* state) { /* xorshift64 */
  *state ^= *state << 13;
  *state ^= *state >> 7;
  return *state ^= *state << 17;
}

static size_t build_set(char* out, unsigned key) {
  const int length = sprintf(out, "*3\r\n$3\r\nSET\r\n$8\r\nkey%05u\r\n$%d\r\n", key, VALUE);
  memcpy(out + length, value, VALUE);
  memcpy(out + length + VALUE, "\r\n", 2);
  return (size_t)length + VALUE + 2;
}

static size_t build_get(char* out, unsigned key) {
  return (size_t)sprintf(out, "*2\r\n$3\r\nGET\r\n$8\r\nkey%05u\r\n", key);
}

static void take_answer(int fd, int is_set) {
  char answer[VALUE + 16];
  const char* head = is_set ? "+OK\r\n" : "$4096\r\n";
  const size_t length = is_set ? strlen(head) : strlen(head) + VALUE + 2;
  receive_all(fd, answer, length);
  const int right = memcmp(answer, head, strlen(head)) == 0 &&
                    (is_set || memcmp(answer + strlen(head), value, VALUE) == 0);
  if (right) return;
  fprintf(stderr, "a wrong answer to a %s\n", is_set ? "SET" : "GET");
  exit(1);
}

static void* run(void* argument) {
  struct client* client = argument;
  static _Thread_local char requests[MOST_DEPTH * (VALUE + 64)];
  const int fd = connect_to(&server);
  int is_set[MOST_DEPTH];
  while (now_ns() < stop_at && client->count + (size_t)depth <= MOST_SAMPLES) {
    size_t length = 0;
    for (int i = 0; i < depth; ++i) {
      const uint64_t random = next_random(&client->random);
      const unsigned key = (unsigned)(random % KEYS);
      is_set[i] = random / KEYS % 100 < SET_PERCENT;
      length += is_set[i] ? build_set(requests + length, key) : build_get(requests + length, key);
    }
    const int64_t sent = now_ns();
    send_all(fd, requests, length);
    for (int i = 0; i < depth; ++i) {
      take_answer(fd, is_set[i]);
      client->times[client->count++] = (uint32_t)(now_ns() - sent);
    }
  }
  close(fd);
  return NULL;
}

static void fill(void) {
  static char request[VALUE + 64];
  const int fd = connect_to(&server);
  for (unsigned key = 0; key < KEYS; ++key) {
    send_all(fd, request, build_set(request, key));
    take_answer(fd, 1);
  }
  close(fd);
}

static int ascending(const void* a, const void* b) {
  const uint32_t left = *(const uint32_t*)a, right = *(const uint32_t*)b;
  return (left > right) - (left < right);
}

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  server = address_of(argv + 1);
  const int threads = atoi(argv[3]);
  depth = atoi(argv[4]);
  if (threads < 1 || depth < 1 || depth > MOST_DEPTH) return 2;
  for (int i = 0; i < VALUE; ++i) value[i] = (char)('a' + i % 26);
  fill();
  struct client* clients = calloc((size_t)threads, sizeof(*clients));
  if (clients == NULL) fail("calloc");
  const int64_t started = now_ns();
  stop_at = started + (int64_t)(atof(argv[5]) * 1e9);
  for (int i = 0; i < threads; ++i) {
    clients[i].random = 0x9e3779b97f4a7c15u * (uint64_t)(i + 1);
    clients[i].times = malloc(MOST_SAMPLES * sizeof(uint32_t));
    if (clients[i].times == NULL) fail("malloc");
    if (pthread_create(&clients[i].thread, NULL, run, &clients[i]) != 0) fail("pthread_create");
  }
  size_t total = 0;
  for (int i = 0; i < threads; ++i) {
    pthread_join(clients[i].thread, NULL);
    total += clients[i].count;
  }
  const double seconds = (double)(now_ns() - started) / 1e9;
  uint32_t* all = malloc((total + 1) * sizeof(uint32_t));
  if (all == NULL || total == 0) fail("no samples");
  size_t at = 0;
  for (int i = 0; i < threads; ++i) {
    memcpy(all + at, clients[i].times, clients[i].count * sizeof(uint32_t));
    at += clients[i].count;
    free(clients[i].times);
  }
  qsort(all, total, sizeof(*all), ascending);
  printf("{\"requests_per_second\": %.0f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f}\n",
         (double)total / seconds, all[total / 2] / 1e3, all[total * 99 / 100] / 1e3,
         all[total * 999 / 1000] / 1e3);
  free(all);
  free(clients);
  return 0;
}
