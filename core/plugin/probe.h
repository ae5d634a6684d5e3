/* SPDX-License-Identifier: MIT
 * Asks plugins what they are, in child processes: `benchhost internal-probe PATH`. */
#pragma once
#include "plugin/catalog.h"

/* How long a child may take: 10 s, or BENCHHOST_PROBE_TIMEOUT_MS. */
gint64 bh_probe_deadline_ns(void);
/* Probes `n` files at once. For each either ret_plugins[i] or ret_errors[i] is set; the caller owns both. */
void bh_probe_files(const char *const *paths, guint n, BhPlugin **ret_plugins, GError **ret_errors);
/* The child's side: prints one JSON object on stdout, returns the exit status. */
int bh_probe_answer(const char *path);
