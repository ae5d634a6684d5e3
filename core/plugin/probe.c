/* SPDX-License-Identifier: MIT
 * Owns both sides of probing: the parent that asks in a child process and believes nothing, and the child that answers.
 */
#include "plugin/probe.h"
#include "base/json.h"
#include "plugin/loader.h"
#include "plugin/mini-host.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

gint64 bh_probe_deadline_ns(void) {
  const char *text = g_getenv("BENCHHOST_PROBE_TIMEOUT_MS");
  guint64 ms = 0;
  if (text && g_ascii_string_to_unsigned(text, 10, 1, 3600 * 1000, &ms, NULL))
    return (gint64)ms * 1000000;
  return G_GINT64_CONSTANT(10000000000);
}

/* An answer {"error": ...} is the refusal. */
JsonNode *bh_probe_read(const BhChild *child, const char *path, GError **error) {
  g_autofree char *fate = bh_child_fate(child);
  const gboolean refused = fate && child->ran && !child->timed_out && WIFEXITED(child->status) &&
                           WEXITSTATUS(child->status) == BH_EXIT_USAGE && child->out->len;
  if (fate && !refused) {
    g_set_error(error, BH_ERROR, BH_ERROR_PLUGIN, "%s: the process that looked at this plugin %s", path, fate);
    return NULL;
  }
  g_autoptr(JsonParser) parser = json_parser_new();
  JsonNode *root = NULL;
  if (g_utf8_validate(child->out->str, (gssize)child->out->len, NULL) &&
      json_parser_load_from_data(parser, child->out->str, (gssize)child->out->len, NULL))
    root = json_parser_get_root(parser);
  if (!root || !JSON_NODE_HOLDS_OBJECT(root)) {
    g_set_error(
        error, BH_ERROR, BH_ERROR_PLUGIN,
        "%s: the process that looked at this plugin %s: does the plugin call exit() or write to descriptors that are "
        "not its own?",
        path, child->out->len ? "gave no sensible answer" : "ended without an answer");
    return NULL;
  }
  const char *refusal = json_object_get_string_member_with_default(json_node_get_object(root), "error", NULL);
  if (refusal) {
    g_set_error_literal(error, BH_ERROR, BH_ERROR_PLUGIN, refusal);
    return NULL;
  }
  return json_parser_steal_root(parser);
}

static BhPlugin *read_plugin(const BhChild *child, const char *path, GError **error) {
  g_autoptr(JsonNode) root = bh_probe_read(child, path, error);
  BhPlugin *plugin = root ? bh_plugin_from_json(root, error) : NULL;
  if (root && !plugin)
    g_prefix_error(error, "%s: ", path);
  return plugin;
}

void bh_probe_files(const char *const *paths, guint n, BhPlugin **ret_plugins, GError **ret_errors) {
  g_autoptr(GPtrArray) children = g_ptr_array_new_with_free_func((GDestroyNotify)bh_child_free);
  g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < n; i++) {
    char **argv = g_new0(char *, 3);
    argv[0] = (char *)"internal-probe";
    argv[1] = (char *)paths[i];
    g_ptr_array_add(lines, argv);
    g_ptr_array_add(children, bh_child_new(argv, bh_probe_deadline_ns()));
  }
  bh_child_run_all((BhChild *const *)children->pdata, n, g_get_num_processors());
  for (guint i = 0; i < n; i++)
    ret_plugins[i] = read_plugin(g_ptr_array_index(children, i), paths[i], &ret_errors[i]);
}

static void ask_plugin(const BhLoaded *loaded, BhPlugin *plugin) {
  bh_status (*probe)(const bh_host *) = loaded->info.workload ? loaded->workload.probe : loaded->backend.probe;
  if (!probe)
    return;
  g_autoptr(BhMiniHost) mini = bh_mini_host_new(NULL);
  const bh_status status = probe(&mini->host);
  if (status == BH_OK)
    return;
  plugin->runnable = FALSE;
  const char *reason = bh_mini_host_reason(mini);
  plugin->reason = reason
                       ? g_utf8_make_valid(reason, -1)
                       : g_strdup_printf("its probe failed (status %d) without saying why: a plugin bug", (int)status);
}

static JsonNode *describe(gconstpointer path, GError **error) {
  g_autoptr(BhLoaded) loaded = bh_loader_open(path, error);
  if (!loaded)
    return NULL;
  g_autoptr(BhPlugin) plugin = bh_loader_describe(loaded, error);
  if (!plugin)
    return NULL;
  ask_plugin(loaded, plugin);
  return bh_plugin_to_json(plugin);
}

int bh_probe_print(BhProbeMake make, gconstpointer user) {
  /* What the plugin prints goes to stderr: stdout is for the answer alone. */
  fflush(stdout);
  const int out = dup(STDOUT_FILENO);
  if (out < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
    return BH_EXIT_SOFTWARE;
  g_autoptr(GError) error = NULL;
  g_autoptr(JsonNode) node = make(user, &error);
  int status = BH_EXIT_OK;
  if (!node) {
    JsonObject *object = json_object_new();
    g_autofree char *text = g_utf8_make_valid(error->message, -1);
    json_object_set_string_member(object, "error", text);
    node = json_node_new(JSON_NODE_OBJECT);
    json_node_take_object(node, object);
    status = BH_EXIT_USAGE;
  }
  g_autofree char *text = bh_json_text(node, FALSE);
  FILE *stream = fdopen(out, "w");
  if (!stream || fprintf(stream, "%s\n", text) < 0 || fclose(stream) != 0)
    return BH_EXIT_SOFTWARE;
  return status;
}

int bh_probe_answer(const char *path) {
  return bh_probe_print(describe, path);
}
