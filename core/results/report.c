/* SPDX-License-Identifier: MIT
 * Owns a run's verdict as an exit status, and whether its table is coloured. */
#include "results/report.h"
#include "results/display.h"
#include "results/fields.h"

#include <unistd.h>

int bh_report_exit_status(const BhResults *results, gboolean strict) {
  int worst = BH_EXIT_OK;
  strict |= results->run && bh_fields_true(results->run, "strict");
  for (guint i = 0; i < results->records->len; i++) {
    const BhCellRecord *record = g_ptr_array_index(results->records, i);
    int status = BH_EXIT_BROKEN;
    switch (record->status) {
    case BH_CELL_OK:
      status = BH_EXIT_OK;
      break;
    case BH_CELL_SKIPPED:
    case BH_CELL_UNSUPPORTED:
      status = strict ? BH_EXIT_BROKEN : BH_EXIT_OK;
      break;
    case BH_CELL_WRONG:
      status = BH_EXIT_WRONG;
      break;
    case BH_CELL_CRASHED:
    case BH_CELL_TIMEOUT:
    case BH_CELL_OUT_OF_MEMORY:
    case BH_CELL_FAILED:
      break;
    }
    worst = MAX(worst, status);
  }
  return worst;
}

gboolean bh_report_color(void) {
  return bh_display_colors(STDOUT_FILENO);
}
