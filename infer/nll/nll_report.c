/* Prints and writes the sums of a bound.
 *
 * On the screen a trajectory has a table of its own, variances down and numbers of steps across. In
 * the files a cell is a row (CSV) or a group (HDF5), in the order of the cells.
 */
#include "infer/nll/nll_report.h"

#include "base/memory.h"
#include "hdf5/hdf5_file.h"
#include "infer/results.h"
#include "io/output.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CALIBRATION_COLUMNS = 8, MIN_WIDTH = 14 };

static EstimateLabel label_of(const NllReport *r, int variance)
{
    const EstimateOptions options = nll_estimate(r->request, r->task, variance);
    return nll_label(&options, r->full, r->task->variances[variance]);
}

/* -- On the screen
 * ---------------------------------------------------------------------------------- */

/* The width of the column of names. */
static int name_width(const NllReport *r)
{
    int width = MIN_WIDTH;
    for (int v = 0; v < r->task->variance_count; v++) {
        const int length = (int)strlen(label_of(r, v).text);
        width = length >= width ? length + 1 : width;
    }
    return width;
}

/* The cell of a variance on a trajectory with this number of steps; -1: none. */
static int find_cell(const NllReport *r, int variance, TrajectoryKind trajectory, int steps)
{
    for (int c = 0; c < r->task->cell_count; c++) {
        const BoundCell *cell = &r->task->cells[c];
        if (cell->variance == variance && cell->trajectory == trajectory && cell->steps == steps)
            return c;
    }
    return -1;
}

/* The cells of the first variance on a trajectory are the columns of its table. */
static bool is_column(const BoundCell *cell, TrajectoryKind trajectory)
{
    return cell->variance == 0 && cell->trajectory == trajectory;
}

static void print_bounds(const NllReport *r, TrajectoryKind trajectory)
{
    const BoundTask *task = r->task;
    const int width = name_width(r);
    printf("bits per dimension of %s, +- standard error; %s trajectory\n\n%-*s", r->images,
           trajectory_name(trajectory), width, "steps");
    for (int c = 0; c < task->cell_count; c++)
        if (is_column(&task->cells[c], trajectory))
            printf(" %19d", task->cells[c].steps);
    printf("\n");
    for (int v = 0; v < task->variance_count; v++) {
        printf("%-*s", width, label_of(r, v).text);
        for (int c = 0; c < task->cell_count; c++) {
            if (!is_column(&task->cells[c], trajectory))
                continue;
            double error,
                mean =
                    bound_mean(r->bound, find_cell(r, v, trajectory, task->cells[c].steps), &error);
            printf("  %8.3f +- %6.3f", mean, error);
        }
        printf("\n");
    }
    printf("\n");
}

/* The standard error that the random vectors of a quadrature give to the mean of a cell: images have
 * vectors of their own. 0 for a cell without a quadrature. */
static double quadrature_error(const NllReport *r, int c)
{
    const BoundSums *sums = bound_sums(r->bound);
    const int images = r->task->images;
    double sum = 0;
    for (int i = 0; sums->quadrature && i < images; i++)
        sum += sums->quadrature[(size_t)c * (size_t)images + (size_t)i];
    return sqrt(sum) / images;
}

static void print_quadrature(const NllReport *r)
{
    for (int c = 0; c < r->task->cell_count; c++) {
        const BoundCell *cell = &r->task->cells[c];
        if (r->task->variances[cell->variance]->reads_jacobian && !r->full->dense &&
            full_probes(r->full) > 1)
            printf("%s, %s, %d steps: %.2g of the standard error is the quadrature's\n",
                   label_of(r, cell->variance).text, trajectory_name(cell->trajectory), cell->steps,
                   quadrature_error(r, c));
    }
}

/* chosen [max] := at most `max` of the visited timesteps, evenly spread. Returns their number. */
static int choose_timesteps(const NllReport *r, int *chosen, int max)
{
    const int total = r->source->schedule->timesteps;
    const int needed = bound_needed(r->bound, total), count = needed < max ? needed : max;
    int seen = 0, taken = 0;
    for (int t = 1; t <= total && taken < count; t++) {
        if (!bound_needs(r->bound, t))
            continue;
        if (count == 1 || (int64_t)seen * (count - 1) >= (int64_t)taken * (needed - 1))
            chosen[taken++] = t;
        seen++;
    }
    return taken;
}

/* A row for each variance; values [variances, N + 1]. */
static void print_by_timestep(const NllReport *r, const char *title, const double *values)
{
    int chosen[CALIBRATION_COLUMNS];
    const int count = choose_timesteps(r, chosen, CALIBRATION_COLUMNS);
    const size_t entries = (size_t)r->source->schedule->timesteps + 1;
    const int width = name_width(r);
    printf("%s\n\n%-*s", title, width, "t");
    for (int k = 0; k < count; k++)
        printf(" %8d", chosen[k]);
    printf("\n");
    for (int v = 0; v < r->task->variance_count; v++) {
        if (!estimate_has_calibration(&r->source->options, r->task->variances[v]))
            continue;
        printf("%-*s", width, label_of(r, v).text);
        for (int k = 0; k < count; k++)
            printf(" %8.3g", values[(size_t)v * entries + (size_t)chosen[k]]);
        printf("\n");
    }
}

/* The mean over the visited timesteps of a tenth's mean of r^2 / Cov. */
static double mean_of_tenth(const NllReport *r, int variance, int tenth)
{
    const int total = r->source->schedule->timesteps;
    const double *tenths = bound_sums(r->bound)->tenths;
    double sum = 0;
    for (int t = 1; t <= total; t++)
        if (bound_needs(r->bound, t))
            sum += tenths[((size_t)variance * ((size_t)total + 1) + (size_t)t) * 2 * TENTHS +
                          (size_t)tenth];
    return sum / bound_needed(r->bound, total);
}

/* A row for each variance, a column for each tenth. */
static void print_tenths(const NllReport *r)
{
    const int width = name_width(r);
    printf("calibration by tenths of an image's elements, from the least Cov[x_0 | x_t] to the "
           "largest;\nmean over timesteps\n\n%-*s",
           width, "tenth");
    for (int k = 0; k < TENTHS; k++)
        printf(" %8d", k + 1);
    printf("\n");
    for (int v = 0; v < r->task->variance_count; v++) {
        if (!estimate_has_calibration(&r->source->options, r->task->variances[v]))
            continue;
        printf("%-*s", width, label_of(r, v).text);
        for (int k = 0; k < TENTHS; k++)
            printf(" %8.3g", mean_of_tenth(r, v, k));
        printf("\n");
    }
}

void nll_report_print(const NllReport *r)
{
    for (int kind = 0; kind < TRAJECTORY_KINDS; kind++) {
        bool there = false;
        for (int c = 0; c < r->task->cell_count; c++)
            there = there || r->task->cells[c].trajectory == (TrajectoryKind)kind;
        if (there)
            print_bounds(r, (TrajectoryKind)kind);
    }
    print_quadrature(r);
    const BoundSums *sums = bound_sums(r->bound);
    bool has_calibration = false;
    for (int v = 0; v < r->task->variance_count; v++)
        has_calibration =
            has_calibration || estimate_has_calibration(&r->source->options, r->task->variances[v]);
    if (!has_calibration)
        return;
    print_by_timestep(r,
                      "calibration: mean of r^2 / Cov[x_0 | x_t], r = x_0 - x_0_hat; 1 is "
                      "calibrated, more is\noverconfident somewhere",
                      sums->calibration);
    printf("\n");
    print_tenths(r);
    printf("\n");
    print_by_timestep(r, "calibration on the whole: sum of r^2 / sum of Cov[x_0 | x_t]",
                      sums->ratio);
    printf("\n");
    print_by_timestep(
        r,
        "share of elements whose Cov[x_0 | x_t] is less than rounding to grey levels; "
        "--cov-floor\nraises them",
        sums->floored);
}

/* -- CSV -------------------------------------------------------------------------------------- */

static void write_table(FILE *to, const void *context)
{
    const NllReport *r = context;
    for (int c = 0; c < r->task->cell_count; c++) {
        const BoundCell *cell = &r->task->cells[c];
        double error, mean = bound_mean(r->bound, c, &error);
        fprintf(to, "%s,%s,%d,%.9g,%.3g,%d\n", label_of(r, cell->variance).text,
                trajectory_name(cell->trajectory), cell->steps, mean, error, r->task->images);
    }
}

bool nll_report_table(const NllReport *report, const char *path, Error *error)
{
    return output_text(path, FILE_BOUNDS, write_table, report, error);
}

/* The columns of tenths: the means of r^2 / Cov, and then those of its square. */
static const char *const tenths_columns[] = {"mean_square", "mean_fourth"};

/* The line of names, after the beginning of the file. */
static void write_tenths_names(FILE *to)
{
    for (int k = 0; k < 2 * TENTHS; k++)
        fprintf(to, ",%s_%d", tenths_columns[k / TENTHS], k % TENTHS + 1);
    fputs("\n", to);
}

static void write_tenths(FILE *to, const double *tenths)
{
    for (int k = 0; k < 2 * TENTHS; k++)
        fprintf(to, ",%.4g", tenths[k]);
    fputs("\n", to);
}

static void write_calibration(FILE *to, const void *context)
{
    const NllReport *r = context;
    const BoundSums *sums = bound_sums(r->bound);
    const int total = r->source->schedule->timesteps;
    write_tenths_names(to);
    for (int v = 0; v < r->task->variance_count; v++)
        for (int t = 1; t <= total; t++) {
            const size_t at = (size_t)v * ((size_t)total + 1) + (size_t)t;
            if (isnan(sums->ratio[at]) ||
                !estimate_has_calibration(&r->source->options, r->task->variances[v]))
                continue;
            fprintf(to, "%s,%d,%.6g,%.3g,%.4g,%.6g", label_of(r, v).text, t, sums->calibration[at],
                    sums->calibration_error[at], sums->floored[at], sums->ratio[at]);
            write_tenths(to, sums->tenths + at * 2 * TENTHS);
        }
}

bool nll_report_calibration(const NllReport *report, const char *path, Error *error)
{
    return output_text(path, FILE_CALIBRATION, write_calibration, report, error);
}

/* -- HDF5 ------------------------------------------------------------------------------------- */

/* Puts sums by timestep in the order of the trajectory, from the data up. A step t -> s has its
 * sum at t. terms [steps + 1]. */
static void gather(const BoundCell *cell, const double *by_timestep, double *terms)
{
    for (int k = 0; k < cell->steps; k++)
        terms[k] = cell->timesteps[k + 1] > cell->timesteps[k]
                       ? by_timestep[cell->timesteps[k + 1]]
                       : 0; /* a step t -> t costs nothing */
    terms[cell->steps] = by_timestep[0];
}

static bool write_cell(const NllReport *r, Hdf5File *file, int c, Error *error)
{
    const BoundCell *cell = &r->task->cells[c];
    const BoundSums *sums = bound_sums(r->bound);
    const size_t row = (size_t)c * ((size_t)r->source->schedule->timesteps + 1);
    const int64_t entries = cell->steps + 1, images = r->task->images;
    int64_t *timesteps = memory_small((size_t)entries, sizeof *timesteps);
    double *terms = memory_small((size_t)entries, sizeof *terms);
    double *errors = memory_small((size_t)entries, sizeof *errors);
    for (int k = 0; k <= cell->steps; k++)
        timesteps[k] = cell->timesteps[k];
    gather(cell, sums->terms + row, terms);
    gather(cell, sums->terms_error + row, errors);
    const bool random = r->task->variances[cell->variance]->reads_jacobian && !r->full->dense;
    double *quadrature = memory_small((size_t)images, sizeof *quadrature);
    for (int64_t i = 0; random && i < images; i++)
        quadrature[i] = sqrt(sums->quadrature[(int64_t)c * images + i]);

    const struct {
        const char *name;
        Hdf5Type type;
        int64_t count;
        const void *values;
    } arrays[] = {
        {"timesteps", HDF5_INT64, entries, timesteps},
        {"terms", HDF5_FLOAT64, entries, terms},
        {"terms_stderr", HDF5_FLOAT64, entries, errors},
        {"bits_per_dim_each", HDF5_FLOAT64, images, sums->bits + (size_t)c * (size_t)images},
        {"quadrature_stderr_each", HDF5_FLOAT64, images, quadrature},
    };
    const int count = random ? 5 : 4;
    bool ok = true;
    for (int i = 0; ok && i < count; i++) {
        char *name = memory_format("%s/%s_%d/%s", label_of(r, cell->variance).text,
                                   trajectory_name(cell->trajectory), cell->steps, arrays[i].name);
        ok = hdf5_write(file, name, arrays[i].type, 1, &arrays[i].count, arrays[i].values, error);
        memory_free(name);
    }
    memory_free(timesteps);
    memory_free(terms);
    memory_free(errors);
    memory_free(quadrature);
    return ok;
}

bool nll_report_terms(const NllReport *report, const char *path, Error *error)
{
    Hdf5File *file = NULL;
    bool ok = hdf5_create_as(&file, path, file_kind_rule(FILE_BOUND_TERMS), error) &&
              hdf5_write_attribute_string(file, "/", "format", file_kind_format(FILE_BOUND_TERMS),
                                          error) &&
              hdf5_write_attribute_string(file, "/", "settings", report->settings, error) &&
              results_write_images(file, report->images_print, error);
    for (int c = 0; ok && c < report->task->cell_count; c++)
        ok = write_cell(report, file, c, error);
    if (ok)
        return hdf5_commit(file, error);
    hdf5_close(file);
    return false;
}
