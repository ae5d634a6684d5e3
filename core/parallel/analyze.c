/* SPDX-License-Identifier: MIT
 * Owns the report as a whole: which sections it has, and its exit status. */
#include "parallel/analyze.h"
#include "base/text.h"
#include "parallel/model.h"
#include "results/fields.h"
#include "base/json.h"

#include <string.h>

static const struct {
  const char *name;
  guint metric;
} metrics[] = {{"speedup", BH_METRIC_SCALING},
               {"usl", BH_METRIC_USL},
               {"metg", BH_METRIC_METG},
               {"crossover", BH_METRIC_CROSSOVER},
               {"roofline", BH_METRIC_ROOFLINE}};
const char *const bh_analyze_metric_names[] = {"speedup", "usl", "metg", "crossover", "roofline", NULL};

gboolean bh_analyze_metric(const char *name, guint *ret) {
  for (guint i = 0; i < G_N_ELEMENTS(metrics); i++)
    if (!strcmp(metrics[i].name, name)) {
      *ret = metrics[i].metric;
      return TRUE;
    }
  return FALSE;
}

static guint cores_of(const BhResults *results) {
  gint64 cores = 0;
  JsonObject *environment = bh_fields_object(results->run, "environment");
  bh_fields_int(bh_fields_object(environment, "cores"), "value", &cores);
  return cores > 0 && cores < G_MAXINT ? (guint)cores : 0;
}

/* A parameter that no workload of the journal has is a typing error, and not "nothing found". */
static gboolean check_over(const BhAnalysis *analysis, GError **error) {
  const char *over = analysis->options->over;
  g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
  if (!over)
    return TRUE;
  for (guint i = 0; i < analysis->cells->len; i++) {
    const BhMerged *cell = g_ptr_array_index(analysis->cells, i);
    g_autoptr(GList) names = json_object_get_members(cell->first->params);
    for (GList *l = names; l; l = l->next)
      g_hash_table_add(seen, l->data);
  }
  if (g_hash_table_contains(seen, over))
    return TRUE;
  g_autofree const char **names = (const char **)g_hash_table_get_keys_as_array(seen, NULL);
  g_autofree char *suggestion = bh_text_suggest(over, names);
  g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "--over=%s: no workload of this journal has such a parameter%s", over,
              suggestion);
  return FALSE;
}

static guint rounds_of(const GPtrArray *cells) {
  guint rounds = 0;
  for (guint i = 0; i < cells->len; i++)
    rounds = MAX(rounds, ((const BhMerged *)g_ptr_array_index(cells, i))->rounds->len);
  return rounds;
}

/* NULL for a section that was not asked for. */
static gboolean add_sections(JsonObject *report, const BhAnalysis *analysis, GError **error) {
  const guint asked = analysis->options->metrics ? analysis->options->metrics : BH_METRIC_ALL;
  gboolean ok = TRUE;
  for (guint i = 0; ok && i < G_N_ELEMENTS(metrics); i++) {
    const guint metric = metrics[i].metric;
    JsonObject *section = !(asked & metric)               ? NULL
                          : metric == BH_METRIC_SCALING   ? bh_scaling(analysis)
                          : metric == BH_METRIC_USL       ? bh_usl(analysis)
                          : metric == BH_METRIC_METG      ? bh_metg(analysis)
                          : metric == BH_METRIC_CROSSOVER ? bh_crossover(analysis, error)
                                                          : bh_roofline(analysis, error);
    ok = section || !(asked & metric);
    if (section)
      json_object_set_object_member(report, metrics[i].name, section);
    else
      json_object_set_null_member(report, metrics[i].name);
  }
  return ok;
}

/* All but a comparison's control, which is a check of the measurement and no figure of anything. */
static GPtrArray *cells_of(const BhResults *results) {
  GPtrArray *cells = bh_merge_cells(results);
  for (guint i = cells->len; i-- > 0;) {
    const char *arm = ((const BhMerged *)cells->pdata[i])->first->arm;
    if (arm && g_str_has_prefix(arm, "control"))
      g_ptr_array_remove_index(cells, i);
  }
  return cells;
}

JsonNode *bh_analyze(const BhResults *results, const BhAnalyzeOptions *options, GError **error) {
  g_autoptr(GPtrArray) cells = cells_of(results);
  g_autoptr(JsonObject) report = json_object_new();
  JsonArray *errors = json_array_new();
  const BhAnalysis analysis = {results, options, cells, cores_of(results), errors};
  json_object_set_int_member(report, "schema", 1);
  bh_json_put_text(report, "benchhost", bh_fields_string(results->run, "benchhost"));
  bh_json_put_text(report, "name", bh_fields_string(bh_fields_object(results->run, "matrix"), "name"));
  bh_json_put_text(report, "journal", results->path);
  json_object_set_int_member(report, "rounds", rounds_of(cells));
  if (analysis.cores)
    json_object_set_int_member(report, "cores", analysis.cores);
  else
    json_object_set_null_member(report, "cores");
  json_object_set_array_member(report, "errors", errors);
  if (!check_over(&analysis, error) || !add_sections(report, &analysis, error))
    return NULL;
  JsonNode *root = json_node_new(JSON_NODE_OBJECT);
  json_node_take_object(root, g_steal_pointer(&report));
  return root;
}

/* Whether any figure below `node` exists: an object with a "value" that is a number. */
static gboolean has_figure(JsonNode *node) {
  gboolean found = FALSE;
  if (JSON_NODE_HOLDS_ARRAY(node)) {
    JsonArray *array = json_node_get_array(node);
    for (guint i = 0; !found && i < json_array_get_length(array); i++)
      found = has_figure(json_array_get_element(array, i));
  } else if (JSON_NODE_HOLDS_OBJECT(node)) {
    JsonObject *object = json_node_get_object(node);
    g_autoptr(GList) names = json_object_get_members(object);
    found = json_object_has_member(object, "ci_reason") && !json_object_get_null_member(object, "value");
    if (!found && bh_fields_string(object, "verdict"))
      found = TRUE;
    for (GList *l = names; !found && l; l = l->next)
      if (strcmp(l->data, "params") && strcmp(l->data, "options"))
        found = has_figure(json_object_get_member(object, l->data));
  }
  return found;
}

int bh_analyze_exit_status(JsonNode *report, const BhAnalyzeOptions *options) {
  JsonObject *object = json_node_get_object(report);
  if (json_array_get_length(json_object_get_array_member(object, "errors")))
    return BH_EXIT_INCONCLUSIVE;
  for (guint i = 0; i < G_N_ELEMENTS(metrics); i++) {
    const gboolean asked = options->metrics & metrics[i].metric;
    if (asked && !has_figure(json_object_get_member(object, metrics[i].name)))
      return BH_EXIT_INCONCLUSIVE;
  }
  return BH_EXIT_OK;
}
