/* SPDX-License-Identifier: MIT
 * The example projects, as text inside the program: what `benchhost new` writes. */
#pragma once
#include <stddef.h>

typedef struct {
  const char *kind; /* "workload" or "backend" */
  const char *file; /* its name in the project's folder */
  const char *text;
} BhTemplate;

/* Ends with a NULL kind. */
extern const BhTemplate bh_templates[];
