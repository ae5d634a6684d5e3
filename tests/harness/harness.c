/* SPDX-License-Identifier: MIT
 *
 * See harness.h. Keeps what `stop` recorded in memory shared with forked workers.
 */
#include "harness.h"
#include <dlfcn.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

typedef struct {
  _Atomic int stopped; /* a bh_status */
  _Atomic int claimed;
  char reason[512];
} Record;

static Record *record;
static int quiet_facts;

static bh_status host_stop(const bh_host *h, bh_status why, const char *format, ...) {
  int unclaimed = 0;
  va_list list;
  (void)h;
  if (!atomic_compare_exchange_strong(&record->claimed, &unclaimed, 1))
    return why;
  va_start(list, format);
  vsnprintf(record->reason, sizeof record->reason, format, list);
  va_end(list);
  atomic_store(&record->stopped, (int)why);
  return why;
}

static void host_log(const bh_host *h, const char *format, ...) {
  va_list list;
  (void)h;
  if (quiet_facts)
    return;
  va_start(list, format);
  vfprintf(stderr, format, list);
  va_end(list);
  fputc('\n', stderr);
}

static void host_fact(const bh_host *h, const char *name, const char *format, ...) {
  va_list list;
  (void)h;
  if (quiet_facts)
    return;
  fprintf(stderr, "  fact %s: ", name);
  va_start(list, format);
  vfprintf(stderr, format, list);
  va_end(list);
  fputc('\n', stderr);
}

static void host_phase(const bh_host *h, uint32_t worker, const char *name) {
  (void)h, (void)worker, (void)name;
}
static void host_metric(const bh_host *h, const char *name, double value, const char *unit, bh_better better) {
  (void)h, (void)name, (void)value, (void)unit, (void)better;
}
static int host_cancelled(const bh_host *h) {
  return (void)h, 0;
}

static cpu_set_t mask; /* of the process before any worker was pinned */

/* "compact" is worker w on the w-th CPU of that mask; "none" leaves the kernel its choice. */
static bh_status host_pin(const bh_host *h, const char *policy, uint32_t worker, uint32_t workers) {
  cpu_set_t one;
  (void)workers;
  if (!strcmp(policy, "none"))
    return BH_OK;
  uint32_t wanted = worker % (uint32_t)CPU_COUNT(&mask);
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
    if (CPU_ISSET(cpu, &mask) && wanted-- == 0)
      CPU_SET(cpu, &one);
  return sched_setaffinity(0, sizeof one, &one) ? host_stop(h, BH_FAIL, "cannot pin worker %u", worker) : BH_OK;
}

static uint64_t host_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bh_host the_host = {.size = sizeof the_host,
                           .abi = BH_ABI,
                           .seed = 42,
                           .scratch_dir = "/tmp",
                           .stop = host_stop,
                           .log = host_log,
                           .fact = host_fact,
                           .phase = host_phase,
                           .metric = host_metric,
                           .cancelled = host_cancelled,
                           .pin = host_pin,
                           .now_ns = host_now_ns};

const bh_host *bh_harness_host(void) {
  if (!record) {
    record = mmap(NULL, sizeof *record, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (record == MAP_FAILED)
      exit(70);
    sched_getaffinity(0, sizeof mask, &mask);
    the_host.cores = (uint32_t)CPU_COUNT(&mask);
  }
  return &the_host;
}
const char *bh_harness_reason(void) {
  return record->reason;
}
bh_status bh_harness_stopped(void) {
  return (bh_status)atomic_load(&record->stopped);
}
void bh_harness_forget(void) {
  memset(record, 0, sizeof *record);
}
void bh_harness_quiet(int quiet) {
  quiet_facts = quiet;
}

static void bail(const char *what, const char *which) {
  fprintf(stderr, "%s: %s\n", which, what);
  exit(64);
}

static void set_value(bh_value *value, const bh_param *param, const char *text) {
  value->s = text;
  value->i = !strcmp(text, "cores") ? (int64_t)the_host.cores : !strcmp(text, "true") ? 1 : strtoll(text, NULL, 10);
  value->r = strtod(text, NULL);
  if (param->type != BH_CHOICE)
    return;
  const char *at = param->choices;
  for (value->i = 0;; value->i++) {
    size_t length = strcspn(at, "|");
    if (length == strlen(text) && !strncmp(at, text, length))
      return;
    if (!at[length])
      bail("no such choice", text);
    at += length + 1;
  }
}

void bh_harness_load(BhTestPlugin *plugin, const char *path, char *const *texts, int n_texts, int *used) {
  bh_harness_host();
  void *library = dlopen(path, RTLD_NOW | RTLD_NODELETE);
  if (!library)
    bail(dlerror(), path);
  plugin->info = dlsym(library, "bh_plugin");
  if (!plugin->info || plugin->info->magic != BH_MAGIC || plugin->info->abi != BH_ABI)
    bail("no plugin", path);
  for (int p = 0; plugin->info->params && plugin->info->params[p].name; p++) {
    const bh_param *param = &plugin->info->params[p];
    const char *text = param->fallback;
    size_t length = strlen(param->name);
    for (int t = 0; t < n_texts; t++)
      if (!strncmp(texts[t], param->name, length) && texts[t][length] == '=') {
        text = texts[t] + length + 1;
        used[t] = 1;
        plugin->values[p].given = 1;
      }
    if (!text)
      bail("has no value", param->name);
    set_value(&plugin->values[p], param, text);
  }
}

/* ---- The life of a cell ---- */

static bh_status said(bh_status status, const char *where) {
  if (status != BH_OK && bh_harness_stopped() == BH_OK)
    return host_stop(&the_host, status, "%s failed without saying why", where);
  return status;
}

static uint64_t view_bytes(const BhTestCell *cell, uint32_t r) {
  const bh_region *region = &cell->problem.regions[r];
  return region->split == BH_BY_WORKER ? region->bytes * cell->needs.workers : region->bytes;
}

bh_status bh_harness_open(BhTestCell *cell, const BhTestPlugin *workload, const BhTestPlugin *backend) {
  const bh_host *h = bh_harness_host();
  bh_status status;
  memset(cell, 0, sizeof *cell);
  cell->workload = workload->info->workload;
  cell->backend = backend->info->backend;
  cell->problem.size = sizeof cell->problem;
  cell->needs.size = sizeof cell->needs;
  status = cell->workload->open(h, workload->values, &cell->problem, &cell->workload_state);
  if (status != BH_OK)
    return said(status, "workload.open");
  if (cell->backend->probe && (status = cell->backend->probe(h)) != BH_OK)
    return said(status, "backend.probe");
  status = cell->backend->accept(h, backend->values, &cell->problem, &cell->needs);
  if (status != BH_OK)
    return said(status, "backend.accept");
  status = cell->backend->open(h, backend->values, &cell->problem, cell->workload_state, &cell->backend_state);
  if (status != BH_OK)
    return said(status, "backend.open");
  cell->view = calloc(cell->problem.n_regions + 1u, sizeof *cell->view);
  for (uint32_t r = 0; r < cell->problem.n_regions; r++)
    if (cell->problem.regions[r].role != BH_SCRATCH && !(cell->view[r] = cell->backend->alloc(cell->backend_state, r)))
      return host_stop(h, BH_OUT_OF_MEMORY, "alloc gave nothing");
  if (cell->workload->fill)
    status = said(cell->workload->fill(cell->workload_state, cell->view, cell->needs.workers), "fill");
  for (uint32_t r = 0; status == BH_OK && cell->backend->bind && r < cell->problem.n_regions; r++)
    if (cell->problem.regions[r].role != BH_SCRATCH)
      status = said(cell->backend->bind(cell->backend_state, r), "backend.bind");
  return status;
}

bh_status bh_harness_poison(BhTestCell *cell) {
  uint64_t word = UINT64_C(0x9E3779B97F4A7C15) * (++cell->sample * 2 + 1);
  bh_status status = BH_OK;
  if (cell->workload->prepare && (status = cell->workload->prepare(cell->workload_state)) != BH_OK)
    return said(status, "workload.prepare");
  for (uint32_t r = 0; r < cell->problem.n_regions && status == BH_OK; r++) {
    bh_role role = cell->problem.regions[r].role;
    if (role != BH_OUT && role != BH_REDUCE && role != BH_INOUT)
      continue;
    /* INOUT regions are filled by the test workloads' prepare, through the same view. */
    for (uint64_t i = 0; role != BH_INOUT && i < view_bytes(cell, r); i++)
      ((unsigned char *)cell->view[r])[i] = (unsigned char)(word >> (i % 8 * 8));
    if (role == BH_INOUT && cell->workload->fill)
      status = said(cell->workload->fill(cell->workload_state, cell->view, cell->needs.workers), "fill");
    if (status == BH_OK && cell->backend->bind)
      status = said(cell->backend->bind(cell->backend_state, r), "backend.bind");
  }
  return status;
}

bh_status bh_harness_once(BhTestCell *cell) {
  bh_status status = BH_OK;
  if (cell->problem.member)
    return said(cell->backend->run_team(cell->backend_state), "run_team");
  for (uint32_t l = 0; l < cell->problem.n_loops && status == BH_OK; l++)
    status = said(cell->backend->run_loop(cell->backend_state, l), "run_loop");
  return status;
}

bh_status bh_harness_verify(BhTestCell *cell) {
  for (uint32_t r = 0; cell->backend->fetch && r < cell->problem.n_regions; r++) {
    if (cell->problem.regions[r].role == BH_SCRATCH)
      continue;
    bh_status status = said(cell->backend->fetch(cell->backend_state, r), "backend.fetch");
    if (status != BH_OK)
      return status;
  }
  return said(cell->workload->verify(cell->workload_state, cell->view, cell->needs.workers), "verify");
}

void bh_harness_close(BhTestCell *cell) {
  if (cell->backend && cell->backend_state)
    cell->backend->close(cell->backend_state);
  if (cell->workload && cell->workload_state)
    cell->workload->close(cell->workload_state);
  free(cell->view);
}

bh_status bh_harness_run(const BhTestPlugin *workload, const BhTestPlugin *backend, int samples) {
  BhTestCell cell;
  bh_status status = bh_harness_open(&cell, workload, backend);
  for (int s = 0; s < samples && status == BH_OK; s++) {
    status = bh_harness_poison(&cell);
    if (status == BH_OK)
      status = bh_harness_once(&cell);
    if (status == BH_OK && s % 2)
      status = bh_harness_once(&cell); /* inner repetitions: no bind in between */
    if (status == BH_OK)
      status = bh_harness_verify(&cell);
  }
  bh_harness_close(&cell);
  return status;
}
