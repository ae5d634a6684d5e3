/* SPDX-License-Identifier: MIT
 * `benchhost describe NAME|PATH`: all that is known of one plugin, for people or as JSON. */
#include "base/text.h"
#include "base/json.h"
#include "cli/cli.h"
#include "plugin/catalog.h"

#include <math.h>
#include <stdio.h>

/* A limit as a matrix would write it. */
static char *limit_text(const BhParam *param, double limit) {
  if (fabs(limit) >= BH_UNBOUNDED)
    return g_strdup("unlimited");
  if (param->type == BH_SIZE)
    return bh_text_bytes(limit);
  if (param->type == BH_DURATION)
    return bh_text_duration(limit);
  return bh_text_double(limit);
}

static void print_limits(const BhParam *param) {
  if (param->min == 0 && param->max == 0)
    return;
  g_autofree char *min = limit_text(param, param->min);
  g_autofree char *max = limit_text(param, param->max);
  if (fabs(param->max) >= BH_UNBOUNDED)
    printf("      at least %s\n", min);
  else if (fabs(param->min) >= BH_UNBOUNDED)
    printf("      at most %s\n", max);
  else
    printf("      from %s to %s\n", min, max);
}

static void print_param(const BhParam *param) {
  printf("  %s: %s", param->name, bh_type_name(param->type));
  if (param->unit)
    printf(" (%s)", param->unit);
  if (!param->fallback)
    printf(", must be given");
  else if (*param->fallback)
    printf(", default %s", param->fallback);
  else
    printf(", default empty");
  putchar('\n');
  if (param->help)
    printf("      %s\n", param->help);
  if (param->choices) {
    g_autofree char *list = g_strjoinv(", ", param->choices);
    printf("      one of: %s\n", list);
  }
  print_limits(param);
  if (param->env)
    printf("      sets %s in the cell's process\n", param->env);
}

static void print_plugin(const BhPlugin *p) {
  printf("%s %s, a %s: %s\n", p->name, p->version, p->kind == BH_PLUGIN_WORKLOAD ? "workload" : "backend", p->summary);
  printf("  file       %s\n", p->path);
  printf("  build id   %s\n", p->build_id);
  if (p->target)
    printf("  runs code  %s\n", p->target);
  if (p->libraries && *p->libraries) {
    g_autofree char *list = g_strjoinv(", ", p->libraries);
    printf("  needs      %s\n", list);
  }
  if (p->runnable)
    puts("  runs here  yes");
  else
    printf("  runs here  no: %s\n", p->reason);
  puts(p->params->len ? "\nParameters:" : "\nIt has no parameters.");
  for (guint i = 0; i < p->params->len; i++)
    print_param(g_ptr_array_index(p->params, i));
}

int bh_cmd_describe(int argc, char **argv) {
  gboolean json = FALSE;
  const GOptionEntry entries[] = {{"json", 0, 0, G_OPTION_ARG_NONE, &json, "Print a JSON object instead", NULL},
                                  {NULL}};
  g_autoptr(GOptionContext) context =
      g_option_context_new("NAME|PATH.so - show a plugin's parameters, help and requirements");
  g_option_context_add_main_entries(context, entries, NULL);
  GError *error = NULL;
  if (!g_option_context_parse(context, &argc, &argv, &error))
    return bh_cli_fail(error);
  if (argc != 2) {
    fprintf(stderr, "benchhost describe: give one plugin's name or path; 'benchhost list' shows what there is\n");
    return BH_EXIT_USAGE;
  }
  g_autoptr(BhCatalog) catalog = bh_catalog_new();
  /* A file of the current folder may be named without "./". */
  g_autofree char *name = g_str_has_suffix(argv[1], ".so") ? g_canonicalize_filename(argv[1], NULL) : g_strdup(argv[1]);
  const BhPlugin *plugin = bh_catalog_find(catalog, name, &error);
  if (!plugin)
    return bh_cli_fail(error);
  if (json) {
    g_autoptr(JsonNode) node = bh_plugin_to_json(plugin);
    g_autofree char *text = bh_json_text(node, TRUE);
    fputs(text, stdout);
  } else {
    print_plugin(plugin);
  }
  return BH_EXIT_OK;
}
