/* SPDX-License-Identifier: MIT
 * Owns reading a journal back: lines of bounded length, each checked by strict.c, then parsed by json-glib, then added.
 * Takes any file, also a hostile one, in memory bounded by its longest line and its records. Knows how a torn last line
 * looks. */
#include "base/text.h"
#include "results/results.h"
#include "results/fields.h"
#include "results/strict.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LONGEST_LINE (64u << 20)
#define BLOCK (256u << 10)

typedef struct {
  BhResults *results;
  const char *name;
  guint line;      /* from 1 */
  GError *pending; /* the line before was no JSON: torn if nothing follows, an error otherwise. Names its place */
} Reader;

static gboolean fail_at(const Reader *reader, GError **error, const char *message) {
  g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "%s:%u: %s", reader->name, reader->line, message);
  return FALSE;
}

/* Members as json-glib kept them; fewer than were written: a key came twice. Depth is bounded by strict.c. */
static guint64 count_members(JsonNode *node) {
  guint64 count = 0;
  if (JSON_NODE_HOLDS_OBJECT(node)) {
    JsonObjectIter iter;
    JsonNode *member;
    json_object_iter_init(&iter, json_node_get_object(node));
    while (json_object_iter_next(&iter, NULL, &member))
      count += 1 + count_members(member);
  } else if (JSON_NODE_HOLDS_ARRAY(node)) {
    JsonArray *array = json_node_get_array(node);
    for (guint i = 0; i < json_array_get_length(array); i++)
      count += count_members(json_array_get_element(array, i));
  }
  return count;
}

static gboolean add_parsed(Reader *reader, JsonNode *root, guint64 members, GError **error) {
  if (!root || !JSON_NODE_HOLDS_OBJECT(root))
    return fail_at(reader, error, "expected a JSON object");
  if (count_members(root) != members)
    return fail_at(reader, error, "a key comes twice in one object: expected each once");
  JsonObject *object = json_node_get_object(root);
  const char *type = bh_fields_string(object, "type");
  if (!reader->results->run && (!type || strcmp(type, "run")))
    return fail_at(reader, error,
                   "expected a line of type 'run' first: this is no journal of benchhost, or its head was cut off");
  GError *inner = NULL;
  if (!bh_results_add(reader->results, object, &inner)) {
    g_propagate_prefixed_error(error, inner, "%s:%u: ", reader->name, reader->line);
    return FALSE;
  }
  return TRUE;
}

/* One line without its newline. */
static gboolean take_line(Reader *reader, const char *text, gsize length, GError **error) {
  if (reader->pending) {
    g_propagate_error(error, g_steal_pointer(&reader->pending));
    return FALSE;
  }
  reader->line++;
  guint64 members;
  GError *inner = NULL;
  const BhStrict verdict = bh_strict_check(text, length, &members, &inner);
  if (verdict != BH_STRICT_OK) {
    g_prefix_error(&inner, "%s:%u: no line of a journal: ", reader->name, reader->line);
    if (verdict == BH_STRICT_SYNTAX) {
      reader->pending = inner;
      return TRUE;
    }
    g_propagate_error(error, inner);
    return FALSE;
  }
  g_autoptr(JsonParser) parser = json_parser_new_immutable();
  if (!json_parser_load_from_data(parser, text, (gssize)length, &inner)) {
    g_error_free(inner);
    return fail_at(reader, error, "no JSON");
  }
  if (!add_parsed(reader, json_parser_get_root(parser), members, error))
    return FALSE;
  reader->results->good_bytes += (goffset)length + 1;
  return TRUE;
}

/* Takes the whole lines at the head of `text`; `ret_used`: their bytes. */
static gboolean take_lines(Reader *reader, const char *text, gsize length, gsize *ret_used, GError **error) {
  const char *at = text, *end = text + length, *newline;
  while (at < end && (newline = memchr(at, '\n', (gsize)(end - at)))) {
    if ((gsize)(newline - at) > LONGEST_LINE)
      break;
    if (!take_line(reader, at, (gsize)(newline - at), error))
      return FALSE;
    at = newline + 1;
  }
  *ret_used = (gsize)(at - text);
  if ((gsize)(end - at) > LONGEST_LINE) {
    reader->line++;
    return fail_at(reader, error,
                   "a line of more than 64 MiB: expected a journal of benchhost, whose lines are shorter");
  }
  return TRUE;
}

static BhResults *finish(Reader *reader, gboolean rest) {
  reader->results->torn = rest || reader->pending;
  g_clear_error(&reader->pending);
  return reader->results;
}

static BhResults *give_up(Reader *reader) {
  g_clear_error(&reader->pending);
  bh_results_free(reader->results);
  return NULL;
}

/* Something after a line that is no JSON makes that line an error, even when it has no newline itself. */
static gboolean check_rest(Reader *reader, gboolean rest, GError **error) {
  if (!rest || !reader->pending)
    return TRUE;
  g_propagate_error(error, g_steal_pointer(&reader->pending));
  return FALSE;
}

BhResults *bh_results_parse(const char *text, gsize length, const char *name, GError **error) {
  Reader reader = {.results = bh_results_new(), .name = name};
  gsize used;
  if (!take_lines(&reader, text, length, &used, error) || !check_rest(&reader, used < length, error))
    return give_up(&reader);
  reader.results->path = g_strdup(name);
  return finish(&reader, used < length);
}

static gboolean read_all(Reader *reader, int fd, GByteArray *rest, GError **error) {
  g_autofree guint8 *block = g_malloc(BLOCK);
  for (;;) {
    const ssize_t got = read(fd, block, BLOCK);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0) {
      g_set_error(error, BH_ERROR, BH_ERROR_IO, "%s: cannot be read: %s", reader->name, g_strerror(errno));
      return FALSE;
    }
    if (got == 0)
      return check_rest(reader, rest->len > 0, error);
    /* Without a newline in this block no line has ended: nothing to look through again. */
    const gboolean ended = memchr(block, '\n', (gsize)got) != NULL;
    g_byte_array_append(rest, block, (guint)got);
    gsize used = 0;
    if ((ended || rest->len > LONGEST_LINE) && !take_lines(reader, (const char *)rest->data, rest->len, &used, error))
      return FALSE;
    if (used > 0)
      g_byte_array_remove_range(rest, 0, (guint)used);
  }
}

BhResults *bh_results_load(const char *path, GError **error) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat status;
  if (fd < 0 || fstat(fd, &status) < 0 || S_ISDIR(status.st_mode)) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "%s: cannot be read: %s; expected a journal (*.jsonl)", path,
                g_strerror(fd < 0 ? errno : EISDIR));
    if (fd >= 0)
      close(fd);
    return NULL;
  }
  Reader reader = {.results = bh_results_new(), .name = path};
  g_autoptr(GByteArray) rest = g_byte_array_new();
  const gboolean ok = read_all(&reader, fd, rest, error);
  close(fd);
  if (!ok)
    return give_up(&reader);
  reader.results->path = g_strdup(path);
  return finish(&reader, rest->len > 0);
}

BhResults *bh_results_open(const char *path, GError **error) {
  BhResults *results = bh_results_load(path, error);
  if (!results || (results->run && results->records->len > 0))
    return results;
  g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "%s: %s", path,
              results->run ? "holds no cell yet: the run was stopped before its first cell ended"
                           : "holds no whole line: expected a journal of benchhost (*.jsonl)");
  bh_results_free(results);
  return NULL;
}
