/* SPDX-License-Identifier: MIT
 * Whether lanes can run a problem at all, and what memory that takes: answered before anything is allocated. */
#include "engine.h"

int dev_has_copy(const bh_problem *problem, uint32_t index) {
  for (uint32_t l = 0; l < problem->n_loops; l++) {
    const bh_kernel *kernel = &problem->kernels[problem->loops[l].kernel];
    for (uint32_t u = 0; u < kernel->n_uses; u++)
      if (kernel->uses[u].region == index && !dev_is_private(problem, &kernel->uses[u]))
        return 1;
  }
  return 0;
}

int dev_only_by_worker(const bh_problem *problem, uint32_t index) {
  for (uint32_t l = 0; l < problem->n_loops; l++) {
    const bh_kernel *kernel = &problem->kernels[problem->loops[l].kernel];
    for (uint32_t u = 0; u < kernel->n_uses; u++)
      if (kernel->uses[u].region == index && kernel->uses[u].split != BH_BY_WORKER)
        return 0;
  }
  return 1;
}

/* 1: a program sees the region, and is promised the layout of the host's view. */
static int has_program(const bh_problem *problem, uint32_t index) {
  for (uint32_t l = 0; l < problem->n_loops; l++) {
    const bh_kernel *kernel = &problem->kernels[problem->loops[l].kernel];
    for (uint32_t u = 0; kernel->program && u < kernel->n_uses; u++)
      if (kernel->uses[u].region == index)
        return 1;
  }
  return 0;
}

dev_range dev_held(const bh_problem *problem, uint32_t index, uint32_t lane, uint32_t count) {
  const bh_region *region = &problem->regions[index];
  if (!dev_has_copy(problem, index))
    return (dev_range){0, 0};
  if (region->split == BH_BY_WORKER && dev_only_by_worker(problem, index) && !has_program(problem, index))
    return (dev_range){lane * region->bytes, (lane + 1) * region->bytes};
  return (dev_range){0, bh_regions_view_bytes(problem, index, count)};
}

int dev_is_single(const bh_problem *problem, const bh_kernel *kernel) {
  for (uint32_t u = 0; u < kernel->n_uses; u++)
    if (kernel->uses[u].split == BH_BY_WORKER && dev_writes(&kernel->uses[u]) &&
        !dev_is_private(problem, &kernel->uses[u]))
      return 1;
  return 0;
}

/* ---- What cannot run ---- */

static bh_status check_split(const bh_host *h, const bh_problem *problem, const bh_kernel *kernel, uint32_t count) {
  for (uint32_t u = 0; u < kernel->n_uses && count > 1; u++)
    if (kernel->uses[u].split == BH_WHOLE && dev_writes(&kernel->uses[u]))
      return h->stop(h, BH_UNSUPPORTED,
                     "kernel '%s' may write anywhere in region '%s': %" PRIu32
                     " workers with a copy of it each cannot share that (workers: 1)",
                     kernel->name, problem->regions[kernel->uses[u].region].name, count);
  return BH_OK;
}

/* A lane remembers one run of bytes of a region that only it has. Members of a team bring back each use by itself. */
static bh_status check_writes(const bh_host *h, const bh_problem *problem, const bh_kernel *kernel, uint32_t count) {
  for (uint32_t u = 1; u < kernel->n_uses && count > 1 && !problem->member; u++)
    for (uint32_t before = 0; before < u; before++)
      if (kernel->uses[u].region == kernel->uses[before].region && dev_writes(&kernel->uses[u]) &&
          dev_writes(&kernel->uses[before]) && !dev_is_private(problem, &kernel->uses[u]))
        return h->stop(h, BH_UNSUPPORTED,
                       "kernel '%s' writes region '%s' by two of its uses: %" PRIu32
                       " workers with a copy of it each cannot share that (workers: 1)",
                       kernel->name, problem->regions[kernel->uses[u].region].name, count);
  return BH_OK;
}

static bh_status check_kernel(const bh_host *h, const bh_problem *problem, const bh_kernel *kernel, uint32_t count) {
  if (!kernel->program && (!kernel->source || !kernel->shape))
    return h->stop(h, BH_UNSUPPORTED, "kernel '%s' has no code for devices", kernel->name);
  bh_status status = bh_regions_check_uses(h, problem, kernel->name, kernel->uses, kernel->n_uses);
  if (status == BH_OK)
    status = check_split(h, problem, kernel, count);
  return status == BH_OK ? check_writes(h, problem, kernel, count) : status;
}

/* ---- Memory ---- */

/* Of one use, with room for one lane or group; how many there will be depends on what is free. */
static uint64_t least_parts(const bh_problem *problem, const bh_kernel *kernel) {
  uint64_t bytes = 0;
  for (uint32_t u = 0; u < kernel->n_uses; u++)
    if (dev_is_private(problem, &kernel->uses[u]))
      bytes += bh_regions_round(problem->regions[kernel->uses[u].region].bytes) *
               (kernel->uses[u].role == BH_REDUCE ? 2 : 1);
  return bytes;
}

/* What all programs take on one lane; BH_UNSUPPORTED: one refuses the problem. */
static bh_status program_bytes(const bh_host *h, const bh_problem *problem, bh_footprint *ret_footprint) {
  *ret_footprint = (bh_footprint){0};
  for (uint32_t l = 0; l < problem->n_loops; l++) {
    const bh_program *program = problem->kernels[problem->loops[l].kernel].program;
    bh_footprint own = {0};
    if (!program || !program->footprint)
      continue;
    bh_status status = program->footprint(h, problem, l, &own);
    if (status != BH_OK)
      return status;
    ret_footprint->device_bytes += own.device_bytes;
    ret_footprint->host_bytes += own.host_bytes;
  }
  return BH_OK;
}

/* Device memory of one lane, besides its programs'. */
static uint64_t lane_bytes(const bh_problem *problem, uint32_t lane, uint32_t count) {
  uint64_t bytes = 0;
  for (uint32_t r = 0; r < problem->n_regions; r++) {
    dev_range held = dev_held(problem, r, lane, count);
    bytes += bh_regions_round(held.end - held.at);
  }
  for (uint32_t l = 0; l < problem->n_loops; l++)
    bytes += least_parts(problem, &problem->kernels[problem->loops[l].kernel]);
  return bytes + 2 * dev_exchange_bytes(problem, count);
}

/* Parts that come back to be joined, in host memory. */
static uint64_t joined_bytes(const bh_problem *problem) {
  uint64_t bytes = 0;
  for (uint32_t l = 0; l < problem->n_loops; l++) {
    const bh_kernel *kernel = &problem->kernels[problem->loops[l].kernel];
    for (uint32_t u = 0; u < kernel->n_uses; u++)
      if (kernel->uses[u].role == BH_REDUCE)
        bytes += bh_regions_round(problem->regions[kernel->uses[u].region].bytes);
  }
  return bytes;
}

/* The lane that is worst off decides: the host compares two numbers. */
static bh_status check_memory(const dev_driver *driver, const bh_host *h, const bh_value *values,
                              const bh_problem *problem, uint64_t programs_bytes, bh_needs *ret_needs) {
  uint64_t worst = 0;
  for (uint32_t i = 0; i < ret_needs->workers; i++) {
    uint64_t needs = lane_bytes(problem, i, ret_needs->workers) + programs_bytes, has = 0;
    bh_status status = driver->free_bytes(h, values, i, ret_needs->workers, &has);
    if (status != BH_OK)
      return status;
    uint64_t lacks = needs > has ? needs - has : 0;
    if (i && lacks <= worst)
      continue;
    worst = lacks;
    ret_needs->device_bytes = needs;
    ret_needs->device_free_bytes = has;
  }
  return BH_OK;
}

bh_status dev_accept(const dev_driver *driver, const bh_host *h, const bh_value *values, const bh_problem *problem,
                     bh_needs *ret_needs) {
  uint32_t least = problem->min_members ? problem->min_members : 1;
  bh_footprint programs;
  bh_status status = driver->count(h, values, problem->member ? least : 0, &ret_needs->workers);
  if (status == BH_OK && problem->member)
    status = bh_regions_check_team(h, problem, ret_needs->workers);
  for (uint32_t l = 0; l < problem->n_loops && status == BH_OK; l++)
    status = check_kernel(h, problem, &problem->kernels[problem->loops[l].kernel], ret_needs->workers);
  if (status == BH_OK)
    status = program_bytes(h, problem, &programs);
  if (status != BH_OK)
    return status;
  ret_needs->host_bytes = ret_needs->workers * (joined_bytes(problem) + programs.host_bytes);
  if (problem->member)
    ret_needs->host_bytes += dev_team_bytes(problem, ret_needs->workers);
  return check_memory(driver, h, values, problem, programs.device_bytes, ret_needs);
}
