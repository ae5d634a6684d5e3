/* SPDX-License-Identifier: MIT
 * JSON as text. json-glib's own generator must not be used for doubles: 1.6 writes 1e+17 as `1e+17.0`, which no parser
 * takes. */
#pragma once
#include <json-glib/json-glib.h>

/* `indented`: for people, with a newline at the end; else one line without any. Doubles in their shortest form that
 * reads back the same; what is not finite becomes null, as JSON has no such numbers; invalid UTF-8 becomes U+FFFD.
 * Caller frees. */
char *bh_json_text(JsonNode *node, gboolean indented);
