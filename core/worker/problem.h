/* SPDX-License-Identifier: MIT
 * A workload's problem as the host trusts it: copied, checked against the contract, with the chosen variant put in place. */
#pragma once
#include "base/error.h"
#include <benchhost/plugin.h>

#define BH_VARIANT_PORTABLE "portable"

typedef struct {
  bh_problem problem;   /* the checked copy; `kernels` points at `kernels` below */
  bh_kernel *kernels;   /* with `host` set to the chosen variant's function */
  const char **chosen;  /* per kernel: the variant that will run */
  bh_loop *loops;       /* `params` point into `sealed` */
  void *sealed;         /* all loops' parameters, write-protected: a kernel that writes there crashes, in any process */
  gsize sealed_bytes;
} BhProblem;

/* `theirs` as `open` filled it. Errors name the region, kernel or loop and what the contract wants. */
BhProblem *bh_problem_new(const bh_problem *theirs, GError **error);
void bh_problem_free(BhProblem *problem);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhProblem, bh_problem_free)

/* Puts variant `name` in place for a backend of class `target`. Kernels that lack it stay portable, but one at least must
 * have it. BH_UNSUPPORTED or what the variant's probe said, with the reason stopped on `host`. */
bh_status bh_problem_choose(BhProblem *problem, const char *name, const char *target, const bh_host *host);

/* Bytes of the host's view of a region: BY_WORKER counts all workers; SCRATCH has none. */
guint64 bh_problem_view_bytes(const bh_problem *problem, guint region, guint workers);
/* Memory that the cell will take at most, in bytes: regions, workers' copies, scratch, what plugins said they need. */
guint64 bh_problem_footprint(const bh_problem *problem, const bh_needs *needs);
