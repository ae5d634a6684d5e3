/* SPDX-License-Identifier: MIT
 * What comes out of a worker's event pipe, line by line, bounded: a plugin can write there too, and must not be able to
 * harm more than its own cell. */
#pragma once
#include "supervisor/process.h"

typedef struct {
  const BhProcessTask *task;
  BhOutcome *outcome;
  GString *partial; /* bytes since the last newline */
  guint64 total_bytes;
  gsize log_bytes;
} BhEvents;

void bh_events_init(BhEvents *events, const BhProcessTask *task, BhOutcome *outcome);
void bh_events_clear(BhEvents *events);
/* Takes what is in the non-blocking descriptor now. FALSE: it ended, or outcome->bad_event was set. */
gboolean bh_events_read(BhEvents *events, int fd);
/* No more will come: an unfinished line is a bad event, unless there is one already. */
void bh_events_finish(BhEvents *events);
