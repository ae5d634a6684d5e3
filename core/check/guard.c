/* SPDX-License-Identifier: MIT
 * Owns guarded memory and the signal handler that knows it. */
#include "check/guard.h"
#include "check/say.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_GUARDS 512
#define PATTERN 0xC7
#define GUARD_PAGES 16 /* on either side: a miss by some kilobytes is caught as well */

static BhGuard *guards[MAX_GUARDS]; /* living ones, for the handler */

BhGuard *bh_guard_new(const char *name, gsize bytes) {
  const gsize page = (gsize)sysconf(_SC_PAGESIZE);
  if (bytes > G_MAXSIZE / 2)
    return NULL;
  /* A page in front holds the pattern; those on either side may not be touched. */
  const gsize inner = page + (bytes + page - 1) / page * page, fence = GUARD_PAGES * page;
  guint8 *pages = mmap(NULL, inner + 2 * fence, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pages == MAP_FAILED)
    return NULL;
  if (mprotect(pages + fence, inner, PROT_READ | PROT_WRITE) != 0) {
    munmap(pages, inner + 2 * fence);
    return NULL;
  }
  BhGuard *guard = g_new0(BhGuard, 1);
  guard->bytes = bytes;
  guard->pages = pages;
  guard->page_bytes = inner + 2 * fence;
  guard->data = pages + fence + (inner - bytes) / 64 * 64;
  g_strlcpy(guard->name, name, sizeof guard->name);
  for (char *c = guard->name; *c; c++)
    if (*c < ' ' || *c == '"' || *c == '\\' || (guchar)*c >= 0x7f)
      *c = '?';
  memset(guard->data - 64, PATTERN, 64);
  memset(guard->data + bytes, PATTERN, (gsize)(pages + fence + inner - (guard->data + bytes)));
  for (guint i = 0; i < MAX_GUARDS; i++)
    if (!guards[i]) {
      guards[i] = guard;
      break;
    }
  return guard;
}

void bh_guard_free(BhGuard *guard) {
  if (!guard)
    return;
  for (guint i = 0; i < MAX_GUARDS; i++)
    if (guards[i] == guard)
      guards[i] = NULL;
  munmap(guard->pages, guard->page_bytes);
  g_free(guard);
}

void bh_guard_protect(BhGuard *guard, gboolean read_only) {
  const gsize fence = GUARD_PAGES * (gsize)sysconf(_SC_PAGESIZE);
  guard->read_only = read_only;
  mprotect(guard->pages + fence, guard->page_bytes - 2 * fence, read_only ? PROT_READ : PROT_READ | PROT_WRITE);
}

char *bh_guard_damage(const BhGuard *guard) {
  const gsize fence = GUARD_PAGES * (gsize)sysconf(_SC_PAGESIZE);
  for (gsize i = 1; i <= 64; i++)
    if (guard->data[-(gssize)i] != PATTERN)
      return g_strdup_printf("region %s: something wrote %zu bytes before its start", guard->name, i);
  const guint8 *end = guard->pages + guard->page_bytes - fence;
  for (const guint8 *at = guard->data + guard->bytes; at < end; at++)
    if (*at != PATTERN)
      return g_strdup_printf("region %s: something wrote at byte %zu of its %zu", guard->name,
                             (gsize)(at - guard->data), guard->bytes);
  return NULL;
}

static void on_signal(int number, siginfo_t *info, void *context) {
  (void)context;
  char text[256];
  const guint8 *at = info->si_addr;
  const BhGuard *hit = NULL;
  for (guint i = 0; i < MAX_GUARDS && (number == SIGSEGV || number == SIGBUS); i++)
    if (guards[i] && at >= guards[i]->pages && at < guards[i]->pages + guards[i]->page_bytes)
      hit = guards[i];
  /* snprintf with integers and texts only does not allocate. */
  if (hit && hit->read_only && at >= hit->data && at < hit->data + hit->bytes)
    snprintf(text, sizeof text, "it wrote to region %s, which is an input of the run, at byte %zu", hit->name,
             (gsize)(at - hit->data));
  else if (hit)
    snprintf(text, sizeof text, "it reached byte %zd of region %s, which has %zu", (gssize)(at - hit->data), hit->name,
             hit->bytes);
  else
    snprintf(text, sizeof text, "it crashed with SIG%s", sigabbrev_np(number));
  bh_say_dying(text);
  signal(number, SIG_DFL);
  raise(number);
}

void bh_guard_watch(void) {
  static guint8 stack[65536]; /* a kernel may have run out of its own */
  const stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
  sigaltstack(&other, NULL);
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
  for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
    sigaction(numbers[i], &action, NULL);
}
