/* One table of names, times and work. The work that was said since the last row ended waits until
 * the next one ends. A row is found by a search for its name: there are few.
 */
#include "engine/profile.h"

#include "base/clock.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 64 };

typedef struct Effort {
    double operations[DTYPE_COUNT], bytes, sigmoids;
} Effort;

typedef struct Row {
    const char *what;
    double seconds[PROFILE_PHASES];
    Effort effort;
} Row;

static bool is_on;
static Row rows[ROWS];
static int row_count;
/* Said, but of a row that has not ended. */
static Effort waiting;

void profile_start(void)
{
    memset(rows, 0, sizeof rows);
    row_count = 0;
    waiting = (Effort){0};
    is_on = true;
}

void profile_stop(void)
{
    is_on = false;
}

double profile_begin(void)
{
    waiting = (Effort){0};
    return is_on ? clock_seconds() : 0.0;
}

static Row *row_of(const char *what)
{
    for (int i = 0; i < row_count; i++)
        if (strcmp(rows[i].what, what) == 0)
            return &rows[i];
    assert(row_count < ROWS);
    rows[row_count].what = what;
    return &rows[row_count++];
}

static void add_effort(Effort *sum, const Effort *more)
{
    for (int type = 0; type < DTYPE_COUNT; type++)
        sum->operations[type] += more->operations[type];
    sum->bytes += more->bytes;
    sum->sigmoids += more->sigmoids;
}

void profile_end(double begin, const char *what, ProfilePhase phase)
{
    if (!is_on)
        return;
    Row *row = row_of(what);
    row->seconds[phase] += clock_seconds() - begin;
    add_effort(&row->effort, &waiting);
    waiting = (Effort){0};
}

void profile_operations(DType type, double operations)
{
    if (is_on)
        waiting.operations[type] += operations;
}

void profile_bytes(double bytes)
{
    if (is_on)
        waiting.bytes += bytes;
}

void profile_sigmoids(double sigmoids)
{
    if (is_on)
        waiting.sigmoids += sigmoids;
}

static double total(const Row *row)
{
    double sum = 0.0;
    for (int p = 0; p < PROFILE_PHASES; p++)
        sum += row->seconds[p];
    return sum;
}

static int by_total(const void *left, const void *right)
{
    double a = total(left), b = total(right);
    return (a < b) - (a > b);
}

/* Seconds that the work takes at these speeds, if arithmetic and memory do not wait for each other. */
static double bound(const Effort *effort, const ProfileSpeeds *speeds)
{
    double arithmetic = effort->sigmoids > 0.0 ? effort->sigmoids / speeds->sigmoids : 0.0;
    for (int type = 0; type < DTYPE_COUNT; type++)
        if (effort->operations[type] > 0.0)
            arithmetic += effort->operations[type] / speeds->operations[type];
    return fmax(arithmetic, effort->bytes / speeds->bytes);
}

/* Two decimals, and two digits of what is less: the bound of a small layer is no zero. */
static void print_milliseconds(FILE *to, double milliseconds)
{
    if (milliseconds > 0.0)
        fprintf(to, milliseconds < 0.1 ? " %9.2g" : " %9.2f", milliseconds);
    else
        fprintf(to, " %9s", "");
}

static void print_row(FILE *to, const Row *row, int steps, double seconds,
                      const ProfileSpeeds *speeds)
{
    const double unit = 1e3 / steps;
    fprintf(to, "  %-24s", row->what);
    for (int p = 0; p < PROFILE_PHASES; p++)
        print_milliseconds(to, unit * row->seconds[p]);
    fprintf(to, " %9.2f %6.1f %%", unit * total(row), 100.0 * total(row) / seconds);
    if (speeds) {
        const double least = bound(&row->effort, speeds);
        print_milliseconds(to, unit * least);
        if (least > 0.0)
            fprintf(to, " %7.2f", total(row) / least);
    }
    fputc('\n', to);
}

void profile_print(FILE *to, int steps, double seconds, const ProfileSpeeds *speeds)
{
    Row rest = {.what = "not listed"}, all = {.what = "a step"};
    rest.seconds[PROFILE_OTHER] = seconds;
    qsort(rows, (size_t)row_count, sizeof *rows, by_total);
    fprintf(to, "  %-24s %9s %9s %9s %9s %8s%s\n", "ms per step", "forward", "backward", "other",
            "all", "share", speeds ? "     bound   times" : "");
    for (int i = 0; i < row_count; i++) {
        print_row(to, &rows[i], steps, seconds, speeds);
        rest.seconds[PROFILE_OTHER] -= total(&rows[i]);
        for (int p = 0; p < PROFILE_PHASES; p++)
            all.seconds[p] += rows[i].seconds[p];
        add_effort(&all.effort, &rows[i].effort);
    }
    all.seconds[PROFILE_OTHER] += rest.seconds[PROFILE_OTHER];
    print_row(to, &rest, steps, seconds, speeds);
    print_row(to, &all, steps, seconds, speeds);
}
