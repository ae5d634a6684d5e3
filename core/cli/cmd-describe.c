/* SPDX-License-Identifier: MIT
 * `benchhost describe NAME|PATH`: all that is known of one plugin, for people or as JSON; of a workload also the
 * kernels and variants that it has once it is opened. */
#include "base/text.h"
#include "base/json.h"
#include "check/kernels.h"
#include "cli/cli.h"
#include "plugin/catalog.h"
#include "results/display.h"
#include "results/fields.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

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
  printf("%s %s, a %s: %s\n", p->name, p->version, bh_plugin_kind_name(p->kind), p->summary);
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

/* ---- Kernels ---- */

static void print_clean(GString *line) {
  g_autofree char *clean = bh_display_clean(line->str, FALSE);
  puts(clean);
  g_string_truncate(line, 0);
}

static void print_kernel(JsonObject *kernel) {
  g_autoptr(GString) line = g_string_new(NULL);
  JsonArray *variants = bh_fields_array(kernel, "variants");
  g_string_printf(line, "  kernel %s", bh_fields_string(kernel, "name"));
  print_clean(line);
  for (guint i = 0; variants && i < json_array_get_length(variants); i++) {
    JsonObject *variant = json_array_get_object_element(variants, i);
    const char *summary = bh_fields_string(variant, "summary"), *reason = bh_fields_string(variant, "reason");
    g_string_append_printf(line, "    %s (%s)%s%s", bh_fields_string(variant, "name"),
                           bh_fields_string(variant, "target"), summary ? ": " : "", summary ? summary : "");
    print_clean(line);
    if (!reason)
      continue;
    g_string_append_printf(line, "      cannot run here: %s", reason);
    print_clean(line);
  }
}

static void print_kernels(JsonArray *kernels, const char *unknown, gboolean given) {
  if (!kernels)
    printf("\nVariants: not known: %s%s\n", unknown, strstr(unknown, "--param") ? "" : " (--param NAME=VALUE)");
  else if (json_array_get_length(kernels) == 0)
    puts("\nIt has no kernels, so there is no variant to choose.");
  else
    printf("\nVariants, with %s parameters:\n", given ? "these" : "its default");
  for (guint i = 0; kernels && i < json_array_get_length(kernels); i++)
    print_kernel(json_array_get_object_element(kernels, i));
}

static int describe(const BhPlugin *plugin, char *const *settings, gboolean json) {
  const gboolean opens = plugin->kind == BH_PLUGIN_WORKLOAD;
  GError *error = NULL;
  if (settings && !opens)
    g_set_error(&error, BH_ERROR, BH_ERROR_USAGE, "--param is for opening a workload, and this is a backend");
  g_autoptr(JsonNode) answer = opens && plugin->runnable ? bh_kernels_ask(plugin->path, settings, &error) : NULL;
  if (error && settings) /* who gives parameters asks for just this */
    return bh_cli_fail(error);
  g_autofree char *unknown = g_strdup(error ? error->message : plugin->reason);
  g_clear_error(&error);
  JsonArray *kernels = answer ? bh_fields_array(json_node_get_object(answer), "kernels") : NULL;
  if (!json) {
    print_plugin(plugin);
    if (opens)
      print_kernels(kernels, unknown, settings != NULL);
    return BH_EXIT_OK;
  }
  g_autoptr(JsonNode) node = bh_plugin_to_json(plugin);
  if (opens) {
    JsonObject *object = json_node_get_object(node);
    bh_json_put_text(object, "kernels_reason", kernels ? NULL : unknown);
    if (kernels)
      json_object_set_array_member(object, "kernels", json_array_ref(kernels));
    else
      json_object_set_null_member(object, "kernels");
  }
  g_autofree char *text = bh_json_text(node, TRUE);
  fputs(text, stdout);
  return BH_EXIT_OK;
}

int bh_cmd_describe(int argc, char **argv) {
  gboolean json = FALSE;
  g_auto(GStrv) settings = NULL;
  const GOptionEntry entries[] = {
      {"json", 0, 0, G_OPTION_ARG_NONE, &json, "Print a JSON object instead", NULL},
      {"param", 0, 0, G_OPTION_ARG_STRING_ARRAY, &settings,
       "Open the workload with this value: its kernels and variants may depend on it (repeat for several)",
       "NAME=VALUE"},
      {NULL}};
  g_autoptr(GOptionContext) context =
      g_option_context_new("NAME|PATH.so - show a plugin's parameters, help and requirements, a workload's variants");
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
  return describe(plugin, settings, json);
}
