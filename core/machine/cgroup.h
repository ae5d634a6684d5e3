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
/* {"nr_throttled", "throttled_usec"} of our group; FALSE: not available. */
gboolean bh_cgroup_throttling(const char *root, guint64 *ret_nr_throttled, guint64 *ret_throttled_usec);
