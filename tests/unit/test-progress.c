/* SPDX-License-Identifier: MIT
 * Progress as its reader gets it: plain lines through a pipe, a rewritten line through a pseudo-terminal (what is left
 * on its screen, how often it is redrawn, how wide), nothing when quiet; and the estimate of the time left by
 * hand-worked cases. */
#include "results/eta.h"
#include "results/progress.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CELLS 3

static BhCell cells[CELLS];
static BhPlan plan;

static void make_plan(guint rounds, const char *first_label) {
  static const char *const labels[] = {NULL, "prime n=1000 | pool workers=2", "nap | other"};
  plan = (BhPlan){.cells = g_ptr_array_new()};
  for (guint i = 0; i < CELLS; i++) {
    cells[i] = (BhCell){.id = (char *)"x",
                        .label = (char *)(i == 0 ? first_label : labels[i]),
                        .measure = {.rounds = rounds, .warmup_ns = 500000000, .max_time_ns = 1000000000}};
    g_ptr_array_add(plan.cells, &cells[i]);
  }
}

static BhCellRecord record_of(BhCellStatus status, const double *samples, guint n, guint round) {
  BhCellRecord record = {
      .status = status, .round = round, .reason = (char *)(status == BH_CELL_OK ? NULL : "7 is\nno prime")};
  record.steady_ns = g_array_new(FALSE, FALSE, sizeof(double));
  g_array_append_vals(record.steady_ns, samples, n);
  return record;
}

/* What a supervisor does; `pause_us` between events. */
static void scenario(BhProgressMode mode, gboolean verbose, const char *label, guint pause_us) {
  static const double samples[] = {1e6, 1e6, 1e6, 1.01e6, 0.995e6, 1e6};
  static const char *const phases[] = {"open", "fill", "measure", "verify"};
  make_plan(1, label);
  BhProgress *progress = bh_progress_new(mode, verbose);
  const BhWatcher *watcher = bh_progress_watcher(progress);
  watcher->started(watcher->user, &plan, 12, 9);
  for (guint i = 0; i < CELLS; i++) {
    watcher->cell_started(watcher->user, &cells[i], 0);
    for (guint p = 0; p < G_N_ELEMENTS(phases); p++) {
      watcher->cell_phase(watcher->user, &cells[i], phases[p]);
      g_usleep(pause_us);
    }
    watcher->cell_log(watcher->user, &cells[i], "a remark\033[2J");
    BhCellRecord record = record_of(i == 1 ? BH_CELL_WRONG : BH_CELL_OK, samples, i == 1 ? 0 : 6, 0);
    watcher->cell_done(watcher->user, &cells[i], &record);
    g_array_unref(record.steady_ns);
  }
  watcher->finished(watcher->user, FALSE);
  bh_progress_free(progress);
  g_ptr_array_unref(plan.cells);
}

typedef struct {
  BhProgressMode mode;
  gboolean verbose;
  const char *label, *term;
  guint pause_us, columns;
  int resize_to; /* 0: never */
} Case;

/* Everything that a child in this case writes to stderr; through a terminal when `columns` > 0. */
static char *play(const Case *c) {
  struct winsize size = {.ws_row = 24, .ws_col = (unsigned short)c->columns};
  int fd = -1, pipes[2] = {-1, -1};
  if (c->columns == 0)
    g_assert_cmpint(pipe(pipes), ==, 0);
  const pid_t child = c->columns > 0 ? forkpty(&fd, NULL, NULL, &size) : fork();
  g_assert_cmpint(child, >=, 0);
  if (child == 0) {
    if (c->columns == 0)
      dup2(pipes[1], STDERR_FILENO);
    g_setenv("TERM", c->term ? c->term : "xterm", TRUE);
    g_unsetenv("NO_COLOR");
    scenario(c->mode, c->verbose, c->label, c->pause_us);
    _exit(0);
  }
  if (c->columns == 0) {
    fd = pipes[0];
    close(pipes[1]);
  }
  GString *all = g_string_new(NULL);
  char buffer[4096];
  ssize_t got;
  gboolean resized = FALSE;
  while ((got = read(fd, buffer, sizeof buffer)) > 0) {
    g_string_append_len(all, buffer, got);
    if (c->resize_to && !resized && all->len > 0) {
      size.ws_col = (unsigned short)c->resize_to;
      ioctl(fd, TIOCSWINSZ, &size);
      resized = TRUE;
      g_string_append(all, "<RESIZED>");
    }
  }
  int status;
  waitpid(child, &status, 0);
  g_assert_cmpint(status, ==, 0);
  close(fd);
  return g_string_free(all, FALSE);
}

static const char label_zero[] = "prime n=1000 cost=equal | one";

static void test_plain(void) {
  g_autofree char *text = play(&(Case){.label = label_zero});
  g_assert_cmpstr(text, ==,
                  "going on: 9 of 12 cell runs are in the journal\n"
                  "[10/12] ok  prime n=1000 cost=equal | one  1.000 ms +-0.8%\n"
                  "[11/12] wrong  prime n=1000 | pool workers=2  7 is no prime\n"
                  "[12/12] ok  nap | other  1.000 ms +-0.8%\n");
  /* A dumb terminal gets the same. */
  g_autofree char *dumb = play(&(Case){.label = label_zero, .columns = 80, .term = "dumb"});
  g_autoptr(GString) lines = g_string_new(dumb);
  g_string_replace(lines, "\r\n", "\n", 0);
  g_assert_cmpstr(lines->str, ==, text);
  g_autofree char *plain = play(&(Case){.label = label_zero, .columns = 80, .mode = BH_PROGRESS_PLAIN});
  g_assert_null(strstr(plain, "\033[J"));
}

static void test_quiet(void) {
  g_autofree char *text = play(&(Case){.label = label_zero, .mode = BH_PROGRESS_QUIET, .columns = 80, .verbose = TRUE});
  g_assert_cmpstr(text, ==, "");
}

/* The pieces between erasures; the erasing sequence is \r, maybe up some rows, clear to the end of the screen. */
static char **frames(const char *text) {
  g_autoptr(GRegex) erase = g_regex_new("\r(?:\033\\[[0-9]+A)?\033\\[J", 0, 0, NULL);
  return g_regex_split(erase, text, 0);
}

static void test_terminal(void) {
  g_autofree char *text = play(&(Case){.label = label_zero, .columns = 60, .pause_us = 130000});
  g_auto(GStrv) parts = frames(text);
  const guint n = g_strv_length(parts);
  guint live = 0, wrong = 0;
  for (guint i = 0; i < n; i++) {
    if (g_str_has_prefix(parts[i], "[") && !strchr(parts[i], '\n')) {
      live++;
      g_assert_cmpuint(g_utf8_strlen(parts[i], -1), <, 60);
    }
    wrong += strstr(parts[i], "[11/12] \033[31mwrong\033[0m  prime n=1000 | pool workers=2  7 is no prime\r\n") != NULL;
  }
  g_assert_cmpuint(live, >=, 6);  /* 12 phases of 130 ms; a loaded machine draws fewer */
  g_assert_cmpuint(wrong, ==, 1); /* what went wrong stays on the screen */
  g_assert_nonnull(strstr(text, ": measure"));
  g_assert_nonnull(strstr(text, "at most")); /* before any cell ended: the bound by budgets */
  g_assert_nonnull(strstr(text, "[10/12] "));
  g_assert_null(strstr(text, "[10/12] ok")); /* good cells leave no line */
  g_assert_cmpstr(parts[n - 1], ==, "");     /* the live line is gone at the end */
  g_assert_null(strstr(text, "a remark"));
}

/* 12 phases at once: ten times a second at most, so one or two frames and the permanent line. */
static void test_rate(void) {
  g_autofree char *text = play(&(Case){.label = label_zero, .columns = 80, .pause_us = 100});
  g_auto(GStrv) parts = frames(text);
  g_assert_cmpuint(g_strv_length(parts), <, 8);
}

static void test_verbose(void) {
  g_autofree char *text = play(&(Case){.label = label_zero, .columns = 80, .verbose = TRUE});
  g_assert_nonnull(strstr(text, "prime n=1000 | pool workers=2: a remark [2J"));
  g_assert_null(strstr(text, "\033[2J"));
  g_assert_nonnull(strstr(text, "[10/12] ok  prime"));
}

static void test_long_label(void) {
  char label[2000];
  memset(label, 'x', sizeof label - 1);
  label[sizeof label - 1] = '\0';
  g_autofree char *text = play(&(Case){.label = label, .columns = 60, .pause_us = 60000});
  g_auto(GStrv) parts = frames(text);
  guint cut = 0;
  for (guint i = 0; parts[i]; i++)
    if (!strchr(parts[i], '\n')) {
      g_assert_cmpuint(strlen(parts[i]), <, 60);
      cut += strstr(parts[i], "xx...: ") != NULL; /* the label gives way, the phase stays */
    }
  g_assert_cmpuint(cut, >, 0);
}

/* After the terminal was made narrower, the line that it wrapped is erased over all its rows, and lines fit again. */
static void test_resize(void) {
  char label[70];
  memset(label, 'x', sizeof label - 1);
  label[sizeof label - 1] = '\0';
  g_autofree char *text = play(&(Case){.label = label, .columns = 100, .pause_us = 130000, .resize_to = 30});
  const char *after = strstr(text, "<RESIZED>");
  g_assert_nonnull(after);
  g_auto(GStrv) parts = frames(after + strlen("<RESIZED>"));
  const guint n = g_strv_length(parts);
  for (guint i = n > 4 ? n - 4 : 0; i < n; i++)
    if (!strchr(parts[i], '\n'))
      g_assert_cmpuint(strlen(parts[i]), <, 30);
  g_assert_cmpstr(parts[n - 1], ==, "");
}

/* Rounds on top: added to what is left of the others, bounded by the budget, and gone when they are done. */
static void test_eta_outlook(void) {
  double left;
  gboolean bound;
  plan.measure.budget_ns = 60000000000;
  BhEta *eta = bh_eta_new(&plan, 6);
  bh_eta_cell_started(eta, &cells[0], 5000000000u);
  bh_eta_cell_done(eta, &cells[0], 6000000000u);
  bh_eta_outlook(eta, &(BhOutlook){.more = 4, .topup_s = 20, .left_s = 59});
  g_assert_true(bh_eta_left(eta, &left, &bound));
  g_assert_cmpfloat_with_epsilon(left, 25, 1e-9);
  g_assert_false(bound);
  bh_eta_outlook(eta, &(BhOutlook){.more = 1, .topup_s = 20, .left_s = 59, .again = &cells[0]}); /* it was struck */
  g_assert_true(bh_eta_left(eta, &left, &bound));
  g_assert_cmpfloat_with_epsilon(left, 26, 1e-9);
  bh_eta_cell_started(eta, &cells[0], 6000000000u);
  bh_eta_cell_done(eta, &cells[0], 7000000000u);
  g_assert_true(bh_eta_left(eta, &left, &bound));
  g_assert_cmpfloat_with_epsilon(left, 25, 1e-9);
  bh_eta_outlook(eta, &(BhOutlook){.topup_s = 20, .bound = TRUE, .left_s = 59});
  g_assert_true(bh_eta_left(eta, &left, &bound));
  g_assert_true(bound);
  bh_eta_outlook(eta, &(BhOutlook){.topup_s = 20, .left_s = 10}); /* an earlier session spent the rest */
  g_assert_true(bh_eta_left(eta, &left, &bound));
  g_assert_cmpfloat_with_epsilon(left, 10, 1e-9);
  g_assert_true(bound);
  bh_eta_outlook(eta, &(BhOutlook){.left_s = -1});
  g_assert_true(bh_eta_left(eta, &left, &bound));
  g_assert_cmpfloat(left, ==, 0);
  bh_eta_free(eta);
  /* All mandatory rounds are done, no budget: what is on top is all there is. */
  plan.measure.budget_ns = 0;
  eta = bh_eta_new(&plan, 0);
  bh_eta_outlook(eta, &(BhOutlook){.topup_s = 7, .left_s = INFINITY});
  g_assert_true(bh_eta_left(eta, &left, &bound));
  g_assert_cmpfloat(left, ==, 7);
  g_assert_false(bound);
  bh_eta_outlook(eta, &(BhOutlook){.left_s = INFINITY});
  g_assert_false(bh_eta_left(eta, &left, &bound));
  bh_eta_free(eta);
}

/* Budgets: .5 s warm-up, 1 s sampling and .5 s for the rest: 2 s a run, 6 s a round. */
static void test_eta(void) {
  double left;
  gboolean bound;
  make_plan(2, label_zero);
  BhEta *eta = bh_eta_new(&plan, 6);
  g_assert_true(bh_eta_left(eta, &left, &bound));
  g_assert_true(bound);
  g_assert_cmpfloat(left, ==, 12);
  /* The first takes 1 s, half of its budget: it will again, and so will the others of theirs: 1 + 2*1 + 2*1. */
  bh_eta_cell_started(eta, &cells[0], 5000000000u);
  bh_eta_cell_done(eta, &cells[0], 6000000000u);
  g_assert_true(bh_eta_left(eta, &left, &bound));
  g_assert_false(bound);
  g_assert_cmpfloat_with_epsilon(left, 5, 1e-9);
  /* The second takes 3 s, 1.5 times its budget; share (1+3)/4 = 1: 1 + 3 + 2*2. */
  bh_eta_cell_started(eta, &cells[1], 6000000000u);
  bh_eta_cell_done(eta, &cells[1], 9000000000u);
  g_assert_true(bh_eta_left(eta, &left, &bound));
  g_assert_cmpfloat_with_epsilon(left, 8, 1e-9);
  bh_eta_free(eta);
  /* A resumed run with 3 of 6 left: half of what a whole one takes. */
  eta = bh_eta_new(&plan, 3);
  g_assert_true(bh_eta_left(eta, &left, &bound));
  g_assert_cmpfloat_with_epsilon(left, 6, 1e-9);
  bh_eta_free(eta);
  /* The whole run's budget bounds it. */
  plan.measure.budget_ns = 4000000000;
  eta = bh_eta_new(&plan, 6);
  g_assert_true(bh_eta_left(eta, &left, &bound));
  g_assert_cmpfloat(left, ==, 4);
  bh_eta_free(eta);
  eta = bh_eta_new(&plan, 0);
  g_assert_false(bh_eta_left(eta, &left, &bound));
  bh_eta_free(eta);
  test_eta_outlook();
  g_ptr_array_unref(plan.cells);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/progress/plain", test_plain);
  g_test_add_func("/progress/quiet", test_quiet);
  g_test_add_func("/progress/terminal", test_terminal);
  g_test_add_func("/progress/rate", test_rate);
  g_test_add_func("/progress/verbose", test_verbose);
  g_test_add_func("/progress/long-label", test_long_label);
  g_test_add_func("/progress/resize", test_resize);
  g_test_add_func("/progress/eta", test_eta);
  return g_test_run();
}
