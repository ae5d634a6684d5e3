/* SPDX-License-Identifier: MIT
 *
 * prime: primality by trial division, with items of equal cost (every item tests one number) or of very unequal cost
 * (item i tests i: most numbers fall at once, primes take sqrt(i)/2 divisions). Checked by methods that share nothing
 * with the kernel: a deterministic Miller-Rabin test, and a sieve.
 */
#include "prime.k.h"
#include "prime.k.inc"
#include <benchhost/plugin.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PRIME_LARGEST 2147302921u /* 46339^2: the next odd divisor's square still fits in 32 bits */
#define PRIME_TRIALS 4096u

static const bh_use prime_uses[] = {
    {.region = 0, .role = BH_OUT, .split = BH_BY_ITEM, .stride_bytes = sizeof(uint32_t)}};
static const bh_kernel prime_kernels[] = {
    {.name = "prime", BH_KERNEL_DEVICE(prime, prime_source), .uses = prime_uses, .n_uses = 1}};

typedef struct {
  const bh_host *host;
  prime_params params;
  bh_region region;
  bh_loop loop;
} prime_state;

enum { P_N, P_COST, P_NUMBER };

static bh_status prime_open(const bh_host *h, const bh_value *values, bh_problem *ret_problem, void **ret_state) {
  prime_state *s = calloc(1, sizeof *s);
  if (!s)
    return h->stop(h, BH_OUT_OF_MEMORY, "no memory for the workload's state");
  uint64_t n = (uint64_t)values[P_N].i;
  s->host = h;
  s->params = (prime_params){.variable = values[P_COST].i == 1, .number = (uint32_t)values[P_NUMBER].i};
  s->region =
      (bh_region){.name = "answers", .role = BH_OUT, .split = BH_WHOLE, .dtype = BH_U32, .bytes = n * sizeof(uint32_t)};
  s->loop = (bh_loop){.uneven = s->params.variable, .items = n, .params = &s->params, .params_bytes = sizeof s->params};
  *ret_problem = (bh_problem){.size = ret_problem->size,
                              .regions = &s->region,
                              .n_regions = 1,
                              .kernels = prime_kernels,
                              .n_kernels = 1,
                              .loops = &s->loop,
                              .n_loops = 1,
                              .items = (double)n,
                              .item_unit = "numbers"};
  *ret_state = s;
  return BH_OK;
}

static uint64_t prime_power(uint64_t base, uint64_t exponent, uint64_t modulus) {
  uint64_t result = 1;
  for (base %= modulus; exponent; exponent >>= 1, base = base * base % modulus) /* modulus < 2^32: no overflow */
    if (exponent & 1)
      result = result * base % modulus;
  return result;
}

/* Miller-Rabin with the bases 2, 3, 5, 7: exact below 3,215,031,751 (Jaeschke, 1993). */
static int prime_miller_rabin(uint64_t n) {
  static const uint64_t bases[] = {2, 3, 5, 7};
  uint64_t odd = n - 1;
  int twos = 0;
  if (n < 2)
    return 0;
  for (int k = 0; k < 4; k++)
    if (n % bases[k] == 0)
      return n == bases[k];
  for (; odd % 2 == 0; odd /= 2)
    twos++;
  for (int k = 0; k < 4; k++) {
    uint64_t x = prime_power(bases[k], odd, n);
    int round = 0;
    if (x == 1 || x == n - 1)
      continue;
    for (; round < twos - 1 && x != n - 1; round++)
      x = x * x % n;
    if (x != n - 1)
      return 0;
  }
  return 1;
}

/* Sieve of Eratosthenes: byte i is 1 where i < n is composite, 0 or 1. Caller frees; NULL: out of memory. */
static unsigned char *prime_sieve(uint64_t n) {
  unsigned char *composite = calloc(n + 2, 1);
  if (!composite)
    return NULL;
  composite[0] = composite[1] = 1;
  for (uint64_t d = 2; d * d < n; d++)
    if (!composite[d])
      for (uint64_t m = d * d; m < n; m += d)
        composite[m] = 1;
  return composite;
}

/* With cost: equal one answer is right for all items, and a kernel that skips divisors gives it too. So the timed code
 * is also asked about numbers that tell: all small ones, and the neighbours of `number`. */
static bh_status prime_check_code(const prime_state *s) {
  uint32_t answers[PRIME_TRIALS];
  void *regions[] = {answers};
  prime_params params = {.variable = 1};
  const bh_args args = {.region = regions, .params = &params, .workers = 1};
  uint32_t near = s->params.number < 8 ? 0 : s->params.number - 8;
  prime(&args, 0, PRIME_TRIALS);
  for (uint32_t i = 0; i < PRIME_TRIALS + 16; i++) {
    uint32_t n = i < PRIME_TRIALS ? i : near + (i - PRIME_TRIALS);
    uint32_t expected = n * 2 + (uint32_t)prime_miller_rabin(n);
    uint32_t found = i < PRIME_TRIALS ? answers[i] : prime_answer(n, params);
    if (n <= PRIME_LARGEST && found != expected)
      return s->host->stop(s->host, BH_WRONG,
                           "the kernel, asked about %" PRIu32 " besides the run: expected %" PRIu32
                           " (2 * number + 1 if prime), found %" PRIu32,
                           n, expected, found);
  }
  return BH_OK;
}

static bh_status prime_verify(void *state, void *const *region, uint32_t workers) {
  const prime_state *s = state;
  const uint32_t *answers = region[0];
  uint64_t n = s->loop.items;
  unsigned char *composite = NULL;
  uint32_t equal = (uint32_t)prime_miller_rabin(s->params.number);
  bh_status status = prime_check_code(s);
  (void)workers;
  if (status != BH_OK)
    return status;
  if (s->params.variable && !(composite = prime_sieve(n)))
    return s->host->stop(s->host, BH_OUT_OF_MEMORY, "the sieve for verification needs %" PRIu64 " bytes", n);
  for (uint64_t i = 0; i < n && status == BH_OK; i++) {
    uint32_t expected = (uint32_t)i * 2 + (composite ? !composite[i] : equal);
    uint64_t tested = composite ? i : s->params.number;
    if (answers[i] == expected)
      continue;
    if (answers[i] >> 1 == (uint32_t)i)
      status = s->host->stop(s->host, BH_WRONG, "item %" PRIu64 ": is %" PRIu64 " prime? expected %s, found %s", i,
                             tested, expected & 1 ? "yes" : "no", answers[i] & 1 ? "yes" : "no");
    else
      status = s->host->stop(s->host, BH_WRONG,
                             "item %" PRIu64 ": expected %" PRIu32 " (2 * item + 1 if prime), found %" PRIu32, i,
                             expected, answers[i]);
  }
  free(composite);
  return status;
}

static void prime_close(void *state) {
  free(state);
}

static const bh_param prime_table[] = {
    {.name = "n",
     .type = BH_INT,
     .fallback = "1000",
     .unit = "numbers",
     .help = "how many tests",
     .min = 0,
     .max = 1e9},
    {.name = "cost",
     .type = BH_CHOICE,
     .fallback = "equal",
     .choices = "equal|variable",
     .help = "equal: every item tests `number`; variable: item i tests i, so that costs differ by up to sqrt(n)/2"},
    {.name = "number",
     .type = BH_INT,
     .fallback = "9999991",
     .help = "what is tested with cost: equal; a prime costs sqrt(number)/2 divisions",
     .min = 0,
     .max = PRIME_LARGEST},
    {.name = NULL}};

static const bh_workload prime_workload = {
    .size = sizeof(bh_workload), .open = prime_open, .verify = prime_verify, .close = prime_close};

const bh_plugin_info bh_plugin = {
    BH_PLUGIN_HEAD,        .name = "prime",
    .version = "0.1.0",    .summary = "primality by trial division: pure computation, of equal or unequal cost",
    .params = prime_table, .workload = &prime_workload};
