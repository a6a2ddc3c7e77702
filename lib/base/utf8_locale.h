/* Characters in UTF-8, for one thread and for the time of a few calls.
 *
 * libarchive gives no name that the locale can't say. The programs have the locale C, and a program
 * that uses the library has its own, which has to stay.
 */
#pragma once

#include <locale.h>

/* (locale_t)0 where the system has no such locale. The caller frees it by utf8_locale_free, which is
 * fine with 0. */
static inline locale_t utf8_locale_new(void)
{
    return newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

static inline void utf8_locale_free(locale_t utf8)
{
    if (utf8)
        freelocale(utf8);
}

/* Gives the locale that the thread had, which utf8_locale_leave gives back to it. */
static inline locale_t utf8_locale_enter(locale_t utf8)
{
    return utf8 ? uselocale(utf8) : (locale_t)0;
}

static inline void utf8_locale_leave(locale_t before)
{
    if (before)
        uselocale(before);
}
