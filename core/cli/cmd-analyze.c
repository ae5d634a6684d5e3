/* SPDX-License-Identifier: MIT
 * Owns `benchhost analyze JOURNAL`: what parallelism bought, from a stored run. */
#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "parallel/analyze.h"
#include "results/display.h"
#include "results/report.h"

#include <stdio.h>

typedef struct {
  gboolean json;
  char **metrics, *over, *between, *roofs;
} AnalyzeOptions;

static void analyze_options_clear(AnalyzeOptions *o) {
  g_strfreev(o->metrics);
  g_free(o->over);
  g_free(o->between);
  g_free(o->roofs);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(AnalyzeOptions, analyze_options_clear)

static gboolean read_metrics(char **names, guint *ret, GError **error) {
  for (char **name = names; name && *name; name++) {
    guint metric = 0;
    if (!bh_analyze_metric(*name, &metric)) {
      g_autofree char *suggestion = bh_text_suggest(*name, bh_analyze_metric_names);
      g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "analyze: --metric=%s: no such metric%s", *name, suggestion);
      return FALSE;
    }
    *ret |= metric;
  }
  return TRUE;
}

static int print(const BhResults *results, const BhAnalyzeOptions *options, gboolean json) {
  GError *error = NULL;
  g_autoptr(JsonNode) report = bh_analyze(results, options, &error);
  if (!report)
    return bh_cli_fail(error);
  g_autofree char *text =
      json ? bh_json_text(report, TRUE) : bh_analyze_text(report, bh_report_width(), bh_display_ascii());
  fputs(text, stdout);
  return bh_analyze_exit_status(report, options);
}

int bh_cmd_analyze(int argc, char **argv) {
  g_auto(AnalyzeOptions) o = {0};
  const GOptionEntry entries[] = {
      {"json", 0, 0, G_OPTION_ARG_NONE, &o.json, "Print JSON (schemas/analyze.schema.json)", NULL},
      {"metric", 'm', 0, G_OPTION_ARG_STRING_ARRAY, &o.metrics,
       "Only this: speedup (with efficiency and serial fraction), usl, metg, crossover, roofline (repeatable)",
       "METRIC"},
      {"over", 0, 0, G_OPTION_ARG_STRING, &o.over,
       "metg, crossover: the parameter that sweeps (default: every numeric one with 3 values or more)", "NAME"},
      {"between", 0, 0, G_OPTION_ARG_STRING, &o.between,
       "crossover: between these two backends (default: the base and each other)", "A,B"},
      {"roofs", 0, 0, G_OPTION_ARG_STRING, &o.roofs, "roofline: only roofs whose label matches this glob", "GLOB"},
      {NULL},
  };
  g_autoptr(GOptionContext) context = g_option_context_new("JOURNAL - what parallelism bought, from a stored run");
  g_option_context_add_main_entries(context, entries, NULL);
  g_option_context_set_description(
      context,
      "Exit status: 0; 2 when the figures contradict each other (more than 100 % of a roof), or when a METRIC\n"
      "that was asked for could not be computed at all; 64 bad usage or journal.");
  GError *error = NULL;
  if (!g_option_context_parse(context, &argc, &argv, &error))
    return bh_cli_fail(error);
  if (argc != 2) {
    fprintf(stderr,
            "benchhost: analyze: expected one journal (*.jsonl), got %d arguments; try 'benchhost analyze --help'\n",
            argc - 1);
    return BH_EXIT_USAGE;
  }
  BhAnalyzeOptions options = {.over = o.over, .between = o.between, .roofs = o.roofs};
  if (!read_metrics(o.metrics, &options.metrics, &error))
    return bh_cli_fail(error);
  g_autoptr(BhResults) results = bh_results_open(argv[1], &error);
  if (!results)
    return bh_cli_fail(error);
  return print(results, &options, o.json);
}
