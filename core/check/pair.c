/* SPDX-License-Identifier: MIT
 * Owns the trial of a pair: the worker's own session, run three times with full verification. */
#include "check/pair.h"
#include "check/say.h"
#include "worker/session.h"

static char **texts_of(const BhSubject *subject, gboolean values) {
  g_autoptr(GPtrArray) out = g_ptr_array_new();
  for (guint i = 0; i < subject->plugin->params->len; i++) { /* the subject's own values, expressions worked out */
    const BhParam *param = g_ptr_array_index(subject->plugin->params, i);
    const BhValue *value = g_ptr_array_index(subject->store, i);
    g_ptr_array_add(out, g_strdup(values ? value->text : param->name));
  }
  g_ptr_array_add(out, NULL);
  return (char **)g_ptr_array_free(g_steal_pointer(&out), FALSE);
}

static bh_status run_pair(BhSession *session) {
  bh_status status = bh_session_load(session);
  if (status == BH_OK)
    status = bh_session_open(session);
  if (status == BH_OK)
    status = bh_session_fill(session);
  for (guint i = 0; i < 3 && status == BH_OK; i++) {
    status = bh_session_prepare(session);
    if (status == BH_OK)
      status = bh_session_run(session, 1);
    if (status == BH_OK)
      status = bh_session_fetch(session);
    if (status == BH_OK)
      status = bh_session_verify(session);
  }
  return status;
}

static void say_pair(const BhArena *arena, bh_status status) {
  const char *message = "no reason was given";
  bh_arena_stopped(arena, &message);
  if (status == BH_OK)
    bh_say_ok();
  else if (status == BH_SKIP || status == BH_UNSUPPORTED)
    bh_say_not_tried("%s", message);
  else
    bh_say_failed("%s", message);
}

void bh_pair_trial(BhSubject *subject, const char *argument, const BhCheckOptions *options) {
  (void)options; /* the subject holds them already */
  bh_say_trying("runs and verifies with %s", argument);
  g_autoptr(BhSubject) other = NULL;
  g_autoptr(GError) error = NULL;
  other = bh_subject_new(argument, NULL, subject->mini->host.scratch_dir, &error);
  if (!other) {
    bh_say_not_tried("%s", error->message);
    return;
  }
  if (other->plugin->kind == subject->plugin->kind) {
    bh_say_not_tried("both are %ss", bh_plugin_kind_name(subject->plugin->kind));
    return;
  }
  const gboolean workload = subject->plugin->kind == BH_PLUGIN_WORKLOAD;
  BhSubject *w = workload ? subject : other, *b = workload ? other : subject;
  BhWorkerRequest request = {
      .workload_path = w->loaded->path,
      .backend_path = b->loaded->path,
      .param_names = texts_of(w, FALSE),
      .param_values = texts_of(w, TRUE),
      .option_names = texts_of(b, FALSE),
      .option_values = texts_of(b, TRUE),
      .variant = (char *)"portable",
      .seed = 42,
      .cores = g_get_num_processors(),
  };
  const BhArenaOptions arena_options = {.seed = 42,
                                        .scratch_dir = subject->mini->host.scratch_dir,
                                        .data_dir = g_getenv("BENCHHOST_DATA"),
                                        .cores = request.cores};
  g_autoptr(BhArena) arena = bh_arena_new(&arena_options, &error);
  if (!arena) {
    bh_say_not_tried("%s", error->message);
    return;
  }
  BhSession *session = bh_session_new(&request, arena);
  say_pair(arena, run_pair(session));
  bh_session_free(session);
  g_strfreev(request.param_names);
  g_strfreev(request.param_values);
  g_strfreev(request.option_names);
  g_strfreev(request.option_values);
}
