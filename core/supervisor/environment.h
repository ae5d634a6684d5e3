/* SPDX-License-Identifier: MIT
 * The machine's record, kept in every journal. Tri-state fields: {"state":"ok|bad|unavailable","value":...,"note":...}.
 */
#pragma once
#include <json-glib/json-glib.h>

JsonNode *bh_environment_capture(void);
