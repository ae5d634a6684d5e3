/* SPDX-License-Identifier: MIT
 * Owns sweeps: which text is a value, a range or an expression depends on the parameter's type alone. Texts, choices,
 * booleans and words are always taken as they stand; numbers, sizes and durations may also be ranges and expressions.
 */
#include "plan/sweep.h"
#include "base/text.h"
#include "spec/node.h"

#include <math.h>
#include <string.h>

void bh_term_free(BhTerm *term) {
  if (!term)
    return;
  bh_value_free(term->value);
  bh_expr_free(term->expr);
  g_clear_pointer(&term->results, g_hash_table_unref);
  g_free(term);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhTerm, bh_term_free)

static gboolean is_number(const BhParam *param) {
  return param->type == BH_INT || param->type == BH_REAL || param->type == BH_SIZE || param->type == BH_DURATION;
}

gboolean bh_machine_lookup(const BhMachine *machine, const char *name, BhNumber *ret) {
  const gboolean cores = !strcmp(name, "cores");
  if (!cores && strcmp(name, "memory"))
    return FALSE;
  const guint64 value = cores ? MAX(machine->cores, 1u) : machine->memory_bytes;
  *ret = (BhNumber){.exact = TRUE, .i = (gint64)MIN(value, (guint64)G_MAXINT64)};
  return TRUE;
}

gboolean bh_sweep_number(const BhValue *value, BhNumber *ret) {
  if (value->type == BH_REAL)
    *ret = (BhNumber){.exact = FALSE, .r = value->r};
  else if (value->type == BH_INT || value->type == BH_SIZE || value->type == BH_DURATION)
    *ret = (BhNumber){.exact = TRUE, .i = value->i, .time = value->type == BH_DURATION};
  else
    return FALSE;
  return TRUE;
}

BhValue *bh_sweep_value(const BhParam *param, const BhNumber *number, GError **error) {
  const int wanted = param->type == BH_DURATION ? 1 : 0;
  if (number->time != wanted) {
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "the result is %s, but '%s' is %s; %s",
                number->time == 1   ? "a duration"
                : number->time == 0 ? "a plain number"
                                    : "a power of time",
                param->name, wanted ? "a duration" : "none",
                wanted ? "multiply by a unit, like 1ms" : "divide by a unit, like 1ms");
    return NULL;
  }
  if (param->type == BH_REAL) {
    g_autofree char *text = bh_text_double(number->exact ? (double)number->i : number->r);
    return bh_value_parse(param, text, error);
  }
  gint64 whole = number->i;
  if (!number->exact) {
    if (fabs(number->r) > 9007199254740992. || number->r != floor(number->r)) {
      g_autofree char *text = bh_text_double(number->r);
      g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "the result is %s, but '%s' takes whole numbers; round down with //",
                  text, param->name);
      return NULL;
    }
    whole = (gint64)number->r;
  }
  g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT "%s", whole, wanted ? "ns" : "");
  return bh_value_parse(param, text, error);
}

/* ---- ranges ---- */

typedef struct {
  const BhParam *param;
  const BhMachine *machine;
  BhPosition at;
  const char *text; /* the whole range */
} Range;

static gboolean range_lookup(void *user, const char *name, BhNumber *ret, GError **error) {
  if (bh_machine_lookup(((const Range *)user)->machine, name, ret))
    return TRUE;
  g_autofree char *shown = bh_text_shown(name);
  g_set_error(error, BH_ERROR, BH_ERROR_USAGE,
              "a range cannot depend on '%s': its ends are known before any cell; only 'cores' and 'memory' are",
              shown);
  return FALSE;
}

/* One end, in the parameter's own unit, not yet held against its limits. */
static gboolean read_end(Range *range, const char *text, BhNumber *ret, GError **error) {
  BhParam unlimited = *range->param;
  unlimited.min = unlimited.max = 0;
  g_autofree char *end = g_strstrip(g_strdup(text));
  g_autoptr(GError) inner = NULL;
  g_autoptr(BhValue) value = bh_value_parse(&unlimited, end, &inner);
  if (value)
    return bh_sweep_number(value, ret);
  g_autofree char *shown = bh_text_shown(range->text);
  if (!bh_expr_looks_like_one(end)) {
    bh_node_error(error, range->at, "range '%s': %s", shown, inner->message);
    return FALSE;
  }
  g_autoptr(BhExpr) expr = bh_expr_parse(end, range->at, error);
  if (!expr || !bh_expr_eval(expr, range_lookup, range, ret, error))
    return FALSE;
  g_clear_error(&inner);
  value = bh_sweep_value(&unlimited, ret, &inner);
  if (value)
    return bh_sweep_number(value, ret);
  bh_node_error(error, range->at, "range '%s': %s", shown, inner->message);
  return FALSE;
}

/* Splits "B x2" and "B +3": the step is the last word, and begins with 'x' or '+' and a digit. */
static char split_step(char *rest, char **ret_step) {
  g_strchomp(rest);
  char *last = strrchr(rest, ' ');
  if (!last || !(last[1] == 'x' || last[1] == '+') || !(g_ascii_isdigit(last[2]) || last[2] == '.'))
    return '\0';
  *last = '\0';
  *ret_step = last + 2;
  return last[1];
}

static double as_real(const BhNumber *number) {
  return number->exact ? (double)number->i : number->r;
}

static gboolean add_value(Range *range, GPtrArray *terms, const BhNumber *number, GError **error) {
  if (terms->len == BH_RANGE_MOST) {
    g_autofree char *shown = bh_text_shown(range->text);
    bh_node_error(error, range->at, "range '%s' has more than %u values; use a larger step, or 'x2' for powers", shown,
                  BH_RANGE_MOST);
    return FALSE;
  }
  g_autoptr(GError) inner = NULL;
  BhTerm *term = g_new0(BhTerm, 1);
  g_ptr_array_add(terms, term);
  term->at = range->at;
  term->value = bh_sweep_value(range->param, number, &inner);
  if (!term->value)
    bh_node_error(error, range->at, "range '%s': %s", range->text, inner->message);
  return term->value != NULL;
}

static gboolean fill_whole(Range *range, GPtrArray *terms, gint64 from, gint64 to, char kind, gint64 step,
                           GError **error) {
  BhNumber number = {.exact = TRUE, .i = from, .time = range->param->type == BH_DURATION};
  while (number.i <= to) {
    if (!add_value(range, terms, &number, error))
      return FALSE;
    if (kind == 'x' ? __builtin_mul_overflow(number.i, step, &number.i)
                    : __builtin_add_overflow(number.i, step, &number.i))
      break;
  }
  return TRUE;
}

/* Computed from the start each time and cut to 12 digits: 0.1..0.5 +0.1 gives 0.3, not 0.30000000000000004. */
static gboolean fill_real(Range *range, GPtrArray *terms, double from, double to, char kind, double step,
                          GError **error) {
  const double slack = kind == 'x' ? to * 1e-9 : step * 1e-9;
  double last = -HUGE_VAL;
  for (guint i = 0;; i++) {
    const double value = kind == 'x' ? from * pow(step, i) : from + i * step;
    char buffer[G_ASCII_DTOSTR_BUF_SIZE];
    const BhNumber number = {.r = g_ascii_strtod(g_ascii_formatd(buffer, sizeof buffer, "%.12g", value), NULL)};
    if (!(value <= to + slack))
      return TRUE;
    if (number.r <= last) {
      bh_node_error(error, range->at, "range '%s': the step is too small to tell values apart; use a larger one",
                    range->text);
      return FALSE;
    }
    last = number.r;
    if (!add_value(range, terms, &number, error))
      return FALSE;
  }
}

static gboolean read_step(Range *range, const char *text, char kind, BhNumber *ret, GError **error) {
  g_autofree char *shown = bh_text_shown(range->text);
  const gboolean whole = range->param->type != BH_REAL;
  if (kind == '+') {
    if (!read_end(range, text, ret, error))
      return FALSE;
    if (as_real(ret) > 0)
      return TRUE;
    bh_node_error(error, range->at, "range '%s': the step must be greater than 0", shown);
    return FALSE;
  }
  g_autoptr(GError) inner = NULL;
  ret->exact = whole;
  if (!(whole ? bh_value_parse_int(text, &ret->i, &inner) : bh_value_parse_real(text, &ret->r, &inner)) ||
      as_real(ret) < (whole ? 2 : 1.001)) {
    bh_node_error(error, range->at, "range '%s': the factor 'x%s' must be %s", shown, text,
                  whole ? "a whole number of at least 2" : "greater than 1");
    return FALSE;
  }
  return TRUE;
}

static gboolean read_range(const BhParam *param, const BhNode *node, const BhMachine *machine, GPtrArray *all,
                           GError **error) {
  g_autofree char *shown = bh_text_shown(node->text);
  Range range = {param, machine, node->at, shown};
  const char *dots = strstr(node->text, "..");
  g_autofree char *first = g_strndup(node->text, (gsize)(dots - node->text));
  g_autofree char *rest = g_strdup(dots + 2);
  char *step_text = NULL;
  const char kind = split_step(rest, &step_text);
  BhNumber from, to, step = {.exact = TRUE, .i = 1, .r = 1};
  if (!read_end(&range, first, &from, error) || !read_end(&range, rest, &to, error))
    return FALSE;
  if (!kind && (param->type == BH_SIZE || param->type == BH_DURATION)) {
    bh_node_error(error, node->at, "range '%s' of a %s needs a step: write 'x2' or '+4KiB' ('+10ms') behind it", shown,
                  bh_type_name(param->type));
    return FALSE;
  }
  if (param->type == BH_REAL)
    step = (BhNumber){.r = 1};
  if (kind && !read_step(&range, step_text, kind, &step, error))
    return FALSE;
  if (as_real(&from) > as_real(&to)) {
    bh_node_error(error, node->at, "range '%s' is empty: it begins above its end; write the smaller end first", shown);
    return FALSE;
  }
  if (kind == 'x' && as_real(&from) <= 0) {
    bh_node_error(error, node->at, "range '%s': a range of factors must begin above 0", shown);
    return FALSE;
  }
  g_autoptr(GPtrArray) terms = g_ptr_array_new_with_free_func((GDestroyNotify)bh_term_free);
  const gboolean ok = param->type == BH_REAL ? fill_real(&range, terms, from.r, to.r, kind, step.r, error)
                                             : fill_whole(&range, terms, from.i, to.i, kind, step.i, error);
  if (ok)
    g_ptr_array_extend_and_steal(all, g_steal_pointer(&terms));
  return ok;
}

/* ---- single values ---- */

static BhTerm *read_single(const BhParam *param, const char *text, gboolean quoted, BhPosition at, GError **error) {
  g_autoptr(BhTerm) term = g_new0(BhTerm, 1);
  g_autoptr(GError) inner = NULL;
  term->at = at;
  term->value = bh_value_parse(param, text, &inner);
  if (term->value)
    return g_steal_pointer(&term);
  if (is_number(param) && bh_expr_looks_like_one(text)) {
    at.column += quoted; /* behind the quote */
    term->expr = bh_expr_parse(text, at, error);
    return term->expr ? g_steal_pointer(&term) : NULL;
  }
  bh_node_error(error, at, "'%s': %s", param->name, inner->message);
  return NULL;
}

static gboolean read_words(const BhParam *param, const BhNode *list, GPtrArray *terms, GError **error) {
  g_autoptr(GPtrArray) words = g_ptr_array_new();
  for (guint i = 0; i < list->items->len; i++) {
    const BhNode *word = list->items->pdata[i];
    if (word->kind != BH_NODE_SCALAR) {
      bh_node_error(error, word->at, "a word of '%s' is %s; expected one text per word", param->name,
                    bh_node_kind_name(word));
      return FALSE;
    }
    g_ptr_array_add(words, word->text);
  }
  g_ptr_array_add(words, NULL);
  g_autoptr(GError) inner = NULL;
  BhValue *value = bh_value_new_words(param, (const char *const *)words->pdata, &inner);
  if (!value) {
    bh_node_error(error, list->at, "'%s': %s", param->name, inner->message);
    return FALSE;
  }
  BhTerm *term = g_new0(BhTerm, 1);
  term->at = list->at;
  term->value = value;
  g_ptr_array_add(terms, term);
  return TRUE;
}

static gboolean read_item(const BhParam *param, const BhNode *node, const BhMachine *machine, gboolean in_list,
                          GPtrArray *terms, GError **error) {
  if (node->kind == BH_NODE_LIST && param->type == BH_WORDS && in_list)
    return read_words(param, node, terms, error);
  if (node->kind != BH_NODE_SCALAR) {
    bh_node_error(error, node->at, "'%s' takes one %s at a time, not %s; expected a value, a range or a list of them",
                  param->name, bh_type_name(param->type), bh_node_kind_name(node));
    return FALSE;
  }
  if (bh_node_is_null(node)) {
    bh_node_error(error, node->at, "'%s' has no value; give a %s%s", param->name, bh_type_name(param->type),
                  param->type == BH_TEXT || param->type == BH_WORDS ? ", or \"\" for an empty one" : "");
    return FALSE;
  }
  if (is_number(param) && strstr(node->text, ".."))
    return read_range(param, node, machine, terms, error);
  BhTerm *term = read_single(param, node->text, node->quoted, node->at, error);
  if (term)
    g_ptr_array_add(terms, term);
  return term != NULL;
}

GPtrArray *bh_sweep_terms(const BhParam *param, const BhNode *node, const BhMachine *machine, GError **error) {
  g_autoptr(GPtrArray) terms = g_ptr_array_new_with_free_func((GDestroyNotify)bh_term_free);
  if (node->kind != BH_NODE_LIST)
    return read_item(param, node, machine, FALSE, terms, error) ? g_steal_pointer(&terms) : NULL;
  if (node->items->len == 0) {
    bh_node_error(error, node->at, "'%s' has an empty list, so nothing would run; give at least one value",
                  param->name);
    return NULL;
  }
  for (guint i = 0; i < node->items->len; i++) {
    if (!read_item(param, node->items->pdata[i], machine, TRUE, terms, error))
      return NULL;
    if (terms->len > BH_PLAN_MOST_CELLS) {
      bh_node_error(error, node->at, "'%s' has more than %u values; a matrix may not have more cells than that",
                    param->name, BH_PLAN_MOST_CELLS);
      return NULL;
    }
  }
  return g_steal_pointer(&terms);
}

BhTerm *bh_sweep_fallback(const BhParam *param, const char *plugin, BhPosition at, GError **error) {
  if (!param->fallback) {
    bh_node_error(error, at, "'%s' needs a value for '%s' (%s)%s%s", plugin, param->name, bh_type_name(param->type),
                  param->help ? ": " : "", param->help ? param->help : "");
    return NULL;
  }
  g_autoptr(GError) inner = NULL;
  BhTerm *term = read_single(param, param->fallback, FALSE, (BhPosition){0}, &inner);
  if (!term)
    bh_node_error(error, at, "the default of '%s' in plugin '%s' is wrong: %s; give a value in the matrix", param->name,
                  plugin, inner->message);
  else if (term->value)
    term->value->given = FALSE;
  return term;
}
