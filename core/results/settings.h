/* SPDX-License-Identifier: MIT
 * How a cell of a journal was to be measured, and why it has as many rounds as it has. For rooms that read journals. */
#pragma once
#include "results/primary.h"

typedef struct {
  double precision;
  guint rounds, most; /* that every run has; the most there may be */
  gboolean budget;    /* the run had one */
  gboolean adaptive;  /* rounds end when the primary figure is precise: its interval over rounds allows for that */
  BhPrimary primary;
} BhSettings;

/* The cell's own settings, else the run's; what neither says is 0, or one round. */
BhSettings bh_settings_of(const BhResults *results, const BhCellRecord *record);
/* "rounds" (all that were asked for), "precision", "max-rounds", "budget", "interrupted" (the run was, or goes on);
 * NULL: not all rounds are ok. Static. */
const char *bh_settings_stopped(const BhResults *results, const BhSettings *settings, const GPtrArray *rounds);
