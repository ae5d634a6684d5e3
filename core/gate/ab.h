/* SPDX-License-Identifier: MIT
 * `benchhost ab` from above: what a comparison of base and candidate found. One report, computed from the journal alone
 * (bh_ab_judge), so that a stored run is judged exactly as a live one; tables, JSON and reports for CI only print it.
 */
#pragma once
#include "base/error.h"
#include "gate/rule.h"
#include "results/results.h"

/* ---- What was compared ---- */

typedef enum {
  BH_ARM_INSTALLED = 0, /* "." or "-": the plugins as installed, the matrix as written */
  BH_ARM_FOLDER,        /* a folder of plugins, searched before all others */
  BH_ARM_FILE,          /* one plugin's file in the place of the plugin of that name */
  BH_ARM_OPTION,        /* NAME=VALUE: one parameter's value */
} BhArmKind;
const char *bh_arm_kind_name(BhArmKind kind); /* "installed", "folder", "file", "option" */

/* One plugin of one arm that the matrix uses. */
typedef struct {
  char *name, *kind; /* kind: "workload" or "backend" */
  char *path, *version, *build_id;
} BhAbPlugin;

typedef struct {
  BhArmKind kind;
  char *given;        /* as on the command line */
  GPtrArray *plugins; /* of BhAbPlugin, sorted by kind and name; may be empty for a foreign journal */
} BhAbArm;

/* ---- One cell ---- */

/* What a cell's row says. The first four are BhVerdict's in its order; the others have no verdict. */
typedef enum {
  BH_AB_EQUIVALENT = 0,
  BH_AB_IMPROVED,
  BH_AB_INCONCLUSIVE,
  BH_AB_REGRESSED,
  BH_AB_SKIPPED, /* an arm was skipped or unsupported in every round: no failure without `strict` */
  BH_AB_WRONG,   /* an arm's results were wrong in any visit */
  BH_AB_BROKEN,  /* an arm crashed, timed out, failed or ran out of memory in any visit */
} BhAbOutcome;
const char *bh_ab_outcome_name(BhAbOutcome outcome); /* "equivalent", ..., "skipped", "wrong", "broken" */

typedef enum { BH_SIDE_BASE = 0, BH_SIDE_CANDIDATE = 1 } BhAbSide;

typedef struct {
  char *id;            /* the cell's, as in the journal */
  BhCellStatus status; /* the worst of all its visits */
  char *reason;        /* of that visit; NULL: ok */
  guint failures;      /* visits that were not ok */
  gboolean has_median; /* of the primary figure over the pairs that decided */
  double median;       /* in the figure's unit */
} BhAbSideResult;

typedef struct {
  char *label;              /* for people; what differs between the arms by design is left out */
  char *workload, *backend; /* names */
  char *primary;            /* the figure that decides: "wall", ... (base/primary.h) */
  char *unit;               /* of it: "ns" for times, "bytes" for memory, else what workload or counter say */
  gboolean higher_is_better;
  BhAbSideResult side[2]; /* BhAbSide */
  BhAbOutcome outcome;
  gboolean candidate_only;   /* WRONG, BROKEN, SKIPPED: the base was `ok` in all its visits */
  char *reason;              /* for people, one sentence: why inconclusive, skipped, wrong, broken; NULL: none needed */
  gboolean decided;          /* `decision` holds; FALSE: too few pairs, or no verdict */
  BhDecision decision;       /* > 0 is worse, whichever way the figure is better */
  gboolean cut_short;        /* a suspect whose confirmation did not get all its pairs: time was up, or Ctrl-C */
  guint n_screen, n_confirm; /* pairs that count */
  guint rejected;            /* pairs that were disturbed and measured again (noise: reject) */
  guint dropped;             /* pairs of which one arm failed or had no figure */
  GPtrArray *flags;          /* of char *: of all visits, each once, sorted */
} BhAbCell;

/* ---- The whole ---- */

typedef enum {
  BH_CONTROL_NONE = 0, /* --no-control, or there could be none: `why` */
  BH_CONTROL_QUIET,    /* it was found unchanged, or undecided: as it must be */
  BH_CONTROL_FLAGGED,  /* the rule saw a change where there is none: nothing that this run says can be trusted */
} BhAbControlState;

typedef struct {
  BhAbControlState state;
  char *why;      /* NONE: why */
  BhAbCell *cell; /* base against a byte-identical copy of base; NULL: none. Not among `cells` */
} BhAbControl;

typedef struct {
  char *name, *state, *value, *note; /* value as text; NULL: none */
} BhAbFact;

typedef struct {
  char *matrix_path, *matrix_name;
  char *started, *benchhost, *journal; /* ISO 8601; version of the program that measured; path, or NULL */
  guint64 seed;
  BhAbArm arm[2];      /* BhAbSide */
  gboolean same_files; /* the two arms are the same builds with the same values: an A/A run */
  BhRule rule;
  GPtrArray *cells; /* of BhAbCell, in the matrix's order */
  BhAbControl control;
  guint count[BH_AB_BROKEN + 1]; /* cells per outcome */
  gboolean interrupted;          /* Ctrl-C, or the journal has no end: decided as far as possible */
  gboolean out_of_time;          /* the budget ended it */
  char *invalid;                 /* the environment was invalid (noise: abort, or too much rejected): why; else NULL */
  JsonObject *environment;       /* the machine's record as in the journal; NULL: it has none */
  GPtrArray *environment_bad;    /* of BhAbFact: what of the machine's record is bad */
  GPtrArray *notes;              /* of char *: what a person should know */
  double wall_s;                 /* 0: unknown */
  guint visits;                  /* processes that were run */
  gboolean strict, inconclusive_fails;
  int exit_status; /* 0, 1, 2, 3, 4 as in measurement.md; the worst applies */
  char *exit_why;  /* one sentence */
} BhAbReport;

typedef struct {
  const BhRule *rule;          /* settings above 0 take the place of the journal's, but for the rounds. NULL: none */
  const char *primary;         /* another figure than was measured by: "total"; NULL: the journal's */
  gboolean strict;             /* skipped cells and inconclusive ones fail */
  gboolean inconclusive_fails; /* --inconclusive fail */
} BhAbJudging;

/* From a journal's results, of kind "ab". Error: it is no such journal, or lacks what is needed. */
BhAbReport *bh_ab_judge(const BhResults *results, const BhAbJudging *judging, GError **error);
void bh_ab_report_free(BhAbReport *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhAbReport, bh_ab_report_free)

/* What people read about one decision; also for JUnit, Markdown and annotations, so that all say the same. */
char *bh_ab_figure_text(const BhAbCell *cell, double value); /* "1.234 ms"; caller frees */
/* Of the figure itself, candidate against base: 0.05 = 5 % larger, whether that is better or worse. `ret_low` and
 * `ret_high` may be NULL. FALSE: not decided; the interval is then 0, as without one. */
gboolean bh_ab_change(const BhAbCell *cell, double *ret_change, double *ret_low, double *ret_high);
char *bh_ab_change_text(const BhAbCell *cell); /* "+5.1 % [+4.0, +6.2]" or "-" */
/* "prime n=1000 | serial: 10.2 % slower (9.1 to 11.3 %), 1.000 ms to 1.102 ms": one line about one cell. */
char *bh_ab_cell_sentence(const BhAbCell *cell);
/* "2 regressed, 18 equivalent": no trailing stop. */
char *bh_ab_counts_text(const BhAbReport *report);
/* The rule in words with its known rates, what the control said, the environment: what closes the table. */
char *bh_ab_closing_text(const BhAbReport *report);

/* The terminal's table and closing paragraph; `width`: columns, 0: no limit. The whole as JSON (docs/ab.md,
 * schemas/ab.schema.json), indented. Callers free. */
char *bh_ab_table(const BhAbReport *report, gboolean color, guint width, gboolean ascii);
char *bh_ab_json(const BhAbReport *report);
