/* SPDX-License-Identifier: MIT
 * The machine's record, kept in every journal: {name: {"state": "ok"|"bad"|"unavailable", "value", "note"}}. "bad": it
 * can disturb or distort, the note says how; "unavailable": the note says why. docs/environment.md lists the fields. */
#pragma once
#include <json-glib/json-glib.h>

/* A field that is there only when files of a made-up machine were read: BENCHHOST_TEST_ROOT. */
#define BH_RECORD_MADE_UP "made_up"

/* `root`: bh_files_root(), or a made-up machine. `removed`, `kept`: names of environment variables that cells do not
 * get, and of those that they get and that change how programs load; NULL: none. */
JsonNode *bh_record_capture(const char *root, const char *const *removed, const char *const *kept);
