/* Tests of base/group.h in one process: a group of one, and the shares of a group of any size. The
 * groups of mpirun are tested by tests/cli/mpi_*.sh. */
#include "base/group.h"
#include "base/group_watch.h"
#include "base/group_way.h"
#include "base/interrupt.h"
#include "tests/expect.h"
#include "tests/suite.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static Error error; /* of the last call */

/* Process `rank` of `size` as the front sees it. Only its numbers are asked for. */
static void become(GroupWay *way, int rank, int size)
{
    *way = group_serial;
    way->rank = rank;
    way->size = size;
    group_use(way);
}

START_TEST(a_group_of_one_has_everything)
{
    float floats[2] = {1, 2};
    double doubles[2] = {3, 4};
    const GroupShare share = group_share(7);
    ck_assert_int_eq(group_size(), 1);
    ck_assert(group_is_first());
    ck_assert_int_eq(share.first, 0);
    ck_assert_int_eq(share.count, 7);
    group_sum_floats(floats, 2);
    group_sum_doubles(doubles, 2);
    group_collect_doubles(doubles, 2);
    group_broadcast(doubles, sizeof doubles);
    group_gather(doubles, 2, sizeof *doubles);
    ck_assert_float_eq(floats[1], 2);
    ck_assert_double_eq(doubles[1], 4);
    ck_assert_int_eq(group_largest(-3), -3);
    ck_assert(group_any(true) && !group_any(false));
    group_barrier();
}
END_TEST

START_TEST(a_group_of_one_agrees_with_itself)
{
    assert_ok(group_agree(true, &error));
    error_input(&error, "no such file");
    ck_assert(!group_agree(false, &error));
    ck_assert_int_eq(error.kind, ERROR_INPUT);
    ck_assert_str_eq(error.message, "no such file");
}
END_TEST

START_TEST(shares_follow_one_another_and_differ_by_one_at_most)
{
    static GroupWay way;
    const int64_t counts[] = {0, 1, 5, 64, 1000003, INT64_C(1) << 40};
    for (int size = 1; size <= 9; size++)
        for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
            int64_t next = 0;
            for (int rank = 0; rank < size; rank++) {
                become(&way, rank, size);
                const GroupShare share = group_share(counts[c]);
                ck_assert_int_eq(share.first, next);
                ck_assert(share.count == counts[c] / size || share.count == counts[c] / size + 1);
                next += share.count;
            }
            ck_assert_int_eq(next, counts[c]);
        }
}
END_TEST

START_TEST(a_process_can_work_alone_for_a_while)
{
    static GroupWay way;
    become(&way, 2, 4);
    ck_assert(!group_is_first());
    ck_assert(!group_alone(true));
    ck_assert_int_eq(group_size(), 1);
    ck_assert(group_is_first());
    ck_assert(group_alone(false));
    ck_assert_int_eq(group_size(), 4);
}
END_TEST

START_TEST(a_shared_signal_counts_when_it_is_agreed_on)
{
    interrupt_install();
    interrupt_share();
    raise(SIGTERM);
    ck_assert_int_eq(interrupt_requested(), 0);
    ck_assert_int_eq(interrupt_received(), SIGTERM);
    interrupt_agree(SIGUSR1);
    interrupt_agree(SIGTERM);
    ck_assert_int_eq(interrupt_requested(), SIGUSR1);
    ck_assert_str_eq(interrupt_name(), "SIGUSR1");
}
END_TEST

START_TEST(a_signal_reaches_a_process_that_works_alone)
{
    static GroupWay way;
    become(&way, 0, 3);
    interrupt_install();
    interrupt_share();
    group_alone(true);
    raise(SIGTERM);
    ck_assert_int_eq(interrupt_requested(), 0);
    group_notice();
    ck_assert_int_eq(interrupt_requested(), SIGTERM);
}
END_TEST

static const char *say_it(double seconds)
{
    return seconds > 0 ? "the word" : NULL;
}

static atomic_int times_asked;

static const char *say_it_late(double seconds)
{
    return ++times_asked < 5 || seconds > 3600 ? NULL : "a late word";
}

/* A file that gets what goes to stderr from now on. */
static FILE *catch_errors(void)
{
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(dup2(fileno(file), STDERR_FILENO), 0);
    return file;
}

/* Waits for at most `seconds` until something is in the file. */
static size_t read_soon(FILE *file, char *text, size_t size, double seconds)
{
    size_t length = 0;
    for (double waited = 0; length == 0 && waited < seconds; waited += 0.02) {
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        rewind(file);
        length = fread(text, 1, size - 1, file);
    }
    text[length] = '\0';
    return length;
}

START_TEST(a_call_that_lasts_after_a_signal_is_told_of)
{
    char text[256];
    FILE *file = catch_errors();
    interrupt_install();
    group_watch_start(say_it);
    group_watch_enter(); /* without a signal a call may last */
    ck_assert_int_eq(read_soon(file, text, sizeof text, 0.7), 0);
    group_watch_leave();
    raise(SIGTERM); /* and with a signal there may be no call */
    ck_assert_int_eq(read_soon(file, text, sizeof text, 0.7), 0);
    group_watch_enter();
    ck_assert_int_gt(read_soon(file, text, sizeof text, 20), 0);
    group_watch_leave();
    ck_assert_ptr_nonnull(strstr(text, ": the word\n"));
    fclose(file);
}
END_TEST

/* As where all processes live: nothing is said, and the thread watches on. */
START_TEST(the_word_may_come_later)
{
    char text[256];
    FILE *file = catch_errors();
    interrupt_install();
    group_watch_start(say_it_late);
    raise(SIGTERM);
    group_watch_enter();
    ck_assert_int_gt(read_soon(file, text, sizeof text, 20), 0);
    group_watch_leave();
    ck_assert_int_eq(times_asked, 5);
    ck_assert_ptr_nonnull(strstr(text, ": a late word\n"));
    ck_assert_double_ge(group_watch_longest(), 0.4);
    fclose(file);
}
END_TEST

START_TEST(nothing_is_said_twice)
{
    char text[256];
    FILE *file = catch_errors();
    interrupt_install();
    group_watch_listen();
    group_watch_start(say_it);
    group_watch_tell(getpid()); /* as a process that has printed its error */
    ck_assert(group_watch_is_told());
    raise(SIGTERM);
    group_watch_enter();
    ck_assert_int_eq(read_soon(file, text, sizeof text, 1.5), 0);
    group_watch_leave();
    fclose(file);
}
END_TEST

SUITE_MAIN("group", a_signal_reaches_a_process_that_works_alone, the_word_may_come_later,
           nothing_is_said_twice, a_call_that_lasts_after_a_signal_is_told_of,
           a_group_of_one_has_everything, a_group_of_one_agrees_with_itself,
           shares_follow_one_another_and_differ_by_one_at_most,
           a_process_can_work_alone_for_a_while, a_shared_signal_counts_when_it_is_agreed_on)
