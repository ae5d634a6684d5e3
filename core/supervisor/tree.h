/* SPDX-License-Identifier: MIT
 * Trees of processes, read from /proc: who descends from whom, what they use, and how to end them all. A process that
 * started a session of its own or lost its parent is found too: the supervisor is a subreaper. */
#pragma once
#include <glib.h>
#include <sys/types.h>

#define BH_TREE_WATCH_MS 50 /* how often a running cell's memory is looked at */

/* All descendants of `root`, without it, parents before children; of pid_t. Caller unrefs. */
GArray *bh_tree_descendants(pid_t root);

/* Memory of `root` and its descendants: anonymous pages summed, plus the largest share of shared memory. Pages that a
 * fork shares with its parent count twice here. `ret_n`: processes seen. */
guint64 bh_tree_memory_bytes(pid_t root, guint *ret_n);
/* The same exactly (proportional shares), at the cost of walking page tables; 0: the kernel does not say. */
guint64 bh_tree_memory_exact_bytes(pid_t root);
/* The most memory that one process ever had resident (VmHWM, mapped files included), in bytes; 0: unknown or gone. */
guint64 bh_tree_peak_bytes(pid_t pid);

/* Ends every descendant of the calling process but those in `spare` (of pid_t, with theirs) and reaps the direct ones
 * but `keep`, whose status the caller collects (0: none). Returns how many it had to kill. */
guint bh_tree_end_all(const GArray *spare, pid_t keep);

/* Ends every process whose environment holds `mark` ("NAME=VALUE") or whose session is one of `sessions` (of pid_t; may
 * be NULL), but the caller. For the time after a supervisor's death, when nothing descends from it any more. Makes no
 * use of the allocator's locks beyond malloc. */
guint bh_tree_end_marked(const char *mark, const pid_t *sessions, guint n_sessions);
