/* SPDX-License-Identifier: MIT
 *
 * benchhost/wait.h - one way to wait, for threads and for processes: spin or sleep until a 32-bit word changes.
 * Optional: plugin.h alone is the contract; this header (C11 with gnu11 or _GNU_SOURCE, Linux, no library) is for
 * backends that would rather not write it again. A gate may lie in memory shared between processes: futexes here are
 * never process-private there.
 *
 * Every wait can be ended from outside: by an abort word, and by a poll function that is called every few milliseconds
 * of waiting (is the child I wait for still alive?). So nothing built on this waits for the dead.
 */
#ifndef BENCHHOST_WAIT_H
#define BENCHHOST_WAIT_H
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A word that some wait for, alone on its cache line with what is published by setting it. */
typedef struct {
  _Alignas(64) _Atomic uint32_t word;
  _Atomic uint32_t sleepers; /* waiters inside futex(2); a setter that reads 0 makes no system call */
  uint32_t payload[14];      /* plain data: written before bh_gate_set, read after the wait */
} bh_gate;

/* How to wait. Fill with bh_waiter_make. */
typedef struct {
  uint32_t spins;              /* pauses before the kernel is asked to let others run: a microsecond or two */
  uint32_t rounds;             /* pauses between two sched_yield after that */
  uint32_t yields;             /* block: how many sched_yield before it sleeps */
  uint32_t block;              /* 1: sleep in the end; 0: go on with sched_yield and pauses */
  uint32_t shared;             /* 1: gates lie in memory shared between processes */
  _Atomic uint32_t *abort;     /* nonzero ends every wait; NULL: none */
  int (*poll)(void *poll_arg); /* nonzero ends the wait; called about every 1 (spin) to 20 ms (block); NULL: none */
  void *poll_arg;
} bh_waiter;

/* A sleeping waiter looks at `abort` and `poll` this often. */
#define BH_WAIT_TICK_NS 20000000L

static inline void bh_wait_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("isb" ::: "memory");
#else
  __asm__ __volatile__("" ::: "memory");
#endif
}

/* `crowded`: more waiters than cores, so whoever spins keeps the one it waits for from running. */
static inline bh_waiter bh_waiter_make(int block, int shared, int crowded) {
  bh_waiter waiter = {0};
  waiter.block = block != 0;
  waiter.shared = shared != 0;
  /* Measured with tests/peers/dispatch. Whom we wait for may need this very core, even where there are enough of them:
   * so nobody spins for long without offering it (a handover by sched_yield costs 1 us, by futexes 7 us). And waking a
   * sleeper on another, halted core takes up to 30 us: who sleeps earlier than that makes the next one sleep too, and a
   * pool that could answer in 0.1 us stays at 30. Together: about 1 us of pauses, then 10 to 20 us of yields, then
   * sleep. */
  waiter.spins = crowded ? 0 : 40;
  waiter.rounds = crowded ? 0 : 10;
  waiter.yields = 16;
  return waiter;
}

static inline long bh_wait_futex(bh_gate *gate, int operation, uint32_t value, int shared,
                                 const struct timespec *timeout) {
  if (!shared)
    operation |= FUTEX_PRIVATE_FLAG;
  return syscall(SYS_futex, (void *)&gate->word, operation, value, timeout, NULL, 0);
}

/* 1: the wait is over. `equal`: for `value`; else for anything but it. */
static inline int bh_gate_open(bh_gate *gate, uint32_t value, int equal, memory_order order) {
  uint32_t now = order == memory_order_seq_cst ? atomic_load_explicit(&gate->word, memory_order_seq_cst)
                                               : atomic_load_explicit(&gate->word, memory_order_acquire);
  return (now == value) == equal;
}

static inline int bh_wait_aborted(const bh_waiter *waiter) {
  return waiter->abort && atomic_load_explicit(waiter->abort, memory_order_acquire) != 0;
}

/* Whether to give up. The gate is looked at last: what opened before the abort still counts as open. */
static inline int bh_wait_over(bh_gate *gate, uint32_t value, int equal, const bh_waiter *waiter, int ask) {
  if (!bh_wait_aborted(waiter) && !(ask && waiter->poll && waiter->poll(waiter->poll_arg)))
    return 0;
  return !bh_gate_open(gate, value, equal, memory_order_acquire);
}

static inline int bh_wait_asleep(bh_gate *gate, uint32_t value, int equal, const bh_waiter *waiter) {
  int given_up = 0;
  atomic_fetch_add_explicit(&gate->sleepers, 1, memory_order_seq_cst);
  for (;;) {
    /* seq_cst pairs with bh_gate_wake: either the setter sees the sleeper or the sleeper sees the new word. */
    uint32_t now = atomic_load_explicit(&gate->word, memory_order_seq_cst);
    if ((now == value) == equal)
      break;
    if ((given_up = bh_wait_over(gate, value, equal, waiter, 0)) != 0)
      break;
    struct timespec tick = {0, BH_WAIT_TICK_NS};
    if (bh_wait_futex(gate, FUTEX_WAIT, now, (int)waiter->shared, &tick) == -1 && errno == ETIMEDOUT)
      if ((given_up = bh_wait_over(gate, value, equal, waiter, 1)) != 0)
        break;
  }
  atomic_fetch_sub_explicit(&gate->sleepers, 1, memory_order_relaxed);
  return given_up;
}

static inline int bh_wait_yielding(bh_gate *gate, uint32_t value, int equal, const bh_waiter *waiter) {
  for (uint32_t round = 1; !waiter->block || round <= waiter->yields; round++) {
    sched_yield();
    for (uint32_t i = 0; i <= waiter->rounds; i++) {
      if (bh_gate_open(gate, value, equal, memory_order_acquire))
        return 0;
      bh_wait_pause();
    }
    if (bh_wait_over(gate, value, equal, waiter, round % 1024 == 0))
      return 1;
  }
  return bh_wait_asleep(gate, value, equal, waiter);
}

/* 0: the gate opened; what was written before it was set is visible. Nonzero: aborted, or `poll` said so. */
static inline int bh_gate_wait(bh_gate *gate, uint32_t value, int equal, const bh_waiter *waiter) {
  for (uint32_t i = 0; i <= waiter->spins; i++) {
    if (bh_gate_open(gate, value, equal, memory_order_acquire))
      return 0;
    bh_wait_pause();
  }
  return bh_wait_yielding(gate, value, equal, waiter);
}

static inline int bh_gate_wait_for(bh_gate *gate, uint32_t value, const bh_waiter *waiter) {
  return bh_gate_wait(gate, value, 1, waiter);
}
static inline int bh_gate_wait_change(bh_gate *gate, uint32_t seen, const bh_waiter *waiter) {
  return bh_gate_wait(gate, seen, 0, waiter);
}

/* After the word was changed by a seq_cst operation. */
static inline void bh_gate_wake(bh_gate *gate, const bh_waiter *waiter) {
  if (waiter->block && atomic_load_explicit(&gate->sleepers, memory_order_seq_cst) != 0)
    bh_wait_futex(gate, FUTEX_WAKE, INT_MAX, (int)waiter->shared, NULL);
}

/* All waiters of a gate must wait in the same manner (`block`) as its setters assume. */
static inline void bh_gate_set(bh_gate *gate, uint32_t value, const bh_waiter *waiter) {
  if (!waiter->block) {
    atomic_store_explicit(&gate->word, value, memory_order_release);
    return;
  }
  atomic_store_explicit(&gate->word, value, memory_order_seq_cst);
  bh_gate_wake(gate, waiter);
}

/* Adds (or subtracts: UINT32_MAX) and wakes those who wait for any change. */
static inline uint32_t bh_gate_add(bh_gate *gate, uint32_t delta, const bh_waiter *waiter) {
  uint32_t now = atomic_fetch_add_explicit(&gate->word, delta, memory_order_seq_cst) + delta;
  bh_gate_wake(gate, waiter);
  return now;
}

/* Counts down and wakes only when 0 is reached: the last of many that are waited for. */
static inline void bh_gate_count_down(bh_gate *gate, const bh_waiter *waiter) {
  if (atomic_fetch_sub_explicit(&gate->word, 1, memory_order_seq_cst) == 1)
    bh_gate_wake(gate, waiter);
}
#endif
