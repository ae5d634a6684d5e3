/* SPDX-License-Identifier: MIT
 *
 * collectives.k.h - all that touches a member's buffers besides the team's calls: they may lie on a device.
 */
#ifndef COLLECTIVES_K_H
#define COLLECTIVES_K_H
#include "values.h"

BH_FN void col_fill_item(uint64_t j, BH_GLOBAL double *data, BH_GLOBAL double *spare, BH_GLOBAL uint64_t *trace,
                         col_kernel_params p) {
  if (p.data != COL_KEEP)
    data[j] = p.data == COL_START ? col_start(p.rank, j) : 0;
  if (p.spare != COL_KEEP)
    spare[j] = p.spare == COL_START ? col_start(p.rank, j) : 0;
  if (j == 0 && p.spare != COL_KEEP)
    trace[0] = col_trace(p.rank);
}
BH_ITEMS_KERNEL3(col_fill, col_fill_item, col_kernel_params, double, double, uint64_t)

BH_FN void col_mark_item(uint64_t i, BH_GLOBAL double *data, BH_GLOBAL double *spare, col_kernel_params p) {
  const uint64_t at = p.at + i * p.step;
  const double value = p.value + (double)(int32_t)i;
  if (p.in_spare)
    spare[at] = p.add ? spare[at] + value : value;
  else
    data[at] = p.add ? data[at] + value : value;
}
BH_ITEMS_KERNEL2(col_mark, col_mark_item, col_kernel_params, double, double)

/* Folds an element into the trace. */
BH_FN void col_note_item(uint64_t i, BH_GLOBAL const double *data, BH_GLOBAL uint64_t *trace, col_kernel_params p) {
  double noted = data[p.at];
  if (p.compare)
    noted = BH_FABS(noted - p.value) <= COL_NEAR * BH_FABS(p.value) ? 1 : 0;
  trace[i] = col_fold(trace[i], noted);
}
BH_ITEMS_KERNEL2(col_note, col_note_item, col_kernel_params, const double, uint64_t)

BH_FN void col_move_item(uint64_t j, BH_GLOBAL double *data, BH_GLOBAL const double *spare, col_kernel_params p) {
  BH_UNUSED(p);
  data[j] = spare[j];
}
BH_ITEMS_KERNEL2(col_move, col_move_item, col_kernel_params, double, const double)
#endif
