/* SPDX-License-Identifier: MIT
 * Owns the life of a workload under test: open, fill, run, verify, close. */
#include "check/opened.h"
#include "check/say.h"

#include <string.h>

/* How a workload that cannot go on is judged: skipping is its right. */
static void say_stopped(BhSubject *subject, bh_status status, const char *callback) {
  const gboolean opening = !strcmp(callback, "open"); /* its own trial says that it failed; the others need not */
  if (status == BH_SKIP || status == BH_UNSUPPORTED || status == BH_OUT_OF_MEMORY || opening)
    bh_say_not_tried("%s says: %s", callback, bh_subject_reason(subject));
  else
    bh_say_failed("%s failed: %s", callback, bh_subject_reason(subject));
}

BhOpened *bh_opened_plan(BhSubject *subject) {
  g_autoptr(BhOpened) o = g_new0(BhOpened, 1);
  const bh_workload *w = &subject->loaded->workload;
  o->subject = subject;
  bh_mini_host_reset(subject->mini);
  bh_status status = w->probe ? bh_subject_settle(subject, w->probe(&subject->mini->host), "probe") : BH_OK;
  if (status != BH_OK)
    return say_stopped(subject, status, "probe"), NULL;
  bh_problem theirs = {.size = sizeof theirs};
  void *state = NULL;
  status = bh_subject_settle(subject, w->open(&subject->mini->host, subject->values, &theirs, &state), "open");
  if (status != BH_OK)
    return say_stopped(subject, status, "open"), NULL;
  o->state = state;
  g_autoptr(GError) error = NULL;
  o->problem = bh_problem_new(&theirs, &error);
  if (!o->problem) {
    bh_say_failed("open: %s", error->message);
    w->close(state);
    return NULL;
  }
  return g_steal_pointer(&o);
}

BhOpened *bh_opened_new(BhSubject *subject, guint workers) {
  g_autoptr(BhOpened) o = bh_opened_plan(subject);
  if (!o)
    return NULL;
  const bh_problem *p = &o->problem->problem;
  const bh_workload *w = &subject->loaded->workload;
  g_autoptr(GError) error = NULL;
  if (p->member && (workers < p->min_members || (p->max_members && workers > p->max_members))) {
    bh_say_not_tried("its team takes %u to %u members", p->min_members, p->max_members);
    return NULL;
  }
  o->runner = bh_runner_new(o->problem, o->state, subject->mini, workers, &error);
  if (!o->runner) {
    bh_say_not_tried("%s", error->message);
    return NULL;
  }
  if (w->fill) {
    g_autofree void **regions = bh_runner_regions(o->runner, TRUE);
    const bh_status status = bh_subject_settle(subject, w->fill(o->state, regions, workers), "fill");
    if (status != BH_OK)
      return say_stopped(subject, status, "fill"), NULL;
  }
  bh_runner_filled(o->runner);
  return g_steal_pointer(&o);
}

void bh_opened_free(BhOpened *o) {
  if (!o)
    return;
  bh_runner_free(o->runner);
  bh_problem_free(o->problem);
  if (o->state)
    o->subject->loaded->workload.close(o->state);
  g_free(o);
}

gboolean bh_opened_run(BhOpened *o, BhChunks chunks, guint64 word) {
  BhSubject *subject = o->subject;
  const bh_workload *w = &subject->loaded->workload;
  bh_runner_poison(o->runner, word);
  bh_mini_host_reset(subject->mini);
  bh_status status = w->prepare ? bh_subject_settle(subject, w->prepare(o->state), "prepare") : BH_OK;
  if (status != BH_OK)
    return say_stopped(subject, status, "prepare"), FALSE;
  status = bh_runner_run(o->runner, chunks);
  if (status != BH_OK)
    return say_stopped(subject, status, "the run"), FALSE;
  g_autofree char *damage = bh_runner_damage(o->runner);
  if (damage || o->runner->trespass) {
    bh_say_failed("%s", damage ? damage : o->runner->trespass);
    return FALSE;
  }
  return TRUE;
}

bh_status bh_opened_verify(BhOpened *o) {
  bh_mini_host_reset(o->subject->mini);
  g_autofree void **regions = bh_runner_regions(o->runner, FALSE);
  return bh_subject_settle(o->subject, o->subject->loaded->workload.verify(o->state, regions, o->runner->workers),
                           "verify");
}
