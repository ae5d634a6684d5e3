/* SPDX-License-Identifier: MIT
 * `benchhost list`: every plugin on the search path, whether it runs here, and what is wrong with those that are
 * broken; or every counter, and whether it can be read here. */
#include "cli/cli.h"
#include "base/json.h"
#include "counters/counters.h"
#include "plugin/catalog.h"
#include "plugin/search.h"
#include "results/display.h"

#include <stdio.h>
#include <string.h>

typedef struct {
  const char *name;
  const BhPlugin *plugin; /* the catalog's; NULL: refused */
  char *path, *refusal;
} Row;

static void row_free(Row *row) {
  g_free(row->path);
  g_free(row->refusal);
  g_free(row);
}

/* Workloads, then backends, then what is broken. */
static int row_class(const Row *row) {
  return row->plugin ? (int)row->plugin->kind : 9;
}

static int compare_rows(gconstpointer a, gconstpointer b) {
  const Row *x = *(Row *const *)a, *y = *(Row *const *)b;
  const int by_class = row_class(x) - row_class(y);
  return by_class ? by_class : strcmp(x->name, y->name);
}

static GPtrArray *collect(BhCatalog *catalog, char **names) {
  GPtrArray *rows = g_ptr_array_new_with_free_func((GDestroyNotify)row_free);
  bh_catalog_prefetch(catalog, (const char *const *)names);
  for (char **name = names; *name; name++) {
    g_autoptr(GError) error = NULL;
    Row *row = g_new0(Row, 1);
    row->name = *name;
    row->plugin = bh_catalog_find(catalog, *name, &error);
    row->path = bh_search_find(*name);
    row->refusal = error ? g_strdup(error->message) : NULL;
    g_ptr_array_add(rows, row);
  }
  g_ptr_array_sort(rows, compare_rows);
  return rows;
}

static void print_json(const GPtrArray *rows) {
  g_autoptr(JsonNode) root = json_node_new(JSON_NODE_ARRAY);
  JsonArray *array = json_array_new();
  for (guint i = 0; i < rows->len; i++) {
    const Row *row = g_ptr_array_index(rows, i);
    if (row->plugin) {
      json_array_add_element(array, bh_plugin_to_json(row->plugin));
      continue;
    }
    JsonObject *object = json_object_new();
    json_object_set_string_member(object, "name", row->name);
    json_object_set_string_member(object, "path", row->path ? row->path : "");
    json_object_set_string_member(object, "error", row->refusal);
    json_array_add_object_element(array, object);
  }
  json_node_take_array(root, array);
  g_autofree char *text = bh_json_text(root, TRUE);
  fputs(text, stdout);
}

static void print_line(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* Names of files and plugins' own words may hold anything: a line stays a line, and a terminal gets no orders. */
static void print_line(const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *line = g_strdup_vprintf(format, args);
  va_end(args);
  g_autofree char *clean = bh_display_clean(line, FALSE);
  puts(clean);
}

static void print_row(const Row *row, const int *widths) {
  const BhPlugin *p = row->plugin;
  print_line("%-*s  %-8s  %-*s  %-6s  %-*s  %s", widths[0], row->name, p ? bh_plugin_kind_name(p->kind) : "-",
             widths[1], p ? p->version : "-",
             !p            ? "broken"
             : p->runnable ? "yes"
                           : "no",
             widths[2], row->path ? row->path : "-", p ? p->summary : "");
  if (p && p->reason)
    print_line("%-*s  cannot run here: %s", widths[0], "", p->reason);
  if (!row->refusal)
    return;
  /* The line above names the file already. */
  const char *why = row->refusal;
  if (row->path && g_str_has_prefix(why, row->path) && g_str_has_prefix(why + strlen(row->path), ": "))
    why += strlen(row->path) + 2;
  print_line("%-*s  refused: %s", widths[0], "", why);
}

static void print_table(const GPtrArray *rows) {
  int widths[] = {4, 7, 4};
  for (guint i = 0; i < rows->len; i++) {
    const Row *row = g_ptr_array_index(rows, i);
    widths[0] = MAX(widths[0], (int)strlen(row->name));
    widths[1] = MAX(widths[1], row->plugin ? (int)strlen(row->plugin->version) : 0);
    widths[2] = MAX(widths[2], row->path ? (int)strlen(row->path) : 0);
  }
  printf("%-*s  %-8s  %-*s  %-6s  %-*s  %s\n", widths[0], "NAME", "KIND", widths[1], "VERSION", "RUNS", widths[2],
         "FILE", "SUMMARY");
  for (guint i = 0; i < rows->len; i++)
    print_row(g_ptr_array_index(rows, i), widths);
}

/* ---- Counters ---- */

static void print_counters_json(const GPtrArray *infos) {
  g_autoptr(JsonNode) root = json_node_new(JSON_NODE_ARRAY);
  JsonArray *array = json_array_new();
  for (guint i = 0; i < infos->len; i++) {
    const BhCounterInfo *info = g_ptr_array_index(infos, i);
    JsonObject *object = json_object_new();
    json_object_set_string_member(object, "name", info->name);
    json_object_set_string_member(object, "group", info->group);
    json_object_set_boolean_member(object, "available", info->available);
    if (info->note)
      json_object_set_string_member(object, "note", info->note);
    else
      json_object_set_null_member(object, "note");
    json_object_set_string_member(object, "summary", info->help);
    json_array_add_object_element(array, object);
  }
  json_node_take_array(root, array);
  g_autofree char *text = bh_json_text(root, TRUE);
  fputs(text, stdout);
}

/* A reason that several in a row share is said once, under the last of them. */
static void print_counters(const GPtrArray *infos) {
  int width = (int)strlen("NAME");
  for (guint i = 0; i < infos->len; i++)
    width = MAX(width, (int)strlen(((const BhCounterInfo *)g_ptr_array_index(infos, i))->name));
  printf("%-*s  %-8s  %-9s  %s\n", width, "NAME", "GROUP", "AVAILABLE", "SUMMARY");
  for (guint i = 0; i < infos->len; i++) {
    const BhCounterInfo *info = g_ptr_array_index(infos, i);
    const BhCounterInfo *next = i + 1 < infos->len ? g_ptr_array_index(infos, i + 1) : NULL;
    print_line("%-*s  %-8s  %-9s  %s", width, info->name, info->group, info->available ? "yes" : "no", info->help);
    if (info->note && (!next || g_strcmp0(next->note, info->note)))
      print_line("%-*s  %s", width, "", info->note);
  }
}

static int list_counters(gboolean json) {
  g_autoptr(GPtrArray) infos = bh_counters_available(NULL);
  if (json)
    print_counters_json(infos);
  else
    print_counters(infos);
  return BH_EXIT_OK;
}

int bh_cmd_list(int argc, char **argv) {
  gboolean json = FALSE, counters = FALSE;
  const GOptionEntry entries[] = {
      {"counters", 0, 0, G_OPTION_ARG_NONE, &counters, "List counters instead, and whether they can be read here",
       NULL},
      {"json", 0, 0, G_OPTION_ARG_NONE, &json, "Print everything that is known, as a JSON array", NULL},
      {NULL}};
  g_autoptr(GOptionContext) context =
      g_option_context_new("- list the plugins that are found, and whether they can run here");
  g_option_context_add_main_entries(context, entries, NULL);
  g_option_context_set_description(
      context,
      "Plugins are looked for in the folders of BENCHHOST_PLUGIN_PATH, then (in a build tree) in the build's own\n"
      "folders, then in the installed one. RUNS says whether a plugin can run on this machine.");
  GError *error = NULL;
  if (!g_option_context_parse(context, &argc, &argv, &error))
    return bh_cli_fail(error);
  if (argc > 1) {
    fprintf(stderr, "benchhost list: takes no argument but '%s' was given; see 'benchhost describe %s'\n", argv[1],
            argv[1]);
    return BH_EXIT_USAGE;
  }
  if (counters)
    return list_counters(json);
  g_autoptr(BhCatalog) catalog = bh_catalog_new();
  g_auto(GStrv) names = bh_catalog_names(catalog);
  g_autoptr(GPtrArray) rows = collect(catalog, names);
  if (json) {
    print_json(rows);
  } else if (rows->len) {
    print_table(rows);
  } else {
    g_auto(GStrv) folders = bh_search_folders();
    g_autofree char *list = g_strjoinv(", ", folders);
    fprintf(stderr, "benchhost: no plugin found in: %s (set BENCHHOST_PLUGIN_PATH)\n",
            *list ? list : "an empty search path");
  }
  return BH_EXIT_OK;
}
