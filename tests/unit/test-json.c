/* SPDX-License-Identifier: MIT
 * JSON as text: every number reads back the same, also those that json-glib's generator spoils. */
#include "base/json.h"

#include <float.h>
#include <math.h>
#include <string.h>

static void test_numbers(void) {
  const double numbers[] = {0,   -0.5, 1e17, 1e300,        1e-300, 1e22,    DBL_MAX, DBL_MIN,
                            0.1, 1e-5, 2e-9, DBL_TRUE_MIN, 123456, 1.0 / 3, -1e100,  4503599627370497.5};
  for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
    g_autoptr(JsonNode) node = json_node_init_double(json_node_alloc(), numbers[i]);
    g_autofree char *text = bh_json_text(node, FALSE);
    g_autofree char *list = g_strdup_printf("[%s]", text);
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonNode) back = json_from_string(list, &error);
    g_assert_no_error(error);
    g_assert_cmpfloat(json_array_get_double_element(json_node_get_array(back), 0), ==, numbers[i]);
  }
  const double none[] = {NAN, INFINITY, -INFINITY};
  for (guint i = 0; i < G_N_ELEMENTS(none); i++) {
    g_autoptr(JsonNode) node = json_node_init_double(json_node_alloc(), none[i]);
    g_autofree char *text = bh_json_text(node, FALSE);
    g_assert_cmpstr(text, ==, "null");
  }
}

static void test_tree(void) {
  const char *line = "{\"b\":[1,-2,true,null,\"x\"],\"a\":{\"\\\"\\\\\\n\\u0001é\":[]},\"c\":[{\"d\":{}},[1]]}";
  g_autoptr(GError) error = NULL;
  g_autoptr(JsonNode) node = json_from_string(line, &error);
  g_assert_no_error(error);
  g_autofree char *flat = bh_json_text(node, FALSE);
  g_assert_cmpstr(flat, ==, line); /* order kept */
  g_autofree char *pretty = bh_json_text(node, TRUE);
  g_assert_cmpstr(pretty, ==,
                  "{\n  \"b\": [1, -2, true, null, \"x\"],\n  \"a\": {\n    \"\\\"\\\\\\n\\u0001é\": []\n  },\n"
                  "  \"c\": [\n    {\n      \"d\": {}\n    },\n    [1]\n  ]\n}\n");
  g_autoptr(JsonNode) bad = json_node_init_string(json_node_alloc(), "a\xff"
                                                                     "b");
  g_autofree char *text = bh_json_text(bad, FALSE);
  g_assert_cmpstr(text, ==,
                  "\"a\xef\xbf\xbd"
                  "b\"");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/json/numbers", test_numbers);
  g_test_add_func("/json/tree", test_tree);
  return g_test_run();
}
