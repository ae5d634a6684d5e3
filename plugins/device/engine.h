/* SPDX-License-Identifier: MIT
 * What the engine's own files share: who holds which bytes of a region, and what one loop needs on one lane. */
#pragma once
#include "driver.h"

#include <benchhost/kernel.h>
#include <benchhost/pool.h>
#include <benchhost/team.h>
#include <pthread.h>

/* All parts of one REDUCE use on one lane, at most: the host joins them after every run of the loop. */
#define DEV_REDUCE_BYTES (UINT64_C(64) << 20)
/* Private parts take at most this share of the memory that is free once the regions are there. */
#define DEV_PARTS_SHARE 4

typedef struct dev_engine dev_engine;

typedef struct {
  uint64_t at, end; /* bytes of a region; empty: at == end */
} dev_range;

/* A region's copy on one lane. */
typedef struct {
  dev_memory *memory; /* NULL: no kernel here looks at it */
  dev_range held;     /* what of the region lies in `memory`, from its first byte on */
  dev_range valid;    /* of that: equal to the region's newest contents */
  dev_range dirty;    /* newer than the host's view */
  int exchanged;      /* a team's calls find it here */
} dev_copy;

/* Private parts of a REDUCE or SCRATCH use in one loop. */
typedef struct {
  dev_memory *memory;
  dev_memory *identity;   /* REDUCE: `most` identities, where they are not one word repeated; else NULL */
  uint64_t identity_word; /* else: that word */
  uint64_t stride_bytes;
  uint32_t most;    /* parts that there is room for */
  uint32_t used;    /* in the last launch */
  char *downloaded; /* REDUCE: the parts in host memory, page-locked */
} dev_parts;

/* One loop on one lane. */
typedef struct {
  const bh_loop *loop;
  const bh_kernel *kernel;
  dev_code *code;      /* NULL: a program */
  dev_shape shape;     /* of a launch over [begin, end) */
  uint64_t most;       /* lanes or groups that private parts leave room for */
  uint64_t begin, end; /* this lane's items of the whole loop; a team's member may run any */
  dev_parts *parts;    /* of each use; memory NULL where there are none */
  void *program_state;
  int prepared; /* 1: the program's `prepare` succeeded */
  int single;   /* 1: one device lane (or group) does all: a use belongs to the worker */
} dev_job;

/* What a member puts up for the others during one collective: bytes in its lane's memory. */
typedef struct {
  dev_memory *memory; /* NULL: somewhere in the host's memory */
  uint64_t offset_bytes;
} dev_place;

/* A lane with all that belongs to it: worker, or member of a team. */
typedef struct {
  dev_engine *engine;
  uint32_t index;
  dev_lane *lane;
  dev_copy *copies; /* of each region */
  dev_job *jobs;    /* of each loop */
  dev_job *current; /* the program that runs: its REDUCE parts are what `region` gives */
  bh_device device; /* what programs get */
  /* team */
  bh_lane own; /* the body's arguments, and this member's parts in host memory */
  void *reduce, *scratch;
  pthread_t thread;        /* members 1.. */
  bh_status status;        /* of starting, then of the last run */
  dev_place offer;         /* others read it between two barriers */
  dev_memory *sum, *piece; /* of engine->exchange_bytes each; NULL: no region is exchanged */
} dev_seat;

struct dev_engine {
  const dev_driver *driver;
  const bh_host *host;
  const bh_problem *problem;
  const void *workload_state;
  uint32_t count; /* seats */
  dev_seat *seats;
  void **view;           /* of each region, in host memory */
  uint32_t *view_pinned; /* 1: by seat 0's lane; 0: pages */
  /* team */
  bh_pool *pool;
  bh_team_area *area;
  bh_waiter waiter;
  uint32_t started;        /* threads */
  uint64_t exchange_bytes; /* of a collective at a time; 0: no region is exchanged */
};

static inline int dev_range_empty(dev_range r) {
  return r.at >= r.end;
}
static inline int dev_range_within(dev_range inner, dev_range outer) {
  return dev_range_empty(inner) || (inner.at >= outer.at && inner.end <= outer.end);
}
static inline int dev_writes(const bh_use *use) {
  return use->role == BH_OUT || use->role == BH_INOUT || use->role == BH_TEMP;
}
/* A use of parts that are private to a device's lane or group. */
static inline int dev_is_private(const bh_problem *problem, const bh_use *use) {
  return use->role == BH_REDUCE || problem->regions[use->region].role == BH_SCRATCH;
}
/* At most the loop's items, so that nobody who rounds up to it overflows: UINT64_MAX asks for one chunk of all. */
static inline uint64_t dev_grain(const bh_loop *loop) {
  uint64_t grain = loop->min_chunk < loop->items ? loop->min_chunk : loop->items;
  return grain ? grain : 1;
}

/* ---- accept.c ---- */
/* 1: some kernel looks at region `index` other than at private parts, so that lanes need a copy of it. */
int dev_has_copy(const bh_problem *, uint32_t index);
/* 1: every use of the region is by worker, so that a lane needs its own part and no more. */
int dev_only_by_worker(const bh_problem *, uint32_t index);
/* What lane `lane` of `count` holds of region `index`. */
dev_range dev_held(const bh_problem *, uint32_t index, uint32_t lane, uint32_t count);
/* 1: a kernel's use belongs to the worker, so that one device lane (or group) does all items. */
int dev_is_single(const bh_problem *, const bh_kernel *);

/* ---- regions.c ---- */
bh_status dev_copies_open(dev_seat *);
/* The bytes that items [begin, end) of a loop touch by `use` on lane `lane`. */
dev_range dev_use_range(const dev_engine *, const bh_use *, const void *params, uint32_t lane, uint64_t begin,
                        uint64_t end);
bh_status dev_put(dev_seat *, uint32_t index, dev_range); /* view -> lane */
bh_status dev_get(dev_seat *, uint32_t index, dev_range); /* lane -> view; there after `finish` */
/* Before a loop of items: every lane holds the newest contents of what it will touch. After it: who wrote what. */
bh_status dev_settle(dev_engine *, uint32_t loop);
void dev_written(dev_engine *, uint32_t loop);
bh_status dev_finish_all(dev_engine *); /* waits for all lanes; the first failure counts */
/* Team: 1 where the copy on the lane is the only one between bind and fetch, as the body does not look at the region.
 */
int dev_is_resident(const bh_problem *, uint32_t count, uint32_t index);

/* ---- launch.c ---- */
bh_status dev_jobs_open(dev_seat *); /* compiles, lays out private parts; after dev_copies_open */
void dev_jobs_close(dev_seat *);
/* Enqueues items [begin, end), begin < end, of a job: parts to the identity, then the launch or the program. */
bh_status dev_enqueue(dev_seat *, dev_job *, uint64_t begin, uint64_t end, const void *params);
/* Enqueues what brings its results: the program's `fetch` (which may wait), parts on their way to the host. */
bh_status dev_collect(dev_seat *, dev_job *);
/* After `finish`: adds the parts of the last launch of use `use` to `into`. */
void dev_join(const dev_seat *, const dev_job *, uint32_t use, void *into);

/* ---- parts.c ---- */
bh_status dev_parts_open(dev_seat *, dev_job *);
/* The shape of a launch over so many items. */
bh_status dev_parts_shape(const dev_seat *, const dev_job *, uint64_t items, dev_shape *ret_shape);
void dev_parts_close(dev_seat *, dev_job *);
bh_status dev_parts_reset(dev_seat *, dev_job *, dev_shape);
bh_status dev_parts_download(dev_seat *, dev_job *);

/* ---- program.c ---- */
void dev_device_init(dev_seat *);
/* Compiles a kernel where that was not done and enqueues items [begin, end), begin < end. `memory`: of each of its `n`
 * uses, shared by all lanes. `params_bytes` 0: it takes none. */
bh_status dev_launch(dev_seat *, const bh_kernel *, uint64_t begin, uint64_t end, const dev_argument *memory,
                     uint32_t n, const void *params, uint32_t params_bytes);
bh_status dev_programs_prepare(dev_seat *); /* by the thread that will run them */
bh_status dev_program_enqueue(dev_seat *, dev_job *, uint64_t begin, uint64_t end, const void *params);
bh_status dev_program_fetch(dev_seat *, dev_job *);
void dev_programs_finish(dev_seat *);

/* ---- team.c ---- */
bh_status dev_team_open(dev_engine *);
void dev_team_close(dev_engine *);                             /* stops the members' threads */
uint64_t dev_team_bytes(const bh_problem *, uint32_t members); /* of host memory */

/* ---- exchange.c ---- */
/* What goes through a collective at a time, in each of two buffers of a lane; 0: no region is exchanged. */
uint64_t dev_exchange_bytes(const bh_problem *, uint32_t count);
bh_status dev_exchange_open(dev_seat *);
/* Gives the member calls that know regions in device memory. */
void dev_exchange_join(bh_team_member *);
