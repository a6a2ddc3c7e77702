/* Tests of lib/base: the output of progress, to a pipe and to terminals of all widths. */
#include "tests/suite.h"

#include "base/progress.h"
#include "base/standard_error.h"

#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The width of the terminal that stderr is; 0: it is none. The two functions by which a program learns this stand
 * here in the C library's place, since a terminal is not to be had everywhere (a chroot has no /dev/pts). A terminal
 * would also put a carriage return before each newline. */
static int width_of_terminal;

int isatty(int fd)
{
    return fd == STDERR_FILENO && width_of_terminal > 0;
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    ck_assert_int_eq(fd, STDERR_FILENO);
    ck_assert_uint_eq(request, TIOCGWINSZ);
    va_start(arguments, request);
    *va_arg(arguments, struct winsize *) =
        (struct winsize){.ws_row = 24, .ws_col = (unsigned short)width_of_terminal};
    va_end(arguments);
    return 0;
}

/* Time passes as the test says, on the slowest machine too. It begins anew with each text: Check measures by the same
 * clock, and can't count two hours. */
enum { BEGINNING = 1000 };
static double now = BEGINNING;

int clock_gettime(clockid_t clock, struct timespec *time)
{
    (void)clock;
    time->tv_sec = (time_t)now;
    time->tv_nsec = (long)((now - (double)time->tv_sec) * 1e9);
    return 0;
}

static void pass(double seconds)
{
    now += seconds;
}

/* What `work` writes to stderr. */
static void capture(void (*work)(void), char *text, size_t size)
{
    int ends[2];
    now = BEGINNING;
    ck_assert_int_eq(pipe(ends), 0);
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    work();
    fflush(stderr);

    /* Non-blocking: what is there is all there will be. */
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    size_t used = 0;
    ssize_t got;
    while (used < size - 1 && (got = read(ends[0], text + used, size - 1 - used)) > 0)
        used += (size_t)got;
    text[used] = '\0';
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[0]);
}

static void capture_pipe(void (*work)(void), char *text, size_t size)
{
    width_of_terminal = 0;
    capture(work, text, size);
}

static void capture_terminal(void (*work)(void), int width, char *text, size_t size)
{
    width_of_terminal = width;
    setenv("TERM", "xterm", 1);
    capture(work, text, size);
}

static int count_of(const char *text, char c)
{
    int count = 0;
    for (; *text != '\0'; text++)
        count += *text == c;
    return count;
}

static void run_to_the_end(void)
{
    Progress progress;
    progress_start(&progress, "stage 1", 0, 100, 64, "images/s", false);
    for (int step = 1; step <= 100; step++) {
        pass(1);
        progress_update(&progress, step, "loss %.2f", 200.0 - step);
    }
    progress_finish(&progress);
    progress_finish(&progress);
}

START_TEST(a_pipe_gets_plain_lines)
{
    char text[4000];
    capture_pipe(run_to_the_end, text, sizeof text);
    /* One at once, one every ten of the hundred seconds, one at the end. */
    ck_assert_int_eq(count_of(text, '\n'), 11);
    ck_assert_int_eq(count_of(text, '\r') + count_of(text, '\033'), 0);
    ck_assert(strncmp(text, "stage 1: 1 %  1/100  ", 21) == 0);
    ck_assert_ptr_nonnull(
        strstr(text, "stage 1: 51 %  51/100  64.0 images/s  loss 149.00  0:49 left\n"));
    ck_assert_ptr_nonnull(
        strstr(text, "stage 1: 100 %  100/100  64.0 images/s  loss 100.00  in 1:40\n"));
}
END_TEST

static void run_resumed(void)
{
    Progress progress;
    progress_start(&progress, "stage 2", 9000, 10000, 2, "images/s", false);
    pass(100);
    progress_update(&progress, 9100, "%s", "");
    pass(10);
    progress_update(&progress, 9110, "%s", "");
    progress_finish(&progress); /* stopped half-way; this has been said */
}

START_TEST(a_resumed_run_counts_its_own_steps)
{
    char text[4000];
    capture_pipe(run_resumed, text, sizeof text);
    /* One step a second in this run, however many an earlier one has done. */
    ck_assert_str_eq(text, "stage 2: 91 %  9100/10000  2.0 images/s  15:00 left\n"
                           "stage 2: 91 %  9110/10000  2.0 images/s  14:50 left\n");
}
END_TEST

static void run_slowing_down(void)
{
    Progress progress;
    progress_start(&progress, "stage 1", 0, 100000, 1, "images/s", false);
    for (int step = 1; step <= 1000; step++) {
        pass(0.01);
        progress_update(&progress, step, "%s", "");
    }
    for (int step = 1001; step <= 1100; step++) {
        pass(1);
        progress_update(&progress, step, "%s", "");
    }
    progress_finish(&progress);
}

START_TEST(the_time_left_follows_the_speed)
{
    char text[4000];
    capture_pipe(run_slowing_down, text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "1100/100000  1.0 images/s  27:28:20 left\n"));
}
END_TEST

static void run_stopped(void)
{
    Progress progress;
    progress_start(&progress, "stage 1", 0, 1000, 64, "images/s", false);
    pass(1);
    progress_update(&progress, 1, "loss %d", 3);
    progress_note(&progress, "saved %s", "a.h5");
    pass(1);
    progress_update(&progress, 999, "loss %d", 2);
    progress_finish(&progress);
}

START_TEST(half_of_the_work_is_not_called_done)
{
    char text[4000];
    capture_pipe(run_stopped, text, sizeof text);
    ck_assert_int_eq(count_of(text, '\n'), 3);
    ck_assert_ptr_nonnull(strstr(text, "\nsaved a.h5\n"));
    /* Not rounded up: nothing is 100 % that isn't done. */
    ck_assert_ptr_nonnull(strstr(text, "\nstage 1: 99 %  999/1000  "));
}
END_TEST

static void run_quiet(void)
{
    Progress progress;
    progress_start(&progress, "stage 1", 0, 10, 64, "images/s", true);
    progress_update(&progress, 5, "loss %d", 3);
    progress_note(&progress, "saved");
    progress_finish(&progress);
}

static void run_nothing(void)
{
    Progress progress;
    progress_start(&progress, "stage 1", 10, 10, 64, "images/s", false);
    progress_finish(&progress);
}

START_TEST(quiet_work_says_nothing)
{
    char text[4000];
    capture_pipe(run_quiet, text, sizeof text);
    ck_assert_str_eq(text, "");
    capture_terminal(run_quiet, 80, text, sizeof text);
    ck_assert_str_eq(text, "");
    capture_pipe(run_nothing, text, sizeof text);
    ck_assert_str_eq(text, "");
}
END_TEST

static void run_bar(void)
{
    Progress progress;
    progress_start(&progress, "stage 1", 0, 100, 64, "images/s", false);
    pass(50);
    progress_update(&progress, 50, "loss %.2f", 1.5);
    progress_update(&progress, 50, "loss %.2f", 9.0); /* too soon to be drawn */
    pass(1);
    progress_update(&progress, 51, "loss %.2f", 1.0);
    progress_note(&progress, "saved");
    progress_finish(&progress);
    progress_finish(&progress);
}

START_TEST(a_terminal_gets_a_bar)
{
    char text[4000];
    capture_terminal(run_bar, 90, text, sizeof text);
    ck_assert(strncmp(text, "\rstage 1 [====", 14) == 0);
    ck_assert_ptr_nonnull(strstr(text, ">"));
    ck_assert_ptr_nonnull(
        strstr(text, "]  50 %  50/100  64.0 images/s  loss 1.50  0:50 left\033[K"));
    /* The note stands on a line of its own, and the last state, drawn once, below it. */
    ck_assert_ptr_nonnull(strstr(text, "\r\033[Ksaved\n\rstage 1 ["));
    ck_assert_int_eq(count_of(text, '['), 7); /* three bars, four erasures */
    ck_assert_ptr_null(strstr(text, "loss 9"));
    ck_assert_str_eq(text + strlen(text) - 4, "\033[K\n");
    ck_assert_ptr_nonnull(strstr(text, "51 %  51/100"));
}
END_TEST

START_TEST(lines_fit_terminals_of_all_widths)
{
    char text[4000];
    for (int width = 1; width < 150; width++) {
        capture_terminal(run_bar, width, text, sizeof text);
        const char *bar = strstr(text, " [");
        if (bar != NULL) {
            size_t cells = strcspn(bar, "]") - 2;
            ck_assert_msg(cells >= 5 && cells <= 40, "width %d: %s", width, text);
        }
        int column = 0;
        for (const char *c = text; *c != '\0'; c++) {
            if (*c == '\033') {
                c += 2; /* ESC [ K */
            } else if (*c == '\r' || *c == '\n') {
                column = 0;
            } else {
                column++;
                /* The last column stays free: writing there wraps. The note is not ours to cut. */
                ck_assert_msg(column < width || strncmp(c - column + 1, "saved", 5) == 0,
                              "width %d: %s", width, text);
            }
        }
    }
}
END_TEST

/* -- Pipes that nobody reads ------------------------------------------------------------------- */

static int full_pipe[2], spare_stderr;

/* Makes stderr a pipe without room. It blocks, as pipes do. */
static void fill_stderr(void)
{
    char page[4096];
    memset(page, '#', sizeof page);
    now = BEGINNING;
    width_of_terminal = 0;
    ck_assert_int_eq(pipe(full_pipe), 0);
    fcntl(full_pipe[1], F_SETFL, O_NONBLOCK);
    while (write(full_pipe[1], page, sizeof page) > 0)
        continue;
    fcntl(full_pipe[1], F_SETFL, 0);
    spare_stderr = dup(STDERR_FILENO);
    dup2(full_pipe[1], STDERR_FILENO);
}

/* What the pipe holds that is no filling; stderr is what it was before. */
static void drain(char *text, size_t size)
{
    size_t used = 0;
    char byte;
    dup2(spare_stderr, STDERR_FILENO);
    fcntl(full_pipe[0], F_SETFL, O_NONBLOCK);
    while (read(full_pipe[0], &byte, 1) == 1)
        if (byte != '#' && used < size - 1)
            text[used++] = byte;
    text[used] = '\0';
    close(full_pipe[0]);
    close(full_pipe[1]);
}

START_TEST(progress_does_not_wait_for_a_reader)
{
    char text[1000];
    fill_stderr();
    run_to_the_end();
    run_stopped();
    ck_assert_int_eq(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
    drain(text, sizeof text);
    ck_assert_str_eq(text, "");
}
END_TEST

static void read_a_page(void)
{
    char page[4096];
    ck_assert_int_eq(read(full_pipe[0], page, sizeof page), sizeof page);
}

START_TEST(progress_comes_back_with_the_reader)
{
    char text[1000];
    Progress progress;
    fill_stderr();
    progress_start(&progress, "stage 1", 0, 10, 1, "images/s", false);
    progress_update(&progress, 1, "%s", "");
    pass(20);
    read_a_page();
    progress_update(&progress, 2, "%s", "");
    progress_finish(&progress);
    drain(text, sizeof text);
    ck_assert_str_eq(text, "stage 1: 20 %  2/10  0.1 images/s  1:20 left\n");
}
END_TEST

START_TEST(the_last_state_comes_even_if_it_was_dropped_before)
{
    char text[1000];
    Progress progress;
    fill_stderr();
    progress_start(&progress, "stage 1", 0, 10, 1, "images/s", false);
    pass(20);
    progress_update(&progress, 2, "%s", "");
    read_a_page();
    progress_finish(&progress);
    drain(text, sizeof text);
    ck_assert_str_eq(text, "stage 1: 20 %  2/10  0.1 images/s  1:20 left\n");
}
END_TEST

START_TEST(last_words_wait_a_little_for_a_reader)
{
    char text[1000];
    fill_stderr();
    ck_assert(!standard_error_offer("offered\n"));
    ck_assert(!standard_error_say("said\n")); /* two seconds later */
    const pid_t reader = fork();
    if (reader == 0) {
        usleep(100000);
        read_a_page();
        _exit(0);
    }
    ck_assert(standard_error_say("said %d\n", 2));
    drain(text, sizeof text);
    ck_assert_str_eq(text, "said 2\n");
}
END_TEST

START_TEST(long_lines_are_cut)
{
    static char text[9000], line[5000];
    int ends[2];
    memset(line, 'x', sizeof line - 1);
    ck_assert_int_eq(pipe(ends), 0);
    spare_stderr = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    standard_error_say("%s\n", line);
    dup2(spare_stderr, STDERR_FILENO);
    const ssize_t got = read(ends[0], text, sizeof text);
    ck_assert_int_eq(got, PIPE_BUF - 1);
    ck_assert_int_eq(text[got - 2], 'x');
    ck_assert_int_eq(text[got - 1], '\n');
}
END_TEST

SUITE_MAIN("progress", a_pipe_gets_plain_lines, a_resumed_run_counts_its_own_steps,
           the_time_left_follows_the_speed, half_of_the_work_is_not_called_done,
           quiet_work_says_nothing, a_terminal_gets_a_bar, lines_fit_terminals_of_all_widths,
           progress_does_not_wait_for_a_reader, progress_comes_back_with_the_reader,
           the_last_state_comes_even_if_it_was_dropped_before,
           last_words_wait_a_little_for_a_reader, long_lines_are_cut)
