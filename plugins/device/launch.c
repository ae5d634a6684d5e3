/* SPDX-License-Identifier: MIT
 * One loop: which lane gets which items, the arguments of a launch as benchhost/kernel.h's BH_OPENn_ take them, all
 * lanes started, all lanes waited for, private parts joined. */
#include "engine.h"

/* ---- Opening ---- */

/* Lane k of n gets one run of items that starts at a multiple of the grain; a team's member may run any. */
static void deal(const dev_engine *engine, uint32_t lane, dev_job *job) {
  uint64_t items = job->loop->items, grain = dev_grain(job->loop), n = engine->count;
  uint64_t grains = items / grain + (items % grain != 0), share = grains / n, rest = grains % n;
  uint64_t first = lane * share + (lane < rest ? lane : rest), last = first + share + (lane < rest ? 1 : 0);
  job->begin = 0;
  job->end = items;
  if (engine->problem->member)
    return;
  job->begin = first < grains ? first * grain : items;
  job->end = last < grains ? last * grain : items;
}

static bh_status job_open(dev_seat *seat, uint32_t loop) {
  const dev_engine *engine = seat->engine;
  dev_job *job = &seat->jobs[loop];
  bh_status status = BH_OK;
  job->loop = &engine->problem->loops[loop];
  job->kernel = &engine->problem->kernels[job->loop->kernel];
  job->single = !engine->problem->member && dev_is_single(engine->problem, job->kernel);
  deal(engine, seat->index, job);
  if (!job->kernel->program)
    status = engine->driver->compile(seat->lane, job->kernel, &job->code);
  return status == BH_OK ? dev_parts_open(seat, job) : status;
}

bh_status dev_jobs_open(dev_seat *seat) {
  bh_status status = BH_OK;
  for (uint32_t l = 0; l < seat->engine->problem->n_loops && status == BH_OK; l++)
    status = job_open(seat, l);
  return status;
}

void dev_jobs_close(dev_seat *seat) {
  for (uint32_t l = 0; seat->jobs && l < seat->engine->problem->n_loops; l++)
    if (seat->jobs[l].kernel)
      dev_parts_close(seat, &seat->jobs[l]);
  free(seat->jobs);
}

/* ---- Enqueueing ---- */

static dev_argument memory_of(const dev_seat *seat, const dev_job *job, uint32_t u) {
  const bh_use *use = &job->kernel->uses[u];
  const dev_copy *copy = &seat->copies[use->region];
  if (job->parts[u].memory)
    return (dev_argument){.memory = job->parts[u].memory};
  uint64_t at = use->split == BH_BY_WORKER ? seat->index * seat->engine->problem->regions[use->region].bytes : 0;
  return (dev_argument){.memory = copy->memory, .offset_bytes = at - copy->held.at};
}

static bh_status launch(dev_seat *seat, dev_job *job, dev_shape shape, bh_launch range, const void *params) {
  static const bh_no_params none;
  dev_argument arguments[2 + 2 * BH_MAX_USES];
  const bh_kernel *kernel = job->kernel;
  uint32_t n = 0, bytes = job->loop->params_bytes;
  arguments[n++] = (dev_argument){.value = &range, .value_bytes = sizeof range};
  for (uint32_t u = 0; u < kernel->n_uses; u++) {
    arguments[n++] = memory_of(seat, job, u);
    arguments[n++] = (dev_argument){.value = &job->parts[u].stride_bytes, .value_bytes = sizeof(uint64_t)};
  }
  arguments[n++] = bytes ? (dev_argument){.value = params, .value_bytes = bytes}
                         : (dev_argument){.value = &none, .value_bytes = sizeof none};
  return seat->engine->driver->launch(seat->lane, job->code, shape, arguments, n);
}

bh_status dev_enqueue(dev_seat *seat, dev_job *job, uint64_t begin, uint64_t end, const void *params) {
  dev_shape shape = job->shape;
  bh_status status = BH_OK;
  if (job->code && (begin != job->begin || end != job->end))
    status = dev_parts_shape(seat, job, end - begin, &shape);
  if (status == BH_OK)
    status = dev_parts_reset(seat, job, shape);
  if (status == BH_OK && job->code)
    status = launch(seat, job, shape, (bh_launch){begin, end, dev_grain(job->loop)}, params);
  else if (status == BH_OK)
    status = dev_program_enqueue(seat, job, begin, end, params);
  return status;
}

bh_status dev_collect(dev_seat *seat, dev_job *job) {
  bh_status status = job->code ? BH_OK : dev_program_fetch(seat, job);
  return status == BH_OK ? dev_parts_download(seat, job) : status;
}

/* ---- A loop of items ---- */

static bh_status start(dev_seat *seat, uint32_t loop) {
  const dev_driver *driver = seat->engine->driver;
  dev_job *job = &seat->jobs[loop];
  bh_status status = BH_OK;
  int replayed = 0;
  if (driver->run_begin)
    status = driver->run_begin(seat->lane, loop, job->code ? &replayed : NULL);
  if (status == BH_OK && !replayed)
    status = dev_enqueue(seat, job, job->begin, job->end, job->loop->params);
  if (status == BH_OK && !replayed && job->code)
    status = dev_collect(seat, job);
  if (status == BH_OK && job->code && driver->run_enqueued)
    status = driver->run_enqueued(seat->lane, loop);
  return status;
}

/* A program may wait for its results, so it is asked for them when all lanes have something to do. */
static bh_status collect(dev_seat *seat, uint32_t loop) {
  const dev_driver *driver = seat->engine->driver;
  bh_status status = dev_collect(seat, &seat->jobs[loop]);
  if (status == BH_OK && driver->run_enqueued)
    status = driver->run_enqueued(seat->lane, loop);
  return status;
}

static int has_items(const dev_seat *seat, uint32_t loop) {
  return seat->jobs[loop].begin < seat->jobs[loop].end;
}

/* All lanes that were started are waited for, whatever became of the others: the first failure counts. What a driver
 * does at a run's end, such as running the loop again to time it, it does when every lane is idle. */
static bh_status end_lanes(dev_engine *engine, uint32_t loop, uint32_t started, bh_status status) {
  const dev_driver *driver = engine->driver;
  for (uint32_t i = 0; i < started; i++)
    if (has_items(&engine->seats[i], loop)) {
      bh_status finished = driver->finish(engine->seats[i].lane);
      status = status == BH_OK ? finished : status;
    }
  for (uint32_t i = 0; driver->run_end && i < started && status == BH_OK; i++)
    if (has_items(&engine->seats[i], loop))
      status = driver->run_end(engine->seats[i].lane, loop);
  return status;
}

static bh_status run_lanes(dev_engine *engine, uint32_t loop) {
  bh_status status = BH_OK;
  uint32_t started = 0;
  for (; started < engine->count && status == BH_OK; started++)
    if (has_items(&engine->seats[started], loop))
      status = start(&engine->seats[started], loop);
  for (uint32_t i = 0; i < engine->count && status == BH_OK && !engine->seats[i].jobs[loop].code; i++)
    if (has_items(&engine->seats[i], loop))
      status = collect(&engine->seats[i], loop);
  return end_lanes(engine, loop, started, status);
}

static void join_all(dev_engine *engine, uint32_t loop) {
  const bh_kernel *kernel = engine->seats[0].jobs[loop].kernel;
  for (uint32_t u = 0; u < kernel->n_uses; u++) {
    uint32_t region = kernel->uses[u].region;
    if (kernel->uses[u].role != BH_REDUCE)
      continue;
    bh_regions_identity(&engine->problem->regions[region], engine->view[region]);
    for (uint32_t i = 0; i < engine->count; i++)
      if (has_items(&engine->seats[i], loop))
        dev_join(&engine->seats[i], &engine->seats[i].jobs[loop], u, engine->view[region]);
  }
}

bh_status dev_run_loop(void *state, uint32_t loop) {
  dev_engine *engine = state;
  bh_status status = BH_OK;
  if (engine->problem->loops[loop].items > 0) {
    status = dev_settle(engine, loop);
    if (status == BH_OK)
      status = run_lanes(engine, loop);
  }
  if (status != BH_OK)
    return status;
  join_all(engine, loop);
  dev_written(engine, loop);
  return BH_OK;
}
