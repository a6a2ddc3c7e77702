/* Calls that must succeed, and calls that must fail with the right line. */
#pragma once

#include "base/error.h"

#include <check.h>
#include <string.h>

/* Of the last call; what the calls below are given. */
static Error error;

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        error.message[0] = '\0';                                                                   \
        if (!(call))                                                                               \
            ck_abort_msg("%s", error.message);                                                     \
    } while (0)

/* The call fails with an error of that kind whose message contains the text. */
#define assert_fails_as(call, expected_kind, text)                                                 \
    do {                                                                                           \
        error = (Error){0};                                                                        \
        ck_assert_msg(!(call), "no error where expected: %s", text);                               \
        ck_assert_int_eq(error.kind, expected_kind);                                               \
        ck_assert_msg(strstr(error.message, text) != NULL, "\"%s\" lacks \"%s\"", error.message,   \
                      text);                                                                       \
    } while (0)

/* Of something that the user can mend. */
#define assert_fails(call, text) assert_fails_as(call, ERROR_INPUT, text)
