/* SPDX-License-Identifier: MIT
 * The journal's promises: whole lines only, one writer, nothing lost on a full disk or after a torn line; and which
 * journals fit a plan. */
#include "supervised.h"

#include <errno.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static Supervised *plan(void) {
  const char *const acts[] = {"ok", NULL};
  return supervised_new(acts, 2);
}

static char *contents(const char *path) {
  char *text = NULL;
  g_autoptr(GError) error = NULL;
  g_file_get_contents(path, &text, NULL, &error);
  g_assert_no_error(error);
  return text;
}

static JsonObject *padded_line(gsize bytes) {
  JsonObject *line = json_object_new();
  g_autofree char *text = g_strnfill(bytes, 'x');
  json_object_set_string_member(line, "type", "padding");
  json_object_set_string_member(line, "text", text);
  return line;
}

static void test_run_line(void) {
  Supervised *s = plan();
  const char *const argv[] = {"benchhost", "m\xff.yaml", NULL};
  g_autoptr(JsonObject) line = bh_journal_run_line(&s->plan, argv);
  g_assert_cmpstr(json_object_get_string_member(line, "type"), ==, "run");
  g_assert_cmpint(json_object_get_int_member(line, "schema"), ==, 1);
  g_assert_cmpint(json_object_get_int_member(line, "seed"), ==, 42);
  g_assert_cmpint(json_object_get_int_member(line, "cells"), ==, 1);
  g_assert_cmpint(json_object_get_int_member(line, "rounds"), ==, 2);
  g_assert_cmpstr(json_object_get_string_member(line, "benchhost"), ==, BH_VERSION);
  JsonObject *matrix = json_object_get_object_member(line, "matrix");
  g_assert_cmpstr(json_object_get_string_member(matrix, "text"), ==, "benchhost: 1\n");
  JsonArray *arguments = json_object_get_array_member(line, "argv");
  g_assert_cmpstr(json_array_get_string_element(arguments, 1), ==, "m\xef\xbf\xbd.yaml");
  JsonArray *plugins = json_object_get_array_member(line, "plugins");
  g_assert_cmpuint(json_array_get_length(plugins), ==, 2);
  g_assert_cmpstr(json_object_get_string_member(json_array_get_object_element(plugins, 0), "kind"), ==, "workload");
  g_assert_cmpstr(json_object_get_string_member(json_array_get_object_element(plugins, 1), "build_id"), ==, "abc");
  GTimeZone *utc = g_time_zone_new_utc();
  GDateTime *started = g_date_time_new_from_iso8601(json_object_get_string_member(line, "started"), utc);
  g_assert_nonnull(started);
  g_date_time_unref(started);
  g_time_zone_unref(utc);
  supervised_free(s);
}

static void test_end_line(void) {
  g_autoptr(JsonObject) line = bh_journal_end_line(TRUE, 4, 10.5, 0.02);
  g_assert_true(json_object_get_boolean_member(line, "interrupted"));
  g_assert_cmpint(json_object_get_int_member(line, "cells"), ==, 4);
  g_assert_cmpfloat(json_object_get_double_member(line, "overhead_per_cell_ms"), ==, 5);
  g_autoptr(JsonObject) none = bh_journal_end_line(FALSE, 0, 0, 0);
  g_assert_true(json_object_get_null_member(none, "overhead_per_cell_ms"));
}

static void test_two_writers(void) {
  Supervised *s = plan();
  G_GNUC_UNUSED g_autoptr(BhJournal) first = supervised_create(s, NULL);
  g_autofree char *before = contents(s->journal);
  g_autoptr(GError) error = NULL;
  g_assert_null(bh_journal_resume(s->journal, (goffset)strlen(before), &error));
  g_assert_error(error, BH_ERROR, BH_ERROR_USAGE);
  g_assert_nonnull(strstr(error->message, "another benchhost is writing"));
  g_clear_error(&error);
  g_assert_null(bh_journal_create(s->journal, &error));
  g_assert_nonnull(strstr(error->message, "exists already; go on with it by --resume"));
  g_autofree char *after = contents(s->journal);
  g_assert_cmpstr(after, ==, before);
  supervised_free(s);
}

static void test_torn_line(void) {
  Supervised *s = plan();
  bh_journal_close(supervised_create(s, NULL));
  g_autofree char *whole = contents(s->journal);
  g_autofree char *torn = g_strconcat(whole, "{\"type\":\"cell\",\"id\":\"00", NULL);
  g_assert_true(g_file_set_contents(s->journal, torn, -1, NULL));
  g_autoptr(GError) error = NULL;
  g_autoptr(BhResults) results = bh_results_load(s->journal, &error);
  g_assert_no_error(error);
  g_assert_true(results->torn);
  g_autoptr(BhJournal) journal = bh_journal_resume(s->journal, results->good_bytes, &error);
  g_assert_no_error(error);
  g_autofree char *cut = contents(s->journal);
  g_assert_cmpstr(cut, ==, whole);
  g_autoptr(JsonObject) end = bh_journal_end_line(FALSE, 0, 1, 1);
  g_assert_true(bh_journal_append(journal, end, &error));
  g_autofree char *now = contents(s->journal);
  g_assert_true(g_str_has_prefix(now, whole));
  g_assert_true(g_str_has_suffix(now, "}\n"));
  supervised_free(s);
}

/* Between reading and locking somebody else went on: nothing of theirs may be cut off. */
static void test_changed_meanwhile(void) {
  Supervised *s = plan();
  bh_journal_close(supervised_create(s, NULL));
  g_autofree char *read = contents(s->journal);
  g_autofree char *longer = g_strconcat(read, "{\"type\":\"resume\"}\n", NULL);
  g_assert_true(g_file_set_contents(s->journal, longer, -1, NULL));
  g_autoptr(GError) error = NULL;
  g_assert_null(bh_journal_resume(s->journal, (goffset)strlen(read), &error));
  g_assert_error(error, BH_ERROR, BH_ERROR_USAGE);
  g_assert_null(bh_journal_resume(s->journal, (goffset)strlen(longer) + 1, NULL)); /* or it shrank */
  g_autofree char *after = contents(s->journal);
  g_assert_cmpstr(after, ==, longer);
  supervised_free(s);
}

/* Appends 1000-byte lines until one fails; exit status: lines written, 200 when the message is not as it should be. */
static int fill(const char *path, const char *expected) {
  g_autoptr(GError) error = NULL;
  g_autoptr(BhJournal) journal = bh_journal_create(path, &error);
  if (!journal)
    return 201;
  g_autoptr(JsonObject) line = padded_line(1000);
  int n = 0;
  while (n < 190 && bh_journal_append(journal, line, &error))
    n++;
  if (!error || !strstr(error->message, expected) || error->code != BH_ERROR_IO)
    return 200;
  return bh_journal_append(journal, line, NULL) ? 202 : n; /* and nothing follows a failure */
}

static void check_whole_lines(const char *path, int n) {
  g_autofree char *text = contents(path);
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  g_assert_cmpuint(g_strv_length(lines), ==, (guint)n + 1);
  g_assert_cmpstr(lines[n], ==, "");
  for (int i = 0; i < n; i++) {
    g_autoptr(JsonNode) node = json_from_string(lines[i], NULL);
    g_assert_nonnull(node);
  }
}

/* In a process of its own: a limit or a mount must not outlive the test. */
static void test_size_limit(void) {
  Supervised *s = plan();
  const pid_t pid = fork();
  if (pid == 0) {
    const struct rlimit limit = {5000, 5000};
    setrlimit(RLIMIT_FSIZE, &limit);
    _exit(fill(s->journal, "free space and go on with --resume"));
  }
  int status;
  g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
  g_assert_true(WIFEXITED(status));
  g_assert_cmpint(WEXITSTATUS(status), ==, 4); /* 4 x 1029 bytes; the fifth would be 5145 */
  check_whole_lines(s->journal, 4);
  supervised_free(s);
}

static void test_full_disk(void) {
  Supervised *s = plan();
  g_autofree char *disk = g_build_filename(s->folder, "disk", NULL);
  g_assert_cmpint(g_mkdir(disk, 0700), ==, 0);
  if (mount("none", disk, "tmpfs", MS_NOSUID | MS_NODEV, "size=32k") != 0) {
    g_autofree char *why = g_strdup_printf("cannot mount a small file system here: %s", g_strerror(errno));
    g_test_skip(why);
  } else {
    g_autofree char *path = g_build_filename(disk, "results.jsonl", NULL);
    const pid_t pid = fork();
    if (pid == 0)
      _exit(fill(path, "No space left on device; results so far are kept in"));
    int status;
    waitpid(pid, &status, 0);
    g_assert_true(WIFEXITED(status));
    g_assert_cmpint(WEXITSTATUS(status), >, 10);
    g_assert_cmpint(WEXITSTATUS(status), <, 33);
    check_whole_lines(path, WEXITSTATUS(status));
    /* Room again: it goes on after the last whole line. */
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(mount("none", disk, "tmpfs", MS_REMOUNT | MS_NOSUID | MS_NODEV, "size=64k"), ==, 0);
    BhJournal *journal = bh_journal_resume(path, (goffset)WEXITSTATUS(status) * 1029, &error);
    g_assert_no_error(error);
    g_autoptr(JsonObject) line = padded_line(1000);
    g_assert_true(bh_journal_append(journal, line, &error));
    bh_journal_close(journal);
    check_whole_lines(path, WEXITSTATUS(status) + 1);
    g_assert_cmpint(umount(disk), ==, 0);
  }
  g_rmdir(disk);
  supervised_free(s);
}

/* No partial files: a journal whose first line found no room is taken away. */
static void test_no_first_line(void) {
  Supervised *s = plan();
  const pid_t pid = fork();
  if (pid == 0) {
    const struct rlimit limit = {500, 500};
    setrlimit(RLIMIT_FSIZE, &limit);
    _exit(fill(s->journal, "cannot write the journal's first line"));
  }
  int status;
  g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
  g_assert_true(WIFEXITED(status));
  g_assert_cmpint(WEXITSTATUS(status), ==, 0);
  g_assert_false(g_file_test(s->journal, G_FILE_TEST_EXISTS));
  supervised_free(s);
}

static void test_bad_places(void) {
  Supervised *s = plan();
  g_autoptr(GError) error = NULL;
  g_assert_null(bh_journal_create("/proc/nowhere/results.jsonl", &error));
  g_assert_error(error, BH_ERROR, BH_ERROR_USAGE);
  g_clear_error(&error);
  g_assert_null(bh_journal_create("/dev/null", &error));
  g_assert_error(error, BH_ERROR, BH_ERROR_USAGE);
  g_clear_error(&error);
  g_assert_null(bh_journal_resume("/dev/null", 0, &error));
  g_assert_error(error, BH_ERROR, BH_ERROR_USAGE);
  g_clear_error(&error);
  g_assert_null(bh_journal_resume(s->journal, 0, &error));
  g_assert_error(error, BH_ERROR, BH_ERROR_USAGE);
  g_autofree char *deep = g_build_filename(s->folder, "a", "b", "results.jsonl", NULL);
  BhJournal *journal = bh_journal_create(deep, NULL);
  g_assert_nonnull(journal);
  bh_journal_close(journal);
  g_assert_false(g_file_test(deep, G_FILE_TEST_EXISTS)); /* nothing was written */
  g_autofree char *b = g_path_get_dirname(deep), *a = g_path_get_dirname(b);
  g_rmdir(b);
  g_rmdir(a);
  supervised_free(s);
}

/* `part`: of the message. */
static void expect_misfit(const Supervised *s, const BhResults *results, const char *part) {
  g_autoptr(GError) error = NULL;
  g_assert_false(bh_journal_check_resume(&s->plan, results, s->journal, &error));
  g_assert_error(error, BH_ERROR, BH_ERROR_USAGE);
  g_test_message("%s", error->message);
  g_assert_nonnull(strstr(error->message, part));
}

static void test_check_resume(void) {
  Supervised *s = plan();
  g_autoptr(BhResults) results = bh_results_new();
  expect_misfit(s, results, "no run line");
  bh_journal_close(supervised_create(s, results));
  g_autoptr(GError) error = NULL;
  g_assert_true(bh_journal_check_resume(&s->plan, results, s->journal, &error));
  g_assert_no_error(error);
  s->plan.seed = 43;
  expect_misfit(s, results, "its seed is not 43");
  s->plan.seed = 42;
  char *text = s->plan.matrix_text;
  s->plan.matrix_text = (char *)"benchhost: 1\nname: other\n";
  expect_misfit(s, results, "its matrix is another one");
  s->plan.matrix_text = text;
  ((BhCell *)s->plan.cells->pdata[0])->measure.rounds = 3;
  expect_misfit(s, results, "its cells are others");
  ((BhCell *)s->plan.cells->pdata[0])->measure.rounds = 2;
  BhPlugin *plugin = (BhPlugin *)((BhCell *)s->plan.cells->pdata[0])->backend;
  g_free(plugin->build_id);
  plugin->build_id = g_strdup("abd");
  expect_misfit(s, results, "the plugin none was rebuilt");
  supervised_free(s);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/journal/run-line", test_run_line);
  g_test_add_func("/journal/end-line", test_end_line);
  g_test_add_func("/journal/two-writers", test_two_writers);
  g_test_add_func("/journal/torn-line", test_torn_line);
  g_test_add_func("/journal/changed-meanwhile", test_changed_meanwhile);
  g_test_add_func("/journal/size-limit", test_size_limit);
  g_test_add_func("/journal/full-disk", test_full_disk);
  g_test_add_func("/journal/no-first-line", test_no_first_line);
  g_test_add_func("/journal/bad-places", test_bad_places);
  g_test_add_func("/journal/check-resume", test_check_resume);
  return g_test_run();
}
