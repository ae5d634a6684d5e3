/* SPDX-License-Identifier: MIT
 * `benchhost schema`: prints a JSON Schema of the matrix that knows the installed plugins, for editors and other
 * programs. */
#include "cli/cli.h"
#include "cli/matrix-schema.h"

#include <stdio.h>

/* A plugin that cannot be probed costs a note, not the schema. */
static GPtrArray *all_plugins(BhCatalog *catalog) {
  GPtrArray *plugins = g_ptr_array_new();
  g_auto(GStrv) names = bh_catalog_names(catalog);
  bh_catalog_prefetch(catalog, (const char *const *)names);
  for (char **name = names; *name; name++) {
    g_autoptr(GError) error = NULL;
    const BhPlugin *plugin = bh_catalog_find(catalog, *name, &error);
    if (plugin)
      g_ptr_array_add(plugins, (gpointer)plugin);
    else
      fprintf(stderr, "benchhost: note: '%s' is left out: %s\n", *name, error->message);
  }
  return plugins;
}

static int print_schema(gboolean plain) {
  g_autoptr(BhCatalog) catalog = plain ? NULL : bh_catalog_new();
  g_autoptr(GPtrArray) plugins = plain ? NULL : all_plugins(catalog);
  g_autofree char *text = bh_matrix_schema(plugins);
  fputs(text, stdout);
  return BH_EXIT_OK;
}

int bh_cmd_schema(int argc, char **argv) {
  gboolean plain = FALSE;
  const GOptionEntry entries[] = {
      {"static", 0, 0, G_OPTION_ARG_NONE, &plain,
       "Leave plugins out: any name, any parameter (schemas/matrix.schema.json)", NULL},
      {NULL},
  };
  g_autoptr(GOptionContext) context = g_option_context_new("- print a JSON Schema of the matrix, for editors");
  g_option_context_set_description(
      context, "It knows the plugins that are found, their parameters, choices, defaults and help.");
  g_option_context_add_main_entries(context, entries, NULL);
  GError *error = NULL;
  if (!g_option_context_parse(context, &argc, &argv, &error))
    return bh_cli_fail(error);
  if (argc > 1) {
    g_set_error(&error, BH_ERROR, BH_ERROR_USAGE, "schema: '%s' is too much; it takes no arguments", argv[1]);
    return bh_cli_fail(error);
  }
  return print_schema(plain);
}
