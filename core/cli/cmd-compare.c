/* SPDX-License-Identifier: MIT
 * Owns `benchhost compare`: stored runs side by side. */
#include "base/text.h"
#include "cli/cli.h"
#include "history/compare.h"
#include "results/display.h"
#include "results/report.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
  gboolean json, markdown, no_color;
  char *primary, *sort, *threshold;
  char **filters;
} Options;

static void clear_options(Options *options) {
  g_free(options->primary);
  g_free(options->sort);
  g_free(options->threshold);
  g_strfreev(options->filters);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, clear_options)

/* "10%" or "0.1". */
static gboolean read_threshold(const char *text, double *ret, GError **error) {
  char *end;
  double value = g_ascii_strtod(text, &end);
  if (end != text && *end == '%') {
    value /= 100;
    end++;
  }
  if (end == text || *end || !(value > 0) || value > 100) {
    g_autofree char *shown = bh_text_shown(text);
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "compare: --threshold '%s': expected a share above 0, like 10%%",
                shown);
    return FALSE;
  }
  *ret = value;
  return TRUE;
}

static gboolean read_sort(const char *text, BhCompareSort *ret, GError **error) {
  static const char *const names[] = {"matrix", "ratio", "label", NULL}; /* BhCompareSort's order */
  for (guint i = 0; names[i]; i++)
    if (!strcmp(text, names[i])) {
      *ret = (BhCompareSort)i;
      return TRUE;
    }
  g_autofree char *shown = bh_text_shown(text);
  g_autofree char *hint = bh_text_suggest(text, names);
  g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "compare: --sort '%s' is none of matrix, ratio, label%s", shown,
              g_str_has_prefix(hint, ": did") ? hint : "");
  return FALSE;
}

static gboolean read_options(const Options *options, BhCompareOptions *ret, BhPrimary *ret_primary, GError **error) {
  ret->filters = (const char *const *)options->filters;
  if (options->threshold && !read_threshold(options->threshold, &ret->threshold, error))
    return FALSE;
  if (options->sort && !read_sort(options->sort, &ret->sort, error))
    return FALSE;
  if (options->json && options->markdown) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "compare: --json or --markdown, not both");
    return FALSE;
  }
  if (options->primary && !bh_primary_parse(options->primary, ret_primary)) {
    g_autofree char *shown = bh_text_shown(options->primary);
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
                "compare: --primary '%s': expected wall, total, cpu, memory, counter:NAME or metric:NAME", shown);
    return FALSE;
  }
  return TRUE;
}

static GPtrArray *load(char **paths, const BhPrimary *primary, GError **error) {
  g_autoptr(GPtrArray) runs = bh_stored_open_all(paths, primary, error);
  if (!runs || runs->len >= 2)
    return g_steal_pointer(&runs);
  g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
              "compare: expected two journals (*.jsonl) or more, the oldest first; try 'benchhost compare --help'");
  return NULL;
}

static int compare_runs(const Options *options, char **paths) {
  BhCompareOptions how = {0};
  BhPrimary primary = {0};
  GError *error = NULL;
  if (!read_options(options, &how, &primary, &error))
    return bh_cli_fail(error);
  g_autoptr(GPtrArray) runs = load(paths, options->primary ? &primary : NULL, &error);
  if (!runs)
    return bh_cli_fail(error);
  g_autoptr(BhCompare) compare = bh_compare_new(runs, &how, &error);
  if (!compare)
    return bh_cli_fail(error);
  g_autofree char *text = options->json       ? bh_compare_json(compare)
                          : options->markdown ? bh_compare_markdown(compare)
                                              : bh_compare_table(compare, !options->no_color && bh_report_color(),
                                                                 bh_report_width(), bh_display_ascii());
  fputs(text, stdout);
  return compare->beyond > 0 ? BH_EXIT_REGRESSION : BH_EXIT_OK;
}

int bh_cmd_compare(int argc, char **argv) {
  g_auto(Options) options = {0};
  GOptionEntry entries[] = {
      {"json", 0, 0, G_OPTION_ARG_NONE, &options.json, "Print everything as JSON (schemas/compare.schema.json)", NULL},
      {"markdown", 0, 0, G_OPTION_ARG_NONE, &options.markdown, "Print Markdown", NULL},
      {"primary", 0, 0, G_OPTION_ARG_STRING, &options.primary,
       "Compare this figure instead of each cell's own: wall, total, cpu, memory, counter:NAME, metric:NAME", "FIGURE"},
      {"filter", 'f', 0, G_OPTION_ARG_STRING_ARRAY, &options.filters,
       "Only cells whose label matches a glob, or KEY=VALUE[,VALUE]; may be given several times", "FILTER"},
      {"sort", 0, 0, G_OPTION_ARG_STRING, &options.sort, "matrix (default), ratio (the worst first) or label", "ORDER"},
      {"threshold", 0, 0, G_OPTION_ARG_STRING, &options.threshold,
       "Exit status 1 when a cell's interval lies wholly beyond this share, on the worse side", "SHARE"},
      {"no-color", 0, 0, G_OPTION_ARG_NONE, &options.no_color, "No colours, also on a terminal", NULL},
      {NULL},
  };
  g_autoptr(GOptionContext) context = g_option_context_new("OLD NEW [MORE...] - read stored runs side by side");
  g_option_context_add_main_entries(context, entries, NULL);
  g_option_context_set_description(
      context,
      "OLD, NEW ... are journals (*.jsonl), each compared with the first; one of `benchhost ab` counts as two.\n"
      "This is for reading trends. It is no gate: stored runs differ by more than the code. To decide, use\n"
      "'benchhost ab'. The exit status is 0 whatever the figures say, unless --threshold is given.");
  GError *error = NULL;
  if (!g_option_context_parse(context, &argc, &argv, &error))
    return bh_cli_fail(error);
  return compare_runs(&options, argv + 1);
}
