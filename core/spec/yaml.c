/* SPDX-License-Identifier: MIT
 * Owns the way from YAML text to nodes, by libyaml's events: one document, anchors, aliases and merge keys resolved
 * within bounds, duplicate keys and foreign tags refused. Everything that can be wrong with the bytes is found here. */
#include "base/text.h"
#include "spec/node.h"

#include <string.h>
#include <yaml.h>

typedef struct {
  BhNode *node; /* not owned: part of the tree; NULL while it is still being read */
  BhPosition at;
} Anchor;

typedef struct {
  yaml_parser_t parser;
  const char *text, *file;
  gsize length;
  guint nodes;
  GHashTable *anchors; /* of (char *, Anchor *) */
  GPtrArray *merged;   /* of BhNode: no part of the tree, but an anchor may point into them */
} Reader;

static BhPosition at_mark(const Reader *reader, yaml_mark_t mark) {
  return (BhPosition){reader->file, (guint)mark.line + 1, (guint)mark.column + 1};
}

/* ---- bytes ---- */

static BhPosition at_offset(const char *text, gsize offset, const char *file) {
  BhPosition at = {file, 1, 1};
  for (gsize i = 0; i < offset; i++) {
    if (text[i] == '\n') {
      at.line++;
      at.column = 1;
    } else if (((guchar)text[i] & 0xC0) != 0x80) {
      at.column++;
    }
  }
  return at;
}

static gboolean check_bytes(const char *text, gsize length, const char *file, GError **error) {
  const char *nul = memchr(text, 0, length);
  const char *bad = NULL;
  if (length >= 2 && (!memcmp(text, "\xff\xfe", 2) || !memcmp(text, "\xfe\xff", 2))) {
    bh_node_error(error, (BhPosition){file, 1, 1}, "the file is UTF-16; save it as UTF-8");
    return FALSE;
  }
  if (nul) {
    bh_node_error(error, at_offset(text, (gsize)(nul - text), file),
                  "a NUL byte; expected UTF-8 text: is this a YAML file?");
    return FALSE;
  }
  if (!g_utf8_validate(text, (gssize)length, &bad)) {
    bh_node_error(error, at_offset(text, (gsize)(bad - text), file),
                  "invalid UTF-8 (byte 0x%02x); save the file as UTF-8", (guchar)*bad);
    return FALSE;
  }
  for (const char *p = text; p < text + length; p = g_utf8_next_char(p)) {
    const gunichar c = g_utf8_get_char(p);
    if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || (c >= 0x7F && c < 0xA0 && c != 0x85) || c == 0xFFFE ||
        c == 0xFFFF) {
      bh_node_error(error, at_offset(text, (gsize)(p - text), file),
                    "control character U+%04X; YAML does not allow it: remove it, or write it as an escape in \"...\"",
                    c);
      return FALSE;
    }
  }
  return TRUE;
}

/* ---- events ---- */

static void set_parser_error(Reader *reader, GError **error) {
  const yaml_parser_t *parser = &reader->parser;
  const BhPosition at = at_mark(reader, parser->problem_mark);
  const char *line = reader->text;
  for (guint i = 1; i < at.line && line; i++) {
    line = strchr(line, '\n');
    line = line ? line + 1 : NULL;
  }
  gboolean tab = FALSE;
  if (line) {
    const gsize before = strcspn(line, "\n");
    tab = memchr(line, '\t', MIN(before, (gsize)at.column)) != NULL;
  }
  if (parser->error == YAML_MEMORY_ERROR)
    bh_node_error(error, at, "out of memory");
  else if (tab)
    bh_node_error(error, at, "a tab where YAML wants spaces (%s); indent with spaces only",
                  parser->problem ? parser->problem : "bad token");
  else if (parser->context && parser->context_mark.line + 1 < at.line)
    bh_node_error(error, at, "not valid YAML: %s, %s that began at line %u; check indentation, brackets and quotes",
                  parser->problem ? parser->problem : "syntax error", parser->context,
                  (guint)parser->context_mark.line + 1);
  else
    bh_node_error(error, at, "not valid YAML: %s%s%s; check indentation, brackets and quotes",
                  parser->problem ? parser->problem : "syntax error", parser->context ? " " : "",
                  parser->context ? parser->context : "");
}

static gboolean next_event(Reader *reader, yaml_event_t *event, GError **error) {
  if (yaml_parser_parse(&reader->parser, event))
    return TRUE;
  set_parser_error(reader, error);
  return FALSE;
}

/* Tags of YAML's core schema change nothing but that !!str makes text; all others mean types that we do not have. */
static gboolean check_tag(const char *tag, const char *const *allowed, BhPosition at, GError **error) {
  if (!tag || !strcmp(tag, "!"))
    return TRUE;
  for (; *allowed; allowed++)
    if (g_str_has_prefix(tag, "tag:yaml.org,2002:") && !strcmp(tag + strlen("tag:yaml.org,2002:"), *allowed))
      return TRUE;
  g_autofree char *shown = bh_text_shown(tag);
  bh_node_error(error, at, "the tag '%s' has no meaning here; remove it", shown);
  return FALSE;
}

static gboolean count_nodes(Reader *reader, guint more, BhPosition at, GError **error) {
  if (more <= BH_NODE_MOST - reader->nodes) {
    reader->nodes += more;
    return TRUE;
  }
  bh_node_error(error, at,
                "the matrix has more than %u values once its aliases are expanded; use ranges or fewer aliases",
                BH_NODE_MOST);
  return FALSE;
}

static void remember(Reader *reader, const yaml_char_t *name, BhNode *node, BhPosition at) {
  if (!name)
    return;
  Anchor *anchor = g_new0(Anchor, 1);
  anchor->node = node;
  anchor->at = at;
  g_hash_table_insert(reader->anchors, g_strdup((const char *)name), anchor);
}

static BhNode *read_alias(Reader *reader, const yaml_event_t *event, guint depth, GError **error) {
  const BhPosition at = at_mark(reader, event->start_mark);
  const char *name = (const char *)event->data.alias.anchor;
  const Anchor *anchor = g_hash_table_lookup(reader->anchors, name);
  g_autofree char *shown = bh_text_shown(name);
  if (!anchor) {
    bh_node_error(error, at, "alias '*%s' refers to no anchor; define it earlier in the file with '&%s'", shown, shown);
    return NULL;
  }
  if (!anchor->node) {
    bh_node_error(error, at, "alias '*%s' refers to the value that contains it (anchor at %u:%u); remove the cycle",
                  shown, anchor->at.line, anchor->at.column);
    return NULL;
  }
  if (!count_nodes(reader, bh_node_count(anchor->node), at, error))
    return NULL;
  if (depth + bh_node_height(anchor->node) > BH_NODE_DEEPEST) {
    bh_node_error(error, at, "nested deeper than %u levels; flatten the matrix", BH_NODE_DEEPEST);
    return NULL;
  }
  return bh_node_copy(anchor->node);
}

static BhNode *read_scalar(Reader *reader, const yaml_event_t *event, GError **error) {
  static const char *const tags[] = {"str", "int", "float", "bool", "null", NULL};
  const BhPosition at = at_mark(reader, event->start_mark);
  const char *tag = (const char *)event->data.scalar.tag;
  const char *text = (const char *)event->data.scalar.value;
  if (!check_tag(tag, tags, at, error) || !count_nodes(reader, 1, at, error))
    return NULL;
  if (strlen(text) != event->data.scalar.length) {
    bh_node_error(error, at, "a text with a NUL character (\\0); remove it");
    return NULL;
  }
  const gboolean quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || g_strcmp0(tag, YAML_STR_TAG) == 0;
  BhNode *node = bh_node_new_scalar(at, text, quoted);
  remember(reader, event->data.scalar.anchor, node, at);
  return node;
}

/* ---- maps ---- */

static gboolean is_merge(const BhNode *key) {
  return !key->quoted && !strcmp(key->text, "<<");
}

/* Takes from `from` what `map` does not have yet. */
static gboolean merge_map(BhNode *map, GHashTable *known, BhNode *from, BhPosition at, GError **error) {
  if (from->kind != BH_NODE_MAP) {
    bh_node_error(error, at, "'<<' merges maps, but this is %s; expected an alias of a map, or a list of such",
                  bh_node_kind_name(from));
    return FALSE;
  }
  for (guint i = 0; i < from->keys->len; i++) {
    BhNode *key = from->keys->pdata[i];
    if (g_hash_table_contains(known, key->text))
      continue;
    BhNode *copy = bh_node_copy(key);
    bh_node_put(map, copy, bh_node_copy(from->items->pdata[i]));
    g_hash_table_insert(known, copy->text, copy);
  }
  return TRUE;
}

/* Every node merged was counted when its alias was read. */
static gboolean merge_all(BhNode *map, GHashTable *known, BhNode *merged, GError **error) {
  if (merged->kind != BH_NODE_LIST)
    return merge_map(map, known, merged, merged->at, error);
  for (guint i = 0; i < merged->items->len; i++)
    if (!merge_map(map, known, merged->items->pdata[i], ((BhNode *)merged->items->pdata[i])->at, error))
      return FALSE;
  return TRUE;
}

static BhNode *read_node(Reader *reader, const yaml_event_t *event, guint depth, GError **error);

static BhNode *read_next(Reader *reader, yaml_event_type_t end, gboolean *ret_end, guint depth, GError **error) {
  yaml_event_t event;
  if (!next_event(reader, &event, error))
    return NULL;
  BhNode *node = NULL;
  *ret_end = event.type == end;
  if (!*ret_end)
    node = read_node(reader, &event, depth, error);
  yaml_event_delete(&event);
  return node;
}

static gboolean check_key(const BhNode *key, GHashTable *known, GError **error) {
  if (key->kind != BH_NODE_SCALAR) {
    bh_node_error(error, key->at, "a key must be a single word, not %s; quote text that starts with '[' or '{'",
                  bh_node_kind_name(key));
    return FALSE;
  }
  if (!key->text[0]) {
    bh_node_error(error, key->at, "an empty key; write a name before ':'");
    return FALSE;
  }
  const BhNode *first = g_hash_table_lookup(known, key->text);
  if (first) {
    g_autofree char *shown = bh_text_shown(key->text);
    bh_node_error(error, key->at, "duplicate key '%s': it is already given at line %u, column %u; keep one of them",
                  shown, first->at.line, first->at.column);
    return FALSE;
  }
  return TRUE;
}

static gboolean read_map_items(Reader *reader, BhNode *map, guint depth, GError **error) {
  g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal); /* of key texts and keys in `map` */
  BhNode *merged = NULL;                                                   /* belongs to the reader */
  BhPosition merge_at = {0};
  for (;;) {
    gboolean end = FALSE;
    g_autoptr(BhNode) key = read_next(reader, YAML_MAPPING_END_EVENT, &end, depth + 1, error);
    if (end)
      break;
    if (!key || !check_key(key, known, error))
      return FALSE;
    BhNode *value = read_next(reader, YAML_NO_EVENT, &end, depth + 1, error);
    if (!value)
      return FALSE;
    if (is_merge(key)) {
      if (merged) {
        bh_node_free(value);
        bh_node_error(error, key->at,
                      "duplicate key '<<': it is already given at line %u, column %u; use one '<<: [*a, *b]'",
                      merge_at.line, merge_at.column);
        return FALSE;
      }
      merge_at = key->at;
      merged = value;
      g_ptr_array_add(reader->merged, value);
      g_ptr_array_add(reader->merged, g_steal_pointer(&key));
      continue;
    }
    g_hash_table_insert(known, key->text, key);
    bh_node_put(map, g_steal_pointer(&key), value);
  }
  return !merged || merge_all(map, known, merged, error);
}

static gboolean read_list_items(Reader *reader, BhNode *list, guint depth, GError **error) {
  for (;;) {
    gboolean end = FALSE;
    BhNode *item = read_next(reader, YAML_SEQUENCE_END_EVENT, &end, depth + 1, error);
    if (end)
      return TRUE;
    if (!item)
      return FALSE;
    g_ptr_array_add(list->items, item);
  }
}

static BhNode *read_collection(Reader *reader, const yaml_event_t *event, guint depth, GError **error) {
  static const char *const map_tags[] = {"map", NULL}, *const list_tags[] = {"seq", NULL};
  const gboolean is_map = event->type == YAML_MAPPING_START_EVENT;
  const BhPosition at = at_mark(reader, event->start_mark);
  const yaml_char_t *tag = is_map ? event->data.mapping_start.tag : event->data.sequence_start.tag;
  const yaml_char_t *name = is_map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;
  if (!check_tag((const char *)tag, is_map ? map_tags : list_tags, at, error) || !count_nodes(reader, 1, at, error))
    return NULL;
  if (depth >= BH_NODE_DEEPEST) {
    bh_node_error(error, at, "nested deeper than %u levels; flatten the matrix", BH_NODE_DEEPEST);
    return NULL;
  }
  g_autoptr(BhNode) node = bh_node_new(is_map ? BH_NODE_MAP : BH_NODE_LIST, at);
  remember(reader, name, NULL, at);
  if (!(is_map ? read_map_items : read_list_items)(reader, node, depth, error))
    return NULL;
  remember(reader, name, node, at);
  return g_steal_pointer(&node);
}

static BhNode *read_node(Reader *reader, const yaml_event_t *event, guint depth, GError **error) {
  switch (event->type) {
  case YAML_ALIAS_EVENT:
    return read_alias(reader, event, depth, error);
  case YAML_SCALAR_EVENT:
    return read_scalar(reader, event, error);
  case YAML_SEQUENCE_START_EVENT:
  case YAML_MAPPING_START_EVENT:
    return read_collection(reader, event, depth, error);
  default:
    bh_node_error(error, at_mark(reader, event->start_mark), "not valid YAML: a value is missing here");
    return NULL;
  }
}

/* ---- documents ---- */

static BhNode *read_document(Reader *reader, GError **error) {
  g_autoptr(BhNode) root = NULL;
  for (;;) {
    yaml_event_t event;
    if (!next_event(reader, &event, error))
      return NULL;
    const yaml_event_type_t type = event.type;
    const BhPosition at = at_mark(reader, event.start_mark);
    gboolean ok = TRUE;
    if (type == YAML_DOCUMENT_START_EVENT && root) {
      bh_node_error(error, at, "a second document begins here ('---'); a matrix is one document: use two files");
      ok = FALSE;
    } else if (type == YAML_SCALAR_EVENT || type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT ||
               type == YAML_ALIAS_EVENT) {
      root = read_node(reader, &event, 0, error);
      ok = root != NULL;
    }
    yaml_event_delete(&event);
    if (!ok)
      return NULL;
    if (type == YAML_STREAM_END_EVENT)
      break;
  }
  if (!root)
    bh_node_error(error, (BhPosition){reader->file, 1, 1},
                  "the file is empty; a matrix begins with 'benchhost: 1' and names workloads and backends");
  return g_steal_pointer(&root);
}

BhNode *bh_yaml_parse(const char *text, gsize length, const char *file, GError **error) {
  file = bh_node_intern(file);
  if (length > BH_MATRIX_LARGEST) {
    bh_node_error(error, (BhPosition){file, 0, 0}, "larger than %u MiB; this cannot be a matrix",
                  BH_MATRIX_LARGEST >> 20);
    return NULL;
  }
  if (!check_bytes(text, length, file, error))
    return NULL;
  g_autofree char *copy = g_strndup(text, length); /* NUL-terminated */
  Reader reader = {.text = copy, .length = length, .file = file};
  if (!yaml_parser_initialize(&reader.parser)) {
    g_set_error_literal(error, BH_ERROR, BH_ERROR_INTERNAL, "libyaml cannot be initialised: out of memory");
    return NULL;
  }
  reader.anchors = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  reader.merged = g_ptr_array_new_with_free_func((GDestroyNotify)bh_node_free);
  yaml_parser_set_input_string(&reader.parser, (const guchar *)copy, length);
  BhNode *root = read_document(&reader, error);
  g_hash_table_unref(reader.anchors);
  g_ptr_array_unref(reader.merged);
  yaml_parser_delete(&reader.parser);
  return root;
}
