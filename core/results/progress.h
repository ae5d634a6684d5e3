/* SPDX-License-Identifier: MIT
 * Live progress on stderr: one rewritten line on a terminal (cells done, current cell and phase, ETA), a plain line per
 * cell elsewhere, nothing with --quiet. NO_COLOR and TERM=dumb are obeyed. */
#pragma once
#include "supervisor/visits.h"

typedef enum { BH_PROGRESS_AUTO = 0, BH_PROGRESS_PLAIN, BH_PROGRESS_QUIET } BhProgressMode;
typedef struct BhProgress BhProgress;
BhProgress *bh_progress_new(BhProgressMode mode, gboolean verbose);
const BhWatcher *bh_progress_watcher(BhProgress *progress); /* valid until freed */
void bh_progress_free(BhProgress *progress);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhProgress, bh_progress_free)
