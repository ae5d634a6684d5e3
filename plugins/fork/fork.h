/* SPDX-License-Identifier: MIT
 *
 * The fork backend's inside: worker processes (children.c) and the two ways to reach them (shm.c, pipe.c with
 * pipe-worker.c). fork.c picks one by `transport`.
 */
#pragma once
#include <benchhost/params.h>
#include <benchhost/pool.h>
#include <benchhost/team.h>
#include <sys/types.h>

enum { BH_FORK_WORKERS, BH_FORK_SCHEDULE, BH_FORK_CHUNK, BH_FORK_PIN, BH_FORK_WAIT, BH_FORK_TRANSPORT };

/* ---- children.c ---- */

typedef struct {
  pid_t pid;       /* 0: none */
  int gone;        /* reaped, or reaped by somebody else */
  int wait_status; /* valid when gone; -1: somebody else reaped it */
} bh_child;

/* fork(); in the child, which dies with its parent, returns 0. -1: errno. */
pid_t bh_child_start(bh_child *child);
/* 1: it has ended (reaped at most once). Never waits. */
int bh_child_gone(bh_child *child);
/* Says why worker `worker` is gone: "worker 1 (pid 4711) died: SIGSEGV". Returns BH_FAIL. */
bh_status bh_child_report(const bh_host *h, const bh_child *child, uint32_t worker);
/* Gives it a moment to leave, then kills; reaps in any case. */
void bh_child_end(bh_child *child);

/* ---- What both transports share ---- */

typedef struct {
  const bh_host *host;
  const bh_problem *problem;
  const void *workload_state;
  const char *pin;
  uint32_t workers;
  bh_share *shares; /* per loop */
  void **view;
  bh_lane *lanes;
  void *reduce, *scratch;               /* all workers' parts, one after the other */
  uint64_t reduce_bytes, scratch_bytes; /* of one worker */
  bh_child *children;
} bh_fork;

/* Maps regions and parts and fills all lanes, before anything is forked. `shared`: regions and REDUCE parts. */
bh_status bh_fork_prepare(bh_fork *f, const bh_host *h, const bh_value *values, const bh_problem *problem,
                          const void *workload_state, int shared);
/* [worker] Places itself and touches its private parts first. */
bh_status bh_fork_settle(bh_fork *f, uint32_t worker);
/* Children must be down. */
void bh_fork_release(bh_fork *f);

/* A transport: the backend's callbacks behind `accept`. */
typedef struct {
  bh_status (*accept)(const bh_host *, const bh_value *, const bh_problem *, bh_needs *);
  bh_status (*open)(const bh_host *, const bh_value *, const bh_problem *, const void *workload_state, bh_fork **ret);
  bh_status (*bind)(bh_fork *, uint32_t index); /* NULL: the view is shared */
  bh_status (*run_loop)(bh_fork *, uint32_t index);
  bh_status (*run_team)(bh_fork *);
  void (*close)(bh_fork *);
} bh_fork_transport;
extern const bh_fork_transport bh_fork_shm, bh_fork_pipe;
