/* SPDX-License-Identifier: MIT
 *
 * peer - measures one pool in one process, for dispatch.py, which runs it once per peer and round: what a dispatch of
 * an empty loop costs, what an item costs, and a sweep over the size of tasks. The pool is one of our backends behind
 * the plugin contract (bh_backend.run_loop, nothing else in the timed path), libgomp by its pragmas, or a loop by hand.
 *
 *   peer --pool libgomp|hand|PLUGIN.so [--workers N] [--pin] [--steps 1,2,4,...] [KEY=VALUE...]
 *
 * Prints one JSON object: times in ns, of one dispatch (`dispatch`, `sweep`) or of one item (`item_static`,
 * `item_one`). Results of the loops that have any are poisoned, made and checked once more after measuring.
 */
#include "harness.h"
#include "../overhead/spin.h"
#include <getopt.h>
#include <inttypes.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SIZES = 48, MAX_SAMPLES = 101, ITEMS_STATIC = 20000, ITEMS_ONE = 1000, LINE_BYTES = 64 };
enum { EMPTY, STATIC, ONE, SWEEP }; /* loops; from SWEEP on one per task size */

static int n_workers = 2, pinned, n_sizes;
static uint64_t sizes[MAX_SIZES];
static uint64_t (*volatile work)(uint64_t, uint64_t) = spin; /* volatile: no compiler looks into it */

static const bh_host *host;

/* ---- The problem: f(i) = spin(i, steps); spin(i, 0) is i ---- */

static void empty_kernel(const bh_args *args, uint64_t begin, uint64_t end) {
  (void)args, (void)begin, (void)end;
}
static void item_kernel(const bh_args *args, uint64_t begin, uint64_t end) {
  uint64_t *out = args->region[0];
  for (uint64_t i = begin; i < end; i++)
    out[i] = work(i, 0);
}
/* A cache line per task, so that workers do not share one. */
static void task_kernel(const bh_args *args, uint64_t begin, uint64_t end) {
  const uint64_t steps = *(const uint64_t *)args->params;
  for (uint64_t i = begin; i < end; i++) {
    uint64_t *line = (uint64_t *)args->region[0] + i * (LINE_BYTES / 8), result = work(i, steps);
    for (int word = 0; word < LINE_BYTES / 8; word++)
      line[word] = result;
  }
}

static const bh_use items_use = {.region = 0, .role = BH_OUT, .split = BH_BY_ITEM, .stride_bytes = 8};
static const bh_use lines_use = {.region = 1, .role = BH_OUT, .split = BH_BY_ITEM, .stride_bytes = LINE_BYTES};
static const bh_kernel kernels[] = {
    {.name = "empty", .host = empty_kernel},
    {.name = "item", .host = item_kernel, .uses = &items_use, .n_uses = 1},
    {.name = "task", .host = task_kernel, .uses = &lines_use, .n_uses = 1},
};
static bh_region regions[2];
static bh_loop loops[SWEEP + MAX_SIZES];

static bh_status problem_open(const bh_host *h, const bh_value *values, bh_problem *problem, void **ret_state) {
  (void)h, (void)values;
  uint64_t workers = (uint64_t)n_workers;
  regions[0] = (bh_region){.name = "items", .role = BH_OUT, .dtype = BH_U64, .bytes = ITEMS_STATIC * UINT64_C(8)};
  regions[1] = (bh_region){.name = "lines", .role = BH_OUT, .dtype = BH_U64, .bytes = workers * LINE_BYTES};
  regions[0].split = regions[1].split = BH_WHOLE;
  loops[EMPTY] = (bh_loop){.kernel = 0, .items = workers};
  loops[STATIC] = (bh_loop){.kernel = 1, .items = ITEMS_STATIC};
  loops[ONE] = (bh_loop){.kernel = 1, .items = ITEMS_ONE};
  for (int s = 0; s < n_sizes; s++)
    loops[SWEEP + s] = (bh_loop){.kernel = 2, .items = workers, .params = &sizes[s], .params_bytes = sizeof sizes[s]};
  problem->regions = regions;
  problem->n_regions = 2;
  problem->kernels = kernels;
  problem->n_kernels = 3;
  problem->loops = loops;
  problem->n_loops = (uint32_t)(SWEEP + n_sizes);
  *ret_state = loops;
  return BH_OK;
}

static bh_status problem_verify(void *state, void *const *region, uint32_t workers) {
  (void)state, (void)workers;
  for (uint64_t i = 0; i < ITEMS_STATIC; i++)
    if (((const uint64_t *)region[0])[i] != i)
      return host->stop(host, BH_WRONG, "item %" PRIu64 ": found %" PRIu64, i, ((const uint64_t *)region[0])[i]);
  for (uint64_t w = 0; n_sizes && w < (uint64_t)n_workers; w++) {
    uint64_t expected = spin(w, sizes[n_sizes - 1]), found = ((const uint64_t *)region[1])[w * (LINE_BYTES / 8)];
    if (found != expected)
      return host->stop(host, BH_WRONG, "task %" PRIu64 ": expected %" PRIu64 ", found %" PRIu64, w, expected, found);
  }
  return BH_OK;
}
static void problem_close(void *state) {
  (void)state;
}
static const bh_workload problem_workload = {
    .size = sizeof problem_workload, .open = problem_open, .verify = problem_verify, .close = problem_close};
static const bh_plugin_info problem_info = {.name = "peer", .workload = &problem_workload};

/* ---- Pools that are no plugins ---- */

static uint64_t own_items[ITEMS_STATIC];
static _Alignas(LINE_BYTES) uint64_t own_lines[1024 * LINE_BYTES / 8];

static bh_args own_args(uint32_t index, void **ret_region) {
  ret_region[0] = loops[index].kernel == 1 ? own_items : own_lines;
  return (bh_args){.region = ret_region, .params = loops[index].params};
}

static bh_status hand_run(void *state, uint32_t index) {
  void *region[1];
  bh_args args = own_args(index, region);
  bh_chunk volatile chunk = kernels[loops[index].kernel].host; /* volatile: called as a backend calls it */
  (void)state;
  chunk(&args, 0, loops[index].items);
  return BH_OK;
}

static bh_status gomp_run(void *state, uint32_t index) {
  void *region[1];
  const bh_args args = own_args(index, region);
  bh_chunk volatile chunk = kernels[loops[index].kernel].host;
  const uint64_t items = loops[index].items;
  (void)state;
  if (index == ONE) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(n_workers)
    for (uint64_t i = 0; i < items; i++)
      chunk(&args, i, i + 1);
  } else {
#pragma omp parallel num_threads(n_workers)
    {
      uint64_t worker = (uint64_t)omp_get_thread_num(), workers = (uint64_t)n_workers;
      chunk(&args, items * worker / workers, items * (worker + 1) / workers);
    }
  }
  return BH_OK;
}

/* ---- Timing ---- */

typedef bh_status (*runner)(void *state, uint32_t index);

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double time_runs(runner run, void *state, uint32_t index, uint64_t runs) {
  uint64_t start = host->now_ns();
  for (uint64_t k = 0; k < runs; k++)
    if (run(state, index) != BH_OK)
      fprintf(stderr, "peer: %s\n", bh_harness_reason()), exit(1);
  return (double)(host->now_ns() - start);
}

/* The median over samples, each of at least `least_runs` runs and `sample_ns`, in ns per run / `share`; warms up first.
 */
static void measure(const char *name, runner run, void *state, uint32_t index, uint64_t least_runs, double sample_ns,
                    double total_ns, double share) {
  static int printed;
  double samples[MAX_SAMPLES], spent = 0;
  uint64_t each = 1;
  int n = 0;
  /* Twice: one that was merely interrupted is not long enough. */
  while (time_runs(run, state, index, each) < sample_ns || time_runs(run, state, index, each) < sample_ns)
    each *= 2;
  if (each < least_runs)
    each = least_runs;
  for (double warm = 0; warm < total_ns / 3;)
    warm += time_runs(run, state, index, each);
  for (; n < MAX_SAMPLES && (n < 7 || spent < total_ns); n++) {
    double took = time_runs(run, state, index, each);
    spent += took;
    samples[n] = took / (double)each / share;
  }
  qsort(samples, (size_t)n, sizeof *samples, by_value);
  printf("%s\"%s\": {\"median_ns\": %.3f, \"min_ns\": %.3f, \"max_ns\": %.3f, \"samples\": %d, \"runs\": %" PRIu64 "}",
         printed++ ? ", " : "", name, n % 2 ? samples[n / 2] : (samples[n / 2 - 1] + samples[n / 2]) / 2, samples[0],
         samples[n - 1], n, each);
}

static void measure_static(runner run, void *state) {
  char name[48];
  measure("dispatch", run, state, EMPTY, 1000, 1e6, 40e6, 1);
  measure("item_static", run, state, STATIC, 1, 1e6, 30e6, ITEMS_STATIC);
  for (int s = 0; s < n_sizes; s++) {
    snprintf(name, sizeof name, "steps %" PRIu64, sizes[s]);
    measure(name, run, state, (uint32_t)(SWEEP + s), 1, 3e5, 4e6, 1);
  }
}

/* One pool of our own: opened with `extra` options, measured, its results checked. */
static int run_backend(const char *path, char **texts, int n_texts, const char *schedule) {
  BhTestPlugin workload = {.info = &problem_info}, backend = {0};
  BhTestCell cell;
  char workers[32], order[32], pin[] = "pin=compact", one[] = "chunk=1", *all[16] = {workers, order};
  int used[16] = {0}, n = 2, dynamic = !strcmp(schedule, "dynamic");
  snprintf(workers, sizeof workers, "workers=%d", n_workers);
  snprintf(order, sizeof order, "schedule=%s", schedule);
  if (dynamic)
    all[n++] = one;
  if (pinned)
    all[n++] = pin;
  int own = n;
  for (int i = 0; i < n_texts && n < 16; i++)
    all[n++] = texts[i];
  bh_harness_load(&backend, path, all, n, used);
  for (int i = own; i < n; i++)
    if (!used[i])
      return fprintf(stderr, "peer: %s has no parameter for '%s'\n", path, all[i]), 64;
  bh_status status = bh_harness_open(&cell, &workload, &backend);
  if (status == BH_OK && dynamic)
    measure("item_one", cell.backend->run_loop, cell.backend_state, ONE, 1, 1e6, 30e6, ITEMS_ONE);
  else if (status == BH_OK)
    measure_static(cell.backend->run_loop, cell.backend_state);
  if (status == BH_OK)
    status = bh_harness_poison(&cell);
  if (status == BH_OK)
    status = bh_harness_once(&cell);
  if (status == BH_OK)
    status = bh_harness_verify(&cell);
  if (status != BH_OK)
    return fprintf(stderr, "peer: %s: %s\n", path, bh_harness_reason()), 1;
  bh_harness_close(&cell);
  return 0;
}

static int run_own(runner run) {
  bh_problem problem = {0};
  void *state, *region[2] = {own_items, own_lines};
  if (n_workers > 1024)
    return fprintf(stderr, "peer: at most 1024 workers\n"), 64;
  problem_open(host, NULL, &problem, &state);
  measure_static(run, NULL);
  measure("item_one", run, NULL, ONE, 1, 1e6, 30e6, ITEMS_ONE);
  memset(own_items, 0xA5, sizeof own_items);
  memset(own_lines, 0xA5, sizeof own_lines);
  for (uint32_t l = 0; l < problem.n_loops; l++)
    run(NULL, l);
  if (problem_verify(NULL, region, (uint32_t)n_workers) != BH_OK)
    return fprintf(stderr, "peer: %s\n", bh_harness_reason()), 1;
  return 0;
}

static int read_sizes(const char *text) {
  for (char *end; *text; text = *end ? end + 1 : end) {
    if (n_sizes == MAX_SIZES)
      return 0;
    sizes[n_sizes++] = strtoull(text, &end, 10);
    if (end == text || (*end && *end != ','))
      return 0;
  }
  return 1;
}

int main(int argc, char **argv) {
  static const struct option options[] = {{"pool", 1, NULL, 'p'},
                                          {"workers", 1, NULL, 'w'},
                                          {"pin", 0, &pinned, 1},
                                          {"steps", 1, NULL, 's'},
                                          {NULL, 0, NULL, 0}};
  const char *pool = NULL;
  int option, bad = 0, failed;
  while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
    if (option == 'p')
      pool = optarg;
    if (option == 'w')
      n_workers = atoi(optarg);
    if (option == 's')
      bad |= !read_sizes(optarg);
    bad |= option == '?';
  }
  if (bad || !pool || n_workers < 1)
    return fprintf(
               stderr,
               "usage: peer --pool libgomp|hand|PLUGIN.so [--workers N] [--pin] [--steps 1,2,...] [KEY=VALUE...]\n"),
           64;
  host = bh_harness_host();
  bh_harness_quiet(1);
  printf("{");
  if (!strcmp(pool, "hand") || !strcmp(pool, "libgomp"))
    failed = run_own(*pool == 'h' ? hand_run : gomp_run);
  else if (!(failed = run_backend(pool, argv + optind, argc - optind, "static")))
    failed = run_backend(pool, argv + optind, argc - optind, "dynamic");
  printf("}\n");
  return failed;
}
