/* SPDX-License-Identifier: MIT
 * The catalog: plugins by name, probed by children of this process. */
#include "plugin/catalog.h"
#include "plugin/child.h"
#include "plugin/search.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char *fixtures(void) {
  g_autofree char *build = g_path_get_dirname(g_getenv("BENCHHOST"));
  return g_build_filename(build, "tests", "fixtures", NULL);
}

static void assert_says(const GError *error, const char *expected) {
  g_assert_nonnull(error);
  if (!strstr(error->message, expected))
    g_error("expected '%s' in '%s'", expected, error->message);
}

static void test_get(void) {
  g_autoptr(BhCatalog) catalog = bh_catalog_new();
  g_autoptr(GError) error = NULL;
  const BhPlugin *plugin = bh_catalog_get(catalog, BH_PLUGIN_BACKEND, "bad-backend", &error);
  g_assert_no_error(error);
  g_assert_cmpstr(plugin->name, ==, "bad-backend");
  g_assert_true(plugin->runnable);
  g_assert_cmpstr(plugin->target, ==, "host");
  g_assert_true(bh_catalog_get(catalog, BH_PLUGIN_BACKEND, "bad-backend", &error) == plugin); /* probed once */
  g_autofree char *folder = fixtures();
  g_autofree char *path = g_build_filename(folder, "bad-backend.so", NULL);
  const BhPlugin *by_path = bh_catalog_get(catalog, BH_PLUGIN_BACKEND, path, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(by_path->build_id, ==, plugin->build_id);
}

static void test_errors(void) {
  g_autoptr(BhCatalog) catalog = bh_catalog_new();
  g_autoptr(GError) kind = NULL, refused = NULL, again = NULL, missing = NULL, absent = NULL;
  g_assert_null(bh_catalog_get(catalog, BH_PLUGIN_WORKLOAD, "bad-backend", &kind));
  assert_says(kind, "'bad-backend' is a backend, not a workload");
  g_assert_null(bh_catalog_get(catalog, BH_PLUGIN_WORKLOAD, "wrong-abi", &refused));
  assert_says(refused, "rebuild it");
  g_assert_null(bh_catalog_get(catalog, BH_PLUGIN_WORKLOAD, "wrong-abi", &again));
  g_assert_cmpstr(again->message, ==, refused->message);
  g_assert_null(bh_catalog_get(catalog, BH_PLUGIN_WORKLOAD, "bad-worklod", &missing));
  assert_says(missing, "no workload 'bad-worklod': did you mean 'bad-workload'?");
  g_assert_null(bh_catalog_get(catalog, BH_PLUGIN_WORKLOAD, "/no/such.so", &absent));
  assert_says(absent, "/no/such.so: no such file");
}

static void test_suggestions_are_of_the_kind(void) {
  g_autoptr(BhCatalog) catalog = bh_catalog_new();
  g_autoptr(GError) error = NULL;
  /* Close to a workload's name only: a backend was asked for. */
  g_assert_null(bh_catalog_get(catalog, BH_PLUGIN_BACKEND, "bad-workloa", &error));
  g_assert_null(strstr(error->message, "bad-workload'"));
}

static void test_names_and_added(void) {
  g_autoptr(BhCatalog) catalog = bh_catalog_new();
  BhPlugin *made = g_new0(BhPlugin, 1);
  made->name = g_strdup("made-by-hand");
  made->path = g_strdup("/nowhere");
  made->kind = BH_PLUGIN_WORKLOAD;
  made->params = g_ptr_array_new_with_free_func((GDestroyNotify)bh_param_free);
  bh_catalog_add(catalog, made);
  g_assert_true(bh_catalog_get(catalog, BH_PLUGIN_WORKLOAD, "made-by-hand", NULL) == made);
  g_auto(GStrv) names = bh_catalog_names(catalog);
  g_assert_true(g_strv_contains((const char *const *)names, "made-by-hand"));
  g_assert_true(g_strv_contains((const char *const *)names, "wrong-abi"));
  for (char **name = names; name[0] && name[1]; name++)
    g_assert_cmpstr(name[0], <, name[1]);
}

static void test_prefetch(void) {
  g_autoptr(BhCatalog) catalog = bh_catalog_new();
  const char *const names[] = {"good-shape", "ctor-crash", "skips", "good-shape", "no-such", "ctor-hang", NULL};
  bh_catalog_prefetch(catalog, names);
  g_autoptr(GError) crash = NULL, hang = NULL;
  g_assert_nonnull(bh_catalog_get(catalog, BH_PLUGIN_WORKLOAD, "good-shape", NULL));
  g_assert_null(bh_catalog_get(catalog, BH_PLUGIN_WORKLOAD, "ctor-crash", &crash));
  g_assert_error(crash, BH_ERROR, BH_ERROR_PLUGIN);
  g_assert_null(bh_catalog_get(catalog, BH_PLUGIN_WORKLOAD, "ctor-hang", &hang));
  assert_says(hang, "did not answer within 1 s");
  g_assert_false(bh_catalog_get(catalog, BH_PLUGIN_WORKLOAD, "skips", NULL)->runnable);
}

/* A child that gets descriptors of ours could keep a journal or a pipe open. */
static void test_children_inherit_nothing(void) {
  int ends[2];
  g_assert_cmpint(pipe(ends), ==, 0); /* not close-on-exec, on purpose */
  char *argv[] = {(char *)"-c", (char *)"ls /proc/self/fd | wc -l", NULL};
  g_setenv("BENCHHOST_SELF", "/bin/sh", TRUE);
  g_autoptr(BhChild) child = bh_child_new(argv, 0);
  bh_child_run_all(&child, 1, 1);
  g_setenv("BENCHHOST_SELF", g_getenv("BENCHHOST"), TRUE);
  g_assert_true(child->ran);
  /* 0, 1, 2 and the one that ls reads the folder with; 1 is a pipe to wc */
  g_assert_cmpstr(g_strstrip(child->out->str), ==, "4");
  close(ends[0]);
  close(ends[1]);
}

static void test_output_is_bounded(void) {
  char *argv[] = {(char *)"-c", (char *)"yes spam >&2 & exec yes flood", NULL};
  g_setenv("BENCHHOST_SELF", "/bin/sh", TRUE);
  g_autoptr(BhChild) child = bh_child_new(argv, G_GINT64_CONSTANT(20000000000));
  bh_child_run_all(&child, 1, 1);
  g_setenv("BENCHHOST_SELF", g_getenv("BENCHHOST"), TRUE);
  g_assert_true(child->flooded);
  g_assert_false(child->timed_out);
  g_assert_cmpuint(child->out->len, <=, BH_CHILD_MAX_OUT);
  g_assert_cmpuint(child->err->len, <=, BH_CHILD_MAX_ERR);
  g_autofree char *fate = bh_child_fate(child);
  g_assert_nonnull(strstr(fate, "wrote more than 1048576 bytes"));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_autofree char *folder = fixtures();
  g_setenv("BENCHHOST_SELF", g_getenv("BENCHHOST"), TRUE);
  g_setenv("BENCHHOST_PLUGIN_PATH", folder, TRUE);
  g_setenv("BENCHHOST_PROBE_TIMEOUT_MS", "1000", TRUE);
  g_test_add_func("/catalog/get", test_get);
  g_test_add_func("/catalog/errors", test_errors);
  g_test_add_func("/catalog/suggestions", test_suggestions_are_of_the_kind);
  g_test_add_func("/catalog/names", test_names_and_added);
  g_test_add_func("/catalog/prefetch", test_prefetch);
  g_test_add_func("/catalog/children-inherit-nothing", test_children_inherit_nothing);
  g_test_add_func("/catalog/output-is-bounded", test_output_is_bounded);
  return g_test_run();
}
