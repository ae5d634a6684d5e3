/* SPDX-License-Identifier: MIT
 * Regions: the host's views, the lanes' copies, and which bytes of them are current. One lane holds everything it works
 * on; several lanes hold copies, move only the bytes of their own items, and exchange what one wrote and another needs
 * through the host's view. */
#include "engine.h"

/* ---- Moving bytes ---- */

bh_status dev_put(dev_seat *seat, uint32_t index, dev_range range) {
  const dev_engine *engine = seat->engine;
  dev_copy *copy = &seat->copies[index];
  if (dev_range_empty(range))
    return BH_OK;
  return engine->driver->upload(seat->lane, copy->memory, range.at - copy->held.at,
                                (const char *)engine->view[index] + range.at, range.end - range.at);
}

bh_status dev_get(dev_seat *seat, uint32_t index, dev_range range) {
  const dev_engine *engine = seat->engine;
  dev_copy *copy = &seat->copies[index];
  if (dev_range_empty(range))
    return BH_OK;
  return engine->driver->download(seat->lane, copy->memory, range.at - copy->held.at,
                                  (char *)engine->view[index] + range.at, range.end - range.at);
}

bh_status dev_finish_all(dev_engine *engine) {
  bh_status status = BH_OK;
  for (uint32_t i = 0; i < engine->count; i++) {
    bh_status own = engine->driver->finish(engine->seats[i].lane);
    if (status == BH_OK)
      status = own;
  }
  return status;
}

/* ---- Who touches what ---- */

static dev_range clipped(uint64_t at, uint64_t length, uint64_t bytes) {
  if (at > bytes)
    at = bytes;
  return (dev_range){at, length > bytes - at ? bytes : at + length};
}

dev_range dev_use_range(const dev_engine *engine, const bh_use *use, const void *params, uint32_t lane, uint64_t begin,
                        uint64_t end) {
  const bh_problem *problem = engine->problem;
  uint64_t bytes = bh_regions_view_bytes(problem, use->region, engine->count), at = 0, length = 0;
  dev_range held = engine->seats[lane].copies[use->region].held;
  if (begin >= end)
    return (dev_range){0, 0};
  if (engine->count == 1 && !problem->member)
    return held;
  if (use->split == BH_WHOLE)
    return (dev_range){0, bytes};
  if (use->split == BH_BY_WORKER)
    return clipped(lane * problem->regions[use->region].bytes, problem->regions[use->region].bytes, bytes);
  if (!use->slice)
    return clipped(begin * use->stride_bytes, (end - begin) * use->stride_bytes, bytes);
  use->slice(params, begin, end, &at, &length);
  return clipped(at, length, bytes);
}

static dev_range job_range(const dev_engine *engine, const dev_job *job, const bh_use *use, uint32_t lane) {
  return dev_use_range(engine, use, job->loop->params, lane, job->begin, job->end);
}

/* All that lane `lane` touches of a region in any loop, and what lies between. */
static dev_range touched(const dev_engine *engine, uint32_t index, uint32_t lane) {
  dev_range all = {0, 0};
  for (uint32_t l = 0; l < engine->problem->n_loops; l++) {
    const dev_job *job = &engine->seats[lane].jobs[l];
    for (uint32_t u = 0; u < job->kernel->n_uses; u++) {
      const bh_use *use = &job->kernel->uses[u];
      dev_range one = {0, 0};
      if (use->region == index && !dev_is_private(engine->problem, use))
        one = job_range(engine, job, use, lane);
      if (dev_range_empty(one))
        continue;
      if (dev_range_empty(all))
        all = one;
      all.at = one.at < all.at ? one.at : all.at;
      all.end = one.end > all.end ? one.end : all.end;
    }
  }
  return all;
}

/* ---- Between loops of items ---- */

/* What lanes wrote goes to the host's view, which is then the newest. */
static bh_status gather(dev_engine *engine, uint32_t index) {
  bh_status status = BH_OK;
  int any = 0;
  for (uint32_t i = 0; i < engine->count && status == BH_OK; i++) {
    dev_copy *copy = &engine->seats[i].copies[index];
    if (dev_range_empty(copy->dirty))
      continue;
    any = 1;
    status = dev_get(&engine->seats[i], index, copy->dirty);
  }
  if (any && status == BH_OK)
    status = dev_finish_all(engine);
  for (uint32_t i = 0; i < engine->count && status == BH_OK; i++)
    engine->seats[i].copies[index].dirty = (dev_range){0, 0};
  return status;
}

/* 1: some lane lacks bytes that it will touch, or would forget that it has others that are newer than the view. */
static int must_exchange(const dev_engine *engine, uint32_t loop, const bh_use *use) {
  for (uint32_t i = 0; i < engine->count; i++) {
    const dev_seat *seat = &engine->seats[i];
    const dev_copy *copy = &seat->copies[use->region];
    dev_range range = job_range(engine, &seat->jobs[loop], use, i);
    if (!dev_range_within(range, copy->valid) || (dev_writes(use) && !dev_range_within(copy->dirty, range)))
      return 1;
  }
  return 0;
}

static bh_status exchange(dev_engine *engine, uint32_t loop, const bh_use *use) {
  bh_status status = gather(engine, use->region);
  for (uint32_t i = 0; i < engine->count && status == BH_OK; i++) {
    dev_seat *seat = &engine->seats[i];
    dev_copy *copy = &seat->copies[use->region];
    dev_range range = job_range(engine, &seat->jobs[loop], use, i);
    if (dev_range_within(range, copy->valid))
      continue;
    status = dev_put(seat, use->region, range);
    copy->valid = range;
  }
  return status;
}

bh_status dev_settle(dev_engine *engine, uint32_t loop) {
  const bh_kernel *kernel = engine->seats[0].jobs[loop].kernel;
  bh_status status = BH_OK;
  for (uint32_t u = 0; u < kernel->n_uses && status == BH_OK; u++)
    if (!dev_is_private(engine->problem, &kernel->uses[u]) && must_exchange(engine, loop, &kernel->uses[u]))
      status = exchange(engine, loop, &kernel->uses[u]);
  return status;
}

void dev_written(dev_engine *engine, uint32_t loop) {
  const bh_kernel *kernel = engine->seats[0].jobs[loop].kernel;
  for (uint32_t u = 0; u < kernel->n_uses; u++) {
    const bh_use *use = &kernel->uses[u];
    for (uint32_t i = 0; i < engine->count; i++) {
      dev_copy *copy = &engine->seats[i].copies[use->region];
      if (use->role == BH_REDUCE) /* joined in the view */
        copy->valid = copy->dirty = (dev_range){0, 0};
      else if (engine->problem->loops[loop].items > 0 && dev_writes(use) && !dev_is_private(engine->problem, use))
        copy->valid = copy->dirty = job_range(engine, &engine->seats[i].jobs[loop], use, i);
    }
  }
}

/* ---- Teams ---- */

int dev_is_resident(const bh_problem *problem, uint32_t count, uint32_t index) {
  const bh_region *region = &problem->regions[index];
  if (region->role == BH_IN)
    return 1;
  if (bh_regions_reduces(problem, index))
    return 0;
  for (uint32_t u = 0; u < problem->n_uses; u++)
    if (problem->uses[u].region == index && !(problem->uses[u].flags & BH_EXCHANGED))
      return 0;
  return count == 1 || (region->split == BH_BY_WORKER && dev_only_by_worker(problem, index));
}

/* What of a resident region goes to the lane and comes back: of one that kernels write, the lane's own part. */
static dev_range resident_range(const dev_seat *seat, uint32_t index) {
  const bh_region *region = &seat->engine->problem->regions[index];
  if (region->role == BH_IN || region->split != BH_BY_WORKER)
    return seat->copies[index].held;
  return (dev_range){seat->index * region->bytes, (seat->index + 1) * region->bytes};
}

/* ---- The backend's calls ---- */

bh_status dev_copies_open(dev_seat *seat) {
  const dev_engine *engine = seat->engine;
  bh_status status = BH_OK;
  for (uint32_t r = 0; r < engine->problem->n_regions && status == BH_OK; r++) {
    dev_copy *copy = &seat->copies[r];
    if (!dev_has_copy(engine->problem, r))
      continue;
    copy->held = dev_held(engine->problem, r, seat->index, engine->count);
    uint64_t bytes = bh_regions_round(copy->held.end - copy->held.at);
    status = engine->driver->alloc(seat->lane, bytes ? bytes : 64, &copy->memory);
  }
  return status;
}

void *dev_alloc(void *state, uint32_t index) {
  dev_engine *engine = state;
  uint64_t bytes = bh_regions_view_bytes(engine->problem, index, engine->count);
  if (!dev_has_copy(engine->problem, index))
    return engine->view[index] = bh_regions_pages(bytes, 0);
  if (engine->driver->pinned(engine->seats[0].lane, bytes ? bytes : 64, &engine->view[index]) != BH_OK)
    return NULL;
  engine->view_pinned[index] = 1;
  return memset(engine->view[index], 0, bytes);
}

bh_status dev_bind(void *state, uint32_t index) {
  dev_engine *engine = state;
  int team = engine->problem->member != NULL;
  bh_status status = BH_OK;
  if (!dev_has_copy(engine->problem, index) || (team && !dev_is_resident(engine->problem, engine->count, index)))
    return BH_OK;
  for (uint32_t i = 0; i < engine->count && status == BH_OK; i++) {
    dev_seat *seat = &engine->seats[i];
    dev_range range = team ? resident_range(seat, index) : touched(engine, index, i);
    status = dev_put(seat, index, range);
    seat->copies[index].valid = range;
    seat->copies[index].dirty = (dev_range){0, 0};
  }
  return status == BH_OK ? dev_finish_all(engine) : status;
}

bh_status dev_fetch(void *state, uint32_t index) {
  dev_engine *engine = state;
  bh_status status = BH_OK;
  if (!engine->problem->member)
    return gather(engine, index);
  if (!dev_has_copy(engine->problem, index) || !dev_is_resident(engine->problem, engine->count, index) ||
      engine->problem->regions[index].role == BH_IN)
    return BH_OK;
  for (uint32_t i = 0; i < engine->count && status == BH_OK; i++)
    status = dev_get(&engine->seats[i], index, resident_range(&engine->seats[i], index));
  return status == BH_OK ? dev_finish_all(engine) : status;
}
