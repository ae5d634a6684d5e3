/* SPDX-License-Identifier: MIT
 *
 * ops.h - the operations of collectives: what a member does in one repeat, and what its buffer must hold in the end.
 * Each repeat stamps some elements first, so that every operation moves something new; values stay small integers in
 * doubles (exact), except in all-reduce, where sums grow and are set back before they overflow.
 */
#ifndef COLLECTIVES_OPS_H
#define COLLECTIVES_OPS_H
#include "values.h"
#include <benchhost/plugin.h>

typedef enum {
  COL_BARRIER = 0,
  COL_ALL_REDUCE,
  COL_BROADCAST,
  COL_REDUCE_SCATTER,
  COL_ALL_GATHER,
  COL_RING,
  COL_PINGPONG
} col_op;
#define COL_OP_NAMES                                                                                                   \
  "barrier|all-reduce|broadcast|reduce-scatter|all-gather|ring|pingpong" /* in the order of col_op                     \
                                                                          */

#define COL_STAMPS 32 /* barriers whose times are kept: the last ones of a run */

/* Loops that members run, and the kernels of the same index. */
enum { COL_FILL, COL_MARK, COL_NOTE, COL_MOVE, COL_LOOPS };

typedef struct {
  uint32_t op, reserved;
  uint64_t count; /* doubles in a member's buffer */
  uint64_t repeats;
} col_params;

/* What a member says about its run, in its own region. */
typedef struct {
  uint64_t rank, size, repeats;
  uint64_t elapsed_ns; /* in the operations alone */
  struct {
    uint64_t enter_ns, leave_ns;
  } stamps[COL_STAMPS];
} col_log;

typedef struct {
  const col_params *params;
  bh_team *team;
  double *data, *spare; /* only to be handed to the team's calls */
  double *now;          /* which of the two holds the current data */
  col_log *log;
  uint64_t since_ns; /* barriers: when the first one began */
  uint64_t part;     /* elements per rank where a buffer is divided */
} col_run;

bh_status col_init(col_run *run);
bh_status col_step(col_run *run, uint64_t k);
bh_status col_end(col_run *run); /* the current data to `data` */
/* The final trace of `rank` (only where a later repeat would cover a lost one up does any add to it), and its buffer.
 */
uint64_t col_expect_trace(const col_params *p, uint32_t rank, uint32_t size);
void col_expect(const col_params *p, uint32_t rank, uint32_t size, double *ret_data);

#endif
