/* Prints the tables of compare.html: variances down, numbers of steps across.
 *
 * Several trajectories or samplers are groups of rows in one table, so that bold marks the best
 * value of a column among all of them. A metric has a last row for real images. Tables of
 * calibration have tenths of an image's elements across.
 */
#include "infer/compare/compare_table.h"

#include "evaluation/tenths.h"

#include <math.h>
#include <stdio.h>

/* The groups of rows: trajectories, or samplers. */
static int groups_of(const CompareTable *t)
{
    return t->metric ? t->c->sampler_count : t->c->trajectory_count;
}

/* The rows of a group: variances, or variances with corrections of the mean. */
static int rows_of(const CompareTable *t)
{
    return t->metric ? compare_sample_rows(t->c) : t->c->variance_count;
}

static EstimateLabel label_of(const CompareTable *t, int v)
{
    return t->metric ? compare_sample_label(t->c, v) : t->c->labels[v];
}

/* `label` is that of the row, and must outlive the key. */
static CompareKey key_of(const CompareTable *t, int group, const EstimateLabel *label, int k)
{
    CompareKey key = {.variance = label->text, .steps = t->c->steps[k]};
    if (t->metric) {
        key.metric = t->metric->name;
        key.sampler = t->c->samplers[group];
    } else {
        key.trajectory = t->c->trajectories[group];
    }
    return key;
}

/* Bounds are of DDPM, and of variances that have a bound. A sampler may be unable to use a
 * variance. */
static bool has_row(const CompareTable *t, int group, int v)
{
    if (!t->metric)
        return !t->c->variances[v]->no_bound;
    return compare_has_samples(t->c, t->c->samplers[group], compare_sample_row(t->c, v));
}

static double best_of(const CompareTable *t, int k)
{
    double best = NAN;
    for (int group = 0; group < groups_of(t); group++)
        for (int v = 0; v < rows_of(t); v++) {
            const EstimateLabel label = label_of(t, v);
            const CompareKey key = key_of(t, group, &label, k);
            const int row = has_row(t, group, v) ? compare_row(t->csv, &key) : -1;
            const double value = row < 0 ? NAN : csv_number(t->csv, row, t->column);
            best = t->metric && t->metric->most_is_best ? fmax(best, value) : fmin(best, value);
        }
    return best;
}

/* The number of digits after the point, for a value and its error: it shows two digits of the
 * error. An error that is only rounding is ignored. */
static int digits_of(double value, double error)
{
    const double size = error > 1e-6 * fabs(value) ? error : fabs(value) / 100;
    const int digits = size > 0 && isfinite(size) ? 1 - (int)floor(log10(size)) : 3;
    return digits < 0 ? 0 : digits > 5 ? 5 : digits;
}

static void put_value(FILE *to, double value, double error, bool best)
{
    const int digits = digits_of(value, error);
    const char *class = best ? " class=\"best\"" : "";
    if (isnan(value))
        fputs("<td>–</td>", to);
    else if (isnan(error))
        fprintf(to, "<td%s>%.*f</td>", class, digits, value);
    else
        fprintf(to, "<td%s>%.*f <span>± %.*f</span></td>", class, digits, value, digits, error);
}

static void put_head(FILE *to, const Comparison *c)
{
    fputs("<div class=\"wide\"><table>\n<thead><tr><th>variance</th>", to);
    for (int k = 0; k < c->steps_count; k++)
        fprintf(to, "<th>K = %d</th>", c->steps[k]);
    fputs("</tr></thead>\n", to);
}

static void put_row(FILE *to, const CompareTable *t, int group, int v)
{
    const EstimateLabel label = label_of(t, v);
    fprintf(to, "<tr><th>%s</th>", label.text);
    for (int k = 0; k < t->c->steps_count; k++) {
        const CompareKey key = key_of(t, group, &label, k);
        const int row = compare_row(t->csv, &key);
        const double value = row < 0 ? NAN : csv_number(t->csv, row, t->column);
        put_value(to, value, row < 0 ? NAN : csv_number(t->csv, row, "stderr"),
                  value == best_of(t, k));
    }
    fputs("</tr>\n", to);
}

static void put_group(FILE *to, const CompareTable *t, int group)
{
    fputs("<tbody>\n", to);
    if (groups_of(t) > 1)
        fprintf(to, "<tr class=\"group\"><th colspan=\"%d\">%s %s</th></tr>\n",
                1 + t->c->steps_count, t->metric ? "sampler" : "trajectory",
                t->metric ? sampler_name(t->c->samplers[group])
                          : trajectory_name(t->c->trajectories[group]));
    for (int v = 0; v < rows_of(t); v++)
        if (has_row(t, group, v))
            put_row(to, t, group, v);
    fputs("</tbody>\n", to);
}

static void put_floor(FILE *to, const CompareTable *t)
{
    const int row = compare_real_row(t->csv, t->metric->name);
    if (row < 0)
        return;
    fputs("<tbody class=\"floor\">\n<tr><th>real images</th>", to);
    for (int k = 0; k < t->c->steps_count; k++)
        put_value(to, csv_number(t->csv, row, t->column), csv_number(t->csv, row, "stderr"), false);
    fputs("</tr>\n</tbody>\n", to);
}

void compare_put_table(FILE *to, const CompareTable *t)
{
    put_head(to, t->c);
    for (int group = 0; group < groups_of(t); group++)
        put_group(to, t, group);
    if (t->metric)
        put_floor(to, t);
    fputs("</table></div>\n", to);
}

/* The mean over the timesteps of a variance's rows; NaN: it has none. */
static double mean_over_timesteps(const Csv *table, const char *variance, const char *column)
{
    double sum = 0;
    int rows = 0;
    for (int row = csv_find(table, 0, "variance", variance); row >= 0;
         row = csv_find(table, row + 1, "variance", variance), rows++)
        sum += csv_number(table, row, column);
    return sum / rows;
}

void compare_put_tenths(FILE *to, const Comparison *c, const char *column)
{
    fputs("<div class=\"wide\"><table>\n<thead><tr><th>tenth</th>", to);
    for (int k = 1; k <= TENTHS; k++)
        fprintf(to, "<th>%d</th>", k);
    fputs("</tr></thead>\n<tbody>\n", to);
    for (int v = 0; v < c->variance_count; v++) {
        const char *name = c->labels[v].text;
        if (csv_find(&c->calibration, 0, "variance", name) < 0)
            continue;
        fprintf(to, "<tr><th>%s</th>", name);
        for (int k = 1; k <= TENTHS; k++) {
            char one[32];
            snprintf(one, sizeof one, "%s_%d", column, k);
            fprintf(to, "<td>%.3g</td>", mean_over_timesteps(&c->calibration, name, one));
        }
        fputs("</tr>\n", to);
    }
    fputs("</tbody></table></div>\n", to);
}
