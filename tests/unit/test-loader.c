/* SPDX-License-Identifier: MIT
 * The loader and the rules it keeps: tables judged without a file, and fixture plugins loaded for real. */
#include "plugin/build-id.h"
#include "plugin/loader.h"
#include "plugin/validate.h"

#include <glib/gstdio.h>
#include <string.h>

static char *fixture(const char *name) {
  g_autofree char *build = g_path_get_dirname(g_getenv("BENCHHOST"));
  g_autofree char *file = g_strconcat(name, ".so", NULL);
  return g_build_filename(build, "tests", "fixtures", file, NULL);
}

static void test_names(void) {
  static const char *const good[] = {"a", "noop", "chunk-mean", "x86-64", "a-"};
  static const char *const bad[] = {"", "A", "9a", "-a", "a_b", "a b", "a/b", "a.so", "\xc3\xa9"};
  for (guint i = 0; i < G_N_ELEMENTS(good); i++)
    g_assert_true(bh_validate_is_name(good[i]));
  for (guint i = 0; i < G_N_ELEMENTS(bad); i++)
    g_assert_false(bh_validate_is_name(bad[i]));
  g_assert_false(bh_validate_is_name(NULL));
  g_autofree char *longest = g_strnfill(64, 'a'), *longer = g_strnfill(65, 'a');
  g_assert_true(bh_validate_is_name(longest));
  g_assert_false(bh_validate_is_name(longer));
}

static void assert_refused(const bh_param *row, const char *expected) {
  g_autoptr(GError) error = NULL;
  g_autoptr(BhParam) param = bh_validate_param(row, 0, &error);
  g_assert_null(param);
  g_assert_error(error, BH_ERROR, BH_ERROR_PLUGIN);
  if (!strstr(error->message, expected))
    g_error("expected '%s' in '%s'", expected, error->message);
}

static void test_rows(void) {
  assert_refused(&(bh_param){"zip", BH_INT, "1", NULL, NULL, "h", 0, 0, NULL, NULL}, "matrix uses itself");
  assert_refused(&(bh_param){"n", BH_INT, "1", "a|b", NULL, "h", 0, 0, NULL, NULL}, "choices but is no BH_CHOICE");
  assert_refused(&(bh_param){"n", BH_CHOICE, "a", "a||b", NULL, "h", 0, 0, NULL, NULL}, "empty choice");
  assert_refused(&(bh_param){"n", BH_CHOICE, "c", "a|b", NULL, "h", 0, 0, NULL, NULL}, "default 'c' is not valid");
  assert_refused(&(bh_param){"n", BH_INT, "5", NULL, NULL, "h", 9, 1, NULL, NULL}, "the smaller one comes first");
  assert_refused(&(bh_param){"n", BH_INT, "5", NULL, NULL, "h", 0, 0, "BENCHHOST_SELF", NULL}, "may not set");
  assert_refused(&(bh_param){"n", BH_INT, "5", NULL, NULL, "h", 0, 0, "A=B", NULL}, "may not set");
  assert_refused(&(bh_param){"n", BH_INT, "5", NULL, NULL, "h", 0, 0, NULL, "x"}, "env_values but no env");
  assert_refused(&(bh_param){"n", BH_INT, "5", NULL, NULL, "\xff", 0, 0, NULL, NULL}, "not UTF-8");
  assert_refused(&(bh_param){"n", BH_INT, "5", NULL, NULL, "h", 0.0 / 0.0, 1, NULL, NULL}, "limits");
}

static void test_row_is_copied(void) {
  const bh_param row = {"wait", BH_CHOICE, "block", "block|spin|", "u", "h", 0, 0, "OMP_WAIT_POLICY", NULL};
  const bh_param fine = {"wait", BH_CHOICE, "block", "block|spin", "u", "h", 0, 0, "OMP_WAIT_POLICY", "passive|"};
  assert_refused(&row, "empty choice");
  g_autoptr(GError) error = NULL;
  g_autoptr(BhParam) param = bh_validate_param(&fine, 0, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(g_strv_length(param->choices), ==, 2);
  g_assert_cmpuint(g_strv_length(param->env_values), ==, 2);
  g_assert_cmpstr(param->env_values[0], ==, "passive");
  g_assert_cmpstr(param->env_values[1], ==, ""); /* leave it unset */
}

static void test_expressions_are_left_to_the_plan(void) {
  const bh_param row = {"workers", BH_INT, "cores / 2", NULL, NULL, "h", 1, 1024, NULL, NULL};
  g_autoptr(GError) error = NULL;
  g_autoptr(BhParam) param = bh_validate_param(&row, 0, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(param->fallback, ==, "cores / 2");
}

static void test_good_and_long(void) {
  static const char *const names[] = {"good-shape", "long-struct"};
  for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autofree char *path = fixture(names[i]);
    g_autoptr(GError) error = NULL;
    g_autoptr(BhLoaded) loaded = bh_loader_open(path, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(loaded->info.name, ==, names[i]);
    g_assert_cmpuint(loaded->info.size, ==, sizeof(bh_plugin_info)); /* ours, whatever theirs was */
    g_assert_cmpuint(loaded->workload.size, ==, sizeof(bh_workload));
    g_assert_nonnull(loaded->workload.open);
    g_assert_null(loaded->backend.open);
    g_autoptr(BhPlugin) plugin = bh_loader_describe(loaded, &error);
    g_assert_no_error(error);
    g_assert_cmpint(plugin->kind, ==, BH_PLUGIN_WORKLOAD);
    g_assert_cmpuint(plugin->params->len, ==, 1);
    g_assert_null(plugin->target);
  }
}

static void test_refusals_name_the_file(void) {
  static const char *const names[] = {"wrong-abi", "no-symbol",     "both-kinds",
                                      "no-verify", "param-endless", "unresolved"};
  for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autofree char *path = fixture(names[i]);
    g_autoptr(GError) error = NULL;
    g_autoptr(BhLoaded) loaded = bh_loader_open(path, &error);
    g_assert_null(loaded);
    g_assert_error(error, BH_ERROR, BH_ERROR_PLUGIN);
    g_assert_true(g_str_has_prefix(error->message, path));
    g_assert_cmpuint(strlen(error->message), <, 600);
  }
}

static void test_json_round_trip(void) {
  g_autofree char *path = fixture("bad-backend");
  g_autoptr(GError) error = NULL;
  g_autoptr(BhLoaded) loaded = bh_loader_open(path, &error);
  g_assert_no_error(error);
  g_autoptr(BhPlugin) plugin = bh_loader_describe(loaded, &error);
  g_assert_no_error(error);
  plugin->runnable = FALSE;
  plugin->reason = g_strdup("a \"reason\" with\nlines");
  g_autoptr(JsonNode) node = bh_plugin_to_json(plugin);
  g_autofree char *text = json_to_string(node, FALSE);
  g_autoptr(JsonNode) parsed = json_from_string(text, &error);
  g_assert_no_error(error);
  g_autoptr(BhPlugin) back = bh_plugin_from_json(parsed, &error);
  g_assert_no_error(error);
  g_autoptr(JsonNode) again = bh_plugin_to_json(back);
  g_autofree char *text_again = json_to_string(again, FALSE);
  g_assert_cmpstr(text_again, ==, text);
  g_assert_cmpstr(back->reason, ==, plugin->reason);
  guint index = 99;
  g_assert_nonnull(bh_plugin_param(back, "chunk", &index));
  g_assert_cmpuint(index, ==, 1);
  g_assert_null(bh_plugin_param(back, "chunks", NULL));
}

static void test_bad_answers(void) {
  static const char *const texts[] = {
      "[]",
      "7",
      "{}",
      "{\"name\":\"a\"}",
      "{\"name\":\"a\",\"path\":\"/a\",\"kind\":\"tool\",\"params\":[]}",
      "{\"name\":\"a\",\"path\":\"/a\",\"kind\":\"workload\",\"params\":7}",
      "{\"name\":7,\"path\":\"/a\",\"kind\":\"workload\",\"params\":[]}",
      "{\"name\":\"a\",\"path\":\"/a\",\"kind\":\"workload\",\"params\":[7]}",
      "{\"name\":\"a\",\"path\":\"/a\",\"kind\":\"workload\",\"params\":[{\"name\":\"n\",\"type\":\"blob\"}]}",
      "{\"name\":\"a\",\"path\":\"/a\",\"kind\":\"workload\",\"params\":[{\"name\":\"n\",\"type\":\"choice\"}]}",
  };
  for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
    g_autoptr(JsonNode) node = json_from_string(texts[i], NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(BhPlugin) plugin = bh_plugin_from_json(node, &error);
    g_assert_null(plugin);
    g_assert_error(error, BH_ERROR, BH_ERROR_PLUGIN);
  }
}

/* An ELF header whose tables point outside the file must not be followed. */
static void test_build_id_of_garbage(void) {
  g_autofree char *path = NULL;
  const int fd = g_file_open_tmp("bh-build-id-XXXXXX", &path, NULL);
  g_assert_cmpint(fd, >=, 0);
  g_close(fd, NULL);
  g_autofree char *good_path = fixture("good-shape"), *good = NULL;
  gsize length = 0;
  g_assert_true(g_file_get_contents(good_path, &good, &length, NULL));
  g_autoptr(GRand) random = g_rand_new_with_seed(42);
  for (guint i = 0; i < 300; i++) {
    g_autofree char *bad = g_memdup2(good, length);
    for (guint k = 0; k < 8; k++) /* the file header and the program headers */
      bad[g_rand_int_range(random, 0, 600)] = (char)g_rand_int(random);
    for (guint k = 0; k < 8; k++) /* the section headers, at the end */
      bad[length - 1 - (gsize)g_rand_int_range(random, 0, 2000)] = (char)g_rand_int(random);
    const gsize cut = i % 3 ? length : (gsize)g_rand_int_range(random, 0, (gint)length);
    g_assert_true(g_file_set_contents(path, bad, (gssize)cut, NULL));
    g_autoptr(GError) error = NULL;
    g_autofree char *id = bh_build_id_read(path, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(strlen(id), >, 0);
    g_autofree char *compiler = bh_build_id_compiler(path); /* any text or none */
    g_assert_true(!compiler || g_utf8_validate(compiler, -1, NULL));
  }
  g_autofree char *compiler = bh_build_id_compiler(good_path);
  if (compiler) /* binutils' and lld's own marks are there too */
    g_assert_true(strstr(compiler, "GCC") || strstr(compiler, "clang"));
  /* sha256sum of nothing at all */
  g_assert_true(g_file_set_contents(path, "", 0, NULL));
  g_autofree char *empty = bh_build_id_read(path, NULL);
  g_autofree char *silent = bh_build_id_compiler(path), *absent = bh_build_id_compiler("/nowhere/x.so");
  g_assert_null(silent);
  g_assert_null(absent);
  g_assert_cmpstr(empty, ==, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  g_unlink(path);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/loader/names", test_names);
  g_test_add_func("/loader/rows", test_rows);
  g_test_add_func("/loader/row-is-copied", test_row_is_copied);
  g_test_add_func("/loader/expressions", test_expressions_are_left_to_the_plan);
  g_test_add_func("/loader/good-and-long", test_good_and_long);
  g_test_add_func("/loader/refusals", test_refusals_name_the_file);
  g_test_add_func("/loader/json", test_json_round_trip);
  g_test_add_func("/loader/bad-answers", test_bad_answers);
  g_test_add_func("/loader/build-id-garbage", test_build_id_of_garbage);
  return g_test_run();
}
