/* SPDX-License-Identifier: MIT
 * Owns expressions: a small recursive-descent parser and an evaluator with exact integers. Both are bounded: text of at
 * most 500 characters, nesting of at most 40. */
#include "plan/expr.h"
#include "base/text.h"
#include "base/value.h"
#include "spec/node.h"

#include <math.h>
#include <string.h>

#define LONGEST 500
#define DEEPEST 40

typedef enum { NUMBER, NAME, NEGATE, ADD, SUBTRACT, MULTIPLY, DIVIDE, FLOOR_DIVIDE, MODULO, LEAST, GREATEST } Kind;

struct BhExpr {
  Kind kind;
  BhPosition at;
  BhNumber number;
  char *name;
  BhExpr *left, *right;
};

void bh_expr_free(BhExpr *expr) {
  if (!expr)
    return;
  bh_expr_free(expr->left);
  bh_expr_free(expr->right);
  g_free(expr->name);
  g_free(expr);
}

gboolean bh_expr_looks_like_one(const char *text) {
  while (*text == ' ')
    text++;
  return g_ascii_isalpha(*text) || *text == '(' || strpbrk(text, "+*/%()") || strstr(text, " - ") ||
         (*text && strchr(text + 1, '-') && !strpbrk(text, "eE"));
}

/* ---- parsing ---- */

typedef struct {
  const char *text, *p;
  BhPosition at;
  guint depth;
} Parser;

static BhPosition here(const Parser *parser, const char *p) {
  BhPosition at = parser->at;
  at.column += (guint)g_utf8_strlen(parser->text, p - parser->text);
  return at;
}

static void skip_blanks(Parser *parser) {
  while (*parser->p == ' ' || *parser->p == '\t' || *parser->p == '\n')
    parser->p++;
}

static BhExpr *expr_new(Kind kind, BhPosition at, BhExpr *left, BhExpr *right) {
  BhExpr *expr = g_new0(BhExpr, 1);
  expr->kind = kind;
  expr->at = at;
  expr->left = left;
  expr->right = right;
  return expr;
}

static BhExpr *parse_sum(Parser *parser, GError **error);

static BhExpr *syntax_error(Parser *parser, const char *expected, GError **error) {
  g_autofree char *rest = bh_text_shown(parser->p);
  if (*parser->p)
    bh_node_error(error, here(parser, parser->p), "'%s' cannot stand here in an expression; expected %s", rest,
                  expected);
  else
    bh_node_error(error, here(parser, parser->p), "the expression ends too early; expected %s", expected);
  return NULL;
}

/* A number, with a unit right behind it or after a blank: names never follow numbers otherwise. */
static BhExpr *parse_number(Parser *parser, GError **error) {
  const char *start = parser->p, *p = start;
  while (g_ascii_isdigit(*p) || (*p == '_' && g_ascii_isdigit(p[1])) || (*p == '.' && g_ascii_isdigit(p[1])))
    p++;
  if ((*p == 'e' || *p == 'E') && (g_ascii_isdigit(p[1]) || (strchr("+-", p[1]) && p[1] && g_ascii_isdigit(p[2]))))
    for (p += 2; g_ascii_isdigit(*p);)
      p++;
  g_autofree char *digits = g_strndup(start, (gsize)(p - start));
  const char *unit = p;
  while (*unit == ' ')
    unit++;
  const char *end = unit;
  while (g_ascii_isalpha(*end))
    end++;
  g_autofree char *text = end > unit ? g_strdup_printf("%s%.*s", digits, (int)(end - unit), unit) : g_strdup(digits);
  g_autoptr(BhExpr) expr = expr_new(NUMBER, here(parser, start), NULL, NULL);
  BhNumber *number = &expr->number;
  g_autoptr(GError) inner = NULL;
  number->exact = TRUE;
  if (end == unit && !bh_value_parse_int(text, &number->i, NULL)) {
    number->exact = FALSE;
    bh_value_parse_real(text, &number->r, &inner);
  } else if (end > unit && !bh_value_parse_size(text, &number->i, NULL)) {
    number->time = 1;
    if (!bh_value_parse_duration(text, &number->i, NULL))
      g_set_error(&inner, BH_ERROR, BH_ERROR_USAGE,
                  "'%s' is no number with a unit of size (KiB, MB, ...) or time (ms, s, ...)", text);
  }
  if (inner) {
    bh_node_error(error, expr->at, "%s", inner->message);
    return NULL;
  }
  parser->p = end > unit ? end : p;
  return g_steal_pointer(&expr);
}

/* min(a, b, ...) and max(a, b, ...): `p` is behind the '('. */
static BhExpr *parse_call(Parser *parser, const char *name, BhPosition at, GError **error) {
  static const char *const functions[] = {"min", "max", NULL};
  if (!g_strv_contains(functions, name)) {
    g_autofree char *hint = bh_text_suggest(name, functions);
    bh_node_error(error, at, "unknown function '%s'%s", name, hint);
    return NULL;
  }
  g_autoptr(BhExpr) left = NULL;
  for (;;) {
    BhExpr *argument = parse_sum(parser, error);
    if (!argument)
      return NULL;
    left = left ? expr_new(name[1] == 'i' ? LEAST : GREATEST, at, g_steal_pointer(&left), argument) : argument;
    skip_blanks(parser);
    if (*parser->p == ')')
      break;
    if (*parser->p != ',')
      return syntax_error(parser, "',' or ')' (inside { } and [ ], quote an expression that has a comma)", error);
    parser->p++;
  }
  parser->p++;
  return g_steal_pointer(&left);
}

/* '-' belongs to a name when a letter follows: `chunk-size`; subtraction of names needs blanks. */
static BhExpr *parse_name(Parser *parser, GError **error) {
  const char *start = parser->p, *p = start;
  while (g_ascii_isalnum(*p) || *p == '_' || ((*p == '-' || *p == '.') && g_ascii_isalpha(p[1])))
    p++;
  g_autofree char *name = g_strndup(start, (gsize)(p - start));
  const BhPosition at = here(parser, start);
  parser->p = p;
  skip_blanks(parser);
  if (*parser->p == '(') {
    parser->p++;
    return parse_call(parser, name, at, error);
  }
  BhExpr *expr = expr_new(NAME, at, NULL, NULL);
  expr->name = g_steal_pointer(&name);
  return expr;
}

static BhExpr *parse_operand(Parser *parser, GError **error) {
  skip_blanks(parser);
  const char *start = parser->p;
  if (g_ascii_isdigit(*start) || (*start == '.' && g_ascii_isdigit(start[1])))
    return parse_number(parser, error);
  if (g_ascii_isalpha(*start) || *start == '_')
    return parse_name(parser, error);
  if (*start == '-') {
    parser->p++;
    if (++parser->depth > DEEPEST)
      return syntax_error(parser, "fewer signs", error);
    BhExpr *operand = parse_operand(parser, error);
    parser->depth--;
    return operand ? expr_new(NEGATE, here(parser, start), operand, NULL) : NULL;
  }
  if (*start != '(')
    return syntax_error(parser, "a number, a name, or '('", error);
  parser->p++;
  g_autoptr(BhExpr) inner = parse_sum(parser, error);
  if (!inner)
    return NULL;
  skip_blanks(parser);
  if (*parser->p != ')')
    return syntax_error(parser, "an operator or ')'", error);
  parser->p++;
  return g_steal_pointer(&inner);
}

static BhExpr *parse_product(Parser *parser, GError **error) {
  g_autoptr(BhExpr) left = parse_operand(parser, error);
  while (left) {
    skip_blanks(parser);
    const char *op = parser->p;
    if (*op != '*' && *op != '/' && *op != '%')
      break;
    const Kind kind = *op == '*' ? MULTIPLY : *op == '%' ? MODULO : op[1] == '/' ? FLOOR_DIVIDE : DIVIDE;
    parser->p += kind == FLOOR_DIVIDE ? 2 : 1;
    BhExpr *right = parse_operand(parser, error);
    if (!right)
      return NULL;
    left = expr_new(kind, here(parser, op), g_steal_pointer(&left), right);
  }
  return g_steal_pointer(&left);
}

static BhExpr *parse_sum(Parser *parser, GError **error) {
  if (++parser->depth > DEEPEST) {
    bh_node_error(error, here(parser, parser->p), "the expression is nested deeper than %u levels; simplify it",
                  DEEPEST);
    return NULL;
  }
  g_autoptr(BhExpr) left = parse_product(parser, error);
  while (left) {
    skip_blanks(parser);
    const char *op = parser->p;
    if (*op != '+' && *op != '-')
      break;
    parser->p++;
    BhExpr *right = parse_product(parser, error);
    if (!right)
      return NULL;
    left = expr_new(*op == '+' ? ADD : SUBTRACT, here(parser, op), g_steal_pointer(&left), right);
  }
  parser->depth--;
  return g_steal_pointer(&left);
}

BhExpr *bh_expr_parse(const char *text, BhPosition at, GError **error) {
  if (strlen(text) > LONGEST) {
    bh_node_error(error, at, "the expression is longer than %d characters; simplify it", LONGEST);
    return NULL;
  }
  Parser parser = {text, text, at, 0};
  g_autoptr(BhExpr) expr = parse_sum(&parser, error);
  if (!expr)
    return NULL;
  skip_blanks(&parser);
  if (*parser.p)
    return syntax_error(&parser, "an operator (+ - * / // %) or the end", error);
  return g_steal_pointer(&expr);
}

/* ---- evaluating ---- */

static double real_of(const BhNumber *number) {
  return number->exact ? (double)number->i : number->r;
}

static gboolean overflow(const BhExpr *expr, GError **error) {
  bh_node_error(error, expr->at, "the result is too large; integers go up to %" G_GINT64_FORMAT, G_MAXINT64);
  return FALSE;
}

static gboolean set_real(const BhExpr *expr, double value, BhNumber *ret, GError **error) {
  if (!isfinite(value))
    return overflow(expr, error);
  ret->exact = FALSE;
  ret->r = value;
  return TRUE;
}

static gboolean set_int(const BhExpr *expr, gboolean overflowed, gint64 value, BhNumber *ret, GError **error) {
  if (overflowed)
    return overflow(expr, error);
  ret->exact = TRUE;
  ret->i = value;
  return TRUE;
}

static gint64 floor_quotient(gint64 a, gint64 b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static gboolean divide(const BhExpr *expr, const BhNumber *a, const BhNumber *b, BhNumber *ret, GError **error) {
  if (real_of(b) == 0) {
    bh_node_error(error, expr->at, "division by zero; guard the divisor, like max(1, ...)");
    return FALSE;
  }
  if (expr->kind == MODULO)
    ret->time = a->time;
  else
    ret->time = a->time - b->time;
  const gboolean exact = a->exact && b->exact;
  if (exact && b->i == -1) /* INT64_MIN / -1 */
    return expr->kind == MODULO ? set_int(expr, FALSE, 0, ret, error)
                                : set_int(expr, a->i == G_MININT64, a->i == G_MININT64 ? 0 : -a->i, ret, error);
  if (exact && expr->kind == MODULO)
    return set_int(expr, FALSE, a->i - floor_quotient(a->i, b->i) * b->i, ret, error);
  if (exact && (expr->kind == FLOOR_DIVIDE || a->i % b->i == 0))
    return set_int(expr, FALSE, floor_quotient(a->i, b->i), ret, error);
  const double x = real_of(a), y = real_of(b), quotient = x / y;
  if (expr->kind == DIVIDE)
    return set_real(expr, quotient, ret, error);
  if (expr->kind == MODULO)
    return set_real(expr, x - floor(quotient) * y, ret, error);
  const double whole = floor(quotient);
  if (fabs(whole) < 9e15)
    return set_int(expr, FALSE, (gint64)whole, ret, error);
  return set_real(expr, whole, ret, error);
}

static const char *dimension(int time) {
  return time == 0 ? "a number" : time == 1 ? "a duration" : "a power of time";
}

static gboolean add(const BhExpr *expr, const BhNumber *a, const BhNumber *b, BhNumber *ret, GError **error) {
  if (a->time != b->time) {
    bh_node_error(error, expr->at, "%s and %s do not go together; give both a unit of time, or none",
                  dimension(a->time), dimension(b->time));
    return FALSE;
  }
  ret->time = a->time;
  if (expr->kind == LEAST || expr->kind == GREATEST) {
    const gboolean left = a->exact && b->exact ? a->i < b->i : real_of(a) < real_of(b);
    *ret = left == (expr->kind == LEAST) ? *a : *b;
    return TRUE;
  }
  gint64 result = 0;
  if (a->exact && b->exact) {
    const gboolean overflowed =
        expr->kind == ADD ? __builtin_add_overflow(a->i, b->i, &result) : __builtin_sub_overflow(a->i, b->i, &result);
    return set_int(expr, overflowed, result, ret, error);
  }
  return set_real(expr, expr->kind == ADD ? real_of(a) + real_of(b) : real_of(a) - real_of(b), ret, error);
}

static gboolean multiply(const BhExpr *expr, const BhNumber *a, const BhNumber *b, BhNumber *ret, GError **error) {
  gint64 result = 0;
  ret->time = a->time + b->time;
  if (a->exact && b->exact) {
    const gboolean overflowed = __builtin_mul_overflow(a->i, b->i, &result);
    return set_int(expr, overflowed, result, ret, error);
  }
  return set_real(expr, real_of(a) * real_of(b), ret, error);
}

static gboolean look_up(const BhExpr *expr, BhExprLookup lookup, void *user, BhNumber *ret, GError **error) {
  GError *inner = NULL;
  if (lookup(user, expr->name, ret, &inner))
    return TRUE;
  bh_node_prefix(&inner, expr->at);
  g_propagate_error(error, inner);
  return FALSE;
}

gboolean bh_expr_eval(const BhExpr *expr, BhExprLookup lookup, void *user, BhNumber *ret, GError **error) {
  BhNumber a = {0}, b = {0};
  if (expr->kind == NUMBER) {
    *ret = expr->number;
    return TRUE;
  }
  if (expr->kind == NAME)
    return look_up(expr, lookup, user, ret, error);
  if (!bh_expr_eval(expr->left, lookup, user, &a, error))
    return FALSE;
  if (expr->right && !bh_expr_eval(expr->right, lookup, user, &b, error))
    return FALSE;
  switch (expr->kind) {
  case NEGATE:
    ret->time = a.time;
    return a.exact ? set_int(expr, a.i == G_MININT64, a.i == G_MININT64 ? 0 : -a.i, ret, error)
                   : set_real(expr, -a.r, ret, error);
  case MULTIPLY:
    return multiply(expr, &a, &b, ret, error);
  case DIVIDE:
  case FLOOR_DIVIDE:
  case MODULO:
    return divide(expr, &a, &b, ret, error);
  default:
    return add(expr, &a, &b, ret, error);
  }
}
