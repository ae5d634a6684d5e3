/* SPDX-License-Identifier: MIT
 *
 * transport: shm - everything that workers share is mapped before they are forked: regions, REDUCE parts, the pool's
 * gates, the team's area. The parent is worker 0; whenever it waits it looks after its children, so that a dead one
 * ends the run.
 */
#include "fork.h"

typedef struct {
  bh_fork common; /* first: callbacks get a pointer to it */
  bh_pool *pool;
  bh_team_area *area;         /* NULL unless a team */
  _Atomic uint32_t *statuses; /* shared: per worker, of opening and of the last team run */
  bh_waiter waiter;
  int broken; /* a worker died: nothing more can run */
} shm_state;

static bh_status shm_accept(const bh_host *h, const bh_value *values, const bh_problem *problem, bh_needs *ret_needs) {
  (void)h, (void)values;
  if (problem->member)
    ret_needs->host_bytes += bh_team_stage_bytes(ret_needs->workers);
  return BH_OK;
}

/* [leader] The waiter's poll: nonzero when a child is gone, which is then reported and ends all waits everywhere. */
static int shm_look_after(void *arg) {
  shm_state *s = arg;
  for (uint32_t w = 1; w < s->common.workers; w++) {
    if (!bh_child_gone(&s->common.children[w]))
      continue;
    bh_child_report(s->common.host, &s->common.children[w], w);
    s->broken = 1;
    if (s->area)
      bh_team_area_fail(s->area);
    atomic_store(&s->pool->abort, 1);
    return 1;
  }
  return 0;
}

static bh_status run_member(shm_state *s, uint32_t worker) {
  bh_team_member member;
  bh_lane *lane = &s->common.lanes[worker];
  bh_team_join(&member, s->common.host, s->area, worker, &s->waiter, bh_lane_run, lane);
  bh_lane_identity_team(lane);
  return bh_team_leave(&member, s->common.problem->member(s->common.workload_state, &member.team, &lane->team));
}

/* The child's whole life; leaves by _exit, so that nothing of the parent's runs twice. */
static _Noreturn void worker_main(shm_state *s, uint32_t worker) {
  uint32_t generation = 0, command;
  s->waiter.poll = NULL;
  atomic_store(&s->statuses[worker], bh_fork_settle(&s->common, worker));
  bh_pool_done(s->pool, &s->waiter);
  while (bh_pool_wait(s->pool, &generation, &command, &s->waiter) == 0 && command != BH_POOL_QUIT) {
    if (command == BH_POOL_TEAM)
      atomic_store(&s->statuses[worker], run_member(s, worker));
    else
      bh_pool_work(s->pool, &s->common.shares[command], &s->common.lanes[worker], command);
    bh_pool_done(s->pool, &s->waiter);
  }
  _exit(0);
}

static void shm_end(bh_fork *common) {
  shm_state *s = (shm_state *)common;
  if (s->pool) {
    atomic_store(&s->pool->abort, 1);
    bh_pool_start(s->pool, common->workers, BH_POOL_QUIT, &s->waiter);
  }
  for (uint32_t w = 1; common->children && w < common->workers; w++)
    bh_child_end(&common->children[w]);
  bh_regions_free_pages(s->area, bh_team_area_bytes(common->workers));
  bh_regions_free_pages(s->statuses, common->workers * sizeof *s->statuses);
  bh_regions_free_pages(s->pool, sizeof *s->pool);
  bh_fork_release(common);
  free(s);
}

static bh_status shm_first_failure(shm_state *s) {
  for (uint32_t w = 0; w < s->common.workers; w++)
    if (atomic_load(&s->statuses[w]) != BH_OK)
      return (bh_status)atomic_load(&s->statuses[w]);
  return BH_OK;
}

static bh_status shm_start(shm_state *s) {
  bh_fork *f = &s->common;
  atomic_store(&s->pool->busy.word, f->workers - 1);
  for (uint32_t w = 1; w < f->workers; w++) {
    pid_t pid = bh_child_start(&f->children[w]);
    if (pid == 0)
      worker_main(s, w);
    if (pid < 0)
      return f->host->stop(f->host, BH_FAIL, "cannot fork worker %" PRIu32 " of %" PRIu32 ": %s", w, f->workers,
                           strerror(errno));
  }
  /* The caller places itself last: children inherit its mask. */
  atomic_store(&s->statuses[0], bh_fork_settle(f, 0));
  if (bh_pool_join(s->pool, f->workers, &s->waiter))
    return BH_FAIL;
  return shm_first_failure(s);
}

static bh_status shm_begin(const bh_host *h, const bh_value *values, const bh_problem *problem,
                           const void *workload_state, bh_fork **ret) {
  shm_state *s = calloc(1, sizeof *s);
  if (!s)
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory for the pool itself");
  bh_status status = bh_fork_prepare(&s->common, h, values, problem, workload_state, 1);
  uint32_t workers = s->common.workers;
  if (status == BH_OK) {
    s->pool = bh_regions_pages(sizeof *s->pool, 1);
    s->statuses = bh_regions_pages(workers * sizeof *s->statuses, 1);
    if (problem->member)
      s->area = bh_regions_pages(bh_team_area_bytes(workers), 1);
    if (!s->pool || !s->statuses || (problem->member && !s->area))
      status = h->stop(h, BH_OUT_OF_MEMORY, "no shared memory for a pool of %" PRIu32, workers);
  }
  if (status == BH_OK) {
    if (s->area)
      bh_team_area_init(s->area, workers);
    s->waiter = bh_waiter_make(values[BH_FORK_WAIT].i == BH_WAIT_BLOCK, 1, workers > h->cores);
    s->waiter.abort = &s->pool->abort;
    s->waiter.poll = shm_look_after;
    s->waiter.poll_arg = s;
    h->fact(h, "wait", "%s", values[BH_FORK_WAIT].s);
    status = shm_start(s);
  }
  if (status == BH_OK)
    *ret = &s->common;
  else
    shm_end(&s->common);
  return status;
}

static bh_status shm_broken(shm_state *s) {
  return s->common.host->stop(s->common.host, BH_FAIL, "a worker process is gone: the pool cannot run any more");
}

static bh_status shm_run_loop(bh_fork *common, uint32_t index) {
  shm_state *s = (shm_state *)common;
  if (s->broken)
    return shm_broken(s);
  bh_pool_start(s->pool, common->workers, index, &s->waiter);
  bh_pool_work(s->pool, &common->shares[index], &common->lanes[0], index);
  if (bh_pool_join(s->pool, common->workers, &s->waiter))
    return BH_FAIL;
  const bh_kernel *kernel = &common->problem->kernels[common->problem->loops[index].kernel];
  bh_lanes_join_uses(common->lanes, common->workers, kernel->uses, kernel->n_uses, common->view);
  return BH_OK;
}

static bh_status shm_run_team(bh_fork *common) {
  shm_state *s = (shm_state *)common;
  if (s->broken)
    return shm_broken(s);
  bh_team_area_reset(s->area);
  bh_pool_start(s->pool, common->workers, BH_POOL_TEAM, &s->waiter);
  atomic_store(&s->statuses[0], run_member(s, 0));
  if (s->broken || bh_pool_join(s->pool, common->workers, &s->waiter))
    return BH_FAIL;
  bh_status status = shm_first_failure(s);
  if (status == BH_OK)
    status = bh_team_area_check(s->area, common->host);
  if (status == BH_OK)
    bh_lanes_join_team(common->lanes, common->workers, common->view);
  return status;
}

const bh_fork_transport bh_fork_shm = {
    .accept = shm_accept,
    .open = shm_begin,
    .run_loop = shm_run_loop,
    .run_team = shm_run_team,
    .close = shm_end,
};
