/* SPDX-License-Identifier: MIT
 * Between exercise.c and exercise-team.c. */
#pragma once
#include "check/exercise.h"

/* What the member's body gets as the workload's state. */
typedef struct {
  guint64 *shared; /* one page that processes share: the barrier's witnesses, by rank */
  gboolean fails;
  bh_region regions[1];
  bh_kernel kernels[1];
  bh_loop loops[1];
} BhExerciseTeam;

void bh_exercise_team_plan(BhExerciseTeam *team, bh_problem *ret_problem, gboolean fails);
void bh_exercise_team_clear(BhExerciseTeam *team);
char *bh_exercise_team_verify(const void *log, guint workers);
const void *bh_exercise_state(const BhExercise *exercise);
