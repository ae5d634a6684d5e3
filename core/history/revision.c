/* SPDX-License-Identifier: MIT
 * Owns asking git about the current folder. */
#include "history/revision.h"

#include <string.h>

/* What the command says, without the newline at its end; NULL: it failed or is not there. Caller frees. */
static char *ask(const char *const *arguments) {
  char *text = NULL;
  int status = 0;
  if (!g_spawn_sync(NULL, (char **)arguments, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &text,
                    NULL, &status, NULL))
    return NULL;
  if (!g_spawn_check_wait_status(status, NULL) || !g_utf8_validate(text, -1, NULL)) {
    g_free(text);
    return NULL;
  }
  return g_strchomp(text);
}

BhRevision bh_revision_read(void) {
  static const char *const commit[] = {"git", "rev-parse", "--verify", "--quiet", "HEAD", NULL};
  static const char *const branch[] = {"git", "symbolic-ref", "--short", "--quiet", "HEAD", NULL};
  static const char *const changes[] = {"git", "status", "--porcelain", "--untracked-files=no", NULL};
  BhRevision revision = {.commit = ask(commit)};
  if (!revision.commit || !*revision.commit) {
    g_clear_pointer(&revision.commit, g_free);
    return revision;
  }
  revision.branch = ask(branch);
  g_autofree char *changed = ask(changes);
  revision.dirty = changed && *changed;
  return revision;
}

void bh_revision_clear(BhRevision *revision) {
  g_clear_pointer(&revision->commit, g_free);
  g_clear_pointer(&revision->branch, g_free);
}
