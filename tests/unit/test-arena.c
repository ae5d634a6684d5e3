/* SPDX-License-Identifier: MIT
 * Host services from threads and from forked processes alike: nothing lost, the first reason counts. */
#include "worker/arena.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 8, EACH = 500 };

static int first_cpu;

static BhArena *arena_new(void) {
  cpu_set_t mask;
  sched_getaffinity(0, sizeof mask, &mask);
  for (first_cpu = 0; !CPU_ISSET(first_cpu, &mask);)
    first_cpu++;
  const BhArenaOptions options = {.seed = 7, .cores = 2, .scratch_dir = "/x", .cpus_compact = &first_cpu,
                                  .n_compact = 1, .cpus_spread = &first_cpu, .n_spread = 1};
  return bh_arena_new(&options, NULL);
}

static JsonObject *object_of(JsonNode *node) {
  return json_node_get_object(node);
}

static void *hammer(void *data) {
  const bh_host *host = data;
  for (guint i = 0; i < EACH; i++)
    host->metric(host, "m", i, "s", BH_LOWER);
  return NULL;
}

static void test_threads(void) {
  g_autoptr(BhArena) arena = arena_new();
  pthread_t threads[THREADS];
  for (guint i = 0; i < THREADS; i++)
    g_assert_cmpint(pthread_create(&threads[i], NULL, hammer, (void *)bh_arena_host(arena)), ==, 0);
  for (guint i = 0; i < THREADS; i++)
    pthread_join(threads[i], NULL);
  g_autoptr(JsonNode) metrics = bh_arena_metrics(arena);
  JsonObject *m = json_object_get_object_member(object_of(metrics), "m");
  g_assert_cmpint(json_object_get_int_member(m, "n"), ==, THREADS * EACH);
  g_assert_cmpfloat(json_object_get_double_member(m, "median"), ==, 249.5);
  g_assert_cmpfloat(json_object_get_double_member(m, "max"), ==, 499);
  g_assert_cmpstr(json_object_get_string_member(m, "better"), ==, "lower");
  g_assert_false(bh_arena_overflowed(arena));
  bh_arena_forget_metrics(arena);
  g_autoptr(JsonNode) none = bh_arena_metrics(arena);
  g_assert_cmpuint(json_object_get_size(object_of(none)), ==, 0);
}

static void test_forked(void) {
  g_autoptr(BhArena) arena = arena_new();
  const bh_host *host = bh_arena_host(arena);
  const pid_t pid = fork();
  if (pid == 0) {
    host->pin(host, "compact", 1, 2);
    host->fact(host, "who", "child %d", 1);
    host->phase(host, 1, "work");
    host->phase(host, 1, NULL);
    host->log(host, "said %s", "so");
    _exit(host->stop(host, BH_FAIL, "broke in worker %d", 1) == BH_FAIL ? 0 : 1);
  }
  int status;
  g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
  g_assert_cmpint(status, ==, 0);
  const char *message = NULL;
  g_assert_cmpint(bh_arena_stopped(arena, &message), ==, BH_FAIL);
  g_assert_cmpstr(message, ==, "broke in worker 1");
  host->stop(host, BH_SKIP, "too late");
  g_assert_cmpint(bh_arena_stopped(arena, &message), ==, BH_FAIL);
  g_autoptr(JsonNode) facts = bh_arena_facts(arena), phases = bh_arena_worker_phases(arena), logs = bh_arena_log(arena);
  g_assert_cmpstr(json_object_get_string_member(object_of(facts), "who"), ==, "child 1");
  JsonObject *work = json_object_get_object_member(object_of(phases), "work");
  g_assert_cmpint(json_object_get_int_member(work, "count"), ==, 1);
  g_assert_cmpstr(json_array_get_string_element(json_node_get_array(logs), 0), ==, "said so");
  gboolean misplaced;
  g_autoptr(JsonNode) placement = bh_arena_placement(arena, &misplaced);
  JsonObject *place = json_array_get_object_element(json_node_get_array(placement), 0);
  g_assert_cmpint(json_object_get_int_member(place, "worker"), ==, 1);
  g_assert_cmpint(json_object_get_int_member(place, "cpu"), ==, first_cpu);
  g_assert_cmpint(json_object_get_int_member(place, "seen"), ==, first_cpu);
  g_assert_false(misplaced);
}

/* A worker that dies while it says why must not take the reason of those who come after with it. */
static void test_death_in_stop(void) {
  g_autoptr(BhArena) arena = arena_new();
  const bh_host *host = bh_arena_host(arena);
  const pid_t pid = fork();
  if (pid == 0) {
    close(2);
    const char *volatile nowhere = (const char *)(uintptr_t)16;
    host->stop(host, BH_WRONG, "it was %s", nowhere);
    _exit(0);
  }
  int status;
  g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
  g_assert_cmpint(status, !=, 0);
  const char *message = NULL;
  g_assert_cmpint(bh_arena_stopped(arena, &message), ==, BH_OK);
  host->stop(host, BH_FAIL, "worker 1 died");
  g_assert_cmpint(bh_arena_stopped(arena, &message), ==, BH_FAIL);
  g_assert_cmpstr(message, ==, "worker 1 died");
}

/* Also of a worker that no backend placed. */
static void test_forget_phases(void) {
  g_autoptr(BhArena) arena = arena_new();
  const bh_host *host = bh_arena_host(arena);
  host->phase(host, 3, "warm-up");
  host->phase(host, 3, NULL);
  bh_arena_forget_phases(arena);
  host->phase(host, 3, "work");
  host->phase(host, 3, NULL);
  g_autoptr(JsonNode) phases = bh_arena_worker_phases(arena);
  g_assert_false(json_object_has_member(object_of(phases), "warm-up"));
  g_assert_true(json_object_has_member(object_of(phases), "work"));
}

static void test_limits(void) {
  g_autoptr(BhArena) arena = arena_new();
  const bh_host *host = bh_arena_host(arena);
  for (guint i = 0; i < 1000; i++)
    host->log(host, "%u", i);
  g_assert_true(bh_arena_overflowed(arena));
  host->metric(host, "nan", NAN, "", BH_LOWER); /* not a figure: never recorded */
  host->metric(host, "inf", INFINITY, "", BH_LOWER);
  g_autoptr(JsonNode) metrics = bh_arena_metrics(arena);
  g_assert_cmpuint(json_object_get_size(object_of(metrics)), ==, 0);
  g_assert_cmpint(host->pin(host, "none", 5, 5), ==, BH_FAIL);
  g_assert_cmpint(host->pin(host, "sideways", 0, 5), ==, BH_FAIL);
  g_assert_cmpint(host->pin(host, "none", 0, 5), ==, BH_OK);
  g_assert_cmpint(host->cancelled(host), ==, 0);
  bh_arena_cancel(arena);
  g_assert_cmpint(host->cancelled(host), ==, 1);
}

static void test_last_fact_counts(void) {
  g_autoptr(BhArena) arena = arena_new();
  const bh_host *host = bh_arena_host(arena);
  host->fact(host, "chunk", "%d", 1);
  host->fact(host, "chunk", "%d", 2);
  host->fact(host, "bad \xff text", "\xfe");
  g_autoptr(JsonNode) facts = bh_arena_facts(arena);
  g_assert_cmpuint(json_object_get_size(object_of(facts)), ==, 2);
  g_assert_cmpstr(json_object_get_string_member(object_of(facts), "chunk"), ==, "2");
}

/* The median of one sample's own reports, by name; warm-up's are gone. */
static void test_sample_metric(void) {
  g_autoptr(BhArena) arena = arena_new();
  const bh_host *host = bh_arena_host(arena);
  double value = -1;
  bh_arena_begin_sample(arena, 1);
  g_assert_false(bh_arena_sample_metric(arena, 1, "a", &value));
  host->metric(host, "a", 100, "s", BH_LOWER);
  bh_arena_begin_sample(arena, 2);
  g_assert_false(bh_arena_sample_metric(arena, 2, "a", &value));
  const double reported[] = {1, 9, 3};
  for (guint i = 0; i < G_N_ELEMENTS(reported); i++) {
    host->metric(host, "a", reported[i], "s", BH_LOWER);
    host->metric(host, "b", -reported[i], "s", BH_HIGHER);
  }
  g_assert_true(bh_arena_sample_metric(arena, 2, "a", &value));
  g_assert_cmpfloat(value, ==, 3);
  g_assert_true(bh_arena_sample_metric(arena, 2, "b", &value));
  g_assert_cmpfloat(value, ==, -3);
  g_assert_false(bh_arena_sample_metric(arena, 2, "c", &value));
  bh_arena_forget_metrics(arena);
  g_assert_false(bh_arena_sample_metric(arena, 2, "a", &value));
  g_assert_cmpfloat(value, ==, -3);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/arena/sample-metric", test_sample_metric);
  g_test_add_func("/arena/threads", test_threads);
  g_test_add_func("/arena/forked", test_forked);
  g_test_add_func("/arena/limits", test_limits);
  g_test_add_func("/arena/last-fact-counts", test_last_fact_counts);
  g_test_add_func("/arena/death-in-stop", test_death_in_stop);
  g_test_add_func("/arena/forget-phases", test_forget_phases);
  return g_test_run();
}
