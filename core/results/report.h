/* SPDX-License-Identifier: MIT
 * Results for people and for other programs: the final table, CSV, JSON, Markdown, google-benchmark's JSON. */
#pragma once
#include "results/results.h"
#include <stdio.h>

/* Per workload: median, interval, items/s, speedup over the best serial cell, total from cold, status, flags. `color`:
 * ANSI. */
char *bh_report_table(const BhResults *results, gboolean color);
char *bh_report_csv(const BhResults *results);
char *bh_report_json(const BhResults *results);
char *bh_report_markdown(const BhResults *results);
char *bh_report_gbench(const BhResults *results);
/* The worst of all cells' statuses as an exit status (measurement.md); `strict`: skips count as BH_EXIT_BROKEN. */
int bh_report_exit_status(const BhResults *results, gboolean strict);
