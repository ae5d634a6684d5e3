/* SPDX-License-Identifier: MIT
 *
 * dispatch - what it costs to hand an empty loop, one chunk per worker, to a pool and to wait for it: our backends
 * through the plugin contract (bh_backend.run_loop, nothing else in the timed path) against libgomp's bare `omp
 * parallel`.
 *
 *   dispatch [--rounds N] [--workers N] [--json FILE] [--pin] [--backends FOLDER] [--only WORD]
 *
 * Every round runs every peer once, in a shuffled order, each in a fresh process (an idle pool that spins would disturb
 * its successors, and OMP_WAIT_POLICY is read only once). A process warms up, then times batches; its figure is the
 * median batch. --pin gives every worker a CPU of its own, libgomp's by OMP_PROC_BIND; without it the kernel may well
 * put both workers on one, and does so when it is busy. Ratios are formed within a round, so that what slows a round
 * slows both sides.
 */
#include "harness.h"
#include <errno.h>
#include <getopt.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_ROUNDS = 1000, MAX_BATCHES = 400 };

typedef struct {
  const char *name;
  const char *plugin; /* NULL: libgomp's own parallel region */
  const char *options[4];
  const char *policy;  /* OMP_WAIT_POLICY */
  const char *against; /* the peer whose time this one is divided by; NULL: it is a reference */
  double limit;        /* the ratio that is promised; 0: none */
} Peer;

static const Peer peers[] = {
    {"libgomp active", NULL, {NULL}, "active", NULL, 0},
    {"libgomp passive", NULL, {NULL}, "passive", NULL, 0},
    {"serial", "serial", {NULL}, "", NULL, 0},
    {"pthread spin", "pthread", {"wait=spin"}, "", "libgomp active", 1.0},
    {"pthread block", "pthread", {"wait=block"}, "", "libgomp passive", 1.0},
    {"openmp spin", "openmp", {"wait=spin"}, "active", "libgomp active", 0},
    {"openmp block", "openmp", {"wait=block"}, "passive", "libgomp passive", 0},
    {"fork shm spin", "fork", {"wait=spin"}, "", "pthread spin", 2.0},
    {"fork shm block", "fork", {"wait=block"}, "", "pthread block", 2.0},
    {"fork pipe", "fork", {"transport=pipe"}, "", "pthread block", 0},
};
enum { N_PEERS = sizeof peers / sizeof *peers };

static int n_rounds = 15, n_workers = 2, pinned;
static const char *json_path, *backends_dir, *only;
static double results[N_PEERS][MAX_ROUNDS];

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}
static double quantile(const double *values, int n, double q) {
  double sorted[MAX_ROUNDS > MAX_BATCHES ? MAX_ROUNDS : MAX_BATCHES];
  memcpy(sorted, values, (size_t)n * sizeof *values);
  qsort(sorted, (size_t)n, sizeof *sorted, by_value);
  return sorted[(int)(q * (n - 1) + 0.5)];
}

/* ---- The empty loop, one item and so one chunk per worker ---- */

static void empty_kernel(const bh_args *args, uint64_t begin, uint64_t end) {
  (void)args, (void)begin, (void)end;
}
static bh_kernel kernel = {.name = "empty", .host = empty_kernel};
static bh_loop loop;

static bh_status noop_open(const bh_host *h, const bh_value *values, bh_problem *problem, void **ret_state) {
  (void)h, (void)values;
  loop.items = (uint64_t)n_workers;
  problem->kernels = &kernel;
  problem->n_kernels = 1;
  problem->loops = &loop;
  problem->n_loops = 1;
  *ret_state = &loop;
  return BH_OK;
}
static void noop_close(void *state) {
  (void)state;
}
static const bh_workload noop = {.size = sizeof noop, .open = noop_open, .close = noop_close};
static const bh_plugin_info noop_info = {.name = "empty", .workload = &noop};

static bh_chunk volatile omp_kernel = empty_kernel; /* volatile: called as a backend calls it, through a pointer */
static bh_status omp_dispatch(void *state, uint32_t index) {
  (void)state, (void)index;
#pragma omp parallel num_threads(n_workers)
  {
    uint64_t worker = (uint64_t)omp_get_thread_num();
    omp_kernel(NULL, worker, worker + 1);
  }
  return BH_OK;
}

/* ---- One peer in its own process ---- */

static double time_batches(bh_status (*run)(void *, uint32_t), void *state) {
  const bh_host *h = bh_harness_host();
  double batches[MAX_BATCHES];
  uint64_t until = h->now_ns() + 20000000, start;
  int each = 1, n = 0;
  while (h->now_ns() < until)
    run(state, 0);
  for (uint64_t took = 0; took < 200000; each *= 2) {
    start = h->now_ns();
    for (int i = 0; i < each; i++)
      run(state, 0);
    took = h->now_ns() - start;
  }
  for (until = h->now_ns() + 60000000; n < MAX_BATCHES && (h->now_ns() < until || n < 5); n++) {
    start = h->now_ns();
    for (int i = 0; i < each; i++)
      run(state, 0);
    batches[n] = (double)(h->now_ns() - start) / each;
  }
  return quantile(batches, n, 0.5);
}

static int run_peer(const Peer *peer) {
  BhTestPlugin workload = {.info = &noop_info}, backend = {0};
  BhTestCell cell;
  char path[4096], workers[32], pin[] = "pin=compact", *texts[8] = {workers, pin};
  int used[8] = {0}, n = pinned ? 2 : 1;
  bh_harness_quiet(1);
  if (!peer->plugin)
    return printf("%.1f\n", time_batches(omp_dispatch, NULL)), 0;
  snprintf(path, sizeof path, "%s/%s/%s.so", backends_dir, peer->plugin, peer->plugin);
  snprintf(workers, sizeof workers, "workers=%d", n_workers);
  for (int i = 0; i < 4 && peer->options[i]; i++)
    texts[n++] = strdup(peer->options[i]);
  bh_harness_load(&backend, path, texts, n, used);
  if (bh_harness_open(&cell, &workload, &backend) != BH_OK)
    return fprintf(stderr, "dispatch: %s: %s\n", peer->name, bh_harness_reason()), 1;
  printf("%.1f\n", time_batches(cell.backend->run_loop, cell.backend_state));
  bh_harness_close(&cell);
  return 0;
}

static double spawn_peer(int p) {
  int out[2], status;
  char text[64] = "", number[16], workers[16];
  if (pipe(out))
    return -1;
  pid_t pid = fork();
  if (pid == 0) {
    dup2(out[1], STDOUT_FILENO);
    close(out[0]);
    close(out[1]);
    if (*peers[p].policy)
      setenv("OMP_WAIT_POLICY", peers[p].policy, 1);
    else
      unsetenv("OMP_WAIT_POLICY");
    if (pinned && !peers[p].plugin) { /* it would bind our backends' first thread as well */
      setenv("OMP_PROC_BIND", "close", 1);
      setenv("OMP_PLACES", "threads", 1);
    }
    snprintf(number, sizeof number, "%d", p);
    snprintf(workers, sizeof workers, "%d", n_workers);
    execl("/proc/self/exe", "dispatch", "--peer", number, "--workers", workers, "--backends", backends_dir,
          pinned ? "--pin" : NULL, (char *)NULL);
    _exit(127);
  }
  close(out[1]);
  ssize_t length = read(out[0], text, sizeof text - 1);
  close(out[0]);
  while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
    continue;
  return pid > 0 && length > 0 && status == 0 ? strtod(text, NULL) : -1;
}

/* ---- Report ---- */

static int find_peer(const char *name) {
  for (int p = 0; p < N_PEERS; p++)
    if (name && !strcmp(peers[p].name, name))
      return p;
  return -1;
}

/* Median and quartiles of the ratios within rounds; 0 when there is no reference or a round failed. */
static int ratios(int p, double ret[3]) {
  double ratio[MAX_ROUNDS];
  int base = find_peer(peers[p].against);
  if (base < 0)
    return 0;
  for (int r = 0; r < n_rounds; r++) {
    if (results[p][r] <= 0 || results[base][r] <= 0)
      return 0;
    ratio[r] = results[p][r] / results[base][r];
  }
  for (int i = 0; i < 3; i++)
    ret[i] = quantile(ratio, n_rounds, 0.25 * (i + 1));
  return 1;
}

static int report(void) {
  FILE *json = json_path ? fopen(json_path, "w") : NULL;
  int missed = 0, first = 1;
  if (json_path && !json)
    return fprintf(stderr, "dispatch: cannot write %s: %s\n", json_path, strerror(errno)), 70;
  printf("%-16s %10s %10s %10s %10s  %s\n", "peer", "median ns", "min", "q1", "q3", "ratio [q1, q3]");
  if (json)
    fprintf(json, "{\"workers\": %d, \"pinned\": %s, \"rounds\": %d, \"peers\": [", n_workers,
            pinned ? "true" : "false", n_rounds);
  for (int p = 0; p < N_PEERS; p++) {
    double q[5], ratio[3];
    if (results[p][0] <= 0)
      continue;
    for (int i = 0; i < 5; i++)
      q[i] = quantile(results[p], n_rounds, 0.25 * i);
    printf("%-16s %10.0f %10.0f %10.0f %10.0f", peers[p].name, q[2], q[0], q[1], q[3]);
    if (json)
      fprintf(json, "%s\n  {\"name\": \"%s\", \"median_ns\": %.1f, \"min_ns\": %.1f, \"q1_ns\": %.1f, \"q3_ns\": %.1f",
              first ? "" : ",", peers[p].name, q[2], q[0], q[1], q[3]);
    first = 0;
    if (ratios(p, ratio)) {
      int broken = peers[p].limit > 0 && ratio[1] > peers[p].limit;
      missed |= broken;
      printf("  %.2f [%.2f, %.2f] x %s", ratio[1], ratio[0], ratio[2], peers[p].against);
      if (peers[p].limit > 0)
        printf(", promised <= %.1f: %s", peers[p].limit, broken ? "MISSED" : "kept");
      if (json)
        fprintf(json, ", \"against\": \"%s\", \"ratio\": %.4f, \"ratio_q1\": %.4f, \"ratio_q3\": %.4f",
                peers[p].against, ratio[1], ratio[0], ratio[2]);
    }
    printf("\n");
    if (json)
      fprintf(json, "}");
  }
  if (json)
    fprintf(json, "\n]}\n"), fclose(json);
  return missed;
}

static int run_rounds(void) {
  unsigned random = 42;
  for (int r = 0; r < n_rounds; r++) {
    int order[N_PEERS];
    for (int p = 0; p < N_PEERS; p++)
      order[p] = p;
    for (int p = N_PEERS - 1; p > 0; p--) {
      int other = (int)(rand_r(&random) % (unsigned)(p + 1)), kept = order[p];
      order[p] = order[other];
      order[other] = kept;
    }
    for (int i = 0; i < N_PEERS; i++)
      if (!only || strstr(peers[order[i]].name, only))
        results[order[i]][r] = spawn_peer(order[i]);
  }
  return report();
}

int main(int argc, char **argv) {
  static const struct option options[] = {{"rounds", 1, NULL, 'r'},   {"workers", 1, NULL, 'w'}, {"json", 1, NULL, 'j'},
                                          {"backends", 1, NULL, 'b'}, {"only", 1, NULL, 'o'},    {"pin", 0, &pinned, 1},
                                          {"peer", 1, NULL, 'p'},     {NULL, 0, NULL, 0}};
  char self[4096], folder[4200];
  int peer = -1, option;
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  self[length > 0 ? length : 0] = 0;
  if (strrchr(self, '/'))
    *strrchr(self, '/') = 0;
  snprintf(folder, sizeof folder, "%s/../../../plugins", self);
  backends_dir = folder;
  while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
    if (option == 'r')
      n_rounds = atoi(optarg);
    if (option == 'w')
      n_workers = atoi(optarg);
    if (option == 'j')
      json_path = optarg;
    if (option == 'b')
      backends_dir = optarg;
    if (option == 'o')
      only = optarg;
    if (option == 'p')
      peer = atoi(optarg);
    if (option == '?')
      return 64;
  }
  if (n_rounds < 1 || n_rounds > MAX_ROUNDS || n_workers < 1 || peer >= N_PEERS)
    return fprintf(stderr, "dispatch: --rounds 1..%d, --workers >= 1\n", MAX_ROUNDS), 64;
  return peer >= 0 ? run_peer(&peers[peer]) : run_rounds();
}
