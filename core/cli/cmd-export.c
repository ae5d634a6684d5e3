/* SPDX-License-Identifier: MIT
 * Owns `benchhost export`: a stored run in another program's format, to stdout or, whole or not at all, into a file. */
#include "base/text.h"
#include "cli/cli.h"
#include "results/report.h"

#include <stdio.h>
#include <string.h>

#include <glib/gstdio.h>

typedef struct {
  char *format, *output, *repetitions;
  gboolean samples;
} Options;

static gboolean one_of(const char *option, const char *given, const char *const *known, guint *ret_at, GError **error) {
  for (guint i = 0; known[i]; i++)
    if (!strcmp(given, known[i])) {
      *ret_at = i;
      return TRUE;
    }
  g_autofree char *hint = bh_text_suggest(given, known);
  g_autofree char *shown = bh_text_shown(given);
  g_autofree char *list = g_strjoinv(", ", (char **)known);
  g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "export: --%s '%s' is none of %s%s", option, shown, list,
              g_str_has_prefix(hint, ": did") ? hint : "");
  return FALSE;
}

static char *convert(const Options *options, const BhResults *results, GError **error) {
  static const char *const formats[] = {"csv", "json", "markdown", "gbench", NULL};
  static const char *const kinds[] = {"auto", "rounds", "samples", NULL}; /* BhRepetitions' order */
  guint format = 0, kind = 0;
  if (!options->format) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "export: expected --format=csv, json, markdown or gbench");
    return NULL;
  }
  if (!one_of("format", options->format, formats, &format, error))
    return NULL;
  if (options->repetitions && !one_of("repetitions", options->repetitions, kinds, &kind, error))
    return NULL;
  if (options->samples && format != 0) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "export: --samples goes with --format=csv only; json has all samples");
    return NULL;
  }
  if (options->repetitions && format != 3) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "export: --repetitions goes with --format=gbench only");
    return NULL;
  }
  if (!results) /* only the options were to be checked */
    return g_strdup("");
  switch (format) {
  case 0:
    return options->samples ? bh_report_csv_samples(results) : bh_report_csv(results);
  case 1:
    return bh_report_json(results);
  case 2:
    return bh_report_markdown(results);
  default:
    return bh_report_gbench(results, (BhRepetitions)kind);
  }
}

static int export_journal(const Options *options, const char *journal) {
  GError *error = NULL;
  g_autofree char *checked = convert(options, NULL, &error);
  if (!checked)
    return bh_cli_fail(error);
  g_autoptr(BhResults) results = bh_results_open(journal, &error);
  if (!results)
    return bh_cli_fail(error);
  if (results->torn)
    fprintf(stderr, "benchhost: export: %s: the last line is torn (the run was killed) and is left out\n", journal);
  g_autofree char *text = convert(options, results, &error);
  if (!bh_cli_write_text("export: ", options->output, text, &error))
    return bh_cli_fail(error);
  return BH_EXIT_OK;
}

int bh_cmd_export(int argc, char **argv) {
  Options options = {0};
  GOptionEntry entries[] = {
      {"format", 'f', 0, G_OPTION_ARG_STRING, &options.format,
       "csv, json, markdown or gbench (google-benchmark's JSON)", "FORMAT"},
      {"output", 'o', 0, G_OPTION_ARG_FILENAME, &options.output, "Write FILE, whole or not at all; default: stdout",
       "FILE"},
      {"samples", 0, 0, G_OPTION_ARG_NONE, &options.samples, "csv: one row per sample instead of one per cell", NULL},
      {"repetitions", 0, 0, G_OPTION_ARG_STRING, &options.repetitions,
       "gbench: what is a repetition: rounds, samples, or auto (rounds where there are several)", "KIND"},
      {NULL},
  };
  g_autoptr(GOptionContext) context =
      g_option_context_new("JOURNAL - convert a stored run to another program's format");
  g_option_context_add_main_entries(context, entries, NULL);
  g_option_context_set_description(context, "JOURNAL is a results file (*.jsonl).");
  GError *error = NULL;
  int status;
  if (!g_option_context_parse(context, &argc, &argv, &error)) {
    status = bh_cli_fail(error);
  } else if (argc != 2) {
    fprintf(stderr,
            "benchhost: export: expected one journal (*.jsonl), got %d arguments; try 'benchhost export --help'\n",
            argc - 1);
    status = BH_EXIT_USAGE;
  } else {
    status = export_journal(&options, argv[1]);
  }
  g_free(options.format);
  g_free(options.output);
  g_free(options.repetitions);
  return status;
}
