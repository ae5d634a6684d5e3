/* SPDX-License-Identifier: MIT
 * Owns saying how a run ended. */
#include "cli/run-end.h"
#include "results/report.h"

#include <stdio.h>

gboolean bh_run_end_append(BhJournal *journal, BhResults *results, const BhRunSummary *summary, GError **error) {
  g_autoptr(JsonObject) line = bh_journal_end_line(summary->interrupted || summary->aborted, summary->cells_run,
                                                   summary->wall_s, summary->overhead_s);
  if (summary->aborted)
    json_object_set_string_member(line, "aborted", summary->aborted);
  return bh_journal_append(journal, line, error) && bh_results_add(results, line, error);
}

void bh_run_end_say(const BhRunSummary *summary, gboolean quiet, gboolean resumable) {
  if (summary->aborted)
    fprintf(stderr, "benchhost: given up (noise: abort): %s%s\n", summary->aborted,
            resumable ? "; --resume goes on" : "");
  if (quiet)
    return;
  if (summary->left_out && !summary->interrupted && !summary->aborted)
    fprintf(stderr,
            "benchhost: the budget was spent before %u process%s of the mandatory rounds could be run; %u cell%s "
            "without any result: give a larger budget or fewer cells\n",
            summary->left_out, summary->left_out == 1 ? "" : "es", summary->unvisited,
            summary->unvisited == 1 ? " is" : "s are");
  if (summary->rejected)
    fprintf(stderr, "benchhost: %u disturbed process%s repeated (noise: reject)\n", summary->rejected,
            summary->rejected == 1 ? " was" : "es were");
  if (summary->kept_disturbed)
    fprintf(stderr,
            "benchhost: %u disturbed process%s kept, only flagged: at most a fifth of all is repeated, and nothing for "
            "which no time is left; this machine is not quiet\n",
            summary->kept_disturbed, summary->kept_disturbed == 1 ? " was" : "es were");
}

int bh_run_end_status(const BhResults *results, const BhRunSummary *summary, gboolean strict) {
  if (summary->interrupted)
    return BH_EXIT_INTERRUPTED;
  const int status = bh_report_exit_status(results, strict);
  return summary->aborted || summary->unvisited ? MAX(status, BH_EXIT_INCONCLUSIVE) : status;
}
