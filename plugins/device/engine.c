/* SPDX-License-Identifier: MIT
 * The life of a cell on a device: lanes, then memory, then code and private parts, then programs or a team's members;
 * and back. What went wrong on the way leaves through the same close. */
#include "engine.h"

#include <stdio.h>

static bh_status open_seat(dev_engine *engine, const bh_value *values, uint32_t index) {
  const bh_problem *problem = engine->problem;
  dev_seat *seat = &engine->seats[index];
  seat->engine = engine;
  seat->index = index;
  seat->copies = calloc(problem->n_regions + 1u, sizeof *seat->copies);
  seat->jobs = calloc(problem->n_loops + 1u, sizeof *seat->jobs);
  if (!seat->copies || !seat->jobs)
    return engine->host->stop(engine->host, BH_OUT_OF_MEMORY, "no memory for the tables of lane %" PRIu32, index);
  bh_status status = engine->driver->open(engine->host, values, index, engine->count, &seat->lane);
  if (status != BH_OK)
    return status;
  dev_device_init(seat);
  status = dev_copies_open(seat);
  return status == BH_OK ? dev_jobs_open(seat) : status;
}

/* "prime 64x256, join 1x64": groups and lanes of each loop's kernel on the first lane. */
static void record_shapes(const dev_engine *engine) {
  char text[256] = "";
  int length = 0;
  for (uint32_t l = 0; l < engine->problem->n_loops && length < (int)sizeof text - 64; l++) {
    const dev_job *job = &engine->seats[0].jobs[l];
    if (job->code)
      length += snprintf(text + length, sizeof text - (size_t)length, "%s%.30s %" PRIu32 "x%" PRIu32,
                         length ? ", " : "", job->kernel->name, job->shape.groups, job->shape.lanes);
    else
      length += snprintf(text + length, sizeof text - (size_t)length, "%s%.30s program", length ? ", " : "",
                         job->kernel->name);
  }
  if (length)
    engine->host->fact(engine->host, "groups x lanes", "%s", text);
}

static bh_status open_all(dev_engine *engine, const bh_value *values) {
  bh_status status = BH_OK;
  engine->seats = calloc(engine->count, sizeof *engine->seats);
  engine->view = calloc(engine->problem->n_regions + 1u, sizeof *engine->view);
  engine->view_pinned = calloc(engine->problem->n_regions + 1u, sizeof *engine->view_pinned);
  if (!engine->seats || !engine->view || !engine->view_pinned)
    return engine->host->stop(engine->host, BH_OUT_OF_MEMORY, "no memory for the tables of %" PRIu32 " lanes",
                              engine->count);
  for (uint32_t i = 0; i < engine->count && status == BH_OK; i++)
    status = open_seat(engine, values, i);
  if (status == BH_OK)
    status = dev_finish_all(engine);
  if (status != BH_OK)
    return status;
  record_shapes(engine);
  if (engine->problem->member)
    return dev_team_open(engine);
  for (uint32_t i = 0; i < engine->count && status == BH_OK; i++)
    status = dev_programs_prepare(&engine->seats[i]);
  return status;
}

bh_status dev_open(const dev_driver *driver, const bh_host *h, const bh_value *values, const bh_problem *problem,
                   const void *workload_state, void **ret_state) {
  dev_engine *engine = calloc(1, sizeof *engine);
  if (!engine)
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory for the engine itself");
  engine->driver = driver;
  engine->host = h;
  engine->problem = problem;
  engine->workload_state = workload_state;
  uint32_t least = problem->min_members ? problem->min_members : 1;
  bh_status status = driver->count(h, values, problem->member ? least : 0, &engine->count);
  if (status == BH_OK)
    status = open_all(engine, values);
  if (status == BH_OK)
    *ret_state = engine;
  else
    dev_close(engine);
  return status;
}

static void close_views(dev_engine *engine) {
  for (uint32_t r = 0; engine->view && r < engine->problem->n_regions; r++)
    if (engine->view_pinned && engine->view_pinned[r])
      engine->driver->unpin(engine->seats[0].lane, engine->view[r]);
    else
      bh_regions_free_pages(engine->view[r], bh_regions_view_bytes(engine->problem, r, engine->count));
  free(engine->view);
  free(engine->view_pinned);
}

void dev_close(void *state) {
  dev_engine *engine = state;
  if (!engine)
    return;
  dev_team_close(engine);
  /* After a failure copies may still be on their way into memory that is freed here; what failed was said then. */
  for (uint32_t i = 0; engine->seats && i < engine->count; i++)
    if (engine->seats[i].lane)
      engine->driver->finish(engine->seats[i].lane);
  for (uint32_t i = 0; engine->seats && i < engine->count; i++)
    dev_programs_finish(&engine->seats[i]);
  close_views(engine);
  for (uint32_t i = 0; engine->seats && i < engine->count; i++) {
    dev_seat *seat = &engine->seats[i];
    if (!seat->engine)
      continue;
    dev_jobs_close(seat);
    free(seat->copies);
    engine->driver->close(seat->lane);
  }
  free(engine->seats);
  free(engine);
}
