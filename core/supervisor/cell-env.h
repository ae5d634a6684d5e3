/* SPDX-License-Identifier: MIT
 * The environment of a cell's process: what the user's shell says about threads must not change results unseen. */
#pragma once
#include "plan/plan.h"

/* NULL-terminated "NAME=VALUE" texts: inherited ones without those that set threads, then one thread for each known
 * library, then the plugins' parameters that name a variable, then the matrix's `env`, then `mark`. Caller frees. */
char **bh_cell_env_new(const BhCell *cell, const char *mark);
/* Names of inherited variables that are removed, and of those that are kept but can change results; sorted. Caller
 * frees. */
char **bh_cell_env_removed(void);
char **bh_cell_env_suspicious(void);
