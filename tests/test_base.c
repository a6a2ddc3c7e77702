/* Tests of lib/base: errors, memory, interrupts. (The command line: test_options.c. Progress:
 * test_progress.c.) */
#include "tests/suite.h"

#include "base/error.h"
#include "base/interrupt.h"
#include "base/memory.h"
#include "tests/scratch.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined __SANITIZE_ADDRESS__
#define ADDRESS_SANITIZER 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#endif

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

/* -- error ----------------------------------------------------------------------------------- */

START_TEST(errors_have_a_kind_and_take_a_prefix)
{
    Error error = {0};
    ck_assert(!error_runtime(&error, "disk %s is full", "sda"));
    ck_assert_int_eq(error.kind, ERROR_RUNTIME);
    ck_assert_str_eq(error.message, "disk sda is full");

    ck_assert(!error_input(&error, "expected %d", 3));
    ck_assert_int_eq(error.kind, ERROR_INPUT);
    ck_assert(!error_prefix(&error, "%s:%d", "a.yaml", 7));
    ck_assert_int_eq(error.kind, ERROR_INPUT);
    ck_assert_str_eq(error.message, "a.yaml:7: expected 3");

    /* The exit codes are public. */
    ck_assert_int_eq(ERROR_RUNTIME, 1);
    ck_assert_int_eq(ERROR_INPUT, 2);
}
END_TEST

START_TEST(error_is_one_printable_line)
{
    Error error = {0};
    error_input(&error, "got \"%s\"", "a\nb\r\033[31mred\x7f \xc2\x9b g\xc3\xbcnstig");
    ck_assert_str_eq(error.message, "got \"a?b??[31mred? ?\x9b g\xc3\xbcnstig\"");
    error_prefix(&error, "%s", "x\ny");
    ck_assert_ptr_null(strchr(error.message, '\n'));
}
END_TEST

START_TEST(error_cuts_what_is_too_long)
{
    Error error = {0};
    char text[3 * sizeof error.message];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    error_input(&error, "%s", text);
    ck_assert_uint_eq(strlen(error.message), sizeof error.message - 1);
    error_prefix(&error, "where");
    ck_assert_uint_eq(strlen(error.message), sizeof error.message - 1);
    ck_assert(strncmp(error.message, "where: xxx", 10) == 0);
    error_prefix(&error, "%s", text);
    ck_assert_uint_eq(strlen(error.message), sizeof error.message - 1);
}
END_TEST

/* -- memory ---------------------------------------------------------------------------------- */

START_TEST(memory_large_is_aligned_and_zero)
{
    Error error = {0};
    for (size_t count = 0; count < 200; count += 13) {
        float *values = memory_large(count, sizeof *values, "values", &error);
        ck_assert_ptr_nonnull(values);
        ck_assert_uint_eq((uintptr_t)values % MEMORY_ALIGNMENT, 0);
        for (size_t i = 0; i < count; i++) {
            ck_assert(values[i] == 0);
            values[i] = 1; /* so that the next block is not zero by chance */
        }
        memory_free(values);
    }
}
END_TEST

START_TEST(memory_unset_is_aligned_and_counts_like_memory_large)
{
    Error error = {0};
    for (size_t count = 0; count < 200; count += 13) {
        float *values = memory_unset(count, sizeof *values, "values", &error);
        ck_assert_ptr_nonnull(values);
        ck_assert_uint_eq((uintptr_t)values % MEMORY_ALIGNMENT, 0);
        for (size_t i = 0; i < count; i++)
            values[i] = 1;
        memory_free(values);
    }
    ck_assert_ptr_null(memory_unset(SIZE_MAX / 2, 3, "the images", &error));
    ck_assert_int_eq(error.kind, ERROR_RUNTIME);
}
END_TEST

START_TEST(memory_large_refuses_overflow)
{
    Error error = {0};
    ck_assert_ptr_null(memory_large(SIZE_MAX / 2, 3, "the images", &error));
    ck_assert_int_eq(error.kind, ERROR_RUNTIME);
    ck_assert(strncmp(error.message, "the images: ", 12) == 0);
    ck_assert_ptr_null(memory_large(SIZE_MAX, 1, "rounding up", &error));
    ck_assert_ptr_null(memory_large(SIZE_MAX / 2 - 10, 1, "beyond PTRDIFF_MAX", &error));
    ck_assert_ptr_null(memory_large(2, SIZE_MAX / 2 + 1, "product is 0", &error));
}
END_TEST

/* More than any processor's addresses reach (57 bits), so that it is wanting on every machine, emulated ones and
 * those that promise more memory than they have. */
START_TEST(memory_large_reports_exhaustion)
{
#ifndef ADDRESS_SANITIZER /* it ends the program */
    Error error = {0};
    ck_assert_ptr_null(memory_large((size_t)1 << 50, 1024, "the images", &error));
    ck_assert_int_eq(error.kind, ERROR_RUNTIME);
    ck_assert_str_eq(error.message, "the images: not enough memory for 1099511627776.0 MiB");
#endif
}
END_TEST

START_TEST(small_memory_grows_and_holds_texts)
{
    int *items = memory_small(0, sizeof *items);
    ck_assert_ptr_nonnull(items);
    for (int i = 0; i < 1000; i++) {
        items = memory_grow(items, (size_t)i + 1, sizeof *items);
        items[i] = i;
    }
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(items[i], i);
    memory_free(items);

    char *text = memory_format("%s.%d", "down", 3);
    ck_assert_str_eq(text, "down.3");
    char *copy = memory_string(text);
    ck_assert_str_eq(copy, text);
    ck_assert_ptr_ne(copy, text);
    memory_free(text);
    memory_free(copy);
    ck_assert_ptr_null(memory_string(NULL));
    memory_free(NULL);
}
END_TEST

/* -- Without memory --------------------------------------------------------------------------- */

#ifndef VARHEAD_NO_DISPATCH /* the sanitizers' allocator does not refuse */
static void say_on_stderr(size_t count, size_t size)
{
    fprintf(stderr, "no memory for %zu x %zu", count, size);
}

/* said := the words of a process that asks for more small memory than there can be, and is ended by abort(). */
static void ask_for_too_much(void (*say)(size_t count, size_t size), char *said, size_t size)
{
    const struct rlimit no_core = {0, 0};
    int words[2], status = 0;
    ck_assert_int_eq(pipe(words), 0);
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &no_core);
        dup2(words[1], STDERR_FILENO);
        close(words[1]);
        memory_at_end(say);
        signal(SIGABRT, SIG_DFL);
        memory_small(SIZE_MAX / 4, 2);
        _exit(0);
    }
    close(words[1]);
    ssize_t length = read(words[0], said, size - 1);
    said[length > 0 ? length : 0] = '\0';
    close(words[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
#endif

START_TEST(without_memory_a_library_ends_without_a_word)
{
#ifdef VARHEAD_NO_DISPATCH
    suite_skips("an allocator that refuses, which sanitizers replace");
#else
    char said[256];
    ask_for_too_much(NULL, said, sizeof said);
    /* An emulator of processors has a word of its own at abort(). */
    ck_assert_msg(said[0] == '\0' || strncmp(said, "qemu: ", 6) == 0, "said: %s", said);
    ask_for_too_much(say_on_stderr, said, sizeof said);
    ck_assert_ptr_nonnull(strstr(said, "no memory for "));
#endif
}
END_TEST

/* -- interrupt ------------------------------------------------------------------------------- */

START_TEST(interrupt_sets_a_flag)
{
    interrupt_install();
    ck_assert_int_eq(interrupt_requested(), 0);
    ck_assert_int_eq(interrupt_exit_code(), 0);
    raise(SIGTERM);
    ck_assert_int_eq(interrupt_requested(), SIGTERM);
    ck_assert_int_eq(interrupt_exit_code(), 143);
}
END_TEST

START_TEST(sigint_counts_where_a_shell_ignores_it)
{
    signal(SIGINT, SIG_IGN); /* as a shell script does for its background jobs */
    interrupt_install();
    raise(SIGINT);
    ck_assert_int_eq(interrupt_requested(), SIGINT);
    ck_assert_int_eq(interrupt_exit_code(), 130);
}
END_TEST

START_TEST(interrupt_twice_exits)
{
    const struct {
        int first, second, code;
    } cases[] = {{SIGINT, SIGINT, 130}, {SIGTERM, SIGINT, 130}, {SIGINT, SIGTERM, 143}};
    for (int i = 0; i < COUNT(cases); i++) {
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            interrupt_install();
            raise(cases[i].first);
            raise(cases[i].second);
            _exit(99); /* not reached */
        }
        int status = 0;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFEXITED(status));
        ck_assert_int_eq(WEXITSTATUS(status), cases[i].code);
    }
}
END_TEST

START_TEST(file_size_limit_is_an_error)
{
    FILE *file = fopen(scratch_path("limited"), "w+");
    ck_assert_ptr_nonnull(file);

    /* In a process of its own: Check, too, writes to a file. */
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        interrupt_install();
        struct rlimit limit = {100, 100};
        char bytes[100] = {0};
        bool expected = setrlimit(RLIMIT_FSIZE, &limit) == 0 &&
                        write(fileno(file), bytes, 100) == 100 &&
                        write(fileno(file), bytes, 1) == -1 && errno == EFBIG;
        _exit(expected ? 0 : 1);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    fclose(file);
}
END_TEST

/* Under a sanitizer, aligned_alloc refuses sizes that are no multiple of the alignment. */
START_TEST(a_large_block_may_have_any_size)
{
    static const size_t sizes[] = {(8 << 20) - 1, 8 << 20, (8 << 20) + 1, (9 << 20) + 64};
    Error error;
    for (int i = 0; i < 4; i++) {
        unsigned char *block = memory_large(sizes[i], 1, "a block", &error);
        ck_assert_ptr_nonnull(block);
        ck_assert_uint_eq((uintptr_t)block % MEMORY_ALIGNMENT, 0);
        ck_assert(block[0] == 0 && block[sizes[i] / 2] == 0 && block[sizes[i] - 1] == 0);
        memory_free(block);
    }
}
END_TEST

SUITE_MAIN("base", a_large_block_may_have_any_size, errors_have_a_kind_and_take_a_prefix,
           error_is_one_printable_line, error_cuts_what_is_too_long,
           memory_large_is_aligned_and_zero, memory_unset_is_aligned_and_counts_like_memory_large,
           memory_large_refuses_overflow, memory_large_reports_exhaustion,
           small_memory_grows_and_holds_texts, without_memory_a_library_ends_without_a_word,
           interrupt_sets_a_flag, sigint_counts_where_a_shell_ignores_it, interrupt_twice_exits,
           file_size_limit_is_an_error)
