/* Makes one line of text from the state, fitted to the width of the terminal. A line that stderr
 * does not take at once is dropped (base/standard_error.h). */
#include "base/progress.h"

#include "base/clock.h"
#include "base/standard_error.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { LINE_SIZE = 512, DEFAULT_WIDTH = 80, WIDEST_BAR = 40, NARROWEST_BAR = 5 };

static const double TERMINAL_INTERVAL = 0.1; /* seconds */
static const double PLAIN_INTERVAL = 10.0;
static const double MARK_INTERVAL = 30.0;

static bool is_terminal(void)
{
    const char *kind = getenv("TERM");
    return isatty(STDERR_FILENO) && (kind == NULL || strcmp(kind, "dumb") != 0);
}

static int terminal_width(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return DEFAULT_WIDTH;
}

/* "0:07", "12:34", "1:02:03" */
static void format_duration(double seconds, char *text, size_t size)
{
    int64_t whole = (int64_t)(seconds + 0.5);
    int64_t hours = whole / 3600;
    int minutes = (int)(whole / 60 % 60), rest = (int)(whole % 60);
    if (hours > 0)
        snprintf(text, size, "%" PRId64 ":%02d:%02d", hours, minutes, rest);
    else
        snprintf(text, size, "%d:%02d", minutes, rest);
}

static void move_marks(Progress *progress, double time)
{
    if (time - progress->mark_time[1] < MARK_INTERVAL)
        return;
    progress->mark_time[0] = progress->mark_time[1];
    progress->mark_done[0] = progress->mark_done[1];
    progress->mark_time[1] = time;
    progress->mark_done[1] = progress->done;
}

/* Steps per second since the older mark, or of the whole run when it is over; 0 while unknown. */
static double speed(const Progress *progress, double time)
{
    bool over = progress->done >= progress->total;
    double elapsed = time - (over ? progress->start_time : progress->mark_time[0]);
    int64_t steps = progress->done - (over ? progress->start_done : progress->mark_done[0]);
    return steps > 0 && elapsed > 0 ? (double)steps / elapsed : 0;
}

static void append(char *line, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void append(char *line, size_t size, const char *format, ...)
{
    size_t used = strlen(line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + used, size - used, format, arguments);
    va_end(arguments);
}

/* The text behind the bar: " 38 %  7600/20000  312 images/s  loss 23.41  39:42 left" */
static void format_state(const Progress *progress, double time, char *line, size_t size)
{
    double fraction = progress->total > 0 ? (double)progress->done / (double)progress->total : 1;
    /* Rounded down: 100 % means done. */
    snprintf(line, size, "%3d %%  %" PRId64 "/%" PRId64, (int)(100 * fraction), progress->done,
             progress->total);

    double steps_per_second = speed(progress, time);
    if (steps_per_second > 0) {
        double rate = steps_per_second * progress->per_step;
        append(line, size, "  %.*f %s", rate < 100 ? 1 : 0, rate, progress->unit);
    }
    if (progress->text[0] != '\0')
        append(line, size, "  %s", progress->text);

    char duration[32];
    if (progress->done >= progress->total) {
        format_duration(time - progress->start_time, duration, sizeof duration);
        append(line, size, "  in %s", duration);
    } else if (steps_per_second > 0) {
        double left = (double)(progress->total - progress->done) / steps_per_second;
        format_duration(left, duration, sizeof duration);
        append(line, size, "  %s left", duration);
    }
}

/* The bar takes the room that the text leaves, up to WIDEST_BAR. On a narrow terminal there is no
 * bar, and a text that is too long is cut, since a wrapped line cannot be redrawn. */
static bool draw_on_terminal(Progress *progress, const char *state)
{
    int width = terminal_width() - 1;
    int bar = width - (int)strlen(progress->what) - (int)strlen(state) - (int)strlen(" [] ");
    if (bar > WIDEST_BAR)
        bar = WIDEST_BAR;

    char line[LINE_SIZE];
    if (bar < NARROWEST_BAR) {
        snprintf(line, sizeof line, "%s %s", progress->what, state);
    } else {
        char cells[WIDEST_BAR + 1];
        int full = progress->total > 0
                       ? (int)((double)bar * (double)progress->done / (double)progress->total)
                       : bar;
        for (int i = 0; i < bar; i++)
            cells[i] = i < full ? '=' : i == full ? '>' : ' ';
        cells[bar] = '\0';
        snprintf(line, sizeof line, "%s [%s] %s", progress->what, cells, state);
    }
    /* Carriage return, the line, erase what an earlier longer one left. */
    const bool drawn = standard_error_offer("\r%.*s\033[K", width, line);
    progress->line_open = progress->line_open || drawn;
    return drawn;
}

static void draw(Progress *progress, double time)
{
    char state[LINE_SIZE / 2];
    format_state(progress, time, state, sizeof state);
    const bool drawn = progress->terminal ? draw_on_terminal(progress, state)
                                          : standard_error_offer("%s: %s\n", progress->what,
                                                                 state + strspn(state, " "));
    progress->shown = time;
    progress->shown_done = drawn ? progress->done : -1;
}

void progress_start(Progress *progress, const char *what, int64_t first, int64_t total,
                    double per_step, const char *unit, bool quiet)
{
    double time = clock_seconds();
    bool terminal = is_terminal();
    *progress = (Progress){
        .what = what,
        .unit = unit,
        .total = total,
        .per_step = per_step,
        .interval = terminal ? TERMINAL_INTERVAL : PLAIN_INTERVAL,
        .quiet = quiet,
        .terminal = terminal,
        .start_time = time,
        .start_done = first,
        .done = first,
        .shown = -INFINITY,
        .shown_done = first,
        .mark_time = {time, time},
        .mark_done = {first, first},
    };
}

void progress_update(Progress *progress, int64_t done, const char *format, ...)
{
    progress->done = done;
    if (progress->quiet)
        return;

    /* The text is made every time, so that progress_finish shows the last one. */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(progress->text, sizeof progress->text, format, arguments);
    va_end(arguments);

    double time = clock_seconds();
    move_marks(progress, time);
    if (time - progress->shown >= progress->interval)
        draw(progress, time);
}

void progress_note(Progress *progress, const char *format, ...)
{
    if (progress->quiet)
        return;
    char text[LINE_SIZE * 4];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (standard_error_offer("%s%s\n", progress->line_open ? "\r\033[K" : "", text))
        progress->line_open = false;
    if (progress->terminal)
        progress->shown_done = -1;
}

void progress_finish(Progress *progress)
{
    if (progress->quiet)
        return;
    if (progress->done != progress->shown_done || progress->line_open)
        draw(progress, clock_seconds());
    if (progress->line_open)
        standard_error_offer("\n");
    progress->line_open = false;
}
