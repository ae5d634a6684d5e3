/* SPDX-License-Identifier: MIT
 * Owns the reading of events. */
#include "supervisor/events.h"

#include "results/strict.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define LONGEST_LINE_BYTES ((gsize)64 << 20) /* a result with a million samples has 20 MB */
#define MOST_BYTES ((guint64)256 << 20)
#define KEPT_LOG_BYTES ((gsize)256 << 10)

void bh_events_init(BhEvents *events, const BhProcessTask *task, BhOutcome *outcome) {
  *events = (BhEvents){.task = task, .outcome = outcome, .partial = g_string_new(NULL)};
}

void bh_events_clear(BhEvents *events) {
  if (events->partial)
    g_string_free(events->partial, TRUE);
  events->partial = NULL;
}

static void refuse(BhEvents *events, const char *what, const char *line, gsize length) {
  if (events->outcome->bad_event)
    return;
  g_autofree char *head = g_strndup(line, MIN(length, 60));
  g_autofree char *shown = g_strescape(head, NULL);
  events->outcome->bad_event =
      g_strdup_printf("descriptor 4, the worker's own, carried %s: \"%s\"%s (a plugin writes to "
                      "a descriptor that is not its own?)",
                      what, shown, length > 60 ? "..." : "");
}

static const char *text_member(JsonObject *object, const char *key) {
  JsonNode *node = json_object_get_member(object, key);
  return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING
             ? json_node_get_string(node)
             : NULL;
}

static void take_log(BhEvents *events, const char *text) {
  BhOutcome *outcome = events->outcome;
  events->log_bytes += strlen(text);
  if (events->log_bytes > KEPT_LOG_BYTES) {
    outcome->log_dropped++;
    return;
  }
  g_ptr_array_add(outcome->log, g_utf8_make_valid(text, -1));
  if (events->task->log)
    events->task->log(events->task->user, outcome->log->pdata[outcome->log->len - 1]);
}

static void take_line(BhEvents *events, const char *line, gsize length) {
  BhOutcome *outcome = events->outcome;
  if (outcome->bad_event)
    return;
  guint64 members;
  /* before json-glib may see it: that recurses without a limit */
  if (bh_strict_check(line, length, &members, NULL) != BH_STRICT_OK) {
    refuse(events, "what is no JSON", line, length);
    return;
  }
  g_autoptr(JsonNode) node = json_from_string(line, NULL);
  JsonObject *object = node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
  const char *kind = object ? text_member(object, "event") : NULL;
  if (!kind) {
    refuse(events, "what is no event", line, length);
  } else if (!strcmp(kind, "phase") && text_member(object, "name")) {
    g_free(outcome->phase);
    outcome->phase = g_strndup(text_member(object, "name"), 64);
    if (events->task->phase)
      events->task->phase(events->task->user, outcome->phase);
  } else if (!strcmp(kind, "log") && text_member(object, "text")) {
    take_log(events, text_member(object, "text"));
  } else if (!strcmp(kind, "result") && !outcome->result) {
    outcome->result = json_object_ref(object);
    json_object_remove_member(outcome->result, "event");
  } else {
    refuse(events, !strcmp(kind, "result") ? "a second result" : "an unknown event", line, length);
  }
}

static void take_bytes(BhEvents *events, const char *bytes, gsize length) {
  events->total_bytes += length;
  while (length) {
    const char *end = memchr(bytes, '\n', length);
    const gsize part = end ? (gsize)(end - bytes) : length;
    g_string_append_len(events->partial, bytes, (gssize)part);
    if (events->partial->len > LONGEST_LINE_BYTES || events->total_bytes > MOST_BYTES) {
      refuse(events, "more than events ever need", events->partial->str, events->partial->len);
      return;
    }
    if (!end)
      return;
    take_line(events, events->partial->str, events->partial->len);
    g_string_truncate(events->partial, 0);
    bytes = end + 1;
    length -= part + 1;
  }
}

gboolean bh_events_read(BhEvents *events, int fd) {
  char buffer[1 << 16];
  while (!events->outcome->bad_event) {
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n > 0)
      take_bytes(events, buffer, (gsize)n);
    else if (n == 0)
      return FALSE;
    else if (errno == EAGAIN)
      return TRUE;
    else if (errno != EINTR)
      return FALSE;
  }
  return FALSE;
}

void bh_events_finish(BhEvents *events) {
  /* Half a line is what a killed writer leaves; only beside a result does it mean that somebody else wrote. */
  if (events->partial->len && events->outcome->result)
    refuse(events, "an unfinished line", events->partial->str, events->partial->len);
}
