/* SPDX-License-Identifier: MIT
 *
 * A cell's life without the core: loads one workload and one backend and calls them as plugin.h says, poisoned outputs
 * included. Tests of backends stand on it, so that they depend on the contract alone.
 */
#pragma once
#include <benchhost/plugin.h>

typedef struct {
  const bh_plugin_info *info;
  bh_value values[32];
} BhTestPlugin;

/* Loads `path` and sets its parameters from "name=value" texts that it knows (integers, choices, booleans, texts);
 * marks them in used[]. Ends the program with a message when something is wrong. */
void bh_harness_load(BhTestPlugin *plugin, const char *path, char *const *texts, int n_texts, int *used);

/* A host whose messages go to stderr; `stop` works in forked processes too. */
const bh_host *bh_harness_host(void);
/* What `stop` recorded first, "" if nothing; forgotten by bh_harness_forget. */
const char *bh_harness_reason(void);
bh_status bh_harness_stopped(void);
void bh_harness_forget(void);
void bh_harness_quiet(int quiet); /* facts and logs are not printed */

/* The whole life of a cell, `samples` runs; each after a new poison, verified after each. */
bh_status bh_harness_run(const BhTestPlugin *workload, const BhTestPlugin *backend, int samples);
/* The same in pieces, for who wants to time what is in between. */
typedef struct {
  const bh_workload *workload;
  const bh_backend *backend;
  bh_problem problem;
  bh_needs needs;
  void *workload_state, *backend_state;
  void **view; /* as alloc gave them */
  uint32_t sample;
} BhTestCell;
bh_status bh_harness_open(BhTestCell *cell, const BhTestPlugin *workload, const BhTestPlugin *backend);
bh_status bh_harness_poison(BhTestCell *cell); /* and prepare */
bh_status bh_harness_once(BhTestCell *cell);   /* all loops, or the team */
bh_status bh_harness_verify(BhTestCell *cell); /* and fetch */
void bh_harness_close(BhTestCell *cell);
