/* SPDX-License-Identifier: MIT
 *
 * What the two ends of transport: pipe agree on. A message is a header and then data whose lengths both ends compute
 * from it, so nothing is said twice. The parent sends without ever blocking; a worker reads, works and answers in turn.
 */
#pragma once
#include "fork.h"
#include <sys/uio.h>

enum {
  BH_PIPE_READY = 1, /* worker -> parent, once: begin = bh_status of opening */
  BH_PIPE_WHOLE,     /* region `index` as a whole follows */
  BH_PIPE_PART,      /* this worker's part of region `index` follows */
  BH_PIPE_POISON,    /* region or part `index` is the 8-byte word `begin`, repeated; end: 1 = only the worker's part */
  BH_PIPE_CHUNK,     /* items [begin, end) of loop `index`: slices follow; answered by the same header and slices */
  BH_PIPE_END,       /* end of loop `index`: answered by the same header, then REDUCE parts and written parts */
  BH_PIPE_SYNC,      /* answered by itself: all that was sent before has arrived */
  BH_PIPE_TEAM,      /* run the body; answered by the same header with begin = bh_status, then parts */
  BH_PIPE_QUIT
};

typedef struct {
  uint32_t kind, index;
  uint64_t begin, end;
  uint64_t run; /* counts runs of loops: a new one starts REDUCE parts from the identity */
} bh_pipe_header;

/* How one use of one loop travels. Bits. */
enum {
  BH_PIPE_SENT = 1,      /* its slice goes to the worker with the chunk */
  BH_PIPE_BACK = 2,      /* its slice comes back with the answer */
  BH_PIPE_FILLED = 4,    /* the worker fills its slice with poison first */
  BH_PIPE_ALL = 8,       /* the worker needs all of it, up to date, before its first chunk */
  BH_PIPE_OWN = 16,      /* likewise its own part (the whole region where there is one worker) */
  BH_PIPE_OWN_BACK = 32, /* its own part comes back at the end of the loop */
  BH_PIPE_REDUCED = 64   /* its REDUCE part comes back at the end of the loop */
};

/* Flags of use `u` of loop `loop`. */
uint32_t bh_pipe_flags(const bh_fork *f, uint32_t loop, uint32_t u);
/* What a worker's part of a region is: BY_WORKER its own, else all of it. */
struct iovec bh_pipe_part(const bh_fork *f, uint32_t region, uint32_t worker);
/* The data behind a CHUNK header: uses with `flag`; behind an END header: REDUCE parts and written parts. Return
 * counts. */
int bh_pipe_slices(const bh_fork *f, const bh_pipe_header *header, uint32_t flag, struct iovec *ret);
int bh_pipe_parts(const bh_fork *f, const bh_pipe_header *header, uint32_t worker, struct iovec *ret);
/* Moves `list` on by `done` bytes; returns how many entries are used up. */
int bh_pipe_advance(struct iovec *list, int n, size_t done);

/* The child's whole life: reads commands from `from`, answers on `to`. */
_Noreturn void bh_pipe_worker(bh_fork *f, uint32_t worker, int from, int to);
