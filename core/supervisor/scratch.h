/* SPDX-License-Identifier: MIT
 * The one folder under $TMPDIR that a run may fill: named benchhost-UID-XXXXXX, locked while its owner lives, removed
 * with all that is in it. What a killed run left is swept by the next one. Nothing is ever put into /dev/shm. */
#pragma once
#include "base/error.h"

typedef struct {
  char *root;  /* absolute */
  char *mark;  /* "BENCHHOST_RUN=<name of the root>": in the environment of every process of the run */
  int lock_fd; /* flock held: somebody owns this folder */
  gboolean made;
} BhScratch;

/* Sweeps what others left, then chooses a name. The folder is not there yet: a guardian is to be told before it is. */
BhScratch *bh_scratch_choose(void);
gboolean bh_scratch_make(BhScratch *scratch, GError **error); /* makes and locks it */
void bh_scratch_free(BhScratch *scratch);                     /* removes the folder */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhScratch, bh_scratch_free)

/* Removes folder or file `path` and all below it. Follows no symbolic link and enters no other mount. TRUE: it is gone.
 */
gboolean bh_scratch_remove(const char *path);
/* Removes a root if its owner is dead, however far that had come: waits a moment for the lock. A colliding name that
 * somebody else owns stays. */
void bh_scratch_remove_dead(const char *root);
/* Removes folders under `base` whose owner is dead, and ends processes that bear their mark. Returns how many. */
guint bh_scratch_sweep(const char *base);
