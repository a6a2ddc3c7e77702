/* Tests of base/group_flow.h in one process, which is process 1 of three: a way made for the tests
 * brings what the other two would send, late and in no order. tests/cli/mpi_train.sh has real ones. */
#include "base/bf16.h"
#include "base/group.h"
#include "base/group_flow.h"
#include "base/group_way.h"
#include "base/memory.h"
#include "tests/expect.h"
#include "tests/suite.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { SIZE = 3, RANK = 1, LENGTH = 1000, PIECES = 21, COUNT = PIECES * LENGTH - 7 };

static Error error; /* of the last call */

/* Of every process, the numbers; the bits that their sums must have. */
static float terms[SIZE][COUNT], sums[COUNT];
/* The same as they go over the wire as bfloat16. */
static uint16_t rounded_terms[SIZE][COUNT], rounded_sums[COUNT];
static FlowNumbers numbers;
/* What process 1 works on. */
static float values[COUNT];
/* How many pieces were dealt and spread, and how often the test was asked whether one is over. */
static int dealt, spread, asked;
/* What is on its way: it is brought when it is over. */
typedef struct Moving {
    bool is_deal;
    int piece;
    const char *from;
    char *to;
    size_t starts[SIZE + 1];
} Moving;

static Moving *begin(bool is_deal, int piece, const void *from, void *to, const size_t *starts)
{
    Moving *m = memory_small(1, sizeof *m);
    *m = (Moving){.is_deal = is_deal, .piece = piece, .from = from, .to = to};
    memcpy(m->starts, starts, sizeof m->starts);
    return m;
}

static void *fake_deal(const void *from, const size_t *starts, void *to)
{
    return begin(true, dealt++, from, to, starts);
}

static void *fake_spread(void *data, const size_t *starts)
{
    return begin(false, spread++, NULL, data, starts);
}

/* What process q sends from place `at` on. */
static const void *sent(bool is_deal, int q, size_t at)
{
    if (numbers == FLOW_F32)
        return is_deal ? &terms[q][at] : &sums[at];
    return is_deal ? &rounded_terms[q][at] : &rounded_sums[at];
}

static void bring(const Moving *m)
{
    const size_t first = (size_t)m->piece * LENGTH;
    const size_t unit = numbers == FLOW_F32 ? sizeof(float) : sizeof(uint16_t);
    const size_t own = m->starts[RANK + 1] - m->starts[RANK];
    for (int q = 0; q < SIZE; q++) {
        char *to = m->to + (m->is_deal ? (size_t)q * own : m->starts[q]);
        const size_t part = m->is_deal ? RANK : (size_t)q, at = first + m->starts[part] / unit;
        const size_t bytes = m->starts[part + 1] - m->starts[part];
        if (m->is_deal && q == RANK)
            memcpy(to, m->from + m->starts[RANK], bytes);
        else if (m->is_deal || q != RANK)
            memcpy(to, sent(m->is_deal, q, at), bytes);
    }
}

static bool fake_over(void *moving, bool wait)
{
    if (!wait && ++asked % 3 != 0)
        return false;
    bring(moving);
    memory_free(moving);
    return true;
}

/* The sum of rounded terms, in the order of the processes, rounded. */
static uint16_t rounded_sum(int i)
{
    float sum = bf16_to_float(rounded_terms[0][i]);
    for (int q = 1; q < SIZE; q++)
        sum += bf16_to_float(rounded_terms[q][i]);
    return bf16_from_float(sum);
}

static void start(FlowNumbers as)
{
    static GroupWay way;
    numbers = as;
    way = group_serial;
    way.rank = RANK;
    way.size = SIZE;
    way.deal = fake_deal;
    way.spread = fake_spread;
    way.over = fake_over;
    group_use(&way);
    dealt = spread = 0;
    for (int i = 0; i < COUNT; i++) {
        for (int q = 0; q < SIZE; q++)
            terms[q][i] = (float)((i * 7919 + q * 104729) % 100003) / 977.0f - 50.0f;
        sums[i] = (terms[0][i] + terms[1][i]) + terms[2][i];
        values[i] = terms[RANK][i];
        for (int q = 0; q < SIZE; q++)
            rounded_terms[q][i] = bf16_from_float(terms[q][i]);
        rounded_sums[i] = rounded_sum(i);
    }
    assert_ok(group_flow_reserve(LENGTH, &error));
}

static size_t length_of(int piece)
{
    return piece < PIECES - 1 ? LENGTH : COUNT - (PIECES - 1) * LENGTH;
}

static void sum_all(void)
{
    for (int p = 0; p < PIECES; p++)
        group_flow_begin(values + (size_t)p * LENGTH, length_of(p), numbers);
    group_flow_end();
    ck_assert_int_eq(dealt, PIECES);
    ck_assert_int_eq(spread, PIECES);
}

START_TEST(sums_are_those_from_the_left)
{
    start(FLOW_F32);
    sum_all();
    for (int i = 0; i < COUNT; i++)
        ck_assert_float_eq(values[i], sums[i]);
}
END_TEST

/* The bits that the other processes have, in the part of this one too. */
START_TEST(rounded_sums_are_the_same_everywhere)
{
    start(FLOW_BF16);
    sum_all();
    for (int i = 0; i < COUNT; i++)
        ck_assert_float_eq(values[i], bf16_to_float(rounded_sums[i]));
}
END_TEST

/* The bound of group_flow.h: twice half a unit of the last of 8 bits, and the roundings in float32. */
START_TEST(rounded_sums_are_near_the_sums)
{
    double worst = 0;
    start(FLOW_BF16);
    sum_all();
    for (int i = 0; i < COUNT; i++) {
        double sum = 0, size = 0;
        for (int q = 0; q < SIZE; q++) {
            sum += (double)terms[q][i];
            size += fabs((double)terms[q][i]);
        }
        const double error_here = fabs(values[i] - sum);
        if (!(error_here <= (0x1p-7 + 0x1p-16 + SIZE * (double)FLT_EPSILON) * size))
            ck_abort_msg("sum %d: %.9g, expected %.9g", i, (double)values[i], sum);
        worst = fmax(worst, size > 0 ? error_here / size : 0);
    }
    ck_assert_double_gt(worst, 0x1p-9); /* numbers were rounded */
}
END_TEST

START_TEST(no_number_stays_none)
{
    start(FLOW_BF16);
    for (int q = 0; q < SIZE; q++)
        rounded_terms[q][0] = bf16_from_float(q == 2 ? NAN : 1);
    values[COUNT - 1] = INFINITY;
    rounded_terms[RANK][COUNT - 1] = bf16_from_float(INFINITY);
    rounded_sums[0] = rounded_sum(0);
    rounded_sums[COUNT - 1] = rounded_sum(COUNT - 1);
    sum_all();
    ck_assert(isnan(values[0]) && isinf(values[COUNT - 1]));
}
END_TEST

START_TEST(a_group_of_one_sends_nothing)
{
    float own[2] = {1, 2.0001f};
    group_use(&group_serial);
    assert_ok(group_flow_reserve(2, &error));
    group_flow_begin(own, 2, FLOW_BF16);
    group_flow_advance();
    group_flow_end();
    ck_assert_float_eq(own[1], 2.0001f);
}
END_TEST

SUITE_MAIN("group_flow", sums_are_those_from_the_left, rounded_sums_are_the_same_everywhere,
           rounded_sums_are_near_the_sums, no_number_stays_none, a_group_of_one_sends_nothing)
