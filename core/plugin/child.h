/* SPDX-License-Identifier: MIT
 * Runs this program in child processes that load plugins: each in its own process group, under a deadline, with bounded
 * output, dying with its parent. Children inherit no descriptor but the three standard ones. */
#pragma once
#include "base/error.h"

typedef struct {
  char **argv;                      /* in: arguments after the program's own name; NULL-terminated; not owned */
  gint64 deadline_ns;               /* in: from its start; 0: none */
  GString *out;                     /* stdout, at most BH_CHILD_MAX_OUT bytes */
  GString *err;                     /* stderr, its last BH_CHILD_MAX_ERR bytes */
  int status;                       /* as from waitpid; meaningless unless `ran` */
  gboolean ran, timed_out, flooded; /* flooded: more output than allowed, killed for it */
  char *spawn_error;                /* why it could not start */
} BhChild;

#define BH_CHILD_MAX_OUT (1024 * 1024)
#define BH_CHILD_MAX_ERR 4096

BhChild *bh_child_new(char **argv, gint64 deadline_ns);
void bh_child_free(BhChild *child);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhChild, bh_child_free)
/* Runs all, at most `parallel` at a time, until each has ended. Call from the thread that lives longest: children die
 * with the thread that started them. */
void bh_child_run_all(BhChild *const *children, guint n, guint parallel);
/* "crashed with SIGSEGV (segmentation fault)", "did not answer within 10 s and was killed", "exited with status 3",
 * each with the end of its stderr; NULL when it ended by itself with status 0. Caller frees. */
char *bh_child_fate(const BhChild *child);
