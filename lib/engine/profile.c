/* One table of names and times. A call adds its time to the row of its name, which is found by a
 * search: there are few.
 */
#include "engine/profile.h"

#include "base/clock.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 64 };

typedef struct Row {
    const char *what;
    double seconds[PROFILE_PHASES];
} Row;

static bool is_on;
static Row rows[ROWS];
static int row_count;

void profile_start(void)
{
    memset(rows, 0, sizeof rows);
    row_count = 0;
    is_on = true;
}

void profile_stop(void)
{
    is_on = false;
}

double profile_begin(void)
{
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

void profile_end(double begin, const char *what, ProfilePhase phase)
{
    if (is_on)
        row_of(what)->seconds[phase] += clock_seconds() - begin;
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

static void print_row(FILE *to, const Row *row, int steps, double seconds)
{
    const double unit = 1e3 / steps;
    fprintf(to, "  %-24s", row->what);
    for (int p = 0; p < PROFILE_PHASES; p++) {
        if (row->seconds[p] > 0.0)
            fprintf(to, " %9.2f", unit * row->seconds[p]);
        else
            fprintf(to, " %9s", "");
    }
    fprintf(to, " %9.2f %6.1f %%\n", unit * total(row), 100.0 * total(row) / seconds);
}

void profile_print(FILE *to, int steps, double seconds)
{
    Row rest = {.what = "not listed"}, all = {.what = "a step"};
    rest.seconds[PROFILE_OTHER] = seconds;
    qsort(rows, (size_t)row_count, sizeof *rows, by_total);
    fprintf(to, "  %-24s %9s %9s %9s %9s\n", "ms per step", "forward", "backward", "other", "all");
    for (int i = 0; i < row_count; i++) {
        print_row(to, &rows[i], steps, seconds);
        rest.seconds[PROFILE_OTHER] -= total(&rows[i]);
        for (int p = 0; p < PROFILE_PHASES; p++)
            all.seconds[p] += rows[i].seconds[p];
    }
    all.seconds[PROFILE_OTHER] += rest.seconds[PROFILE_OTHER];
    print_row(to, &rest, steps, seconds);
    print_row(to, &all, steps, seconds);
}
