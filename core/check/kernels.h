/* SPDX-License-Identifier: MIT
 * What kernels a workload has, and which variants of them: known only once it is opened, so a child process opens it
 * (`benchhost internal-probe --open SCRATCH PATH NAME=VALUE...`), for `describe`. */
#pragma once
#include "base/error.h"
#include <json-glib/json-glib.h>

/* {"kernels": [{"name", "variants": [{"name", "target", "code", "summary", "runnable", "reason"}]}]}. `code`: "host",
 * "source" (compiled by a device backend) or "program"; `runnable`: its probe said BH_OK, or it has none. `settings`:
 * "name=value" over the defaults; may be NULL. NULL with `error`: why nobody knows; a parameter without a default, what
 * `open` said, how the child ended. Caller frees. */
JsonNode *bh_kernels_ask(const char *path, char *const *settings, GError **error);
/* The child's side; `scratch`: an empty folder. Returns the exit status. */
int bh_kernels_answer(const char *scratch, const char *path, const char *const *settings);
