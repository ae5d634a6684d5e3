/* SPDX-License-Identifier: MIT
 * Fuzz target: bytes as a journal through the reader and, when it takes them, through every report and export. With
 * libFuzzer (meson -Dfuzz=true, clang) it searches; without, its main replays the files and folders that it is given,
 * which is what the test suite does with the corpus. Checked besides memory: what the reader promises of torn files, no
 * NaN and no control character in the table, and that our JSON is JSON by the reader's own strict grammar. */
#include "results/report.h"
#include "results/strict.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                                               \
  do {                                                                                                                 \
    if (!(condition))                                                                                                  \
      g_error("fuzz-journal: %s does not hold", #condition);                                                           \
  } while (0)

/* Lines joined: strict JSON has one value, ours is spread over lines. */
static void check_json(char *text) {
  guint64 members;
  g_autoptr(GError) error = NULL;
  g_strdelimit(text, "\n", ' ');
  if (bh_strict_check(text, strlen(text), &members, &error) != BH_STRICT_OK)
    g_error("fuzz-journal: our own JSON is none: %s", error->message);
}

static void check_table(const char *text) {
  for (; *text; text++)
    CHECK((guchar)*text >= 0x20 || *text == '\n');
}

static void check_promises(const BhResults *results, const uint8_t *data, size_t size) {
  CHECK(results->good_bytes >= 0 && (size_t)results->good_bytes <= size);
  CHECK(results->torn == ((size_t)results->good_bytes < size));
  CHECK(results->good_bytes == 0 || data[results->good_bytes - 1] == '\n');
  guint rounds = 0;
  for (guint i = 0; i < results->cells->len; i++)
    rounds += ((const BhCellResult *)g_ptr_array_index(results->cells, i))->rounds->len;
  CHECK(rounds == results->records->len);
  /* What --resume keeps is read back as it is. */
  g_autoptr(BhResults) again = bh_results_parse((const char *)data, (gsize)results->good_bytes, "again", NULL);
  CHECK(again && !again->torn && again->records->len == results->records->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  g_autoptr(GError) error = NULL;
  g_autoptr(BhResults) results = bh_results_parse((const char *)data, size, "fuzz", &error);
  CHECK((results == NULL) == (error != NULL));
  if (!results) {
    CHECK(g_str_has_prefix(error->message, "fuzz:"));
    CHECK(g_utf8_validate(error->message, -1, NULL));
    return 0;
  }
  check_promises(results, data, size);
  g_autofree char *narrow = bh_report_table_width(results, FALSE, 40, TRUE);
  g_autofree char *wide = bh_report_table_width(results, FALSE, 0, FALSE);
  g_autofree char *csv = bh_report_csv(results);
  g_autofree char *samples = bh_report_csv_samples(results);
  g_autofree char *markdown = bh_report_markdown(results);
  g_autofree char *json = bh_report_json(results);
  g_autofree char *gbench = bh_report_gbench(results, BH_REPETITIONS_AUTO);
  check_table(narrow);
  CHECK(g_str_is_ascii(narrow));
  check_table(wide);
  CHECK(g_str_has_prefix(csv, "id,label,") && g_str_has_prefix(samples, "id,label,"));
  CHECK(g_str_has_prefix(markdown, "# ") && g_utf8_validate(markdown, -1, NULL));
  check_json(json);
  check_json(gbench);
  CHECK(bh_report_exit_status(results, TRUE) >= bh_report_exit_status(results, FALSE));
  return 0;
}

#ifndef BH_LIBFUZZER
static int replay(const char *path) {
  g_autofree char *text = NULL;
  gsize length;
  g_autoptr(GDir) folder = g_dir_open(path, 0, NULL);
  int count = 0;
  for (const char *name; folder && (name = g_dir_read_name(folder));) {
    g_autofree char *inside = g_build_filename(path, name, NULL);
    count += replay(inside);
  }
  if (folder)
    return count;
  if (!g_file_get_contents(path, &text, &length, NULL))
    g_error("fuzz-journal: %s cannot be read", path);
  /* An exact copy on the heap, so that a sanitizer sees reads beyond the end. */
  g_autofree uint8_t *copy = g_memdup2(text, length);
  LLVMFuzzerTestOneInput(copy, length);
  return 1;
}

int main(int argc, char **argv) {
  int count = 0;
  for (int i = 1; i < argc; i++)
    count += replay(argv[i]);
  g_print("fuzz-journal: %d inputs replayed\n", count);
  return count > 0 ? 0 : 1;
}
#endif
