/* SPDX-License-Identifier: MIT
 * YAML into nodes: values, places, anchors, merges and bounds. Wrong texts are in tests/cli/test_matrix_errors.py. */
#include "spec/node.h"

#include <string.h>

static BhNode *parse(const char *text) {
  g_autoptr(GError) error = NULL;
  BhNode *node = bh_yaml_parse(text, strlen(text), "m.yaml", &error);
  g_assert_no_error(error);
  return node;
}

static void refuse(const char *text, gsize length, const char *message) {
  g_autoptr(GError) error = NULL;
  g_assert_null(bh_yaml_parse(text, length, "m.yaml", &error));
  g_assert_error(error, BH_ERROR, BH_ERROR_USAGE);
  g_test_message("%s", error->message);
  g_assert_nonnull(strstr(error->message, message));
}

static const BhNode *item(const BhNode *list, guint i) {
  g_assert_cmpuint(i, <, list->items->len);
  return list->items->pdata[i];
}

static void test_places(void) {
  g_autoptr(BhNode) root = parse("a: 1\nb:\n  - x\n  - {c: \"y\"}\n\xc3\xa4: [z]\n");
  g_assert_cmpint(root->kind, ==, BH_NODE_MAP);
  g_assert_cmpuint(root->keys->len, ==, 3);
  const BhNode *b = bh_node_get(root, "b"), *c = bh_node_get(item(b, 1), "c");
  g_assert_cmpint(b->kind, ==, BH_NODE_LIST);
  g_assert_cmpuint(item(b, 0)->at.line, ==, 3);
  g_assert_cmpuint(item(b, 0)->at.column, ==, 5);
  g_assert_cmpuint(c->at.line, ==, 4);
  g_assert_cmpuint(c->at.column, ==, 9);
  g_assert_cmpstr(c->at.file, ==, "m.yaml");
  g_assert_true(c->quoted);
  g_assert_false(item(b, 0)->quoted);
  g_assert_cmpuint(item(bh_node_get(root, "\xc3\xa4"), 0)->at.column, ==, 5); /* characters, not bytes */
}

static void test_scalars(void) {
  g_autoptr(BhNode) root = parse("- \n- ~\n- null\n- 'null'\n- !!str 5\n- |\n  two\n  lines\n- \"\\u00e4\"\n");
  static const gboolean null[] = {TRUE, TRUE, TRUE, FALSE, FALSE, FALSE, FALSE};
  for (guint i = 0; i < G_N_ELEMENTS(null); i++)
    g_assert_cmpint(bh_node_is_null(item(root, i)), ==, null[i]);
  g_assert_true(item(root, 4)->quoted);
  g_assert_cmpstr(item(root, 5)->text, ==, "two\nlines\n");
  g_assert_cmpstr(item(root, 6)->text, ==, "\xc3\xa4");
}

static void test_aliases(void) {
  g_autoptr(BhNode) root = parse("a: &x [1, &y 2]\nb: *x\nc: *y\nd: &x 3\ne: *x\n");
  g_assert_cmpuint(bh_node_get(root, "b")->items->len, ==, 2);
  g_assert_cmpstr(item(bh_node_get(root, "b"), 1)->text, ==, "2");
  g_assert_cmpuint(bh_node_get(root, "b")->at.line, ==, 1); /* where it was written */
  g_assert_cmpstr(bh_node_get(root, "c")->text, ==, "2");
  g_assert_cmpstr(bh_node_get(root, "e")->text, ==, "3"); /* the later anchor of that name */
}

static void test_merges(void) {
  g_autoptr(BhNode) root =
      parse("- &a {x: 1, y: 1}\n- &b {y: 2, z: 2}\n- {y: 9, <<: [*a, *b]}\n- {<<: *b}\n- {'<<': 1}\n"
            "- {<<: &c {q: &d 7}}\n- [*c, *d]\n");
  const BhNode *merged = item(root, 2);
  g_assert_cmpuint(merged->keys->len, ==, 3);
  g_assert_cmpstr(bh_node_get(merged, "x")->text, ==, "1");
  g_assert_cmpstr(bh_node_get(merged, "y")->text, ==, "9");
  g_assert_cmpstr(bh_node_get(merged, "z")->text, ==, "2");
  g_assert_cmpuint(item(root, 3)->keys->len, ==, 2);
  g_assert_cmpstr(bh_node_get(item(root, 4), "<<")->text, ==, "1"); /* quoted: a key like any other */
  g_assert_cmpstr(item(item(root, 6), 1)->text, ==, "7");           /* anchors inside a merged map live on */
  g_assert_cmpstr(bh_node_get(item(item(root, 6), 0), "q")->text, ==, "7");
  g_autoptr(BhNode) first_wins = parse("- &a {y: 1}\n- &b {y: 2}\n- {<<: [*a, *b]}\n");
  g_assert_cmpstr(bh_node_get(item(first_wins, 2), "y")->text, ==, "1");
}

/* `n` values in a list, and the list and the map and its key: n + 3 nodes. */
static char *list_of(guint n) {
  GString *text = g_string_new("a: [");
  for (guint i = 0; i < n; i++)
    g_string_append(text, "1,");
  g_string_append(text, "]\n");
  return g_string_free(text, FALSE);
}

static void test_bounds(void) {
  g_autofree char *most = list_of(BH_NODE_MOST - 3), *more = list_of(BH_NODE_MOST - 2);
  g_autoptr(BhNode) root = parse(most);
  g_assert_cmpuint(bh_node_count(root), ==, BH_NODE_MOST);
  refuse(more, strlen(more), "more than 200000 values");

  GString *deep = g_string_new(NULL);
  for (guint i = 0; i < BH_NODE_DEEPEST; i++)
    g_string_append_c(deep, '[');
  for (guint i = 0; i < BH_NODE_DEEPEST; i++)
    g_string_append_c(deep, ']');
  g_autoptr(BhNode) deepest = parse(deep->str);
  g_assert_cmpuint(bh_node_height(deepest), ==, BH_NODE_DEEPEST);
  g_string_prepend_c(deep, '[');
  g_string_append_c(deep, ']');
  refuse(deep->str, deep->len, "deeper than 64 levels");
  g_string_free(deep, TRUE);

  /* Deep by aliases: each level refers to the one before. */
  GString *ladder = g_string_new("- &a0 [1]\n");
  for (guint i = 1; i < 70; i++)
    g_string_append_printf(ladder, "- &a%u [*a%u]\n", i, i - 1);
  refuse(ladder->str, ladder->len, "deeper than 64 levels");
  g_string_free(ladder, TRUE);
  refuse("a\0b", 3, "m.yaml:1:2: a NUL byte");
  refuse("\"a\\0b\"", 6, "NUL character");
}

static void test_copies(void) {
  g_autoptr(BhNode) root = parse("a: {b: [1, 'x']}\n");
  g_autoptr(BhNode) copy = bh_node_copy(root);
  g_clear_pointer(&root, bh_node_free);
  const BhNode *list = bh_node_get(bh_node_get(copy, "a"), "b");
  g_assert_cmpstr(item(list, 1)->text, ==, "x");
  g_assert_true(item(list, 1)->quoted);
  g_assert_cmpuint(bh_node_count(copy), ==, 7);
  g_assert_cmpuint(bh_node_height(copy), ==, 4);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/yaml/places", test_places);
  g_test_add_func("/yaml/scalars", test_scalars);
  g_test_add_func("/yaml/aliases", test_aliases);
  g_test_add_func("/yaml/merges", test_merges);
  g_test_add_func("/yaml/bounds", test_bounds);
  g_test_add_func("/yaml/copies", test_copies);
  return g_test_run();
}
