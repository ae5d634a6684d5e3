/* SPDX-License-Identifier: MIT
 * Limits of the control groups that this process lives in, v1 and v2, the tightest of all ancestors. `root` is prefixed
 * to every path read ("" for the real files), so that tests can stand on a made-up tree. */
#pragma once
#include <glib.h>

/* Quota / period of CPU time, in cores; 0: none. */
double bh_cgroup_cpu_quota(const char *root);
/* The tightest memory limit in bytes, 0: none; `ret_free_bytes`: what is left of it (page cache that can be dropped
 * counts as free), unset when there is no limit. */
guint64 bh_cgroup_memory_limit(const char *root, guint64 *ret_free_bytes);
/* How many processes the kernel's out-of-memory killer has ended: in our group where it says so, else on the machine.
 */
guint64 bh_cgroup_oom_kills(const char *root);
/* The cpu.stat files that tell of our throttling: of every group up the tree that has a quota; without any quota, of
 * the innermost. Caller frees; empty: not available. */
char **bh_cgroup_cpu_stat_paths(const char *root);
/* {"nr_throttled", "throttled_usec"} from such a file's text (NULL is allowed), v1 or v2; FALSE: not there. */
gboolean bh_cgroup_parse_throttling(const char *text, guint64 *ret_nr_throttled, guint64 *ret_throttled_usec);
/* The same of the innermost such group; FALSE: not available. */
gboolean bh_cgroup_throttling(const char *root, guint64 *ret_nr_throttled, guint64 *ret_throttled_usec);
