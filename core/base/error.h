/* SPDX-License-Identifier: MIT
 * The one error domain. A message names the place (file:line:column where there is one), what was expected and what to do. */
#pragma once
#include <glib.h>

#define BH_ERROR (bh_error_quark())
GQuark bh_error_quark(void);

typedef enum {
  BH_ERROR_USAGE,    /* bad flag, bad matrix, bad plugin, bad journal: exit 64 */
  BH_ERROR_IO,       /* the system refused: disk full, no permission */
  BH_ERROR_PLUGIN,   /* a plugin was refused or broke its contract */
  BH_ERROR_INTERNAL, /* our own fault */
} BhErrorCode;

/* Exit statuses, in rising order of how bad they are; the worst applies. */
enum {
  BH_EXIT_OK = 0,
  BH_EXIT_REGRESSION = 1,
  BH_EXIT_INCONCLUSIVE = 2, /* or the environment is invalid */
  BH_EXIT_WRONG = 3,        /* a cell's results were wrong */
  BH_EXIT_BROKEN = 4,       /* cells crashed, timed out, failed or ran out of memory */
  BH_EXIT_USAGE = 64,
  BH_EXIT_SOFTWARE = 70, /* our own fault, or the disk is full */
  BH_EXIT_INTERRUPTED = 130,
};
