/* SPDX-License-Identifier: MIT
 * Hand-made plans of one workload, "fake", whose one parameter `act` tells tests/unit/fake-worker.c what to do, for the
 * tests of the supervisor's files. */
#pragma once
#include "engine/engine.h"
#include "supervisor/tree.h"

#include <glib/gstdio.h>
#include <string.h>

typedef struct {
  BhPlan plan;
  char *folder;  /* a fresh one: journal and TMPDIR */
  char *tmp;     /* TMPDIR: must be empty after every run */
  char *journal; /* its path */
} Supervised;

static inline BhValue *text_value(const char *text) {
  BhValue *value = g_new0(BhValue, 1);
  value->type = BH_TEXT;
  value->s = g_strdup(text);
  value->text = g_strdup(text);
  value->given = TRUE;
  return value;
}

static inline BhPlugin *fake_plugin(BhPluginKind kind, const char *name, const char *param_name) {
  BhPlugin *plugin = g_new0(BhPlugin, 1);
  plugin->kind = kind;
  plugin->name = g_strdup(name);
  plugin->path = g_strdup_printf("/nowhere/%s.so", name);
  plugin->version = g_strdup("1");
  plugin->build_id = g_strdup("abc");
  plugin->params = g_ptr_array_new_with_free_func((GDestroyNotify)bh_param_free);
  plugin->runnable = TRUE;
  if (param_name) {
    BhParam *param = g_new0(BhParam, 1);
    param->name = g_strdup(param_name);
    param->type = BH_TEXT;
    g_ptr_array_add(plugin->params, param);
  }
  return plugin;
}

static inline BhCell *add_cell(Supervised *s, const char *act) {
  BhCell *first = s->plan.cells->len ? s->plan.cells->pdata[0] : NULL;
  BhCell *cell = g_new0(BhCell, 1);
  cell->id = g_strdup_printf("%012x", s->plan.cells->len + 1);
  cell->label = g_strdup_printf("fake act=%s | none", act);
  cell->workload = first ? first->workload : fake_plugin(BH_PLUGIN_WORKLOAD, "fake", "act");
  cell->backend = first ? first->backend : fake_plugin(BH_PLUGIN_BACKEND, "none", NULL);
  cell->params = g_ptr_array_new_with_free_func((GDestroyNotify)bh_value_free);
  g_ptr_array_add(cell->params, text_value(act));
  cell->options = g_ptr_array_new_with_free_func((GDestroyNotify)bh_value_free);
  cell->variant = g_strdup("portable");
  cell->env = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  cell->measure = s->plan.measure;
  g_ptr_array_add(s->plan.cells, cell);
  return cell;
}

static inline void free_cell(gpointer data) {
  BhCell *cell = data;
  g_free(cell->id);
  g_free(cell->label);
  g_ptr_array_unref(cell->params);
  g_ptr_array_unref(cell->options);
  g_free(cell->variant);
  g_hash_table_unref(cell->env);
  g_free(cell);
}

/* `acts`: NULL-terminated; one cell each. */
static inline Supervised *supervised_new(const char *const *acts, guint rounds) {
  Supervised *s = g_new0(Supervised, 1);
  s->plan.name = g_strdup("test");
  s->plan.matrix_text = g_strdup("benchhost: 1\n");
  s->plan.matrix_path = g_strdup("test.yaml");
  s->plan.seed = 42;
  s->plan.measure.rounds = rounds;
  s->plan.measure.deadline_ns = 60 * G_GINT64_CONSTANT(1000000000);
  s->plan.cells = g_ptr_array_new_with_free_func(free_cell);
  for (; *acts; acts++)
    add_cell(s, *acts);
  s->folder = g_dir_make_tmp("benchhost-test-XXXXXX", NULL);
  s->tmp = g_build_filename(s->folder, "tmp", NULL);
  g_assert_cmpint(g_mkdir(s->tmp, 0700), ==, 0);
  g_setenv("TMPDIR", s->tmp, TRUE);
  g_setenv("BENCHHOST_SELF", g_getenv("FAKE_WORKER"), TRUE);
  s->journal = g_build_filename(s->folder, "results.jsonl", NULL);
  return s;
}

/* The thread sanitizer keeps a file of its own in TMPDIR for a moment, and leaves it there when it is killed just then.
 */
static inline guint count_entries(const char *folder) {
  guint n = 0;
  GDir *dir = g_dir_open(folder, 0, NULL);
  for (const char *name; dir && (name = g_dir_read_name(dir));)
    n += !g_str_has_prefix(name, "tsan.");
  if (dir)
    g_dir_close(dir);
  return n;
}

static inline void supervised_free(Supervised *s) {
  g_assert_cmpuint(count_entries(s->tmp), ==, 0);
  if (s->plan.cells->len) {
    const BhCell *first = s->plan.cells->pdata[0];
    bh_plugin_free((BhPlugin *)first->workload);
    bh_plugin_free((BhPlugin *)first->backend);
  }
  g_ptr_array_unref(s->plan.cells);
  g_remove(s->tmp);
  g_remove(s->journal);
  g_remove(s->folder);
  g_free(s->plan.name);
  g_free(s->plan.matrix_text);
  g_free(s->plan.matrix_path);
  g_free(s->folder);
  g_free(s->tmp);
  g_free(s->journal);
  g_free(s);
}

/* A new journal with its run line. */
static inline BhJournal *supervised_create(const Supervised *s, BhResults *results) {
  g_autoptr(GError) error = NULL;
  const char *const argv[] = {"benchhost", "test.yaml", NULL};
  BhJournal *journal = bh_journal_create(s->journal, &error);
  g_assert_no_error(error);
  g_autoptr(JsonObject) line = bh_journal_run_line(&s->plan, argv);
  bh_journal_append(journal, line, &error);
  g_assert_no_error(error);
  if (results)
    g_assert_true(bh_results_add(results, line, &error));
  return journal;
}
