/* SPDX-License-Identifier: MIT
 * Private parts: what is a worker's on the host is a lane's on a device, or a group's. REDUCE parts start each launch
 * from the identity and are joined by the host, in order; SCRATCH parts are only there. */
#include "engine.h"

static bh_status no_memory(const dev_seat *seat) {
  return seat->engine->host->stop(seat->engine->host, BH_OUT_OF_MEMORY, "no host memory for a lane's tables");
}

/* ---- How many ---- */

static uint32_t parts_of(const dev_job *job, dev_shape shape) {
  int by_group = job->code && job->kernel->shape->by == BH_BY_GROUP;
  return job->code ? by_group ? shape.groups : shape.groups * shape.lanes : 1;
}

/* Device memory for one more lane or group: REDUCE parts need their identities beside them. */
static uint64_t bytes_each(const dev_seat *seat, const dev_job *job, uint64_t *ret_reduce) {
  const bh_problem *problem = seat->engine->problem;
  uint64_t each = 0;
  *ret_reduce = 0;
  for (uint32_t u = 0; u < job->kernel->n_uses; u++) {
    const bh_use *use = &job->kernel->uses[u];
    uint64_t bytes = bh_regions_round(problem->regions[use->region].bytes);
    if (!dev_is_private(problem, use))
      continue;
    each += use->role == BH_REDUCE ? 2 * bytes : bytes;
    if (use->role == BH_REDUCE && bytes > *ret_reduce)
      *ret_reduce = bytes;
  }
  return each;
}

static bh_status most_parts(dev_seat *seat, const dev_job *job, uint64_t *ret_most) {
  const dev_driver *driver = seat->engine->driver;
  uint64_t free_bytes = 0, total_bytes = 0, reduce = 0, each = bytes_each(seat, job, &reduce), most = UINT32_MAX;
  *ret_most = most;
  if (!each)
    return BH_OK;
  bh_status status = driver->memory(seat->lane, &free_bytes, &total_bytes);
  if (status != BH_OK)
    return status;
  if (free_bytes < each)
    return seat->engine->host->stop(
        seat->engine->host, BH_OUT_OF_MEMORY,
        "kernel '%s' needs %" PRIu64
        " bytes of device memory for the private parts of a single lane or group, has %" PRIu64,
        job->kernel->name, each, free_bytes);
  most = free_bytes / DEV_PARTS_SHARE / each;
  if (reduce && most > DEV_REDUCE_BYTES / reduce)
    most = DEV_REDUCE_BYTES / reduce;
  *ret_most = most < 1 ? 1 : most < UINT32_MAX ? most : UINT32_MAX;
  return BH_OK;
}

/* Fewer groups, and where that is not enough fewer lanes of one group, until there is room. */
static dev_shape shape_within(const dev_job *job, dev_shape shape, uint64_t most) {
  uint64_t in_group = job->kernel->shape->by == BH_BY_GROUP ? 1 : shape.lanes;
  if (job->single)
    shape.groups = 1;
  if (job->single && job->kernel->shape->by == BH_BY_LANE)
    shape.lanes = 1;
  if ((uint64_t)shape.groups * in_group > most)
    shape.groups = most / in_group ? (uint32_t)(most / in_group) : 1;
  if (in_group > most && shape.lanes > most)
    shape.lanes = (uint32_t)most;
  return shape;
}

/* ---- Laying out ---- */

/* 1: the identity is one word over and over, which the device can fill in by itself. */
static int is_one_word(const char *part, uint64_t bytes, uint64_t *ret_word) {
  memcpy(ret_word, part, sizeof *ret_word);
  for (uint64_t at = 8; at < bytes; at += 8)
    if (memcmp(part, part + at, 8))
      return 0;
  return 1;
}

/* `part`: one identity, rounded up. Copies are laid out on the host once, so that later each run copies on the device.
 */
static bh_status upload_identities(dev_seat *seat, dev_parts *parts, const char *part) {
  const dev_driver *driver = seat->engine->driver;
  uint64_t bytes = parts->most * parts->stride_bytes;
  bh_status status = driver->alloc(seat->lane, bytes, &parts->identity);
  for (uint32_t i = 0; i < parts->most; i++)
    memcpy(parts->downloaded + i * parts->stride_bytes, part, parts->stride_bytes);
  return status == BH_OK ? driver->upload(seat->lane, parts->identity, 0, parts->downloaded, bytes) : status;
}

static bh_status open_reduce(dev_seat *seat, const bh_region *region, dev_parts *parts) {
  const dev_driver *driver = seat->engine->driver;
  void *memory = NULL;
  bh_status status = driver->pinned(seat->lane, parts->most * parts->stride_bytes, &memory);
  if (status != BH_OK)
    return status;
  parts->downloaded = memory;
  char *part = calloc(1, parts->stride_bytes);
  if (!part)
    return no_memory(seat);
  bh_regions_identity(region, part);
  /* What pads a part belongs to nobody: as the last word of the identity it keeps the pattern whole. */
  uint64_t used = region->bytes & ~UINT64_C(7);
  for (uint64_t at = used; used && region->bytes == used && at < parts->stride_bytes; at += 8)
    memcpy(part + at, part, 8);
  if (!is_one_word(part, parts->stride_bytes, &parts->identity_word))
    status = upload_identities(seat, parts, part);
  free(part);
  return status;
}

static bh_status open_use(dev_seat *seat, dev_job *job, uint32_t use_index) {
  const bh_problem *problem = seat->engine->problem;
  const bh_use *use = &job->kernel->uses[use_index];
  const bh_region *region = &problem->regions[use->region];
  dev_parts *parts = &job->parts[use_index];
  if (!dev_is_private(problem, use) || (use->role != BH_REDUCE && !job->code))
    return BH_OK; /* a program has scratch memory of its own */
  parts->stride_bytes = region->bytes ? bh_regions_round(region->bytes) : 64;
  parts->most = parts_of(job, job->shape);
  bh_status status = seat->engine->driver->alloc(seat->lane, parts->most * parts->stride_bytes, &parts->memory);
  return status == BH_OK && use->role == BH_REDUCE ? open_reduce(seat, region, parts) : status;
}

bh_status dev_parts_shape(const dev_seat *seat, const dev_job *job, uint64_t items, dev_shape *ret_shape) {
  bh_status status = seat->engine->driver->shape(seat->lane, job->code, job->kernel, items, 0, ret_shape);
  if (status == BH_OK)
    *ret_shape = shape_within(job, *ret_shape, job->most);
  return status;
}

bh_status dev_parts_open(dev_seat *seat, dev_job *job) {
  uint64_t items = job->end - job->begin;
  bh_status status = BH_OK;
  if (!(job->parts = calloc(job->kernel->n_uses + 1u, sizeof *job->parts)))
    return no_memory(seat);
  if (job->code)
    status = most_parts(seat, job, &job->most);
  if (status == BH_OK && job->code)
    status = dev_parts_shape(seat, job, items ? items : 1, &job->shape);
  for (uint32_t u = 0; u < job->kernel->n_uses && status == BH_OK; u++)
    status = open_use(seat, job, u);
  for (uint32_t u = 0; u < job->kernel->n_uses; u++)
    if (job->parts[u].memory && job->parts[u].most < job->most)
      job->most = job->parts[u].most;
  return status;
}

/* Device memory goes with the lane. */
void dev_parts_close(dev_seat *seat, dev_job *job) {
  for (uint32_t u = 0; job->parts && u < job->kernel->n_uses; u++)
    if (job->parts[u].downloaded)
      seat->engine->driver->unpin(seat->lane, job->parts[u].downloaded);
  free(job->parts);
}

/* ---- In a run ---- */

bh_status dev_parts_reset(dev_seat *seat, dev_job *job, dev_shape shape) {
  const dev_driver *driver = seat->engine->driver;
  bh_status status = BH_OK;
  for (uint32_t u = 0; u < job->kernel->n_uses && status == BH_OK; u++) {
    dev_parts *parts = &job->parts[u];
    parts->used = parts_of(job, shape);
    if (!parts->downloaded)
      continue;
    uint64_t bytes = parts->used * parts->stride_bytes;
    status = parts->identity ? driver->copy(seat->lane, parts->memory, 0, parts->identity, 0, bytes)
                             : driver->fill(seat->lane, parts->memory, 0, parts->identity_word, bytes);
  }
  return status;
}

bh_status dev_parts_download(dev_seat *seat, dev_job *job) {
  bh_status status = BH_OK;
  for (uint32_t u = 0; u < job->kernel->n_uses && status == BH_OK; u++) {
    dev_parts *parts = &job->parts[u];
    if (parts->downloaded)
      status = seat->engine->driver->download(seat->lane, parts->memory, 0, parts->downloaded,
                                              parts->used * parts->stride_bytes);
  }
  return status;
}

void dev_join(const dev_seat *seat, const dev_job *job, uint32_t use, void *into) {
  const bh_region *region = &seat->engine->problem->regions[job->kernel->uses[use].region];
  const dev_parts *parts = &job->parts[use];
  for (uint32_t i = 0; i < parts->used; i++)
    region->combine(into, parts->downloaded + i * parts->stride_bytes, region->bytes);
}
