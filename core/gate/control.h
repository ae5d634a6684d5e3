/* SPDX-License-Identifier: MIT
 * The A/A control: one cell of the base against a byte-identical copy of the base's plugins in another folder, so that
 * it differs from the base as a candidate's build does, in nothing but layout and loading. Internal to gate/. */
#pragma once
#include "plan/plan.h"
#include "supervisor/visits.h"

typedef struct BhControl BhControl;
/* Copies the plugins of `cell` into `folder`. If the copies cannot be loaded there (a plugin that finds its libraries
 * relative to itself), the base's own files stand for them and `ret_note` says so (else NULL; the caller's). */
BhControl *bh_control_new(const BhCell *cell, const char *folder, char **ret_note, GError **error);
const BhCell *bh_control_cell(const BhControl *control);
void bh_control_free(BhControl *control);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhControl, bh_control_free)
