/* SPDX-License-Identifier: MIT
 * Owns a stand-in for `benchhost internal-worker`: it takes the first parameter's value of its request as the name of
 * what to do, so that the supervisor can be tested with every way in which a process can end, without plugins. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...) {
  static char text[1 << 16];
  va_list args;
  va_start(args, format);
  const int n = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  for (int done = 0; done < n;) {
    const ssize_t wrote = write(4, text + done, (size_t)(n - done));
    if (wrote <= 0)
      _exit(9);
    done += (int)wrote;
  }
}

static void phase(const char *name) {
  say("{\"event\":\"phase\",\"name\":\"%s\"}\n", name);
}

#define FIGURES                                                                                                        \
  "{\"median_ns\":100.5,\"ci_ns\":[100,101],\"ci_reason\":null,\"min_ns\":99,\"p95_ns\":102,\"mean_ns\":100,\"cv\":0." \
  "01,"                                                                                                                \
  "\"n\":6,\"samples_ns\":[99,100,100,101,101,102],\"inner\":1,\"stopped\":\"precision\"}"

/* `facts`: an object's inside. */
static void ok(const char *facts) {
  say("{\"event\":\"result\",\"status\":\"ok\",\"reason\":null,\"steady\":" FIGURES
      ",\"total\":{\"median_ns\":5,\"min_ns\":5,\"p95_ns\":5,\"samples_ns\":[5],\"n\":1},\"cold_ns\":7,"
      "\"phases_ns\":{\"load\":10,\"open\":20,\"measure\":30,\"close\":40},\"footprint_bytes\":4096,\"flags\":[],"
      "\"facts\":{%s}}\n",
      facts);
}

/* Good figures, and `observed` beside them. */
static void ok_observed(const char *observed) {
  say("{\"event\":\"result\",\"status\":\"ok\",\"reason\":null,\"steady\":" FIGURES ",\"total\":" FIGURES ",%s}\n",
      observed);
}

static void other(const char *status, const char *reason) {
  say("{\"event\":\"result\",\"status\":\"%s\",\"reason\":\"%s\",\"steady\":null,\"total\":null}\n", status, reason);
}

static void forever(void) {
  for (;;)
    pause();
}

static volatile sig_atomic_t asked;
static void on_term(int number) {
  (void)number;
  asked = 1;
}

/* Without restarting: pause() returns. */
static void catch_term(void) {
  struct sigaction action = {.sa_handler = on_term};
  sigaction(SIGTERM, &action, NULL);
}

static void daemonize(void) {
  if (fork() == 0) {
    setsid();
    if (fork() == 0)
      forever();
    _exit(0);
  }
  wait(NULL);
}

static void use_memory(size_t bytes) {
  volatile char *memory = malloc(bytes); /* volatile: else the compiler leaves all of it out */
  for (size_t i = 0; memory && i < bytes; i += 4096)
    memory[i] = (char)(i >> 12 | 1);
  if (!memory)
    _exit(8);
}

static void list_fds(void) {
  char text[1024] = "";
  DIR *dir = opendir("/proc/self/fd");
  struct dirent *entry;
  while ((entry = readdir(dir)))
    if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(dir)) {
      strncat(text, entry->d_name, sizeof text - strlen(text) - 2);
      strcat(text, " ");
    }
  closedir(dir);
  char facts[2048];
  sigset_t mask;
  sigprocmask(SIG_BLOCK, NULL, &mask);
  struct sigaction xfsz, term;
  sigaction(SIGXFSZ, NULL, &xfsz);
  sigaction(SIGPIPE, NULL, &term);
  snprintf(facts, sizeof facts, "\"fds\":\"%s\",\"leader\":\"%d\",\"blocked\":\"%d\",\"defaults\":\"%d\"", text,
           getsid(0) == getpid() && getpgrp() == getpid(), sigismember(&mask, SIGTERM) || sigismember(&mask, SIGINT),
           xfsz.sa_handler == SIG_DFL && term.sa_handler == SIG_DFL);
  ok(facts);
}

static void list_env(void) {
  static const char *const names[] = {"OMP_NUM_THREADS", "OMP_WAIT_POLICY", "OMP_SCHEDULE", "OPENBLAS_NUM_THREADS",
                                      "OMP_DYNAMIC",     "FROM_MATRIX",     "UNTOUCHED"};
  char facts[4096] = "";
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
    const char *value = getenv(names[i]);
    sprintf(facts + strlen(facts), "%s\"%s\":\"%s\"", i ? "," : "", names[i], value ? value : "(unset)");
  }
  ok(facts);
}

static void mess(const char *scratch) {
  if (chdir(scratch) != 0)
    _exit(7);
  for (int i = 0; i < 400; i++) {
    mkdir("d", 0700);
    close(open("file", O_CREAT | O_WRONLY, 0000));
    if (chdir("d") != 0)
      _exit(7);
  }
  if (chdir(scratch) != 0 || symlink("/", "root") != 0 || mkdir("locked", 0700) != 0)
    _exit(7);
  close(open("locked/inside", O_CREAT | O_WRONLY, 0600));
  chmod("locked", 0000);
  ok("");
}

static void flood(int fd, size_t bytes) {
  static char block[1 << 16];
  memset(block, 'x', sizeof block);
  block[sizeof block - 1] = '\n';
  for (size_t done = 0; done < bytes; done += sizeof block)
    if (write(fd, block, sizeof block) <= 0)
      _exit(6);
}

static void endings(const char *act) {
  if (!strcmp(act, "ok"))
    ok("");
  else if (!strcmp(act, "quick")) { /* ends after a moment: for kills at random moments */
    daemonize();
    usleep(20000);
    ok("");
  } else if (!strcmp(act, "wrong"))
    other("wrong", "item 3: expected 4, found 5");
  else if (!strcmp(act, "skipped"))
    other("skipped", "no GPU");
  else if (!strcmp(act, "unsupported"))
    other("unsupported", "teams of one only");
  else if (!strcmp(act, "failed"))
    other("failed", "it said so");
  else if (!strcmp(act, "out-of-memory"))
    other("out-of-memory", "needs 5 TiB, 1 GiB is there");
  else if (!strcmp(act, "segv")) {
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
  } else if (!strcmp(act, "exit"))
    _exit(3);
  else if (!strcmp(act, "silent"))
    _exit(0);
  else if (!strcmp(act, "ok-then-segv")) {
    ok("");
    raise(SIGSEGV);
  } else if (!strcmp(act, "linger")) {
    ok("");
    forever();
  } else if (!strcmp(act, "stderr")) {
    fprintf(stderr, "first\nlast words\xff\n");
    _exit(3);
  }
}

static void times(const char *act) {
  if (!strcmp(act, "hang"))
    forever();
  else if (!strcmp(act, "hang-tree")) {
    for (int i = 0; i < 3; i++)
      if (fork() == 0)
        forever();
    daemonize();
    forever();
  } else if (!strcmp(act, "daemon")) {
    daemonize();
    ok("");
  } else if (!strcmp(act, "obedient")) {
    catch_term();
    phase("waiting");
    while (!asked)
      usleep(1000);
    ok("");
  } else if (!strcmp(act, "gives-up")) {
    catch_term();
    phase("waiting");
    while (!asked)
      usleep(1000);
  } else if (!strcmp(act, "stubborn")) {
    catch_term();
    phase("waiting");
    while (!asked)
      usleep(1000);
    phase("asked");
    forever();
  }
}

static void writes(const char *act) {
  if (!strcmp(act, "garbage"))
    say("hello there\n");
  else if (!strcmp(act, "binary"))
    (void)!write(4, "\x01\x00\xff\n", 4);
  else if (!strcmp(act, "two-results")) {
    ok("");
    ok("");
  } else if (!strcmp(act, "half-after-result")) {
    ok("");
    say("{\"event\":");
  } else if (!strcmp(act, "deep")) {
    for (int i = 0; i < 3000; i++)
      say("[[[[[[[[[[");
    say("\n");
  } else if (!strcmp(act, "endless-line")) {
    static char block[1 << 16];
    memset(block, 'x', sizeof block);
    while (write(4, block, sizeof block) > 0)
      ;
  } else if (!strcmp(act, "nan"))
    say("{\"event\":\"result\",\"status\":\"ok\",\"steady\":NaN}\n");
  else if (!strcmp(act, "infinite"))
    say("{\"event\":\"result\",\"status\":\"wrong\",\"reason\":\"x\",\"cold_ns\":1e308,\"metrics\":{\"a\":{\"median\":-"
        "1e309}}}\n");
  else if (!strcmp(act, "no-figures"))
    say("{\"event\":\"result\",\"status\":\"ok\",\"reason\":null,\"steady\":null,\"total\":null}\n");
  else if (!strcmp(act, "no-reason"))
    say("{\"event\":\"result\",\"status\":\"failed\",\"reason\":null}\n");
  else if (!strcmp(act, "bad-type"))
    say("{\"event\":\"result\",\"status\":\"skipped\",\"reason\":\"x\",\"flags\":[1]}\n");
  else if (!strcmp(act, "observed"))
    ok_observed("\"cpu\":{\"median_ns\":5,\"min_ns\":5,\"p95_ns\":5,\"ci_ns\":null},\"samples\":{\"cpu_ns\":[1,2.5]},"
                "\"flagged\":{\"share\":1},\"counters\":{\"cycles\":{\"unavailable\":\"why\"},"
                "\"branches\":{\"median\":1,\"min\":0,\"max\":2}},\"process_peak_bytes\":4096");
  else if (!strcmp(act, "bad-cpu"))
    ok_observed("\"cpu\":{\"median_ns\":5,\"min_ns\":-5,\"p95_ns\":5}");
  else if (!strcmp(act, "bad-cpu-interval"))
    ok_observed("\"cpu\":{\"median_ns\":5,\"min_ns\":5,\"p95_ns\":5,\"ci_ns\":[1]}");
  else if (!strcmp(act, "bad-series"))
    ok_observed("\"samples\":{\"cpu_ns\":[1,\"2\"]}");
  else if (!strcmp(act, "bad-counter"))
    ok_observed("\"counters\":{\"cycles\":{\"median\":1,\"min\":null,\"max\":1}}");
  else if (!strcmp(act, "bad-refusal"))
    ok_observed("\"counters\":{\"cycles\":{\"unavailable\":7}}");
  else if (!strcmp(act, "bad-counters"))
    ok_observed("\"counters\":{\"cycles\":12}");
  else if (!strcmp(act, "bad-share"))
    ok_observed("\"flagged\":{\"share\":1.5}");
  else if (!strcmp(act, "bad-peak"))
    ok_observed("\"process_peak_bytes\":\"much\"");
  else if (!strcmp(act, "bad-cost"))
    say("{\"event\":\"result\",\"status\":\"wrong\",\"reason\":\"x\",\"cost\":{\"items\":-1}}\n");
  else if (!strcmp(act, "poses-as-arm"))
    ok_observed("\"arm\":\"nobody's\",\"stage\":7,\"of-the-future\":1");
  else if (!strcmp(act, "stderr-flood")) {
    flood(2, (size_t)200 << 20);
    ok("");
  } else if (!strcmp(act, "log-flood")) {
    for (int i = 0; i < 20000; i++)
      say("{\"event\":\"log\",\"text\":\"line %06d of many that nobody will ever read\"}\n", i);
    ok("");
  }
}

static void uses(const char *act, const char *scratch) {
  if (!strcmp(act, "memory")) {
    use_memory((size_t)400 << 20);
    forever();
  } else if (!strcmp(act, "memory-tree")) {
    for (int i = 0; i < 4; i++)
      if (fork() == 0) {
        use_memory((size_t)100 << 20);
        forever();
      }
    forever();
  } else if (!strcmp(act, "memory-shared")) { /* 100 MB that five processes share: 100 MB */
    use_memory((size_t)100 << 20);
    for (int i = 0; i < 4; i++)
      if (fork() == 0)
        forever();
    usleep(400000);
    ok("");
  } else if (!strcmp(act, "memory-short")) { /* gone before anybody looks */
    use_memory((size_t)30 << 20);
    ok("");
  } else if (!strcmp(act, "fds"))
    list_fds();
  else if (!strcmp(act, "env"))
    list_env();
  else if (!strcmp(act, "mess"))
    mess(scratch);
}

/* The text after `key` up to the next quote. */
static char *field(const char *text, const char *key) {
  const char *at = strstr(text, key);
  if (!at)
    _exit(11);
  at += strlen(key);
  return strndup(at, strcspn(at, "\""));
}

int main(void) {
  static char request[1 << 20];
  size_t n = 0;
  for (ssize_t got; (got = read(3, request + n, sizeof request - 1 - n)) > 0;)
    n += (size_t)got;
  close(3);
  const struct rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  char *act = field(request, "\"param_values\":[\"");
  char *scratch = field(request, "\"scratch_dir\":\"");
  phase("open");
  endings(act);
  times(act);
  writes(act);
  uses(act, scratch);
  return 0;
}
