/* SPDX-License-Identifier: MIT
 * Which cell of the candidate's plan stands beside which of the base's. Internal to gate/ and the command. */
#pragma once
#include "gate/arms.h"

typedef struct {
  const BhCell *side[2]; /* BhAbSide; the plans' */
  char *label;           /* the base's, without the option that the arms differ in */
} BhAbPair;

/* Cells belong together when workload, backend, variant, environment and every given value are equal, the arms' own
 * options aside; where values depend on such an option, by their place. `notes` (of char *) gets what a person should
 * know, such as defaults that differ between two builds. Error: the arms' matrices expand to different cells, and
 * which. Of BhAbPair, in the base's order; the plans must outlive it. */
GPtrArray *bh_ab_pairs_new(const BhPlan *base, const BhPlan *candidate, const BhArm *const arms[2], GPtrArray *notes,
                           GError **error);
/* The two sides of all pairs are the same builds with the same values. */
gboolean bh_ab_pairs_same(const GPtrArray *pairs);
