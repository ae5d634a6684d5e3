/* SPDX-License-Identifier: MIT
 * Owns the services that a plugin gets while it is probed or checked. */
#include "plugin/mini-host.h"
#include "base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>

static bh_status mini_stop(const bh_host *host, bh_status why, const char *format, ...) {
  BhMiniHost *mini = host->cell;
  if (!g_atomic_int_compare_and_exchange(&mini->stopped, 0, 1))
    return why;
  va_list args;
  va_start(args, format);
  vsnprintf(mini->reason, sizeof mini->reason, format ? format : "", args);
  va_end(args);
  mini->status = why;
  g_atomic_int_set(&mini->stopped, 2);
  return why;
}

static void mini_log(const bh_host *host, const char *format, ...) {
  (void)host;
  (void)format;
}

static void mini_fact(const bh_host *host, const char *name, const char *format, ...) {
  (void)host;
  (void)name;
  (void)format;
}

static void mini_phase(const bh_host *host, uint32_t worker, const char *name) {
  (void)host;
  (void)worker;
  (void)name;
}

static void mini_metric(const bh_host *host, const char *name, double value, const char *unit, bh_better better) {
  (void)host;
  (void)name;
  (void)value;
  (void)unit;
  (void)better;
}

static int mini_cancelled(const bh_host *host) {
  (void)host;
  return 0;
}

static bh_status mini_pin(const bh_host *host, const char *policy, uint32_t worker, uint32_t workers) {
  BhMiniHost *mini = host->cell;
  g_atomic_int_inc(&mini->pinned);
  if (!policy || worker >= workers)
    return mini_stop(host, BH_FAIL, "pin was called with policy '%s', worker %u of %u", policy ? policy : "(null)",
                     worker, workers);
  return BH_OK;
}

BhMiniHost *bh_mini_host_new(const char *scratch_dir) {
  BhMiniHost *mini = mmap(NULL, sizeof *mini, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (mini == MAP_FAILED)
    g_error("cannot allocate %zu bytes of shared memory", sizeof *mini);
  mini->host = (bh_host){
      .size = sizeof(bh_host),
      .abi = BH_ABI,
      .cell = mini,
      .seed = 42,
      .data_dir = g_getenv("BENCHHOST_DATA"),
      .scratch_dir = scratch_dir,
      .cores = g_get_num_processors(),
      .stop = mini_stop,
      .log = mini_log,
      .fact = mini_fact,
      .phase = mini_phase,
      .metric = mini_metric,
      .cancelled = mini_cancelled,
      .pin = mini_pin,
      .now_ns = bh_clock_now_ns,
  };
  return mini;
}

void bh_mini_host_free(BhMiniHost *mini) {
  if (mini)
    munmap(mini, sizeof *mini);
}

const char *bh_mini_host_reason(const BhMiniHost *mini) {
  return g_atomic_int_get(&mini->stopped) == 2 && mini->reason[0] ? mini->reason : NULL;
}

void bh_mini_host_reset(BhMiniHost *mini) {
  mini->status = BH_OK;
  mini->reason[0] = '\0';
  g_atomic_int_set(&mini->stopped, 0);
}
