/* SPDX-License-Identifier: MIT
 * A workload under test, opened and ready to run on the checking backend. */
#pragma once
#include "check/runner.h"
#include "check/subject.h"

typedef struct {
  BhSubject *subject;
  void *state;
  BhProblem *problem;
  BhRunner *runner;
} BhOpened;

/* Says failed or not tried for the current promise and returns NULL when there is nothing to run. */
BhOpened *bh_opened_new(BhSubject *subject, guint workers);
/* Without a runner: nothing is allocated. */
BhOpened *bh_opened_plan(BhSubject *subject);
void bh_opened_free(BhOpened *opened);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhOpened, bh_opened_free)
/* Poison, prepare, run. FALSE: said failed (or not tried, when the workload says skip). */
gboolean bh_opened_run(BhOpened *opened, BhChunks chunks, guint64 word);
/* What verify says now; the reason is reset before. */
bh_status bh_opened_verify(BhOpened *opened);
