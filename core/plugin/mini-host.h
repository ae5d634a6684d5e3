/* SPDX-License-Identifier: MIT
 * A small bh_host for probing and checking, where nothing is measured: it keeps the first reason that a plugin gave,
 * counts, and places nobody. It lives in shared memory, so that workers which a backend forked can speak through it
 * too. */
#pragma once
#include <benchhost/plugin.h>
#include <glib.h>

typedef struct {
  bh_host host; /* what plugins get */
  gint stopped; /* atomic: 0 nobody, 1 somebody is writing, 2 `status` and `reason` are set */
  bh_status status;
  char reason[1024];
  gint pinned; /* atomic: calls of pin */
} BhMiniHost;

/* `scratch_dir` must outlive it; may be NULL while only probing. */
BhMiniHost *bh_mini_host_new(const char *scratch_dir);
void bh_mini_host_free(BhMiniHost *mini);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhMiniHost, bh_mini_host_free)
/* The reason that was given; NULL when `stop` was not called since the last reset. */
const char *bh_mini_host_reason(const BhMiniHost *mini);
void bh_mini_host_reset(BhMiniHost *mini);
