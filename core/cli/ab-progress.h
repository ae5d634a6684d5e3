/* SPDX-License-Identifier: MIT
 * What a person sees while a comparison goes on: the live line of a run on a terminal, one line per round elsewhere. */
#pragma once
#include "gate/measure.h"
#include "results/progress.h"

typedef struct BhAbProgress BhAbProgress;
BhAbProgress *bh_ab_progress_new(BhProgressMode mode, gboolean verbose);
const BhAbWatcher *bh_ab_progress_watcher(BhAbProgress *progress); /* valid until freed */
void bh_ab_progress_free(BhAbProgress *progress);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhAbProgress, bh_ab_progress_free)
