/* SPDX-License-Identifier: MIT
 * The plugin under test in a trial's process: loaded, with its parameters' values. */
#pragma once
#include "check/check.h"
#include "plugin/loader.h"
#include "plugin/mini-host.h"

typedef struct {
  BhLoaded *loaded;
  BhPlugin *plugin;
  BhMiniHost *mini;
  GPtrArray *store; /* of BhValue */
  bh_value *values;
} BhSubject;

/* `settings`: "name=value", later ones win; may be NULL. */
BhSubject *bh_subject_new(const char *path, const char *const *settings, const char *scratch, GError **error);
void bh_subject_free(BhSubject *subject);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhSubject, bh_subject_free)
/* Replaces values; the table's order stays. */
gboolean bh_subject_set(BhSubject *subject, const char *const *settings, GError **error);
/* The promise that both kinds give: each parameter says what it is for. */
void bh_subject_try_help(const BhSubject *subject);
/* Judges what a callback returned: BH_OK if it is BH_OK and nothing was stopped; else says failed for the current
 * promise when the failure came without a reason, with another one than stopped, or with an unknown number. */
bh_status bh_subject_settle(BhSubject *subject, bh_status status, const char *callback);
/* The reason for the last failure; never NULL. */
const char *bh_subject_reason(const BhSubject *subject);
