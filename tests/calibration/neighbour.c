/* SPDX-License-Identifier: MIT
 * neighbour SEED: a noisy neighbour under control. One thread that streams through memory and computes, on and off for
 * exponential times (2 s on, 3 s off in the mean) that follow from the seed. Ends when its standard input does, so that
 * it never outlives who started it. */
#include <math.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define BYTES ((size_t)32 << 20) /* beyond most caches */
#define MEAN_ON_S 2.0
#define MEAN_OFF_S 3.0

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int left_alone(int wait_ms) {
  struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
  char byte;
  return poll(&in, 1, wait_ms) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

static double exponential(uint64_t *state, double mean) {
  *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return -mean * log(((double)(*state >> 11) + 1) * 0x1p-53);
}

/* A millisecond or so. */
static uint64_t work(uint64_t *words, uint64_t at) {
  uint64_t x = at;
  for (size_t k = 0; k < 200000; k++) {
    at = (at + 8) % (BYTES / sizeof *words);
    x = (x ^ words[at]) * UINT64_C(0x9E3779B97F4A7C15);
    words[at] = x;
  }
  return at;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: neighbour SEED (ends with its standard input)\n");
    return 64;
  }
  uint64_t state = strtoull(argv[1], NULL, 10), at = 0;
  uint64_t *words = calloc(1, BYTES);
  if (!words) {
    perror("neighbour");
    return 1;
  }
  for (int on = 0; !left_alone(0); on = !on) {
    const double end = now_s() + exponential(&state, on ? MEAN_ON_S : MEAN_OFF_S);
    for (double left; (left = end - now_s()) > 0;) {
      if (left_alone(on ? 0 : (int)(left * 1000) + 1))
        return 0;
      if (on)
        at = work(words, at);
    }
  }
  free(words);
  return 0;
}
