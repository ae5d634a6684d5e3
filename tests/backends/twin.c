/* SPDX-License-Identifier: MIT
 *
 * twin WORKLOAD.so TWIN.so [name=value ...]: runs the device form of a workload's kernels on this host, one lane (or
 * group) after the other, and lets the workload's own verify judge. TWIN.so is the workload's .k.h compiled with
 * -DBH_TWIN. With 1, 7 and 64 lanes or groups, in one launch and in two that share the items; private parts are joined
 * by `combine`. Prints "STATUS: reason" of the first that is not ok, and exits with it.
 */
#include "harness.h"
#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <benchhost/regions.h>

#define MOST_ARGUMENTS (2 + 2 * BH_MAX_USES)

/* What a twin takes from who runs it (benchhost/kernel.h). */
_Thread_local uint64_t bh_twin_index, bh_twin_count;
uint64_t bh_twin_clock_ns(void);
uint64_t bh_twin_clock_ns(void) {
  return bh_harness_host()->now_ns();
}

/* As benchhost/kernel.h has it; that header is not for who runs twins. */
typedef struct {
  uint64_t begin, end, grain;
} launch;

typedef struct {
  const bh_host *host;
  const bh_workload *workload;
  bh_problem problem;
  void *state, *library;
  void **view;     /* the host's, as a backend's alloc gives them; NULL for SCRATCH */
  void **parts;    /* one after the other, of REDUCE and SCRATCH regions */
  uint64_t stride; /* between parts: not the region's bytes, so that a kernel that assumes those is found */
  uint32_t lanes;
} run;

static bh_status make_parts(run *r) {
  for (uint32_t k = 0; k < r->problem.n_regions; k++) {
    const bh_region *region = &r->problem.regions[k];
    free(r->parts[k]);
    r->parts[k] = NULL;
    if (region->role != BH_REDUCE && region->role != BH_SCRATCH)
      continue;
    const uint64_t stride = bh_regions_round(region->bytes) + r->stride;
    if (!(r->parts[k] = malloc(stride * r->lanes)))
      return r->host->stop(r->host, BH_OUT_OF_MEMORY, "no memory for parts of region %s", region->name);
    memset(r->parts[k], 0xd5, stride * r->lanes);
    for (uint32_t lane = 0; lane < r->lanes && region->role == BH_REDUCE; lane++)
      bh_regions_identity(region, (char *)r->parts[k] + lane * stride);
  }
  return BH_OK;
}

static void join_parts(run *r) {
  for (uint32_t k = 0; k < r->problem.n_regions; k++) {
    const bh_region *region = &r->problem.regions[k];
    if (region->role != BH_REDUCE)
      continue;
    bh_regions_identity(region, r->view[k]);
    for (uint32_t lane = 0; lane < r->lanes; lane++)
      region->combine(r->view[k], (char *)r->parts[k] + lane * (bh_regions_round(region->bytes) + r->stride),
                      region->bytes);
  }
}

static bh_status run_range(run *r, const bh_loop *loop, uint64_t begin, uint64_t end) {
  static const char no_params[64];
  const bh_kernel *kernel = &r->problem.kernels[loop->kernel];
  const launch l = {begin, end, loop->min_chunk ? loop->min_chunk : 1};
  void *base[BH_MAX_USES], *argument[MOST_ARGUMENTS];
  uint64_t stride[BH_MAX_USES];
  uint32_t n = 0;
  if (!kernel->source || !kernel->shape)
    return r->host->stop(r->host, BH_UNSUPPORTED, "kernel %s is the host's only", kernel->name);
  void (*twin)(void **) = (void (*)(void **))dlsym(r->library, kernel->entry);
  if (!twin)
    return r->host->stop(r->host, BH_FAIL, "the twin has no '%s', which kernel %s names", kernel->entry, kernel->name);
  argument[n++] = (void *)(uintptr_t)&l;
  for (uint32_t u = 0; u < kernel->n_uses; u++) {
    const uint32_t k = kernel->uses[u].region;
    base[u] = r->parts[k] ? r->parts[k] : r->view[k];
    stride[u] = r->parts[k] ? bh_regions_round(r->problem.regions[k].bytes) + r->stride : 0;
    argument[n++] = &base[u];
    argument[n++] = &stride[u];
  }
  argument[n] = loop->params ? (void *)(uintptr_t)loop->params : (void *)(uintptr_t)no_params;
  bh_twin_count = r->lanes;
  for (bh_twin_index = 0; bh_twin_index < r->lanes; bh_twin_index++)
    twin(argument);
  return BH_OK;
}

static bh_status run_loops(run *r, int launches) {
  bh_status status = BH_OK;
  for (uint32_t k = 0; k < r->problem.n_loops && status == BH_OK; k++) {
    const bh_loop *loop = &r->problem.loops[k];
    const uint64_t grain = loop->min_chunk ? loop->min_chunk : 1;
    const uint64_t middle = launches == 1 ? 0 : loop->items / 2 / grain * grain;
    status = run_range(r, loop, middle, loop->items);
    if (status == BH_OK && middle)
      status = run_range(r, loop, 0, middle);
  }
  return status;
}

/* Another poison for each run; inputs stay. */
static bh_status poison(run *r, uint64_t sample) {
  for (uint32_t k = 0; k < r->problem.n_regions; k++) {
    const bh_role role = r->problem.regions[k].role;
    if (role == BH_OUT || role == BH_REDUCE || role == BH_TEMP)
      memset(r->view[k], (int)(0x51 + sample * 2), bh_regions_view_bytes(&r->problem, k, 1));
  }
  return r->workload->prepare ? r->workload->prepare(r->state) : BH_OK;
}

static bh_status verify(run *r) {
  const bh_status status = r->workload->verify(r->state, r->view, 1);
  if (status == BH_OK || bh_harness_stopped() != BH_OK)
    return status;
  return r->host->stop(r->host, BH_FAIL, "verify failed without saying why");
}

/* A run that did nothing must not pass, else all that follows proves nothing. */
static bh_status must_refuse(run *r) {
  if (!r->problem.n_loops || !r->problem.loops[0].items)
    return BH_OK;
  bh_status status = poison(r, 0);
  if (status != BH_OK)
    return status;
  if (verify(r) == BH_OK)
    return r->host->stop(r->host, BH_FAIL, "verify passes poisoned outputs");
  bh_harness_forget();
  return BH_OK;
}

static bh_status run_all(run *r) {
  static const uint32_t lanes[] = {1, 7, 64};
  bh_status status = must_refuse(r);
  for (uint32_t k = 0; k < 6 && status == BH_OK; k++) {
    r->lanes = lanes[k / 2];
    r->stride = 64 * (k % 2);
    status = poison(r, k + 1);
    if (status == BH_OK)
      status = make_parts(r);
    if (status == BH_OK)
      status = run_loops(r, 1 + (int)k % 2);
    join_parts(r);
    if (status == BH_OK)
      status = verify(r);
    if (status != BH_OK)
      fprintf(stderr, "twin: with %" PRIu32 " lanes or groups, %s\n", r->lanes, k % 2 ? "two launches" : "one launch");
  }
  return status;
}

static bh_status open_run(run *r, const BhTestPlugin *plugin) {
  r->workload = plugin->info->workload;
  r->problem.size = sizeof r->problem;
  bh_status status = r->workload->open(r->host, plugin->values, &r->problem, &r->state);
  if (status != BH_OK)
    return status;
  if (r->problem.member)
    return r->host->stop(r->host, BH_UNSUPPORTED, "a team");
  r->view = bh_regions_map(r->host, &r->problem, 1, 0);
  r->parts = calloc(r->problem.n_regions + 1u, sizeof *r->parts);
  if (!r->view || !r->parts)
    return r->host->stop(r->host, BH_OUT_OF_MEMORY, "no memory for the regions");
  return r->workload->fill ? r->workload->fill(r->state, r->view, 1) : BH_OK;
}

static void close_run(run *r) {
  for (uint32_t k = 0; r->parts && k < r->problem.n_regions; k++)
    free(r->parts[k]);
  free(r->parts);
  bh_regions_unmap(&r->problem, 1, r->view);
  if (r->state)
    r->workload->close(r->state);
}

int main(int argc, char **argv) {
  static const char *const names[] = {"ok", "skipped", "unsupported", "out-of-memory", "wrong", "failed"};
  BhTestPlugin plugin = {0};
  int used[64] = {0};
  if (argc < 3 || argc > 64)
    return fprintf(stderr, "usage: twin WORKLOAD.so TWIN.so [name=value ...]\n"), 64;
  bh_harness_quiet(1);
  bh_harness_load(&plugin, argv[1], argv + 3, argc - 3, used);
  for (int k = 3; k < argc; k++)
    if (!used[k - 3])
      return fprintf(stderr, "twin: %s has no such parameter: %s\n", argv[1], argv[k]), 64;
  run r = {.host = bh_harness_host(), .library = dlopen(argv[2], RTLD_NOW | RTLD_LOCAL)};
  if (!r.library)
    return fprintf(stderr, "twin: %s\n", dlerror()), 64;
  bh_status status = open_run(&r, &plugin);
  if (status == BH_OK)
    status = run_all(&r);
  printf("%s: %s\n", names[status], bh_harness_reason());
  close_run(&r);
  return (int)status;
}
