/* SPDX-License-Identifier: MIT
 * Writing JSON without NaN: what the JSON exports share. For results/ and the rooms that write reports. */
#pragma once
#include <json-glib/json-glib.h>

void bh_json_put_number(JsonObject *object, const char *key, gboolean exists,
                        double number);                                       /* null: it does not exist */
void bh_json_put_text(JsonObject *object, const char *key, const char *text); /* NULL: null */
char *bh_json_put_out(JsonNode *root); /* indented, with a newline at the end; frees `root` */
