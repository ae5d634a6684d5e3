/* SPDX-License-Identifier: MIT
 * From a matrix to its cells: which there are, in which order, what each is told, and that identities hold still. */
#include "hand-catalog.h"
#include "plan/plan.h"

#include <string.h>

typedef struct {
  BhSpec *spec;
  BhCatalog *catalog;
  BhPlan *plan;
} Fixture;

static void clear(Fixture *fixture) {
  bh_plan_free(fixture->plan);
  bh_spec_free(fixture->spec);
  bh_catalog_free(fixture->catalog);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fixture, clear)

static Fixture load(const char *body, const char *const *params, const char *const *filters, GError **error) {
  Fixture fixture = {.catalog = hand_catalog()};
  g_autofree char *text = g_strconcat("benchhost: 1\n", body, NULL);
  fixture.spec = bh_spec_parse(text, strlen(text), "m.yaml", NULL, error);
  const BhPlanOptions options = {.params = params, .filters = filters, .cores = 6, .memory_bytes = 1 << 30};
  if (fixture.spec)
    fixture.plan = bh_plan_new(fixture.spec, fixture.catalog, &options, error);
  return fixture;
}

static Fixture plan_of(const char *body) {
  g_autoptr(GError) error = NULL;
  const Fixture fixture = load(body, NULL, NULL, &error);
  g_assert_no_error(error);
  return fixture;
}

static const BhCell *cell_at(const Fixture *fixture, guint i) {
  g_assert_cmpuint(i, <, fixture->plan->cells->len);
  return fixture->plan->cells->pdata[i];
}

static void check_labels(const Fixture *fixture, const char *const *labels) {
  guint i = 0;
  for (; labels[i]; i++)
    g_assert_cmpstr(cell_at(fixture, i)->label, ==, labels[i]);
  g_assert_cmpuint(fixture->plan->cells->len, ==, i);
}

static void check_error(const char *body, const char *message) {
  g_autoptr(GError) error = NULL;
  g_auto(Fixture) fixture = load(body, NULL, NULL, &error);
  g_assert_null(fixture.plan);
  g_assert_error(error, BH_ERROR, BH_ERROR_USAGE);
  g_test_message("%s", error->message);
  g_assert_nonnull(strstr(error->message, message));
}

static void test_product(void) {
  g_auto(Fixture) fixture = plan_of("workloads: [prime: {cost: [equal, variable], n: [10, 20]}]\n"
                                    "backends: [serial, pool: {workers: 2}]\nbaseline: serial\n");
  /* In the table's order: n before cost, however the matrix writes it. */
  static const char *const labels[] = {"prime n=10 cost=equal | serial",
                                       "prime n=10 cost=variable | serial",
                                       "prime n=20 cost=equal | serial",
                                       "prime n=20 cost=variable | serial",
                                       "prime n=10 cost=equal | pool workers=2",
                                       "prime n=10 cost=variable | pool workers=2",
                                       "prime n=20 cost=equal | pool workers=2",
                                       "prime n=20 cost=variable | pool workers=2",
                                       NULL};
  check_labels(&fixture, labels);
  const BhCell *cell = cell_at(&fixture, 5);
  const BhValue *n = cell->params->pdata[0], *cost = cell->params->pdata[1];
  const BhValue *workers = cell->options->pdata[0], *schedule = cell->options->pdata[1];
  g_assert_cmpint(n->i, ==, 10);
  g_assert_true(n->given);
  g_assert_cmpstr(cost->s, ==, "variable");
  g_assert_cmpint(workers->i, ==, 2);
  g_assert_cmpstr(schedule->s, ==, "static");
  g_assert_false(schedule->given);
  g_assert_cmpstr(cell->variant, ==, "portable");
  g_assert_false(cell->baseline);
  g_assert_true(cell_at(&fixture, 0)->baseline);
}

/* Sums made by an independent implementation of the same rule (Python's hashlib); they must never change. */
static void test_identity(void) {
  g_auto(Fixture) a = plan_of("workloads: [prime: {n: 10, cost: variable}]\nbackends: [pool: {workers: 2}]\n");
  g_auto(Fixture) b =
      plan_of("backends: [pool: {chunk: 0, workers: cores / 3, schedule: static}]\nname: other\nseed: 9\n"
              "workloads: [prime: {cost: variable, n: 1e1, variant: portable}]\nmeasure: {rounds: 9}\n");
  g_assert_cmpstr(cell_at(&a, 0)->id, ==, "b460d8d833a2");
  g_assert_cmpstr(cell_at(&b, 0)->id, ==, "b460d8d833a2");
  g_auto(Fixture) env =
      plan_of("env: {A: b}\nworkloads: [prime: {n: 10, cost: variable}]\nbackends: [pool: {workers: 2}]\n");
  g_assert_cmpstr(cell_at(&env, 0)->id, ==, "f9918c1c0c50");
}

static void test_dependent(void) {
  g_auto(Fixture) fixture =
      plan_of("workloads: [mixed: {count: workers * 100, size: count * 1KiB, pause: count * 1us, share: 1 / workers,\n"
              "                    chunk: backend.chunk + 1}]\n"
              "backends: [pool: {workers: [1, cores], chunk: workers // 4}, serial]\n"
              "exclude: [{backend: serial}]\n");
  g_assert_cmpuint(fixture.plan->cells->len, ==, 2);
  const BhCell *cell = cell_at(&fixture, 1);
  static const char *const texts[] = {"600", "614400", "0.16666666666666666", "600000ns", "", "true", "false", "2"};
  for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
    g_assert_cmpstr(((const BhValue *)cell->params->pdata[i])->text, ==, texts[i]);
  g_assert_cmpstr(cell->label, ==,
                  "mixed count=600 size=600KiB share=0.16666666666666666 pause=600us chunk=2 | pool workers=6 chunk=1");
}

static void test_dependent_alone(void) {
  g_auto(Fixture) fixture = plan_of("workloads: [prime: {n: workers * 100}]\nbackends: [serial, pool]\n");
  static const char *const labels[] = {"prime n=100 | serial", "prime n=600 | pool", NULL};
  check_labels(&fixture, labels);
  g_assert_false(((const BhValue *)cell_at(&fixture, 1)->options->pdata[0])->given); /* `cores` is the default */
}

static void test_zip(void) {
  g_auto(Fixture) fixture =
      plan_of("workloads: [prime: {n: 1}]\n"
              "backends: [pool: {schedule: [static, guided], zip: [{chunk: [10, 20], workers: 1..2}]}]\n");
  static const char *const labels[] = {"prime n=1 | pool workers=1 schedule=static chunk=10",
                                       "prime n=1 | pool workers=1 schedule=guided chunk=10",
                                       "prime n=1 | pool workers=2 schedule=static chunk=20",
                                       "prime n=1 | pool workers=2 schedule=guided chunk=20", NULL};
  check_labels(&fixture, labels);
}

static void test_variant(void) {
  g_auto(Fixture) fixture = plan_of("workloads: [prime: {variant: [portable, fast]}]\nbackends: [serial]\n"
                                    "exclude: [{variant: portable}]\n");
  static const char *const labels[] = {"prime variant=fast | serial", NULL};
  check_labels(&fixture, labels);
  g_assert_cmpstr(cell_at(&fixture, 0)->variant, ==, "fast");
}

static void test_exclude_include(void) {
  g_auto(Fixture) fixture =
      plan_of("workloads: [prime: {n: 1..3}]\nbackends: [serial, pool: {workers: [1, 2, 3]}]\n"
              "exclude:\n  - {backend: serial, n: [1, 2]}\n  - {backend: pool, workers: 1..cores x2}\n"
              "  - {n: 2..3}\n  - {workers: 99}\n"
              "include: [{workload: {prime: {n: [1, 7]}}, backend: [serial, pool: {workers: 3}]}]\n");
  static const char *const labels[] = {"prime n=1 | pool workers=3", "prime n=1 | serial", "prime n=7 | serial",
                                       "prime n=7 | pool workers=3", NULL};
  check_labels(&fixture, labels);
  g_assert_cmpuint(fixture.plan->notes->len, ==, 2); /* a duplicate, and a pattern without a match */
  g_assert_nonnull(strstr(fixture.plan->notes->pdata[0], "'prime n=1 | pool workers=3'"));
  g_assert_cmpstr(fixture.plan->notes->pdata[1], ==, "m.yaml:8:5: this pattern of 'exclude' matches no cell");
}

/* What cannot be computed is an error only where the cell is wanted. */
static void test_exclude_failing(void) {
  const char *body = "workloads: [prime: {n: 12 / (workers - 1)}]\nbackends: [pool: {workers: 1..4}]\n";
  check_error(body, "m.yaml:2:27: division by zero");
  g_autofree char *more = g_strconcat(body, "exclude: [{workers: [1, 4]}]\n", NULL);
  g_auto(Fixture) fixture = plan_of(more);
  static const char *const labels[] = {"prime n=12 | pool workers=2", "prime n=6 | pool workers=3", NULL};
  check_labels(&fixture, labels);
}

static void test_overrides(void) {
  g_auto(Fixture) fixture =
      plan_of("env: {A: '1', B: '1', C: '1', D: '1'}\nmeasure: {rounds: 2, warmup: 0}\n"
              "workloads: [prime: {n: [1, 2], measure: {rounds: 3, max_time: 1s}, env: {B: '2', C: '2', D: '2'}}]\n"
              "backends: [serial, pool: {measure: {rounds: 4}, limits: {deadline: 9s}, env: {C: '3', D: '3'}}]\n"
              "overrides:\n  - {match: {backend: pool, n: 2}, measure: {rounds: 5}, env: {D: '4'}}\n"
              "  - {match: {n: 2}, limits: {memory: 1KiB}}\n");
  static const guint rounds[] = {3, 3, 4, 5};
  for (guint i = 0; i < 4; i++) {
    g_assert_cmpuint(cell_at(&fixture, i)->measure.rounds, ==, rounds[i]);
    g_assert_cmpint(cell_at(&fixture, i)->measure.warmup_ns, ==, 0);
    g_assert_cmpint(cell_at(&fixture, i)->measure.max_time_ns, ==, 1000000000);
    g_assert_cmpint(cell_at(&fixture, i)->measure.memory_bytes, ==, i % 2 ? 1024 : 0);
  }
  g_assert_cmpint(cell_at(&fixture, 3)->measure.deadline_ns, ==, G_GINT64_CONSTANT(9000000000));
  static const char *const names[] = {"A", "B", "C", "D"}, *const values[] = {"1", "2", "3", "4"};
  for (guint i = 0; i < 4; i++)
    g_assert_cmpstr(g_hash_table_lookup(cell_at(&fixture, 3)->env, names[i]), ==, values[i]);
  g_assert_cmpstr(cell_at(&fixture, 3)->label, ==, "prime n=2 | pool B=2 C=3 D=4");
  g_assert_cmpuint(bh_plan_rounds(fixture.plan), ==, 5);
}

static void test_ambiguous(void) {
  const char *body = "workloads: [mixed: {chunk: [1, 2]}]\nbackends: [pool: {chunk: [1, 2]}, serial]\n";
  g_autofree char *plain = g_strconcat(body, "exclude: [{chunk: 1}]\n", NULL);
  check_error(plain, "m.yaml:4:12: 'chunk' is ambiguous: workload 'mixed' and backend 'pool' both have it");
  g_autofree char *qualified = g_strconcat(body, "exclude: [{workload.chunk: 1}, {backend.chunk: 2}]\n", NULL);
  g_auto(Fixture) fixture = plan_of(qualified);
  static const char *const labels[] = {"mixed chunk=2 | pool chunk=1", "mixed chunk=2 | serial", NULL};
  check_labels(&fixture, labels);
}

static void test_params(void) {
  static const char *const params[] = {"n=[3, 4]", "pool.workers=cores", "workload.cost=variable", "schedule=guided",
                                       NULL};
  g_autoptr(GError) error = NULL;
  g_auto(Fixture) fixture = load("workloads: [prime: {n: 1..100}]\nbackends: [serial, pool: {zip: {workers: [1, 2], "
                                 "schedule: [static, dynamic]}}]\n",
                                 params, NULL, &error);
  g_assert_no_error(error);
  static const char *const labels[] = {"prime n=3 cost=variable | serial", "prime n=4 cost=variable | serial",
                                       "prime n=3 cost=variable | pool workers=6 schedule=guided",
                                       "prime n=4 cost=variable | pool workers=6 schedule=guided", NULL};
  check_labels(&fixture, labels);
}

static void test_filters(void) {
  static const struct {
    const char *filters[3];
    guint cells;
  } rows[] = {{{"prime"}, 6},        {{"prime*serial"}, 2},   {{"workers=2"}, 2},         {{"workers=1,2"}, 4},
              {{"n=10", "pool"}, 2}, {{"pool.workers=1"}, 2}, {{"backend.workers=1"}, 2}, {{"n=1e1"}, 3},
              {{"backend=s*"}, 2},   {{"workload=prime"}, 6}, {{"variant=portable"}, 6},  {{"*n=1? |*"}, 3}};
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(GError) error = NULL;
    g_test_message("%s", rows[i].filters[0]);
    g_auto(Fixture) fixture = load("workloads: [prime: {n: [10, 20]}]\nbackends: [serial, pool: {workers: [1, 2]}]\n",
                                   NULL, rows[i].filters, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(fixture.plan->cells->len, ==, rows[i].cells);
  }
}

static void test_missing(void) {
  check_error("workloads: [prime]\nbackends: [bare]\n", "m.yaml:3:12: 'bare' needs a value for 'k' (integer)");
  check_error("workloads: [prime]\nbackends: [bare: {k: 11}]\n", "m.yaml:3:22: 'k': 11 is out of range");
}

static guint *order(const Fixture *fixture, guint round, guint expected) {
  guint n = 0;
  guint *cells = bh_plan_order(fixture->plan, round, &n);
  g_assert_cmpuint(n, ==, expected);
  g_autofree gboolean *seen = g_new0(gboolean, fixture->plan->cells->len);
  for (guint i = 0; i < n; i++) {
    g_assert_cmpuint(cells[i], <, fixture->plan->cells->len);
    g_assert_false(seen[cells[i]]);
    seen[cells[i]] = TRUE;
  }
  return cells;
}

static void test_order(void) {
  const char *body = "seed: 42\nworkloads: [prime: {n: 1..20}]\nbackends: [serial]\nmeasure: {rounds: 3}\n"
                     "overrides: [{match: {n: 1..5}, measure: {rounds: 1}}]\n";
  g_auto(Fixture) a = plan_of(body), b = plan_of(body);
  g_autofree guint *first = order(&a, 0, 20), *again = order(&b, 0, 20), *second = order(&a, 1, 15);
  g_assert_cmpmem(first, 20 * sizeof *first, again, 20 * sizeof *again);
  /* SplitMix64 and Fisher-Yates as an independent program (Python) computes them: never to change. */
  static const guint expected[] = {13, 7, 6, 12, 1, 15, 11, 17, 2, 4, 5, 18, 10, 0, 3, 16, 9, 19, 14, 8};
  g_assert_cmpmem(first, 20 * sizeof *first, expected, sizeof expected);
  for (guint i = 0; i < 15; i++)
    g_assert_cmpuint(second[i], >=, 5); /* cells with one round are not visited again */
  g_auto(Fixture) other = plan_of("seed: 43\nworkloads: [prime: {n: 1..20}]\nbackends: [serial]\n");
  g_autofree guint *different = order(&other, 0, 20);
  g_assert_cmpint(memcmp(first, different, 20 * sizeof *first), !=, 0);
}

/* Every position is equally likely for every cell: 6 cells, 6000 rounds, 1000 expected in each place, sd 29. */
static void test_order_is_fair(void) {
  g_auto(Fixture) fixture = plan_of("workloads: [prime: {n: 1..6}]\nbackends: [serial]\nmeasure: {rounds: 6000}\n");
  guint counts[6][6] = {{0}};
  for (guint round = 0; round < 6000; round++) {
    guint n;
    g_autofree guint *cells = bh_plan_order(fixture.plan, round, &n);
    for (guint i = 0; i < n; i++)
      counts[cells[i]][i]++;
  }
  for (guint c = 0; c < 6; c++)
    for (guint i = 0; i < 6; i++) {
      g_assert_cmpuint(counts[c][i], >, 1000 - 5 * 29);
      g_assert_cmpuint(counts[c][i], <, 1000 + 5 * 29);
    }
}

static void test_large(void) {
  g_auto(Fixture) fixture = plan_of("workloads: [prime: {n: 1..1000}]\nbackends: [pool: {chunk: 1..100}]\n");
  g_assert_cmpuint(fixture.plan->cells->len, ==, 100000);
  check_error("workloads: [prime: {n: 1..1000}]\nbackends: [pool: {chunk: 1..100}, serial]\n",
              "has 101000 cells before");
}

/* `twin`: another build of prime, found by its path. */
static void test_two_builds_of_one_name(void) {
  g_autoptr(BhCatalog) catalog = hand_catalog();
  BhPlugin *twin = hand_plugin(catalog, "twin", BH_PLUGIN_WORKLOAD);
  g_free(twin->name);
  twin->name = g_strdup("prime");
  hand_param(twin, "n", BH_INT, "1000", 0, 1e9);
  hand_choice(twin, "cost", "equal", "equal|variable");
  const BhPlanOptions options = {.cores = 8, .memory_bytes = 1 << 30};
  const char text[] = "benchhost: 1\nworkloads: [prime, twin]\nbackends: [serial]\n";
  g_autoptr(GError) error = NULL;
  g_autoptr(BhSpec) spec = bh_spec_parse(text, strlen(text), "m.yaml", NULL, &error);
  g_assert_no_error(error);
  g_autoptr(BhPlan) same = bh_plan_new(spec, catalog, &options, &error); /* the same build id: one plugin, twice */
  g_assert_no_error(error);
  g_assert_cmpuint(same->cells->len, ==, 1);
  g_free(twin->build_id);
  twin->build_id = g_strdup("01");
  g_autoptr(BhPlan) other = bh_plan_new(spec, catalog, &options, &error);
  g_assert_null(other);
  g_assert_error(error, BH_ERROR, BH_ERROR_USAGE);
  g_assert_nonnull(strstr(error->message, "m.yaml:2:20: two different plugins are called 'prime': "
                                          "/plugins/prime.so and /plugins/twin.so"));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/plan/product", test_product);
  g_test_add_func("/plan/identity", test_identity);
  g_test_add_func("/plan/dependent", test_dependent);
  g_test_add_func("/plan/dependent-alone", test_dependent_alone);
  g_test_add_func("/plan/zip", test_zip);
  g_test_add_func("/plan/variant", test_variant);
  g_test_add_func("/plan/exclude-include", test_exclude_include);
  g_test_add_func("/plan/exclude-failing", test_exclude_failing);
  g_test_add_func("/plan/overrides", test_overrides);
  g_test_add_func("/plan/ambiguous", test_ambiguous);
  g_test_add_func("/plan/params", test_params);
  g_test_add_func("/plan/filters", test_filters);
  g_test_add_func("/plan/missing", test_missing);
  g_test_add_func("/plan/order", test_order);
  g_test_add_func("/plan/order-is-fair", test_order_is_fair);
  g_test_add_func("/plan/large", test_large);
  g_test_add_func("/plan/two-builds-of-one-name", test_two_builds_of_one_name);
  return g_test_run();
}
