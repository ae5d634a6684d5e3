/* SPDX-License-Identifier: MIT
 * Owns both sides of asking a workload for its kernels: the parent believes nothing, the child opens it as a cell does,
 * up to where a backend would come in. */
#include "check/kernels.h"
#include "base/json.h"
#include "check/check.h"
#include "check/subject.h"
#include "plugin/probe.h"
#include "worker/problem.h"

/* ---- The child ---- */

/* What stopped a callback, as an error. */
static gboolean went_well(const BhSubject *subject, bh_status status, const char *callback, GError **error) {
  const char *reason = bh_mini_host_reason(subject->mini);
  if (status == BH_OK && !reason)
    return TRUE;
  g_set_error(error, BH_ERROR, BH_ERROR_PLUGIN, "%s: %s: %s", subject->plugin->name, callback,
              reason ? reason : "it failed without saying why: a bug in the plugin");
  return FALSE;
}

static void add_variant(JsonArray *variants, const char *name, const char *target, const char *code,
                        const char *summary, const char *reason) {
  JsonObject *object = json_object_new();
  bh_json_put_text(object, "name", name);
  bh_json_put_text(object, "target", target);
  bh_json_put_text(object, "code", code);
  bh_json_put_text(object, "summary", summary);
  json_object_set_boolean_member(object, "runnable", reason == NULL);
  bh_json_put_text(object, "reason", reason);
  json_array_add_object_element(variants, object);
}

static JsonObject *kernel_object(const BhSubject *subject, const bh_kernel *kernel) {
  JsonArray *variants = json_array_new();
  if (kernel->host)
    add_variant(variants, BH_VARIANT_PORTABLE, "host", "host", NULL, NULL);
  if (kernel->source)
    add_variant(variants, BH_VARIANT_PORTABLE, "device", "source", NULL, NULL);
  for (const bh_variant *v = kernel->variants; v && v->name; v++) {
    bh_mini_host_reset(subject->mini);
    const bh_status status = v->probe ? v->probe(&subject->mini->host) : BH_OK;
    const char *reason = bh_mini_host_reason(subject->mini);
    if (status != BH_OK && !reason)
      reason = "its probe failed without saying why: a bug in the plugin";
    add_variant(variants, v->name, v->target, v->program ? "program" : "host", v->summary, reason);
  }
  JsonObject *object = json_object_new();
  bh_json_put_text(object, "name", kernel->name);
  json_object_set_array_member(object, "variants", variants);
  return object;
}

typedef struct {
  const char *scratch, *path;
  const char *const *settings;
} Question;

static JsonNode *open_and_list(gconstpointer user, GError **error) {
  const Question *question = user;
  g_autoptr(BhSubject) subject = bh_subject_new(question->path, question->settings, question->scratch, error);
  if (!subject)
    return NULL;
  const bh_workload *w = &subject->loaded->workload;
  const bh_host *host = &subject->mini->host;
  bh_problem theirs = {.size = sizeof theirs};
  void *state = NULL;
  if (!went_well(subject, w->probe ? w->probe(host) : BH_OK, "probe", error) ||
      !went_well(subject, w->open(host, subject->values, &theirs, &state), "open", error))
    return NULL;
  g_autoptr(BhProblem) problem = bh_problem_new(&theirs, error);
  JsonNode *root = NULL;
  if (problem) {
    JsonArray *kernels = json_array_new();
    for (guint i = 0; i < problem->problem.n_kernels; i++)
      json_array_add_object_element(kernels, kernel_object(subject, &problem->kernels[i]));
    JsonObject *object = json_object_new();
    json_object_set_array_member(object, "kernels", kernels);
    root = json_node_new(JSON_NODE_OBJECT);
    json_node_take_object(root, object);
  }
  w->close(state);
  return root;
}

int bh_kernels_answer(const char *scratch, const char *path, const char *const *settings) {
  const Question question = {scratch, path, settings};
  return bh_probe_print(open_and_list, &question);
}

/* ---- The parent ---- */

JsonNode *bh_kernels_ask(const char *path, char *const *settings, GError **error) {
  g_autofree char *scratch = g_dir_make_tmp("benchhost-describe-XXXXXX", error);
  if (!scratch)
    return NULL;
  g_autoptr(GPtrArray) argv = g_ptr_array_new(); /* of others' */
  const char *const head[] = {"internal-probe", "--open", scratch, path};
  for (guint i = 0; i < G_N_ELEMENTS(head); i++)
    g_ptr_array_add(argv, (char *)head[i]);
  for (; settings && *settings; settings++)
    g_ptr_array_add(argv, *settings);
  g_ptr_array_add(argv, NULL);
  g_autoptr(BhChild) child = bh_child_new((char **)argv->pdata, bh_probe_deadline_ns());
  bh_child_run_all(&child, 1, 1);
  bh_check_remove_folder(scratch);
  return bh_probe_read(child, path, error);
}
