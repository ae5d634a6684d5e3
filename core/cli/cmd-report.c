/* SPDX-License-Identifier: MIT
 * Owns `benchhost report`: the table of a stored run, and its exit status. */
#include "cli/cli.h"
#include "results/report.h"

#include <stdio.h>

int bh_cmd_report(int argc, char **argv) {
  gboolean no_color = FALSE, strict = FALSE;
  GOptionEntry entries[] = {
      {"no-color", 0, 0, G_OPTION_ARG_NONE, &no_color, "No colours, also on a terminal", NULL},
      {"strict", 0, 0, G_OPTION_ARG_NONE, &strict, "Skipped and unsupported cells fail: exit status 4", NULL},
      {NULL},
  };
  g_autoptr(GOptionContext) context = g_option_context_new("JOURNAL - print the table of a stored run");
  g_option_context_add_main_entries(context, entries, NULL);
  g_option_context_set_description(context, "JOURNAL is a results file (*.jsonl). The exit status is that of the run.");
  GError *error = NULL;
  if (!g_option_context_parse(context, &argc, &argv, &error))
    return bh_cli_fail(error);
  if (argc != 2) {
    fprintf(stderr,
            "benchhost: report: expected one journal (*.jsonl), got %d arguments; try 'benchhost report --help'\n",
            argc - 1);
    return BH_EXIT_USAGE;
  }
  g_autoptr(BhResults) results = bh_results_open(argv[1], &error);
  if (!results)
    return bh_cli_fail(error);
  if (bh_results_is_ab(results))
    fprintf(stderr, "benchhost: a comparison's journal, its arms shown as cells; `benchhost ab --from %s` decides\n",
            argv[1]);
  g_autofree char *table = bh_report_table(results, !no_color && bh_report_color());
  fputs(table, stdout);
  return bh_report_exit_status(results, strict);
}
