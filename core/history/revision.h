/* SPDX-License-Identifier: MIT
 * Which commit the current folder is at. */
#pragma once
#include <glib.h>

typedef struct {
  char *commit; /* 40 hex digits or more; NULL: no git here, no repository, or no commit yet */
  char *branch; /* NULL: none is checked out */
  gboolean dirty;
} BhRevision;

/* Asks `git`; never fails. */
BhRevision bh_revision_read(void);
void bh_revision_clear(BhRevision *revision);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BhRevision, bh_revision_clear)
