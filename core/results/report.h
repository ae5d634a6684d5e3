/* SPDX-License-Identifier: MIT
 * Results for people and for other programs: the final table, CSV, JSON, Markdown, google-benchmark's JSON. */
#pragma once
#include "results/results.h"
#include <stdio.h>

/* Per workload: median, interval, items/s, speedup over the best serial cell, total from cold, status, flags. As wide
 * as the terminal behind stdout, or COLUMNS, or without a limit. `color`: ANSI. */
char *bh_report_table(const BhResults *results, gboolean color);
/* `width`: columns, 0: no limit; `ascii`: no other characters. */
char *bh_report_table_width(const BhResults *results, gboolean color, guint width, gboolean ascii);
/* Whether a table for the terminal behind stdout should have colours: it is one, NO_COLOR is unset, TERM is not dumb.
 */
gboolean bh_report_color(void);

/* The width bh_report_table takes. */
guint bh_report_width(void);

char *bh_report_csv(const BhResults *results);         /* one row per cell */
char *bh_report_csv_samples(const BhResults *results); /* one row per sample */
char *bh_report_json(const BhResults *results);
char *bh_report_markdown(const BhResults *results);

/* What counts as a repetition in google-benchmark's format. */
typedef enum {
  BH_REPETITIONS_AUTO = 0, /* rounds where a run has several, else samples */
  BH_REPETITIONS_ROUNDS,   /* one per process: its median */
  BH_REPETITIONS_SAMPLES,
} BhRepetitions;
char *bh_report_gbench(const BhResults *results, BhRepetitions repetitions);

/* The worst of all cells' statuses as an exit status (measurement.md); `strict`, or a run line that says so:
 * skips count as BH_EXIT_BROKEN. */
int bh_report_exit_status(const BhResults *results, gboolean strict);
