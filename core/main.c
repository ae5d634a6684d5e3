/* SPDX-License-Identifier: MIT
 * Dispatches subcommands; the only place that exits. `benchhost MATRIX.yaml` is `benchhost run MATRIX.yaml`. */
#include "base/text.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const BhCommand commands[] = {
    {"run", bh_cmd_run, "run a matrix and print its results"},
    {"ab", bh_cmd_ab, "compare two builds or two values side by side: is the candidate slower?"},
    {"plan", bh_cmd_plan, "print the cells that a matrix expands to"},
    {"list", bh_cmd_list, "list the plugins that are found, and whether they can run here"},
    {"describe", bh_cmd_describe, "show a plugin's parameters, help and requirements"},
    {"report", bh_cmd_report, "print the table of a stored run"},
    {"analyze", bh_cmd_analyze, "speedup, scalability, crossover and roofline of a stored run"},
    {"peaks", bh_cmd_peaks, "measure this machine's flop/s and byte/s for 1 to all cores"},
    {"export", bh_cmd_export, "convert a stored run to csv, json, markdown or google-benchmark's JSON"},
    {"compare", bh_cmd_compare, "read stored runs side by side (no gate: use ab)"},
    {"history", bh_cmd_history, "keep runs over time, and look back"},
    {"schema", bh_cmd_schema, "print a JSON Schema of the matrix that knows the installed plugins"},
    {"doctor", bh_cmd_doctor, "say what would disturb a measurement here, and what to do about it"},
    {"check", bh_cmd_check, "check whether a plugin keeps the contract"},
    {"new", bh_cmd_new, "write a new plugin project, ready to build"},
    {"internal-probe", bh_cmd_internal_probe, NULL},
    {"internal-worker", bh_cmd_internal_worker, NULL},
};

static void print_help(FILE *out) {
  fputs("usage: benchhost [run] MATRIX.yaml [OPTIONS]\n"
        "       benchhost COMMAND [ARGUMENTS]\n\n"
        "Commands (each has --help):\n",
        out);
  for (gsize i = 0; i < G_N_ELEMENTS(commands); i++)
    if (commands[i].summary)
      fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
  fputs(
      "\nOther:\n  --help, --version, help COMMAND\n\nManual: benchhost(1); for plugin authors: benchhost-plugin(3)\n",
      out);
}

static gboolean looks_like_matrix(const char *argument) {
  return argument[0] == '-' || strchr(argument, '/') || g_str_has_suffix(argument, ".yaml") ||
         g_str_has_suffix(argument, ".yml");
}

/* Started with a standard descriptor closed (`>&-`), the journal would get its number, and the table would be printed
 * into the journal. What is put there cannot be written to, so that output which gets lost is still noticed. */
static void hold_standard_descriptors(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
      (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY); /* the lowest free number: this one */
}

/* Data that did not arrive must not look like success: a full disk shows only now. */
static int finish(int status) {
  const gboolean lost = ferror(stdout);
  if (fflush(stdout) == 0 && !lost)
    return status;
  fprintf(stderr, "benchhost: cannot write to standard output: %s; its data are not complete\n", g_strerror(errno));
  return MAX(status, BH_EXIT_SOFTWARE);
}

static int run_command(const BhCommand *command, int argc, char **argv) {
  g_autofree char *shown = g_strdup_printf("benchhost %s", command->name); /* as --help shows it */
  g_set_prgname(shown);
  return command->run(argc, argv);
}

static const BhCommand *find_command(const char *name) {
  for (gsize i = 0; i < G_N_ELEMENTS(commands); i++)
    if (!strcmp(name, commands[i].name))
      return &commands[i];
  return NULL;
}

/* `benchhost help plan` is `benchhost plan --help`. */
static int explain(const BhCommand *command) {
  char *arguments[] = {(char *)command->name, (char *)"--help", NULL};
  return run_command(command, 2, arguments);
}

static int dispatch(int argc, char **argv) {
  if (argc < 2) {
    print_help(stderr);
    return BH_EXIT_USAGE;
  }
  if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
    print_help(stdout);
    return BH_EXIT_OK;
  }
  if (!strcmp(argv[1], "--version")) {
    puts("benchhost " BH_VERSION);
    return BH_EXIT_OK;
  }
  const BhCommand *command = find_command(argv[1]);
  if (command)
    return run_command(command, argc - 1, argv + 1);
  const gboolean help = !strcmp(argv[1], "help");
  if (help && argc == 3 && (command = find_command(argv[2])) && command->summary)
    return explain(command);
  if (help && argc == 2) {
    print_help(stdout);
    return BH_EXIT_OK;
  }
  if (looks_like_matrix(argv[1]) || g_file_test(argv[1], G_FILE_TEST_IS_REGULAR))
    return run_command(find_command("run"), argc, argv);
  const char *names[G_N_ELEMENTS(commands) + 1] = {NULL};
  guint n = 0;
  for (gsize i = 0; i < G_N_ELEMENTS(commands); i++)
    if (commands[i].summary)
      names[n++] = commands[i].name;
  const char *closest = bh_text_closest(argv[1], names);
  fprintf(stderr, "benchhost: '%s' is neither a command nor a matrix file (*.yaml)%s%s%s; try 'benchhost --help'\n",
          argv[1], closest ? ": did you mean '" : "", closest ? closest : "", closest ? "'?" : "");
  return BH_EXIT_USAGE;
}

int main(int argc, char **argv) {
  hold_standard_descriptors();
  setlocale(LC_CTYPE, "");
  return finish(dispatch(argc, argv));
}
