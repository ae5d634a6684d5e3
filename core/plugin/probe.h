/* SPDX-License-Identifier: MIT
 * Asks plugins what they are, in child processes: `benchhost internal-probe PATH`. */
#pragma once
#include "plugin/catalog.h"
#include "plugin/child.h"

/* How long a child may take: 10 s, or BENCHHOST_PROBE_TIMEOUT_MS. */
gint64 bh_probe_deadline_ns(void);
/* Probes `n` files at once. For each either ret_plugins[i] or ret_errors[i] is set; the caller owns both. */
void bh_probe_files(const char *const *paths, guint n, BhPlugin **ret_plugins, GError **ret_errors);
/* The child's side: prints one JSON object on stdout, returns the exit status. */
int bh_probe_answer(const char *path);

/* Both sides of any such question. What the child that looked at `path` printed, an object; NULL with `error`: its
 * refusal, in its own words, or how it ended. Caller frees. */
JsonNode *bh_probe_read(const BhChild *child, const char *path, GError **error);
/* Prints what `make` says, or its error, on a stdout that the plugin does not reach; returns the exit status. */
typedef JsonNode *(*BhProbeMake)(gconstpointer user, GError **error);
int bh_probe_print(BhProbeMake make, gconstpointer user);
