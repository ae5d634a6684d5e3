/* SPDX-License-Identifier: MIT
 * Owns the lines that a trial prints for its parent. */
#include "check/say.h"

#include "base/json.h"

#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int say_fd = -1;
static gboolean failed, spoken;

gboolean bh_say_init(void) {
  fflush(stdout);
  say_fd = dup(STDOUT_FILENO);
  return say_fd >= 0 && dup2(STDERR_FILENO, STDOUT_FILENO) >= 0;
}

static void say(const char *key, const char *text) {
  g_autoptr(JsonObject) object = json_object_new();
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  json_object_set_string_member(object, key, valid);
  g_autoptr(JsonNode) node = json_node_new(JSON_NODE_OBJECT);
  json_node_set_object(node, object);
  g_autofree char *json = bh_json_text(node, FALSE);
  g_autofree char *line = g_strconcat(json, "\n", NULL);
  for (size_t at = 0, length = strlen(line); at < length;) {
    const ssize_t wrote = write(say_fd, line + at, length - at);
    if (wrote <= 0)
      _exit(70);
    at += (size_t)wrote;
  }
}

void bh_say_trying(const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  failed = spoken = FALSE;
  say("trying", text);
}

void bh_say_ok(void) {
  if (!spoken)
    say("ok", "");
  spoken = TRUE;
}

void bh_say_failed(const char *format, ...) {
  if (spoken) /* the first reason counts */
    return;
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  failed = spoken = TRUE;
  say("failed", text);
}

void bh_say_not_tried(const char *format, ...) {
  if (spoken)
    return;
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  spoken = TRUE;
  say("not_tried", text);
}

gboolean bh_say_has_failed(void) {
  return failed;
}

void bh_say_dying(const char *text) {
  static const char head[] = "{\"failed\":\"", tail[] = "\"}\n";
  if (write(say_fd, head, sizeof head - 1) < 0 || write(say_fd, text, strlen(text)) < 0 ||
      write(say_fd, tail, sizeof tail - 1) < 0)
    return;
}
