/* SPDX-License-Identifier: MIT
 * Fuzzes the way from bytes to a plan: YAML, sets, --set, grammar, sweeps, expressions, patterns, --param, --filter.
 * The input is a matrix; lines that begin with "#set ", "#param " or "#filter " are comments in it and options besides.
 * The catalog is made by hand, so that nothing is read from or run on the machine. With BH_FUZZ_REPLAY it has a main()
 * that replays folders. */
#include "base/text.h"
#include "plan/plan.h"

#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- a catalog without a machine: stands in for plugin/catalog.c ---- */

struct BhCatalog {
  GPtrArray *plugins; /* of BhPlugin */
};

BhCatalog *bh_catalog_new(void) {
  BhCatalog *catalog = g_new0(BhCatalog, 1);
  catalog->plugins = g_ptr_array_new_with_free_func((GDestroyNotify)bh_plugin_free);
  return catalog;
}

void bh_catalog_free(BhCatalog *catalog) {
  if (!catalog)
    return;
  g_ptr_array_unref(catalog->plugins);
  g_free(catalog);
}

void bh_catalog_add(BhCatalog *catalog, BhPlugin *plugin) {
  g_ptr_array_add(catalog->plugins, plugin);
}

void bh_catalog_prefetch(BhCatalog *catalog, const char *const *names) {
  (void)catalog, (void)names;
}

const BhPlugin *bh_catalog_get(BhCatalog *catalog, BhPluginKind kind, const char *name, GError **error) {
  static const char *const names[] = {"w", "b", "v", "c", NULL};
  for (guint i = 0; i < catalog->plugins->len; i++) {
    const BhPlugin *plugin = catalog->plugins->pdata[i];
    if (plugin->kind == kind && !strcmp(plugin->name, name))
      return plugin;
  }
  g_autofree char *hint = bh_text_suggest(name, names);
  g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "no plugin%s", hint);
  return NULL;
}

static void add_param(BhPlugin *plugin, const char *name, bh_type type, const char *fallback, double min, double max) {
  BhParam *param = g_new0(BhParam, 1);
  param->name = g_strdup(name);
  param->type = type;
  param->fallback = g_strdup(fallback);
  param->choices = type == BH_CHOICE ? g_strsplit("static|dynamic|guided", "|", -1) : NULL;
  param->min = min;
  param->max = max;
  g_ptr_array_add(plugin->params, param);
}

static BhPlugin *add_plugin(BhCatalog *catalog, const char *name, BhPluginKind kind) {
  BhPlugin *plugin = g_new0(BhPlugin, 1);
  plugin->name = g_strdup(name);
  plugin->path = g_strdup("/none");
  plugin->kind = kind;
  plugin->runnable = TRUE;
  plugin->params = g_ptr_array_new_with_free_func((GDestroyNotify)bh_param_free);
  bh_catalog_add(catalog, plugin);
  return plugin;
}

static BhCatalog *make_catalog(void) {
  BhCatalog *catalog = bh_catalog_new();
  BhPlugin *w = add_plugin(catalog, "w", BH_PLUGIN_WORKLOAD);
  add_param(w, "n", BH_INT, "1000", 0, 1e15);
  add_param(w, "size", BH_SIZE, "64KiB", 0, 0);
  add_param(w, "share", BH_REAL, "0.5", 0, 1);
  add_param(w, "pause", BH_DURATION, "1ms", 0, BH_UNBOUNDED);
  add_param(w, "kind", BH_CHOICE, "static", 0, 0);
  add_param(w, "text", BH_TEXT, "", 0, 0);
  add_param(w, "argv", BH_WORDS, "true", 0, 0);
  add_param(w, "flag", BH_BOOL, "false", 0, 0);
  add_param(add_plugin(catalog, "v", BH_PLUGIN_WORKLOAD), "needed", BH_INT, NULL, 1, 10);
  BhPlugin *b = add_plugin(catalog, "b", BH_PLUGIN_BACKEND);
  add_param(b, "workers", BH_INT, "cores", 1, 1024);
  add_param(b, "schedule", BH_CHOICE, "static", 0, 0);
  add_param(b, "n", BH_INT, "0", 0, BH_UNBOUNDED); /* the same name as one of the workload's */
  add_plugin(catalog, "c", BH_PLUGIN_BACKEND);
  return catalog;
}

/* ---- one input ---- */

static char **options_in(const char *text, const char *prefix) {
  g_autoptr(GPtrArray) found = g_ptr_array_new();
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (char **line = lines; *line && found->len < 4; line++)
    if (g_str_has_prefix(*line, prefix))
      g_ptr_array_add(found, g_strdup(*line + strlen(prefix)));
  g_ptr_array_add(found, NULL);
  return (char **)g_ptr_array_free(g_steal_pointer(&found), FALSE);
}

static void check(gboolean holds, const char *what) {
  if (holds)
    return;
  fprintf(stderr, "fuzz-matrix: %s\n", what);
  abort();
}

/* A plan that was accepted must keep its own promises. */
static void check_plan(const BhPlan *plan) {
  check(plan->cells->len > 0, "a plan without cells");
  g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);
  for (guint i = 0; i < plan->cells->len; i++) {
    const BhCell *cell = plan->cells->pdata[i];
    check(g_hash_table_add(ids, cell->id), "two cells with one id");
    check(g_utf8_validate(cell->label, -1, NULL), "a label that is not UTF-8");
    for (guint k = 0; k < cell->params->len; k++) {
      const BhValue *value = cell->params->pdata[k];
      g_autoptr(BhValue) again = bh_value_parse(cell->workload->params->pdata[k], value->text, NULL);
      check(again && !strcmp(again->text, value->text), "a canonical text that does not parse back");
    }
  }
  guint n = 0;
  g_free(bh_plan_order(plan, 0, &n));
  check(n == plan->cells->len, "a round without some cells");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static BhCatalog *catalog;
  if (!catalog)
    catalog = make_catalog();
  g_autofree char *text = g_strndup((const char *)data, size);
  g_auto(GStrv) sets = options_in(text, "#set "), params = options_in(text, "#param "),
                filters = options_in(text, "#filter ");
  g_autoptr(GError) error = NULL;
  g_autoptr(BhSpec) spec = bh_spec_parse((const char *)data, size, "/matrix/m.yaml", (const char *const *)sets, &error);
  check(spec || error, "neither a spec nor an error");
  if (!spec)
    return 0;
  const BhPlanOptions options = {.filters = (const char *const *)filters,
                                 .params = (const char *const *)params,
                                 .cores = 6,
                                 .memory_bytes = G_GUINT64_CONSTANT(8) << 30};
  g_autoptr(BhPlan) plan = bh_plan_new(spec, catalog, &options, &error);
  check(plan ? !error : error != NULL, "neither a plan nor an error, or both");
  if (plan)
    check_plan(plan);
  return 0;
}

#ifndef BH_LIBFUZZER
int main(int argc, char **argv) {
  guint replayed = 0;
  for (int i = 1; i < argc; i++) {
    g_autoptr(GDir) folder = g_dir_open(argv[i], 0, NULL);
    for (const char *name; folder && (name = g_dir_read_name(folder));) {
      g_autofree char *path = g_build_filename(argv[i], name, NULL), *text = NULL;
      gsize length = 0;
      if (!g_file_get_contents(path, &text, &length, NULL))
        continue;
      /* A copy of exactly this size, so that reading beyond it is seen. */
      g_autofree uint8_t *exact = g_memdup2(text, length);
      LLVMFuzzerTestOneInput(exact, length);
      replayed++;
    }
  }
  printf("%u inputs replayed\n", replayed);
  return replayed ? 0 : 1;
}
#endif
