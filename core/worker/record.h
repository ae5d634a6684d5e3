/* SPDX-License-Identifier: MIT
 * The worker's share of a journal `cell` line (docs/journal.md): status, figures, phases, facts, flags. */
#pragma once
#include "worker/sampler.h"

/* Before the session is closed: it looks at the plugins' tables. `sampling`: NULL unless the cell is `ok`. */
JsonObject *bh_record_new(BhSession *session, bh_status status, const BhSampling *sampling);
/* A figure in ns from n >= 1 samples: median, interval or why there is none, and the samples. */
JsonObject *bh_record_figure(const double *x, guint n);
/* Adds `phases_ns`, after the session was closed: closing is one of them. */
void bh_record_add_phases(JsonObject *record, const BhSession *session);
