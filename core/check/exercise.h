/* SPDX-License-Identifier: MIT
 * A workload inside the host that makes every demand of the contract on a backend: all roles and splits in two loops,
 * or a team that uses every collective. It knows the right answers by arithmetic on indices and finds out what went
 * wrong. */
#pragma once
#include <benchhost/plugin.h>
#include <glib.h>

typedef enum {
  BH_EXERCISE_ITEMS = 0,
  BH_EXERCISE_TEAM,
  BH_EXERCISE_TEAM_FAILS, /* its last member stops while the others wait in a barrier */
  BH_EXERCISE_DEATH,      /* a kernel that runs in another process than the host kills that process */
} BhExerciseKind;

typedef struct BhExercise BhExercise;
BhExercise *bh_exercise_new(BhExerciseKind kind, guint64 items, guint64 min_chunk);
void bh_exercise_free(BhExercise *exercise);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhExercise, bh_exercise_free)
const bh_problem *bh_exercise_problem(const BhExercise *exercise);
/* `region`: the host's views in the problem's order; NULL where a region has no bytes. `idle`: kernels are told, by the
 * data, to write nothing. */
void bh_exercise_fill(BhExercise *exercise, void *const *region, guint workers, gboolean idle);
/* What is wrong after a run; NULL: nothing. Caller frees. */
char *bh_exercise_verify(const BhExercise *exercise, void *const *region, guint workers);
/* After an idle run on outputs that held `word`. */
char *bh_exercise_verify_idle(const BhExercise *exercise, void *const *region, guint64 word);
