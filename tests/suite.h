/* The frame of a test program: one suite of Check tests, one line of result.
 *
 * A suite is one file, tests/test_<name>.c:
 *
 *     #include "tests/suite.h"
 *
 *     START_TEST(two_and_two)
 *     {
 *         ck_assert_int_eq(2 + 2, 4);
 *     }
 *     END_TEST
 *
 *     SUITE_MAIN("arithmetic", two_and_two)
 *
 * The program runs from the root of the repository (golden files are found by the relative path
 * tests/golden/...). With an argument it runs only the tests whose names contain it:
 *
 *     build/tests/test_arithmetic two
 *
 * Check runs every test in a process of its own. So a crash or a hang fails one test and not the
 * suite. In a debugger set CK_FORK=no.
 */
#pragma once

#include "base/error.h"
#include "base/idle_threads.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Seconds for one test; a suite may define its own before it includes this file, and the variable
 * CK_TIMEOUT_MULTIPLIER stretches it. */
#ifndef SUITE_TIMEOUT
#define SUITE_TIMEOUT 120
#endif

/* For what cannot fail in a test: must(graph_finish(graph, &error), &error). */
static inline void must(bool done, const Error *error)
{
    ck_assert_msg(done, "%s", error->message);
}

/* Says that a check of this test can't run here for want of `need` ("AMX"): tests/run.sh counts such lines. */
static inline void suite_skips(const char *need)
{
    printf("skip: %s\n", need);
    fflush(stdout);
}

static inline int suite_run(const char *name, const TTest *const *tests, int count,
                            const char *only)
{
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, SUITE_TIMEOUT);
    for (int i = 0; i < count; i++) {
        if (only == NULL || strstr(tests[i]->name, only) != NULL)
            tcase_add_test(tcase, tests[i]);
    }
    suite_add_tcase(suite, tcase);

    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_SILENT);
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds =
        (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);

    int run = srunner_ntests_run(runner);
    int failed = srunner_ntests_failed(runner);
    if (failed > 0)
        srunner_print(runner, CK_NORMAL);
    if (run == 0)
        printf("no test of suite %s has \"%s\" in its name\n", name, only != NULL ? only : "");
    printf("%-22s %3d tests, %d failed, %.1f s\n", name, run, failed, seconds);
    srunner_free(runner);
    return run > 0 && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Ends the file: defines main(). The arguments after the name are the tests, in order. */
#define SUITE_MAIN(name, ...)                                                                      \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        const TTest *const tests[] = {__VA_ARGS__};                                                \
        int count = (int)(sizeof tests / sizeof tests[0]);                                         \
        idle_threads_sleep(argv);                                                                  \
        return suite_run(name, tests, count, argc > 1 ? argv[1] : NULL);                           \
    }
