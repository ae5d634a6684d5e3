/* SPDX-License-Identifier: MIT
 * The worker's share of a journal `cell` line (docs/journal.md): status, figures, phases, facts, flags. */
#pragma once
#include "worker/sampler.h"

/* `sampling`: NULL unless the cell is `ok`. */
JsonObject *bh_record_new(BhSession *session, bh_status status, const BhSampling *sampling);
