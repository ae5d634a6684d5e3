/* SPDX-License-Identifier: MIT
 * Where the reports of `benchhost ab` go. */
#pragma once
#include "cli/ab-options.h"
#include "gate/reports.h"

/* Writes what the options ask for: --json, --junit, --markdown, --github. */
gboolean bh_ab_files_write(const BhAbOptions *options, const BhAbReport *report, GError **error);
