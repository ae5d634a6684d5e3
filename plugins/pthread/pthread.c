/* SPDX-License-Identifier: MIT
 *
 * pthread - a pool of threads of its own: the calling thread is worker 0, workers 1.. are started in `open` and stay.
 * A loop is one store that all wait for and one counter that the caller waits for (benchhost/pool.h).
 */
#include <benchhost/params.h>
#include <benchhost/pool.h>
#include <benchhost/team.h>
#include <pthread.h>

typedef struct pool_state pool_state;

typedef struct {
  pool_state *pool;
  pthread_t thread; /* workers 1.. */
  void *reduce, *scratch;
  bh_status status; /* of opening, then of the last team run */
} worker;

struct pool_state {
  bh_pool *shared;
  const bh_host *host;
  const bh_problem *problem;
  const void *workload_state;
  const char *pin;
  bh_waiter waiter;
  uint32_t workers, started; /* started: threads that exist */
  uint32_t *reduces;         /* per loop: 1 when parts must be joined */
  bh_share *shares;
  void **view;
  bh_lane *lanes;
  worker *own;
  bh_team_area *area; /* NULL unless a team */
};

enum { WORKERS, SCHEDULE, CHUNK, PIN, WAIT };
static const bh_param params[] = {BH_PARAM_WORKERS, BH_PARAM_SCHEDULE, BH_PARAM_CHUNK,
                                  BH_PARAM_PIN,     BH_PARAM_WAIT,     {NULL}};

static bh_status pool_accept(const bh_host *h, const bh_value *values, const bh_problem *problem, bh_needs *ret_needs) {
  uint32_t workers = (uint32_t)values[WORKERS].i;
  ret_needs->workers = workers;
  ret_needs->host_bytes =
      workers * bh_regions_parts_bytes(problem, BH_REDUCE) + (problem->member ? bh_team_stage_bytes(workers) : 0);
  return bh_regions_check(h, problem, workers);
}

/* ---- Workers ---- */

static bh_status run_member(pool_state *pool, uint32_t index) {
  bh_team_member member;
  bh_lane *lane = &pool->lanes[index];
  bh_team_join(&member, pool->host, pool->area, index, &pool->waiter, bh_lane_run, lane);
  bh_lane_identity_team(lane);
  return bh_team_leave(&member, pool->problem->member(pool->workload_state, &member.team, &lane->team));
}

/* Private parts are allocated here, by the thread that will use them, and reductions first touched. Scratch is left to
 * the kernel: one that needs none of it on the host takes no memory. */
static bh_status worker_settle(worker *own) {
  pool_state *pool = own->pool;
  const bh_problem *problem = pool->problem;
  uint32_t index = (uint32_t)(own - pool->own);
  bh_status status = pool->host->pin(pool->host, pool->pin, index, pool->workers);
  if (status != BH_OK)
    return status;
  uint64_t reduce_bytes = bh_regions_parts_bytes(problem, BH_REDUCE);
  uint64_t scratch_bytes = bh_regions_parts_bytes(problem, BH_SCRATCH);
  own->reduce = bh_regions_pages(reduce_bytes, 0);
  own->scratch = bh_regions_pages(scratch_bytes, 0);
  if (!own->reduce || !own->scratch)
    return pool->host->stop(pool->host, BH_OUT_OF_MEMORY, "worker %" PRIu32 " needs %" PRIu64 " bytes of its own",
                            index, reduce_bytes + scratch_bytes);
  memset(own->reduce, 0, reduce_bytes);
  bh_lane_parts(&pool->lanes[index], own->reduce, own->scratch);
  bh_lane_fill(&pool->lanes[index], pool->view);
  return bh_lane_setup(&pool->lanes[index]);
}

static void *worker_main(void *arg) {
  worker *own = arg;
  pool_state *pool = own->pool;
  uint32_t index = (uint32_t)(own - pool->own), generation = 0, command;
  own->status = worker_settle(own);
  bh_pool_done(pool->shared, &pool->waiter);
  while (bh_pool_wait(pool->shared, &generation, &command, &pool->waiter) == 0 && command != BH_POOL_QUIT) {
    if (command == BH_POOL_TEAM)
      own->status = run_member(pool, index);
    else
      bh_pool_work(pool->shared, &pool->shares[command], &pool->lanes[index], command);
    bh_pool_done(pool->shared, &pool->waiter);
  }
  return NULL;
}

/* ---- The caller's side ---- */

static void pool_close(void *state) {
  pool_state *pool = state;
  if (!pool)
    return;
  if (pool->started)
    bh_pool_start(pool->shared, pool->started + 1, BH_POOL_QUIT, &pool->waiter);
  for (uint32_t w = 1; w <= pool->started; w++)
    pthread_join(pool->own[w].thread, NULL);
  for (uint32_t w = 0; pool->own && w < pool->workers; w++) {
    bh_regions_free_pages(pool->own[w].reduce, bh_regions_parts_bytes(pool->problem, BH_REDUCE));
    bh_regions_free_pages(pool->own[w].scratch, bh_regions_parts_bytes(pool->problem, BH_SCRATCH));
  }
  for (uint32_t w = 0; pool->lanes && w < pool->workers; w++)
    bh_lane_close(&pool->lanes[w]);
  bh_regions_unmap(pool->problem, pool->workers, pool->view);
  bh_regions_free_pages(pool->area, bh_team_area_bytes(pool->workers));
  bh_regions_free_pages(pool->shared, sizeof *pool->shared);
  free(pool->reduces);
  free(pool->shares);
  free(pool->lanes);
  free(pool->own);
  free(pool);
}

static bh_status pool_memory(pool_state *pool, const bh_value *values) {
  const bh_problem *problem = pool->problem;
  int fits = 1;
  if (!(pool->view = bh_regions_map(pool->host, problem, pool->workers, 0)))
    return BH_OUT_OF_MEMORY;
  pool->shared = bh_regions_pages(sizeof *pool->shared, 0);
  pool->reduces = calloc(problem->n_loops + 1u, sizeof *pool->reduces);
  pool->shares = bh_pool_shares(problem, (bh_schedule)values[SCHEDULE].i, (uint64_t)values[CHUNK].i, pool->workers);
  pool->lanes = calloc(pool->workers, sizeof *pool->lanes);
  pool->own = calloc(pool->workers, sizeof *pool->own);
  if (problem->member)
    pool->area = bh_regions_pages(bh_team_area_bytes(pool->workers), 0);
  if (!pool->shared || !pool->reduces || !pool->shares || !pool->lanes || !pool->own ||
      (problem->member && !pool->area))
    fits = 0;
  for (uint32_t w = 0; fits && w < pool->workers; w++) {
    pool->own[w].pool = pool;
    fits = bh_lane_open(&pool->lanes[w], pool->host, problem, w, pool->workers);
  }
  if (!fits)
    return pool->host->stop(pool->host, BH_OUT_OF_MEMORY, "no memory for a pool of %" PRIu32, pool->workers);
  if (pool->area)
    bh_team_area_init(pool->area, pool->workers);
  for (uint32_t l = 0; l < problem->n_loops; l++) {
    const bh_kernel *kernel = &problem->kernels[problem->loops[l].kernel];
    pool->reduces[l] = (uint32_t)bh_regions_any_reduce(kernel->uses, kernel->n_uses);
  }
  return BH_OK;
}

static bh_status pool_start_threads(pool_state *pool) {
  bh_status status = BH_OK;
  int refused = 0;
  atomic_store(&pool->shared->busy.word, pool->workers - 1);
  for (uint32_t w = 1; w < pool->workers && !refused; w++)
    if ((refused = pthread_create(&pool->own[w].thread, NULL, worker_main, &pool->own[w])) == 0)
      pool->started++;
  /* The caller places itself last: threads inherit the mask of the one that starts them. */
  pool->own[0].status = worker_settle(&pool->own[0]);
  atomic_fetch_sub(&pool->shared->busy.word, pool->workers - 1 - pool->started);
  bh_pool_join(pool->shared, pool->workers, &pool->waiter);
  if (refused)
    return pool->host->stop(pool->host, BH_FAIL, "cannot start thread %" PRIu32 " of %" PRIu32 ": %s",
                            pool->started + 1, pool->workers - 1, strerror(refused));
  for (uint32_t w = 0; w < pool->workers && status == BH_OK; w++)
    status = pool->own[w].status;
  return status;
}

static bh_status pool_open(const bh_host *h, const bh_value *values, const bh_problem *problem,
                           const void *workload_state, void **ret_state) {
  pool_state *pool = calloc(1, sizeof *pool);
  if (!pool)
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory for the pool itself");
  pool->host = h;
  pool->problem = problem;
  pool->workload_state = workload_state;
  pool->workers = (uint32_t)values[WORKERS].i;
  pool->pin = values[PIN].s;
  pool->waiter = bh_waiter_make(values[WAIT].i == BH_WAIT_BLOCK, 0, pool->workers > h->cores);
  bh_status status = pool_memory(pool, values);
  if (status == BH_OK)
    status = pool_start_threads(pool);
  if (status != BH_OK) {
    pool_close(pool);
    return status;
  }
  bh_pool_facts(h, problem, pool->shares, values[SCHEDULE].s);
  h->fact(h, "wait", "%s", values[WAIT].s);
  *ret_state = pool;
  return BH_OK;
}

static void *pool_alloc(void *state, uint32_t index) {
  return ((pool_state *)state)->view[index];
}

static bh_status pool_run_loop(void *state, uint32_t index) {
  pool_state *pool = state;
  bh_pool_start(pool->shared, pool->workers, index, &pool->waiter);
  bh_pool_work(pool->shared, &pool->shares[index], &pool->lanes[0], index);
  bh_pool_join(pool->shared, pool->workers, &pool->waiter);
  if (pool->reduces[index]) {
    const bh_kernel *kernel = &pool->problem->kernels[pool->problem->loops[index].kernel];
    bh_lanes_join_uses(pool->lanes, pool->workers, kernel->uses, kernel->n_uses, pool->view);
  }
  return BH_OK;
}

static bh_status pool_run_team(void *state) {
  pool_state *pool = state;
  bh_team_area_reset(pool->area);
  bh_pool_start(pool->shared, pool->workers, BH_POOL_TEAM, &pool->waiter);
  bh_status status = pool->own[0].status = run_member(pool, 0);
  bh_pool_join(pool->shared, pool->workers, &pool->waiter);
  for (uint32_t w = 0; w < pool->workers && status == BH_OK; w++)
    status = pool->own[w].status;
  if (status == BH_OK)
    status = bh_team_area_check(pool->area, pool->host);
  if (status == BH_OK)
    bh_lanes_join_team(pool->lanes, pool->workers, pool->view);
  return status;
}

static const bh_backend backend = {
    .size = sizeof backend,
    .target = "host",
    .accept = pool_accept,
    .open = pool_open,
    .alloc = pool_alloc,
    .run_loop = pool_run_loop,
    .run_team = pool_run_team,
    .close = pool_close,
};

const bh_plugin_info bh_plugin = {
    BH_PLUGIN_HEAD,   .name = "pthread",
    .version = "0.1.0", .summary = "a pool of threads, with the calling thread as worker 0",
    .params = params, .backend = &backend,
};
