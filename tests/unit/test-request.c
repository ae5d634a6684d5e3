/* SPDX-License-Identifier: MIT
 * What a cell's process is told survives the way through JSON, and nothing malformed gets in. */
#include "supervised.h"
#include "machine/placement.h"
#include "worker/request.h"

static Supervised *one_cell(const char *act) {
  const char *const acts[] = {act, NULL};
  return supervised_new(acts, 3);
}

static void test_round_trip(void) {
  Supervised *s = one_cell("say \"hi\"\n\xc3\xa4\\");
  BhCell *cell = s->plan.cells->pdata[0];
  cell->measure = (BhMeasure){.precision = 0.0125,
                              .rounds = 3,
                              .min_samples = 6,
                              .max_samples = 200,
                              .min_sample_ns = 1,
                              .warmup_ns = 2,
                              .max_time_ns = 3,
                              .budget_ns = 4,
                              .deadline_ns = G_MAXINT64,
                              .memory_bytes = 5,
                              .primary = g_intern_string("counter:instructions"),
                              .noise = g_intern_string("reject"),
                              .counters = g_intern_string("cycles kernel")};
  s->plan.data_dir = (char *)"/data";
  g_autoptr(BhWorkerRequest) sent = bh_worker_request_from_cell(&s->plan, cell, 2, "/scratch/cell-1");
  sent->seed = G_MAXUINT64; /* more than JSON's integers hold */
  g_autofree char *text = bh_worker_request_to_text(sent);
  g_assert_null(strchr(text, '\n'));
  g_autoptr(GError) error = NULL;
  g_autoptr(BhWorkerRequest) got = bh_worker_request_parse(text, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(got->workload_path, ==, "/nowhere/fake.so");
  g_assert_cmpstr(got->backend_path, ==, "/nowhere/none.so");
  g_assert_cmpuint(g_strv_length(got->param_names), ==, 1);
  g_assert_cmpstr(got->param_names[0], ==, "act");
  g_assert_cmpstr(got->param_values[0], ==, "say \"hi\"\n\xc3\xa4\\");
  g_assert_cmpuint(g_strv_length(got->option_names), ==, 0);
  g_assert_true(g_hash_table_contains(got->given, "w:act"));
  g_assert_cmpuint(g_hash_table_size(got->given), ==, 1);
  g_assert_cmpstr(got->variant, ==, "portable");
  g_assert_cmpmem(&got->measure, sizeof got->measure, &cell->measure, sizeof cell->measure);
  g_assert_cmpuint(got->seed, ==, G_MAXUINT64);
  g_assert_cmpstr(got->data_dir, ==, "/data");
  g_assert_cmpstr(got->scratch_dir, ==, "/scratch/cell-1");
  const BhPlacement *placement = bh_placement_shared();
  g_assert_cmpuint(got->cores, ==, placement->cores);
  g_assert_cmpmem(got->cpus_compact->data, got->cpus_compact->len * sizeof(int), placement->compact->data,
                  placement->compact->len * sizeof(int));
  g_assert_cmpmem(got->cpus_spread->data, got->cpus_spread->len * sizeof(int), placement->spread->data,
                  placement->spread->len * sizeof(int));
  g_assert_cmpuint(got->memory_bytes, ==, 5); /* the limit, far below what is there */
  supervised_free(s);
}

/* Of matrix seed, workload with its parameters and round, and of nothing else: not of the backend. */
static void test_seed(void) {
  Supervised *s = one_cell("ok");
  BhCell *cell = s->plan.cells->pdata[0];
  g_autoptr(BhWorkerRequest) first = bh_worker_request_from_cell(&s->plan, cell, 0, "/a");
  g_autoptr(BhWorkerRequest) same = bh_worker_request_from_cell(&s->plan, cell, 0, "/b");
  g_autoptr(BhWorkerRequest) round = bh_worker_request_from_cell(&s->plan, cell, 1, "/a");
  BhCell rival = *cell;
  rival.id = (char *)"ffffffffffff";
  BhPlugin backend = *cell->backend;
  backend.name = (char *)"another";
  rival.backend = &backend;
  g_autoptr(BhWorkerRequest) elsewhere = bh_worker_request_from_cell(&s->plan, &rival, 0, "/a");
  g_assert_cmpuint(elsewhere->seed, ==, first->seed);
  s->plan.seed++;
  g_autoptr(BhWorkerRequest) other = bh_worker_request_from_cell(&s->plan, cell, 0, "/a");
  /* python3 -c "import hashlib; print(int(hashlib.sha256(b'42 0 fake act=ok').hexdigest()[:16], 16))" */
  g_assert_cmpuint(first->seed, ==, G_GUINT64_CONSTANT(11211684888570973846));
  g_assert_cmpuint(same->seed, ==, first->seed);
  g_assert_cmpuint(round->seed, !=, first->seed);
  g_assert_cmpuint(other->seed, !=, first->seed);
  g_assert_null(first->data_dir);
  supervised_free(s);
}

/* Every member in turn missing, and of another type: refused with its name. */
static void test_malformed(void) {
  Supervised *s = one_cell("ok");
  g_autoptr(BhWorkerRequest) request = bh_worker_request_from_cell(&s->plan, s->plan.cells->pdata[0], 0, "/a");
  g_autofree char *text = bh_worker_request_to_text(request);
  g_autoptr(JsonNode) whole = json_from_string(text, NULL);
  g_autoptr(GList) keys = json_object_get_members(json_node_get_object(whole));
  g_assert_cmpuint(g_list_length(keys), ==, 16);
  for (GList *key = keys; key; key = key->next)
    for (guint kind = 0; kind < 2; kind++) {
      g_autoptr(JsonNode) copy = json_from_string(text, NULL);
      if (kind == 0)
        json_object_remove_member(json_node_get_object(copy), key->data);
      else
        json_object_set_boolean_member(json_node_get_object(copy), key->data, TRUE);
      g_autofree char *bad = json_to_string(copy, FALSE);
      g_autoptr(GError) error = NULL;
      g_assert_null(bh_worker_request_parse(bad, &error));
      g_assert_error(error, BH_ERROR, BH_ERROR_INTERNAL);
      g_assert_nonnull(strstr(error->message, key->data));
    }
  const char *const others[] = {"", "[]", "{", "null", "nonsense"};
  for (guint i = 0; i < G_N_ELEMENTS(others); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_null(bh_worker_request_parse(others[i], &error));
    g_assert_error(error, BH_ERROR, BH_ERROR_INTERNAL);
  }
  supervised_free(s);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/request/round-trip", test_round_trip);
  g_test_add_func("/request/seed", test_seed);
  g_test_add_func("/request/malformed", test_malformed);
  return g_test_run();
}
