/* SPDX-License-Identifier: MIT
 * A cell while its values are being worked out: each parameter has its term, and those that depend on others are
 * computed in whatever order they need. */
#pragma once
#include "plan/side.h"

enum { BH_WORKLOAD_SIDE = 0, BH_BACKEND_SIDE = 1 };

typedef struct {
  const BhSide *side[2];
  const BhTerm **terms[2];   /* per slot */
  const BhValue **values[2]; /* per slot; NULL: not known yet, or failed */
  guint8 *states[2];
  const BhMachine *machine;
} BhDraft;

void bh_draft_init(BhDraft *draft, const BhSide *workload, const BhSide *backend, const BhMachine *machine);
void bh_draft_clear(BhDraft *draft);
/* Works out all values for the terms set before. On an error what could be known is there, the rest is NULL. */
gboolean bh_draft_evaluate(BhDraft *draft, GError **error);
/* A term of a pattern, seen from this cell. NULL with `error`: cannot be computed. */
const BhValue *bh_draft_term(BhDraft *draft, guint side, const BhParam *param, const BhTerm *term, GError **error);
