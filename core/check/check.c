/* SPDX-License-Identifier: MIT
 * Owns both ends of a check: the parent that starts a child per trial and prints what came out, and the child's entry.
 */
#include "check/check.h"
#include "base/json.h"
#include "check/guard.h"
#include "check/say.h"
#include "check/trials.h"
#include "plugin/catalog.h"
#include "plugin/child.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

typedef struct {
  char *promise, *why;
  enum { KEPT, BROKEN, NOT_TRIED } verdict;
} Line;

static void line_free(Line *line) {
  g_free(line->promise);
  g_free(line->why);
  g_free(line);
}

/* ---- The child ---- */

static const BhTrial *find_trial(BhPluginKind kind, const char *name, gsize length) {
  const BhTrial *trial = kind == BH_PLUGIN_WORKLOAD ? bh_workload_trials : bh_backend_trials;
  for (; trial->name; trial++)
    if (strlen(trial->name) == length && !strncmp(trial->name, name, length))
      return trial;
  return NULL;
}

int bh_check_trial(const BhCheckOptions *options, const char *name, const char *scratch) {
  if (!bh_say_init())
    return BH_EXIT_SOFTWARE;
  bh_guard_watch();
  bh_say_trying("loads with the given parameters");
  g_autoptr(GError) error = NULL;
  g_autoptr(BhSubject) subject = bh_subject_new(options->path, (const char *const *)options->params, scratch, &error);
  if (!subject) {
    bh_say_failed("%s", error->message);
    return BH_EXIT_USAGE;
  }
  const gsize length = strcspn(name, ":");
  const BhTrial *trial = find_trial(subject->plugin->kind, name, length);
  if (!trial)
    return BH_EXIT_SOFTWARE;
  trial->run(subject, name[length] ? name + length + 1 : "", options);
  bh_say_trying("end"); /* the parent's sign that the trial came to its end by itself */
  return BH_EXIT_OK;
}

/* ---- The parent ---- */

static void take_line(GPtrArray *lines, JsonObject *object, Line **pending) {
  const char *trying = json_object_get_string_member_with_default(object, "trying", NULL);
  if (trying) {
    *pending = g_new0(Line, 1);
    (*pending)->promise = g_strdup(trying);
    (*pending)->verdict = BROKEN;
    g_ptr_array_add(lines, *pending);
    return;
  }
  if (!*pending)
    return;
  const char *failed = json_object_get_string_member_with_default(object, "failed", NULL);
  const char *not_tried = json_object_get_string_member_with_default(object, "not_tried", NULL);
  (*pending)->why = g_strdup(failed ? failed : not_tried);
  (*pending)->verdict = failed ? BROKEN : not_tried ? NOT_TRIED : KEPT;
  *pending = NULL;
}

static gboolean is_mark(const Line *line, const char *mark) {
  return !strcmp(line->promise, mark);
}

/* What a child said and how it ended, as lines. */
static void read_child(GPtrArray *lines, const BhChild *child) {
  g_auto(GStrv) texts = g_strsplit(child->out->str, "\n", -1);
  const guint first = lines->len;
  Line *pending = NULL;
  for (char **text = texts; *text; text++) {
    g_autoptr(JsonParser) parser = json_parser_new();
    if (!**text || !json_parser_load_from_data(parser, *text, -1, NULL))
      continue;
    JsonNode *root = json_parser_get_root(parser);
    if (root && JSON_NODE_HOLDS_OBJECT(root))
      take_line(lines, json_node_get_object(root), &pending);
  }
  const gboolean ended = pending && is_mark(pending, "end");
  if (pending && !ended) { /* it died in the middle of a promise */
    g_autofree char *fate = bh_child_fate(child);
    pending->why = g_strdup(fate ? fate : "the process ended in the middle of it: does the plugin call exit()?");
  }
  /* "loads" and "end" are marks of ours; a load that failed is a promise broken. */
  for (guint i = lines->len; i-- > first;) {
    const Line *line = g_ptr_array_index(lines, i);
    if (is_mark(line, "end") || (is_mark(line, "loads with the given parameters") && !line->why))
      g_ptr_array_remove_index(lines, i);
  }
  if (lines->len == first && !ended) {
    Line *line = g_new0(Line, 1);
    line->promise = g_strdup("the process that tries it answers");
    line->why = bh_child_fate(child);
    line->verdict = BROKEN;
    g_ptr_array_add(lines, line);
  }
}

void bh_check_remove_folder(const char *path) {
  GDir *dir = g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
  for (const char *name = dir ? g_dir_read_name(dir) : NULL; name; name = g_dir_read_name(dir)) {
    g_autofree char *child = g_build_filename(path, name, NULL);
    bh_check_remove_folder(child);
  }
  if (dir)
    g_dir_close(dir);
  g_remove(path);
}

static char **child_argv(const BhCheckOptions *options, const char *trial, const char *scratch) {
  g_autoptr(GPtrArray) argv = g_ptr_array_new();
  const char *const head[] = {"check", "--trial", trial, "--scratch", scratch};
  for (guint i = 0; i < G_N_ELEMENTS(head); i++)
    g_ptr_array_add(argv, g_strdup(head[i]));
  for (char **param = options->params; param && *param; param++) {
    g_ptr_array_add(argv, g_strdup("--param"));
    g_ptr_array_add(argv, g_strdup(*param));
  }
  g_ptr_array_add(argv, g_strdup("--"));
  g_ptr_array_add(argv, g_strdup(options->path));
  g_ptr_array_add(argv, NULL);
  return (char **)g_ptr_array_free(g_steal_pointer(&argv), FALSE);
}

static GPtrArray *run_trials(const BhCheckOptions *options, const GPtrArray *names, const char *folder) {
  g_autoptr(GPtrArray) children = g_ptr_array_new_with_free_func((GDestroyNotify)bh_child_free);
  g_autoptr(GPtrArray) lines_of_argv = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
  for (guint i = 0; i < names->len; i++) {
    g_autofree char *scratch = g_strdup_printf("%s/%u", folder, i);
    g_mkdir(scratch, 0700);
    char **argv = child_argv(options, g_ptr_array_index(names, i), scratch);
    g_ptr_array_add(lines_of_argv, argv);
    g_ptr_array_add(children, bh_child_new(argv, options->deadline_ns));
  }
  bh_child_run_all((BhChild *const *)children->pdata, children->len, g_get_num_processors());
  GPtrArray *lines = g_ptr_array_new_with_free_func((GDestroyNotify)line_free);
  for (guint i = 0; i < children->len; i++)
    read_child(lines, g_ptr_array_index(children, i));
  return lines;
}

static void print_json(const BhPlugin *plugin, const GPtrArray *lines, const guint *counts) {
  static const char *const words[] = {"ok", "failed", "not-tried"};
  static const char *const keys[] = {"kept", "broken", "not_tried"};
  JsonObject *object = json_object_new();
  json_object_set_string_member(object, "plugin", plugin->name);
  json_object_set_string_member(object, "path", plugin->path);
  for (guint i = 0; i < 3; i++)
    json_object_set_int_member(object, keys[i], counts[i]);
  JsonArray *promises = json_array_new();
  for (guint i = 0; i < lines->len; i++) {
    const Line *line = g_ptr_array_index(lines, i);
    JsonObject *promise = json_object_new();
    json_object_set_string_member(promise, "promise", line->promise);
    json_object_set_string_member(promise, "verdict", words[line->verdict]);
    if (line->why)
      json_object_set_string_member(promise, "why", line->why);
    else
      json_object_set_null_member(promise, "why");
    json_array_add_object_element(promises, promise);
  }
  json_object_set_array_member(object, "promises", promises);
  g_autoptr(JsonNode) root = json_node_new(JSON_NODE_OBJECT);
  json_node_take_object(root, object);
  g_autofree char *text = bh_json_text(root, TRUE);
  fputs(text, stdout);
}

static void print_text(const BhPlugin *plugin, const GPtrArray *lines, const guint *counts) {
  static const char *const words[] = {"ok", "FAILED", "not tried"};
  const char *said = NULL; /* one fault breaks many promises: its reason is read once */
  for (guint i = 0; i < lines->len; i++) {
    const Line *line = g_ptr_array_index(lines, i);
    printf("%-9s  %s\n", words[line->verdict], line->promise);
    if (line->why)
      printf("             %s\n", g_strcmp0(line->why, said) ? line->why : "as above");
    said = line->why ? line->why : said;
  }
  printf("%s: %u promises kept, %u broken, %u not tried\n", plugin->name, counts[KEPT], counts[BROKEN],
         counts[NOT_TRIED]);
}

int bh_check_run(const BhCheckOptions *options, GError **error) {
  g_autoptr(BhCatalog) catalog = bh_catalog_new();
  const BhPlugin *plugin = bh_catalog_find(catalog, options->path, error);
  if (!plugin)
    return BH_EXIT_USAGE;
  if (!plugin->runnable) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "%s: cannot be tried because it cannot run here: %s", plugin->name,
                plugin->reason);
    return BH_EXIT_USAGE;
  }
  g_autofree char *folder = g_dir_make_tmp("benchhost-check-XXXXXX", error);
  if (!folder)
    return BH_EXIT_SOFTWARE;
  g_autoptr(GPtrArray) names = plugin->kind == BH_PLUGIN_WORKLOAD ? bh_workload_trial_names(plugin, options)
                                                                  : bh_backend_trial_names(plugin, options);
  g_autoptr(GPtrArray) lines = run_trials(options, names, folder);
  bh_check_remove_folder(folder);
  guint counts[3] = {0};
  for (guint i = 0; i < lines->len; i++)
    counts[((Line *)g_ptr_array_index(lines, i))->verdict]++;
  if (options->json)
    print_json(plugin, lines, counts);
  else
    print_text(plugin, lines, counts);
  return counts[BROKEN] ? BH_EXIT_USAGE : BH_EXIT_OK;
}
