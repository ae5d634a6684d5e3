/* SPDX-License-Identifier: MIT
 * Owns google-benchmark's JSON: what its library 1.7 writes, key by key, so that compare.py and trackers read our
 * results.
 *
 * Repetitions are what its U test takes for replicates: rounds (processes) where every verified cell has several, else
 * the samples of the one process. Names are labels with '/' and ':' as that library has them:
 * prime/n:1000/pthread/workers:2.
 *
 * A cell without a verified time must not become a ratio. That library writes such a benchmark under its own name with
 * times of 0, which compare.py then compares and takes into its geometric mean. Here it is an aggregate of its own
 * name, NAME_error, with error_occurred: readers that know the key see it, no reader compares it with a time. */
#include "results/fields.h"
#include "base/json.h"
#include "results/merge.h"
#include "results/report.h"

#include <math.h>
#include <string.h>

typedef struct {
  const BhMerged *cell;
  const char *name;
  gint64 family, instance; /* cells of one group are one family */
  GArray *times_ns;        /* of double: one per repetition */
} Bench;

/* ---- context ---- */

static JsonObject *environment_field(const BhResults *results, const char *name) {
  return bh_fields_object(bh_fields_object(results->run, "environment"), name);
}

static JsonObject *context_object(const BhResults *results, gboolean rounds) {
  JsonObject *context = json_object_new();
  const char *started = bh_fields_string(results->run, "started");
  const char *version = bh_fields_string(results->run, "benchhost");
  const char *governor = bh_fields_string(environment_field(results, "governor"), "value");
  gint64 cores = 0;
  double load = 0;
  bh_fields_int(environment_field(results, "cores"), "value", &cores);
  json_object_set_string_member(context, "date", started ? started : "");
  json_object_set_string_member(context, "host_name", "");
  json_object_set_string_member(context, "executable", "benchhost");
  json_object_set_int_member(context, "num_cpus", cores);
  json_object_set_int_member(context, "mhz_per_cpu", 0); /* not recorded; the key is always there */
  json_object_set_boolean_member(context, "cpu_scaling_enabled", governor && strcmp(governor, "performance") != 0);
  json_object_set_array_member(context, "caches", json_array_new());
  JsonArray *loads = json_array_new();
  if (bh_fields_number(environment_field(results, "load_1min"), "value", &load))
    json_array_add_double_element(loads, load);
  json_object_set_array_member(context, "load_avg", loads);
  json_object_set_string_member(context, "library_build_type", "release");
  /* That library's custom context (AddCustomContext) lies here too, as texts. */
  json_object_set_string_member(context, "benchhost_version", version ? version : "");
  json_object_set_string_member(context, "benchhost_repetitions",
                                rounds ? "rounds: medians of fresh processes" : "samples within one process");
  json_object_set_string_member(context, "benchhost_cpu_time", "not measured per repetition: equals real_time");
  return context;
}

/* ---- benchmarks ---- */

/* "prime n=1000 | pthread workers=2" -> "prime/n:1000/pthread/workers:2", and unlike all names before it. */
static char *bench_name(const BhMerged *cell, GHashTable *names) {
  GString *name = g_string_new(cell->first->label);
  g_string_replace(name, " | ", "/", 0);
  g_strdelimit(name->str, " ", '/');
  g_strdelimit(name->str, "=", ':');
  if (g_hash_table_contains(names, name->str))
    g_string_append_printf(name, "/id:%s", cell->first->id);
  char *text = g_string_free(name, FALSE);
  g_hash_table_add(names, g_strdup(text));
  return text;
}

static JsonObject *bench_object(const Bench *bench, const char *suffix, const char *run_type) {
  JsonObject *object = json_object_new();
  g_autofree char *name = g_strconcat(bench->name, suffix, NULL);
  json_object_set_string_member(object, "name", name);
  json_object_set_int_member(object, "family_index", bench->family);
  json_object_set_int_member(object, "per_family_instance_index", bench->instance);
  json_object_set_string_member(object, "run_name", bench->name);
  json_object_set_string_member(object, "run_type", run_type);
  json_object_set_int_member(object, "repetitions", MAX(bench->times_ns->len, 1));
  return object;
}

static void put_times(JsonObject *object, const Bench *bench, double real, double items_per_s) {
  json_object_set_double_member(object, "real_time", real);
  json_object_set_double_member(object, "cpu_time", real);
  json_object_set_string_member(object, "time_unit", "ns");
  if (bench->cell->first->items > 0 && isfinite(items_per_s))
    json_object_set_double_member(object, "items_per_second", items_per_s);
  json_object_set_string_member(object, "label", bench->cell->first->label);
}

static void add_repetitions(JsonArray *list, const Bench *bench) {
  const double items = bench->cell->first->items;
  gint64 inner = 1;
  bh_fields_int(bh_fields_object(bench->cell->first->record, "steady"), "inner", &inner);
  for (guint i = 0; i < bench->times_ns->len; i++) {
    const double ns = g_array_index(bench->times_ns, double, i);
    JsonObject *object = bench_object(bench, "", "iteration");
    json_object_set_int_member(object, "repetition_index", i);
    json_object_set_int_member(object, "threads", MAX(bench->cell->workers, 1));
    json_object_set_int_member(object, "iterations", MAX(inner, 1));
    put_times(object, bench, ns, items / (ns * 1e-9));
    json_array_add_object_element(list, object);
  }
}

/* Sample standard deviation; the summary has only its quotient with the mean. */
static double deviation(const BhSummary *summary) {
  return fabs(summary->cv * summary->mean);
}

/* As that library: only with two repetitions or more; rates are aggregated over the repetitions' rates. */
static void add_aggregates(JsonArray *list, const Bench *bench) {
  const guint n = bench->times_ns->len;
  if (n < 2)
    return;
  g_autofree double *rates = g_new(double, n);
  for (guint i = 0; i < n; i++)
    rates[i] = bench->cell->first->items / (g_array_index(bench->times_ns, double, i) * 1e-9);
  gboolean finite = TRUE;
  for (guint i = 0; i < n; i++)
    finite &= isfinite(rates[i]);
  const BhSummary times = bh_stats_summary((const double *)(gconstpointer)bench->times_ns->data, n);
  const BhSummary rate = finite ? bh_stats_summary(rates, n) : (BhSummary){0};
  const struct {
    const char *name, *suffix, *unit;
    double real, items;
  } rows[] = {{"mean", "_mean", "time", times.mean, rate.mean},
              {"median", "_median", "time", times.median, rate.median},
              {"stddev", "_stddev", "time", deviation(&times), deviation(&rate)},
              {"cv", "_cv", "percentage", times.cv, rate.cv}};
  for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
    JsonObject *object = bench_object(bench, rows[i].suffix, "aggregate");
    json_object_set_int_member(object, "threads", MAX(bench->cell->workers, 1));
    json_object_set_string_member(object, "aggregate_name", rows[i].name);
    json_object_set_string_member(object, "aggregate_unit", rows[i].unit);
    json_object_set_int_member(object, "iterations", n);
    put_times(object, bench, rows[i].real, finite ? rows[i].items : INFINITY);
    json_array_add_object_element(list, object);
  }
}

static void add_error(JsonArray *list, const Bench *bench) {
  JsonObject *object = bench_object(bench, "_error", "aggregate");
  g_autofree char *message = g_strdup_printf("%s: %s", bh_cell_status_name(bench->cell->status), bench->cell->reason);
  json_object_set_int_member(object, "threads", MAX(bench->cell->workers, 1));
  json_object_set_string_member(object, "aggregate_name", "error");
  json_object_set_string_member(object, "aggregate_unit", "time");
  json_object_set_boolean_member(object, "error_occurred", TRUE);
  json_object_set_string_member(object, "error_message", message);
  json_object_set_int_member(object, "iterations", 0);
  put_times(object, bench, 0, INFINITY);
  json_array_add_object_element(list, object);
}

/* Whether every verified cell has two rounds or more. */
static gboolean have_rounds(const GPtrArray *cells) {
  gboolean any = FALSE;
  for (guint i = 0; i < cells->len; i++) {
    const BhMerged *cell = cells->pdata[i];
    if (cell->steady.exists && cell->medians_ns->len < 2)
      return FALSE;
    any |= cell->steady.exists;
  }
  return any;
}

char *bh_report_gbench(const BhResults *results, BhRepetitions repetitions) {
  g_autoptr(GPtrArray) cells = bh_merge_cells(results);
  const gboolean rounds =
      repetitions == BH_REPETITIONS_AUTO ? have_rounds(cells) : repetitions == BH_REPETITIONS_ROUNDS;
  g_autoptr(GHashTable) names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr(GHashTable) families = g_hash_table_new(g_str_hash, g_str_equal); /* of (group, family + 1) */
  g_autoptr(GArray) sizes = g_array_new(FALSE, TRUE, sizeof(gint64));         /* instances of each family so far */
  JsonArray *list = json_array_new();
  for (guint i = 0; i < cells->len; i++) {
    const BhMerged *cell = cells->pdata[i];
    guint family = GPOINTER_TO_UINT(g_hash_table_lookup(families, cell->group));
    if (family == 0) {
      g_array_set_size(sizes, sizes->len + 1);
      family = sizes->len;
      g_hash_table_insert(families, cell->group, GUINT_TO_POINTER(family));
    }
    g_autofree char *name = bench_name(cell, names);
    const Bench bench = {.cell = cell,
                         .name = name,
                         .family = family - 1,
                         .instance = g_array_index(sizes, gint64, family - 1)++,
                         .times_ns = rounds ? cell->medians_ns : cell->samples_ns};
    if (cell->steady.exists) {
      add_repetitions(list, &bench);
      add_aggregates(list, &bench);
    } else {
      add_error(list, &bench);
    }
  }
  JsonObject *root = json_object_new();
  json_object_set_object_member(root, "context", context_object(results, rounds));
  json_object_set_array_member(root, "benchmarks", list);
  JsonNode *node = json_node_new(JSON_NODE_OBJECT);
  json_node_take_object(node, root);
  return bh_json_put_out(node);
}
