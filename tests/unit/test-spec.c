/* SPDX-License-Identifier: MIT
 * The matrix's own grammar: defaults, every top-level key, sets and --set. Wrong matrices are in
 * tests/cli/test_matrix_errors.py. */
#include "spec/spec-internal.h"

#include <string.h>

#define TAIL "workloads: [w]\nbackends: [b]\n"

static BhSpec *parse_with(const char *text, const char *const *sets) {
  g_autoptr(GError) error = NULL;
  BhSpec *spec = bh_spec_parse(text, strlen(text), "/some/where/pools.yaml", sets, &error);
  g_assert_no_error(error);
  return spec;
}

static BhSpec *parse(const char *text) {
  return parse_with(text, NULL);
}

static void test_defaults(void) {
  g_autoptr(BhSpec) spec = parse("benchhost: 1\n" TAIL);
  g_assert_cmpstr(spec->name, ==, "pools");
  g_assert_cmpuint(spec->seed, ==, 1);
  g_assert_false(spec->strict);
  g_assert_null(spec->data_dir);
  g_assert_null(spec->baseline);
  g_assert_cmpfloat(spec->measure.precision, ==, 0.01);
  g_assert_cmpuint(spec->measure.rounds, ==, 1);
  g_assert_cmpuint(spec->measure.min_samples, ==, 10);
  g_assert_cmpuint(spec->measure.max_samples, ==, 200);
  g_assert_cmpint(spec->measure.min_sample_ns, ==, 1000000);
  g_assert_cmpint(spec->measure.warmup_ns, ==, 1000000000);
  g_assert_cmpint(spec->measure.max_time_ns, ==, 3000000000);
  g_assert_cmpint(spec->measure.budget_ns, ==, 0);
  g_assert_cmpint(spec->measure.deadline_ns, ==, 600000000000);
  g_assert_cmpint(spec->measure.memory_bytes, ==, 0);
}

static void test_everything(void) {
  g_autoptr(BhSpec) spec =
      parse("benchhost: 1\nname: my name\nseed: 4_2\nstrict: true\ndata: ../in\nenv: {A: 1, B: ''}\n"
            "measure: {precision: 2 %, rounds: 3, min_samples: 1, max_samples: 5, min_sample: 2ms,\n"
            "          warmup: 0, max_time: 1.5s, budget: 1h}\n"
            "limits: {deadline: 30s, memory: 1GiB}\n" TAIL "baseline: b\nexclude: [{workload: w}]\n"
            "include: [{workload: [w, {w: {n: 2}}], backend: b}]\n"
            "overrides: [{match: {backend: b}, limits: {memory: 5 MB}, env: {C: x}}]\n");
  g_assert_cmpstr(spec->name, ==, "my name");
  g_assert_cmpuint(spec->seed, ==, 42);
  g_assert_true(spec->strict);
  g_assert_cmpstr(spec->data_dir, ==, "/some/in");
  g_assert_cmpstr(g_hash_table_lookup(spec->env, "A"), ==, "1");
  g_assert_cmpstr(g_hash_table_lookup(spec->env, "B"), ==, "");
  g_assert_cmpfloat(spec->measure.precision, ==, 0.02);
  g_assert_cmpuint(spec->measure.rounds, ==, 3);
  g_assert_cmpint(spec->measure.min_sample_ns, ==, 2000000);
  g_assert_cmpint(spec->measure.warmup_ns, ==, 0);
  g_assert_cmpint(spec->measure.max_time_ns, ==, 1500000000);
  g_assert_cmpint(spec->measure.budget_ns, ==, G_GINT64_CONSTANT(3600000000000));
  g_assert_cmpint(spec->measure.deadline_ns, ==, G_GINT64_CONSTANT(30000000000));
  g_assert_cmpint(spec->measure.memory_bytes, ==, 1073741824);
  g_assert_cmpstr(bh_node_get(spec->baseline, "backend")->text, ==, "b");
  g_assert_cmpuint(spec->excludes->len, ==, 1);
  const BhInclude *include = spec->includes->pdata[0];
  g_assert_cmpuint(include->workloads->len, ==, 2);
  g_assert_cmpuint(include->backends->len, ==, 1);
  const BhOverride *override = spec->overrides->pdata[0];
  BhMeasure measure = spec->measure;
  bh_measure_apply(&measure, &override->extras.patch);
  g_assert_cmpint(measure.memory_bytes, ==, 5000000);
  g_assert_cmpint(measure.deadline_ns, ==, G_GINT64_CONSTANT(30000000000)); /* not given: as it was */
  g_autofree char *difference = bh_measure_difference(&measure, &spec->measure);
  g_assert_cmpstr(difference, ==, "memory=4.768 MiB");
}

static void test_entries(void) {
  g_autoptr(BhSpec) spec =
      parse("benchhost: 1\nworkloads:\n  - w\n  - w:\n  - w: {n: 1, variant: [a, b], zip: {k: [1]}}\n"
            "  - ./lib/x.so\nbackends: [/abs/b.so, b: {measure: {rounds: 7}, env: {X: y}}]\n");
  g_assert_cmpuint(spec->workloads->len, ==, 4);
  const BhEntry *bare = spec->workloads->pdata[1], *full = spec->workloads->pdata[2], *path = spec->workloads->pdata[3];
  g_assert_null(bare->settings);
  g_assert_cmpuint(full->at.line, ==, 5);
  g_assert_cmpuint(full->at.column, ==, 5);
  g_assert_cmpuint(full->variant->items->len, ==, 2);
  g_assert_nonnull(full->zip);
  g_assert_cmpstr(path->name, ==, "/some/where/lib/x.so");
  const BhEntry *absolute = spec->backends->pdata[0], *extras = spec->backends->pdata[1];
  g_assert_cmpstr(absolute->name, ==, "/abs/b.so");
  g_assert_cmpuint(extras->extras.patch.values.rounds, ==, 7);
  g_assert_cmpstr(g_hash_table_lookup(extras->extras.env, "X"), ==, "y");
}

/* The texts of an entry's parameter, joined by '|'. */
static char *texts(const BhSpec *spec, const char *name) {
  const BhEntry *entry = spec->workloads->pdata[0];
  const BhNode *node = bh_node_get(entry->settings, name);
  g_assert_nonnull(node);
  if (node->kind == BH_NODE_SCALAR)
    return g_strdup(node->text);
  GString *text = g_string_new(NULL);
  for (guint i = 0; i < node->items->len; i++)
    g_string_append_printf(text, "%s%s", i ? "|" : "", ((const BhNode *)node->items->pdata[i])->text);
  return g_string_free(text, FALSE);
}

static void test_sets(void) {
  g_autoptr(BhSpec) spec =
      parse("benchhost: 1\n"
            "sets: {s: [1, 2], t: [$s, 3], one: 7, u: $t, none: [], pools: [b, b: {k: 1}], m: {rounds: 4}}\n"
            "workloads: [w: {a: $s, b: [0, $t, 9], c: $one, d: [$one, $none], e: '$s', f: $HOME/x, g: $u,\n"
            "                env: {V: $s}}]\n"
            "backends: [$pools, c]\nmeasure: $m\n");
  static const char *const expected[][2] = {{"a", "1|2"}, {"b", "0|1|2|3|9"}, {"c", "7"},    {"d", "7"},
                                            {"e", "$s"},  {"f", "$HOME/x"},   {"g", "1|2|3"}};
  for (guint i = 0; i < G_N_ELEMENTS(expected); i++) {
    g_autofree char *text = texts(spec, expected[i][0]);
    g_assert_cmpstr(text, ==, expected[i][1]);
  }
  const BhEntry *entry = spec->workloads->pdata[0];
  g_assert_cmpstr(g_hash_table_lookup(entry->extras.env, "V"), ==, "$s");
  g_assert_cmpuint(spec->backends->len, ==, 3);
  g_assert_cmpuint(spec->measure.rounds, ==, 4);
}

static void test_set_option(void) {
  static const char *const sets[] = {
      "measure.rounds=3", "workloads.w.n=[1, 2]", "workloads[1].v.k=5", "backends=[x, y]",
      "sets.s=[8]",       "name=other",           "limits.memory=1MiB", NULL};
  g_autoptr(BhSpec) spec =
      parse_with("benchhost: 1\nsets: {s: 1}\nworkloads: [w: {q: $s}, v]\nbackends: [b]\nmeasure: {warmup: 0}\n", sets);
  g_assert_cmpuint(spec->measure.rounds, ==, 3);
  g_assert_cmpint(spec->measure.warmup_ns, ==, 0);
  g_assert_cmpint(spec->measure.memory_bytes, ==, 1 << 20);
  g_assert_cmpstr(spec->name, ==, "other");
  g_autofree char *n = texts(spec, "n"), *q = texts(spec, "q");
  g_assert_cmpstr(n, ==, "1|2");
  g_assert_cmpstr(q, ==, "8");
  const BhEntry *v = spec->workloads->pdata[1], *x = spec->backends->pdata[0];
  g_assert_cmpstr(bh_node_get(v->settings, "k")->text, ==, "5");
  g_assert_cmpstr(x->name, ==, "x");
  g_assert_cmpuint(spec->backends->len, ==, 2);
}

/* Splicing is linear: a long list of sets, and a long set at the head of a long list. */
static void test_many_sets(void) {
  GString *text = g_string_new("benchhost: 1\nsets: {e: [], one: [1]}\nbackends: [b]\nworkloads: [w: {n: [");
  for (guint i = 0; i < 60000; i++)
    g_string_append(text, i % 2 ? "$e," : "$one,");
  g_string_append(text, "]}]\n");
  g_autoptr(BhSpec) spec = parse(text->str);
  const BhEntry *entry = spec->workloads->pdata[0];
  g_assert_cmpuint(bh_node_get(entry->settings, "n")->items->len, ==, 30000);
  g_string_free(text, TRUE);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/spec/defaults", test_defaults);
  g_test_add_func("/spec/everything", test_everything);
  g_test_add_func("/spec/entries", test_entries);
  g_test_add_func("/spec/sets", test_sets);
  g_test_add_func("/spec/set-option", test_set_option);
  g_test_add_func("/spec/many-sets", test_many_sets);
  return g_test_run();
}
