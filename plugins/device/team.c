/* SPDX-License-Identifier: MIT
 * Teams: a member is a thread with a lane of its own; the calling thread is member 0. Bodies are host code and work on
 * the host's views, with the collectives of benchhost/team.h. A loop that a member runs takes its bytes to the lane and
 * back, except for regions that no body looks at, which stay there, and are exchanged from there (exchange.c). */
#include "engine.h"

uint64_t dev_team_bytes(const bh_problem *problem, uint32_t members) {
  return members * (bh_regions_parts_bytes(problem, BH_REDUCE) + bh_regions_parts_bytes(problem, BH_SCRATCH)) +
         bh_team_stage_bytes(members);
}

/* ---- A member's `run` ---- */

/* Regions that bodies see too: their newest bytes are in the host's view before and after every run. */
static bh_status stage(dev_seat *seat, const dev_job *job, uint64_t begin, uint64_t end, const void *params,
                       int after) {
  bh_status status = BH_OK;
  for (uint32_t u = 0; u < job->kernel->n_uses && status == BH_OK; u++) {
    const bh_use *use = &job->kernel->uses[u];
    if (dev_is_private(seat->engine->problem, use) ||
        dev_is_resident(seat->engine->problem, seat->engine->count, use->region))
      continue;
    dev_range range = dev_use_range(seat->engine, use, params, seat->index, begin, end);
    if (!after)
      status = dev_put(seat, use->region, range);
    else if (dev_writes(use))
      status = dev_get(seat, use->region, range);
  }
  return status;
}

static bh_status run_job(dev_seat *seat, uint32_t loop, uint64_t begin, uint64_t end, const void *params) {
  const dev_driver *driver = seat->engine->driver;
  dev_job *job = &seat->jobs[loop];
  bh_status status = BH_OK;
  if (driver->run_begin)
    status = driver->run_begin(seat->lane, loop, NULL);
  if (status == BH_OK)
    status = stage(seat, job, begin, end, params, 0);
  if (status == BH_OK)
    status = dev_enqueue(seat, job, begin, end, params);
  if (status == BH_OK)
    status = dev_collect(seat, job);
  if (status == BH_OK)
    status = stage(seat, job, begin, end, params, 1);
  if (status == BH_OK && driver->run_enqueued)
    status = driver->run_enqueued(seat->lane, loop);
  if (status == BH_OK)
    status = driver->finish(seat->lane);
  if (status == BH_OK && driver->run_end)
    status = driver->run_end(seat->lane, loop);
  return status;
}

static bh_status member_run(void *arg, uint32_t loop, uint64_t begin, uint64_t end, const void *params) {
  dev_seat *seat = arg;
  const dev_engine *engine = seat->engine;
  bh_status status = bh_regions_check_run(engine->host, engine->problem, seat->index, loop, begin, end);
  if (status != BH_OK || begin == end)
    return status;
  const dev_job *job = &seat->jobs[loop];
  status = run_job(seat, loop, begin, end, params ? params : job->loop->params);
  for (uint32_t u = 0; u < job->kernel->n_uses && status == BH_OK; u++)
    if (job->kernel->uses[u].role == BH_REDUCE)
      dev_join(seat, job, u, seat->own.own[job->kernel->uses[u].region]);
  return status;
}

static bh_status run_member(dev_seat *seat) {
  dev_engine *engine = seat->engine;
  bh_team_member member;
  bh_lane_fill(&seat->own, engine->view);
  bh_team_join(&member, engine->host, engine->area, seat->index, &engine->waiter, member_run, seat);
  if (engine->exchange_bytes)
    dev_exchange_join(&member);
  bh_lane_identity_team(&seat->own);
  return bh_team_leave(&member, engine->problem->member(engine->workload_state, &member.team, &seat->own.team));
}

/* ---- Threads ---- */

static void *member_main(void *arg) {
  dev_seat *seat = arg;
  dev_engine *engine = seat->engine;
  uint32_t generation = 0, command;
  seat->status = dev_programs_prepare(seat);
  bh_pool_done(engine->pool, &engine->waiter);
  while (bh_pool_wait(engine->pool, &generation, &command, &engine->waiter) == 0 && command != BH_POOL_QUIT) {
    seat->status = run_member(seat);
    bh_pool_done(engine->pool, &engine->waiter);
  }
  dev_programs_finish(seat);
  return NULL;
}

static bh_status start_members(dev_engine *engine) {
  bh_status status = BH_OK;
  int refused = 0;
  atomic_store(&engine->pool->busy.word, engine->count - 1);
  for (uint32_t i = 1; i < engine->count && !refused; i++)
    if ((refused = pthread_create(&engine->seats[i].thread, NULL, member_main, &engine->seats[i])) == 0)
      engine->started++;
  engine->seats[0].status = dev_programs_prepare(&engine->seats[0]);
  atomic_fetch_sub(&engine->pool->busy.word, engine->count - 1 - engine->started);
  bh_pool_join(engine->pool, engine->count, &engine->waiter);
  if (refused)
    return engine->host->stop(engine->host, BH_FAIL, "cannot start the thread of member %" PRIu32 " of %" PRIu32 ": %s",
                              engine->started + 1, engine->count, strerror(refused));
  for (uint32_t i = 0; i < engine->count && status == BH_OK; i++)
    status = engine->seats[i].status;
  return status;
}

/* What the body gets: this member's parts in host memory; regions are filled in when they are there. */
static int open_own(dev_seat *seat) {
  const dev_engine *engine = seat->engine;
  if (!bh_lane_open(&seat->own, engine->host, engine->problem, seat->index, engine->count))
    return 0;
  seat->reduce = bh_regions_pages(bh_regions_parts_bytes(engine->problem, BH_REDUCE), 0);
  seat->scratch = bh_regions_pages(bh_regions_parts_bytes(engine->problem, BH_SCRATCH), 0);
  if (!seat->reduce || !seat->scratch)
    return 0;
  bh_lane_parts(&seat->own, seat->reduce, seat->scratch);
  return 1;
}

bh_status dev_team_open(dev_engine *engine) {
  bh_status status = BH_OK;
  int fits = (engine->pool = bh_regions_pages(sizeof *engine->pool, 0)) != NULL;
  fits = fits && (engine->area = bh_regions_pages(bh_team_area_bytes(engine->count), 0)) != NULL;
  for (uint32_t i = 0; i < engine->count && fits; i++)
    fits = open_own(&engine->seats[i]);
  if (!fits)
    return engine->host->stop(engine->host, BH_OUT_OF_MEMORY, "no memory for a team of %" PRIu32 " members",
                              engine->count);
  bh_team_area_init(engine->area, engine->count);
  engine->waiter = bh_waiter_make(1, 0, engine->count > engine->host->cores);
  engine->exchange_bytes = dev_exchange_bytes(engine->problem, engine->count);
  for (uint32_t i = 0; i < engine->count && engine->exchange_bytes && status == BH_OK; i++)
    status = dev_exchange_open(&engine->seats[i]);
  return status == BH_OK ? start_members(engine) : status;
}

void dev_team_close(dev_engine *engine) {
  if (engine->started)
    bh_pool_start(engine->pool, engine->started + 1, BH_POOL_QUIT, &engine->waiter);
  for (uint32_t i = 1; i <= engine->started; i++)
    pthread_join(engine->seats[i].thread, NULL);
  for (uint32_t i = 0; engine->seats && i < engine->count; i++) {
    dev_seat *seat = &engine->seats[i];
    bh_regions_free_pages(seat->reduce, bh_regions_parts_bytes(engine->problem, BH_REDUCE));
    bh_regions_free_pages(seat->scratch, bh_regions_parts_bytes(engine->problem, BH_SCRATCH));
    bh_lane_close(&seat->own);
  }
  bh_regions_free_pages(engine->area, bh_team_area_bytes(engine->count));
  bh_regions_free_pages(engine->pool, sizeof *engine->pool);
}

bh_status dev_run_team(void *state) {
  dev_engine *engine = state;
  bh_team_area_reset(engine->area);
  bh_pool_start(engine->pool, engine->count, BH_POOL_TEAM, &engine->waiter);
  bh_status status = engine->seats[0].status = run_member(&engine->seats[0]);
  bh_pool_join(engine->pool, engine->count, &engine->waiter);
  for (uint32_t i = 0; i < engine->count && status == BH_OK; i++)
    status = engine->seats[i].status;
  if (status == BH_OK)
    status = bh_team_area_check(engine->area, engine->host);
  for (uint32_t r = 0; r < engine->problem->n_regions && status == BH_OK; r++)
    if (engine->seats[0].own.own[r] && engine->problem->regions[r].role != BH_SCRATCH) {
      bh_regions_identity(&engine->problem->regions[r], engine->view[r]);
      for (uint32_t i = 0; i < engine->count; i++)
        engine->problem->regions[r].combine(engine->view[r], engine->seats[i].own.own[r],
                                            engine->problem->regions[r].bytes);
    }
  return status;
}
