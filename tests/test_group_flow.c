/* Tests of base/group_flow.h in one process, which is process 1 of three: a way made for the tests
 * brings what the other two would send, late and in no order. tests/cli/mpi_train.sh has real ones. */
#include "base/group.h"
#include "base/group_flow.h"
#include "base/group_way.h"
#include "base/memory.h"
#include "tests/expect.h"
#include "tests/suite.h"

#include <string.h>

enum { SIZE = 3, RANK = 1, LENGTH = 1000, PIECES = 21, COUNT = PIECES * LENGTH - 7 };

static Error error; /* of the last call */

/* Of every process, the numbers; the bits that their sums must have. */
static float terms[SIZE][COUNT], sums[COUNT];
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

static void bring(const Moving *m)
{
    const size_t first = (size_t)m->piece * LENGTH;
    const size_t own = m->starts[RANK + 1] - m->starts[RANK];
    for (int q = 0; q < SIZE; q++) {
        char *to = m->to + (m->is_deal ? (size_t)q * own : m->starts[q]);
        const size_t part = m->is_deal ? RANK : (size_t)q,
                     at = first + m->starts[part] / sizeof(float);
        const size_t bytes = m->starts[part + 1] - m->starts[part];
        if (m->is_deal && q == RANK)
            memcpy(to, m->from + m->starts[RANK], bytes);
        else if (m->is_deal || q != RANK)
            memcpy(to, m->is_deal ? &terms[q][at] : &sums[at], bytes);
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

static void start(void)
{
    static GroupWay way;
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
    }
    assert_ok(group_flow_reserve(LENGTH, &error));
}

static size_t length_of(int piece)
{
    return piece < PIECES - 1 ? LENGTH : COUNT - (PIECES - 1) * LENGTH;
}

START_TEST(sums_are_those_from_the_left)
{
    start();
    for (int p = 0; p < PIECES; p++)
        group_flow_begin(values + (size_t)p * LENGTH, length_of(p));
    group_flow_end();
    ck_assert_int_eq(dealt, PIECES);
    ck_assert_int_eq(spread, PIECES);
    for (int i = 0; i < COUNT; i++)
        ck_assert_float_eq(values[i], sums[i]);
}
END_TEST

START_TEST(a_group_of_one_sends_nothing)
{
    float numbers[2] = {1, 2};
    group_use(&group_serial);
    assert_ok(group_flow_reserve(2, &error));
    group_flow_begin(numbers, 2);
    group_flow_advance();
    group_flow_end();
    ck_assert_float_eq(numbers[1], 2);
}
END_TEST

SUITE_MAIN("group_flow", sums_are_those_from_the_left, a_group_of_one_sends_nothing)
