/* SPDX-License-Identifier: MIT
 * `benchhost doctor`: what would disturb a measurement here, and what to do about it. */
#include "base/json.h"
#include "cli/cli.h"
#include "environment/doctor.h"
#include "environment/files.h"
#include "results/display.h"
#include "supervisor/cell-env.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WIDEST 100u
#define LEAD 30u /* columns before the text: state and title */

static void print_text(const char *lead, const char *text, guint columns) {
  g_autofree char *clean = bh_display_clean(text, bh_display_ascii());
  g_autoptr(GString) line = g_string_new(NULL);
  bh_display_pad(line, lead, LEAD, FALSE);
  bh_display_wrap(line, clean, LEAD, columns, LEAD);
  puts(line->str);
}

static void print_check(const BhCheck *check, guint columns) {
  static const char *const marks[] = {"BAD", "ok", "-"};
  g_autofree char *lead = g_strdup_printf("%-4s %s", marks[check->state], check->title);
  const char *found = check->found ? check->found : "";
  if (strlen(lead) >= LEAD) /* no room beside it */
    puts(lead);
  print_text(strlen(lead) >= LEAD ? "" : lead, found, columns);
  if (check->state == BH_CHECK_BAD)
    print_text("       why", check->why, columns);
  if (check->todo) {
    g_autofree char *todo = g_strconcat(check->todo, check->as_root ? " (needs root)" : NULL, NULL);
    print_text("       to do", todo, columns);
  }
  if (check->state == BH_CHECK_BAD && check->tool)
    print_text("       benchhost itself", check->tool, columns);
}

static void print_all(const BhDoctor *doctor, gboolean quiet) {
  const guint terminal = bh_display_terminal(STDOUT_FILENO);
  const guint columns = terminal ? CLAMP(terminal, 60u, WIDEST) : WIDEST;
  for (guint state = BH_CHECK_BAD; state <= (quiet ? BH_CHECK_BAD : BH_CHECK_UNAVAILABLE); state++)
    for (guint i = 0; i < doctor->checks->len; i++) {
      const BhCheck *check = doctor->checks->pdata[i];
      if (check->state == state)
        print_check(check, columns);
    }
  if (quiet)
    return;
  g_autoptr(GString) end = g_string_new(NULL);
  bh_display_wrap(end, doctor->expect, 0, columns, 0);
  printf("\n%u of %u checks found something that disturbs.\n%s\n", doctor->bad, doctor->checks->len, end->str);
}

int bh_cmd_doctor(int argc, char **argv) {
  gboolean json = FALSE, quiet = FALSE;
  double watch_s = 2;
  const GOptionEntry entries[] = {
      {"json", 0, 0, G_OPTION_ARG_NONE, &json, "Print everything that was found, as a JSON object", NULL},
      {"quiet", 'q', 0, G_OPTION_ARG_NONE, &quiet, "Print only what disturbs", NULL},
      {"watch", 0, 0, G_OPTION_ARG_DOUBLE, &watch_s, "How long to look at what else runs (default 2; 0: not at all)",
       "SECONDS"},
      {NULL}};
  g_autoptr(GOptionContext) context =
      g_option_context_new("- say what would disturb a measurement here, and what to do about it");
  g_option_context_add_main_entries(context, entries, NULL);
  g_option_context_set_description(
      context,
      "Exit status: 0 nothing disturbs (what cannot be known does not count), 2 something does. For half of the\n"
      "time it sleeps and watches others, then it keeps every CPU busy that it may use and watches for gaps.");
  GError *error = NULL;
  if (!g_option_context_parse(context, &argc, &argv, &error))
    return bh_cli_fail(error);
  if (argc > 1) {
    fprintf(stderr, "benchhost doctor: takes no argument but '%s' was given\n", argv[1]);
    return BH_EXIT_USAGE;
  }
  if (!(watch_s >= 0 && watch_s <= 3600)) {
    fprintf(stderr, "benchhost doctor: --watch is from 0 to 3600 seconds, '%g' was given\n", watch_s);
    return BH_EXIT_USAGE;
  }
  g_auto(GStrv) removed = bh_cell_env_removed(), kept = bh_cell_env_suspicious();
  g_autoptr(BhDoctor) doctor =
      bh_doctor_examine(bh_files_root(), watch_s, (const char *const *)removed, (const char *const *)kept);
  if (json) {
    g_autoptr(JsonNode) node = bh_doctor_to_json(doctor);
    g_autofree char *text = bh_json_text(node, TRUE);
    fputs(text, stdout);
  } else {
    print_all(doctor, quiet);
  }
  return doctor->bad ? BH_EXIT_INCONCLUSIVE : BH_EXIT_OK;
}
