/* SPDX-License-Identifier: MIT
 * `benchhost check PLUGIN.so`: says, promise by promise, whether a plugin keeps the contract. */
#include "check/check.h"
#include "cli/cli.h"
#include "plugin/search.h"

#include <stdio.h>

static const char explanation[] =
    "Every promise of benchhost/plugin.h that can be tried is tried, each in a process of its own: workloads run on "
    "guarded\n"
    "memory in all kinds of chunks, their outputs are poisoned and damaged; backends get workloads whose every answer "
    "is\n"
    "known. Big defaults take long: give smaller ones with --param. A trial ends after 60 s\n"
    "(BENCHHOST_CHECK_TIMEOUT_MS). Exit status: 0 all kept, 64 a promise is broken.";

/* Names are looked up, so that a path is what the children get. */
static gboolean resolve(char **text, GError **error) {
  char *path = g_str_has_suffix(*text, ".so") ? g_canonicalize_filename(*text, NULL) : bh_search_find(*text);
  if (!path) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "no plugin '%s'; 'benchhost list' shows what there is", *text);
    return FALSE;
  }
  g_free(*text);
  *text = path;
  return TRUE;
}

static gint64 deadline_ns(void) {
  const char *text = g_getenv("BENCHHOST_CHECK_TIMEOUT_MS");
  guint64 ms = 60000;
  if (text)
    g_ascii_string_to_unsigned(text, 10, 1, 24 * 3600 * 1000, &ms, NULL);
  return (gint64)ms * 1000000;
}

int bh_cmd_check(int argc, char **argv) {
  BhCheckOptions options = {.deadline_ns = deadline_ns()};
  g_auto(GStrv) with = NULL, params = NULL;
  g_autofree char *trial = NULL, *scratch = NULL;
  const GOptionEntry entries[] = {
      {"with", 0, 0, G_OPTION_ARG_STRING_ARRAY, &with, "Run it with this plugin too (repeatable)", "PLUGIN"},
      {"param", 0, 0, G_OPTION_ARG_STRING_ARRAY, &params, "A value for one of its parameters (repeatable)",
       "NAME=VALUE"},
      {"json", 0, 0, G_OPTION_ARG_NONE, &options.json, "Print a JSON object instead", NULL},
      {"trial", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_STRING, &trial, NULL, NULL},
      {"scratch", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_STRING, &scratch, NULL, NULL},
      {NULL}};
  g_autoptr(GOptionContext) context =
      g_option_context_new("PLUGIN.so|NAME - check whether a plugin keeps the contract");
  g_option_context_add_main_entries(context, entries, NULL);
  g_option_context_set_description(context, explanation);
  GError *error = NULL;
  if (!g_option_context_parse(context, &argc, &argv, &error))
    return bh_cli_fail(error);
  const int at = argc > 1 && !g_strcmp0(argv[1], "--") ? 2 : 1;
  if (argc != at + 1) {
    fprintf(stderr, "benchhost check: give one plugin's file or name\n");
    return BH_EXIT_USAGE;
  }
  g_autofree char *path = g_strdup(argv[at]);
  if (!resolve(&path, &error))
    return bh_cli_fail(error);
  for (char **other = with; other && *other; other++)
    if (!resolve(other, &error))
      return bh_cli_fail(error);
  options.path = path;
  options.with = with;
  options.params = params;
  if (trial)
    return bh_check_trial(&options, trial, scratch);
  const int status = bh_check_run(&options, &error);
  return error ? bh_cli_fail(error) : status;
}
