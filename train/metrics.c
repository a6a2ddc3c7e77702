/* Collects rows in memory, and writes them to the file with each checkpoint, or when a megabyte has
 * come together.
 *
 * The first write of a run makes the file anew: the old rows that stay, then the new ones, under a
 * temporary name that takes the place of the old file at once. Later writes append. An append that
 * fails is cut off again, so that the file never ends in a part of a row.
 */
#include "train/metrics.h"

#include "base/group.h"
#include "base/input_file.h"
#include "base/memory.h"
#include "io/file_kind.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct Metrics {
    char *path;
    const char *run;
    /* The step from which the run continues. */
    int64_t step;
    /* Whether the file has columns of phases. */
    bool has_phases;
    /* Whether the file no longer holds rows of the run after that step. */
    bool begun;
    /* The rows that wait: `length` bytes, room for `capacity`. */
    char *rows;
    size_t length, capacity;
    /* The rows are written when this many bytes wait. */
    size_t limit;
};

/* The usual limit in bytes, which some ten thousand rows reach. */
enum { MAX_WAITING = 1 << 20 };

static const char phase_columns[] =
    ",computing_least_seconds,computing_most_seconds,exchanging_least_seconds,"
    "exchanging_most_seconds";
static const char no_phases[] = ",,,,";

/* Commas of a row without phases. */
enum { COMMAS = 6 };

static bool is_row_of(const char *line, const char *run)
{
    const size_t length = strlen(run);
    return strncmp(line, run, length) == 0 && line[length] == ',';
}

/* Whether a row stays in the file: rows of other runs stay, and rows of this run up to `step`. A
 * last line without its newline was cut off by a crash and goes. */
static bool row_stays(const char *line, const char *run, int64_t step)
{
    if (!strchr(line, '\n'))
        return false;
    if (!is_row_of(line, run))
        return true;
    const char *target_end = strchr(line + strlen(run) + 1, ',');
    return target_end && strtoll(target_end + 1, NULL, 10) <= step;
}

static void write_header(const Metrics *m, FILE *to)
{
    fprintf(to, "%s%s\n", file_kind_beginning(FILE_LOG), m->has_phases ? phase_columns : "");
}

/* Writes an old row, with empty fields for the phases that it may lack. */
static void copy_row(const Metrics *m, char *line, FILE *to)
{
    int commas = 0;
    for (const char *c = line; *c != '\0'; c++)
        commas += *c == ',';
    line[strcspn(line, "\n")] = '\0';
    fprintf(to, "%s%s\n", line, m->has_phases && commas == COMMAS ? no_phases : "");
}

/* Copies the rows that stay from the old file, if there is one, to the new. */
static void copy_rows(const Metrics *m, FILE *from, FILE *to)
{
    char *line = NULL;
    size_t size = 0;
    write_header(m, to);
    if (from && getline(&line, &size, from) > 0)
        while (getline(&line, &size, from) > 0)
            if (row_stays(line, m->run, m->step))
                copy_row(m, line, to);
    free(line);
}

static bool cannot_write(const Metrics *m, Error *error)
{
    return error_runtime(error, "%s: cannot be written: %s", m->path, strerror(errno));
}

static bool write_waiting(const Metrics *m, FILE *to)
{
    return m->length == 0 || fwrite(m->rows, 1, m->length, to) == m->length;
}

/* The rows that stay and those that wait, to the open file `fd`. */
static bool write_rows(const Metrics *m, FILE *old, int fd)
{
    const int copy = dup(fd);
    FILE *new = copy < 0 ? NULL : fdopen(copy, "w");
    if (!new) {
        if (copy >= 0)
            close(copy);
        return false;
    }
    copy_rows(m, old, new);
    const bool written = write_waiting(m, new) && !ferror(new) && !(old && ferror(old));
    return fclose(new) == 0 && written;
}

/* The first write: the old file without the run's later rows, then the rows that wait. */
static bool rewrite(const Metrics *m, Error *error)
{
    AtomicFile atomic = {0};
    if (!atomic_file_begin(&atomic, m->path, file_kind_rule(FILE_LOG), error))
        return false;
    FILE *old = input_file_open(m->path);
    bool done = old || errno == ENOENT;
    if (!done)
        error_runtime(error, "%s: cannot be read: %s", m->path, strerror(errno));
    else if (!(done = write_rows(m, old, atomic.fd)))
        cannot_write(m, error);
    if (old)
        fclose(old);
    if (!done)
        atomic_file_abandon(&atomic);
    return done && atomic_file_commit(&atomic, error);
}

static bool is_empty(FILE *file)
{
    struct stat status;
    return fstat(fileno(file), &status) == 0 && status.st_size == 0;
}

/* A later write. If the file was removed meanwhile, a new one begins; if a file of another kind has
 * its name, that file stays as it is. Rows are written whole or not at all: after a failure they
 * wait on. */
static bool append(const Metrics *m, Error *error)
{
    struct stat before = {.st_size = -1};
    if (!file_kind_allows(m->path, FILE_LOG, error))
        return false;
    FILE *file = fopen(m->path, "a");
    if (file && is_empty(file))
        write_header(m, file);
    bool done =
        file && fstat(fileno(file), &before) == 0 && write_waiting(m, file) && !ferror(file);
    if (file)
        done = fclose(file) == 0 && done;
    if (done)
        return true;
    cannot_write(m, error);
    if (before.st_size >= 0)
        (void)!truncate(m->path, before.st_size);
    return false;
}

/* Whether the old file has columns of phases. */
static bool old_has_phases(const char *path)
{
    FILE *file = input_file_open(path);
    char *line = NULL;
    size_t size = 0;
    const bool has = file && getline(&line, &size, file) > 0 && strstr(line, phase_columns);
    free(line);
    if (file)
        fclose(file);
    return has;
}

Metrics *metrics_new(const char *directory, const char *run, int64_t step)
{
    Metrics *m = memory_small(1, sizeof *m);
    m->path = memory_format("%s/metrics.csv", directory);
    m->run = run;
    m->step = step;
    m->limit = MAX_WAITING;
    m->has_phases = group_size() > 1 || old_has_phases(m->path);
    return m;
}

bool metrics_possible(const Metrics *m, Error *error)
{
    return atomic_file_possible(m->path, file_kind_rule(FILE_LOG), error);
}

/* Reads "RUN,TARGET,STEP,LOSS,...", and ends `line` after TARGET; false for rows of other runs. */
static bool parse_row(char *line, const Metrics *m, char **target, double *loss)
{
    if (!is_row_of(line, m->run) || !row_stays(line, m->run, m->step))
        return false;
    *target = line + strlen(m->run) + 1;
    char *at = strchr(*target, ',');
    *at = '\0';
    at = strchr(at + 1, ',');
    *loss = at ? strtod(at + 1, NULL) : NAN;
    return at != NULL;
}

void metrics_earlier(const Metrics *m, void (*take)(void *context, const char *target, double loss),
                     void *context)
{
    FILE *file = m->step > 0 ? input_file_open(m->path) : NULL;
    char *line = NULL, *target;
    double loss;
    size_t size = 0;
    while (file && getline(&line, &size, file) > 0)
        if (parse_row(line, m, &target, &loss))
            take(context, target, loss);
    free(line);
    if (file)
        fclose(file);
}

MetricsPhases metrics_phases(double computing, double exchanging)
{
    const int size = group_size();
    MetricsPhases phases = {{computing, computing}, {exchanging, exchanging}};
    if (size == 1)
        return phases;
    double(*all)[2] = memory_small((size_t)size, sizeof *all);
    all[group_rank()][0] = computing;
    all[group_rank()][1] = exchanging;
    group_gather(all, size, sizeof *all);
    for (int r = 0; r < size; r++) {
        phases.computing[0] = fmin(phases.computing[0], all[r][0]);
        phases.computing[1] = fmax(phases.computing[1], all[r][0]);
        phases.exchanging[0] = fmin(phases.exchanging[0], all[r][1]);
        phases.exchanging[1] = fmax(phases.exchanging[1], all[r][1]);
    }
    memory_free(all);
    return phases;
}

/* The fields of the phases, from their comma on. The caller frees. */
static char *phase_fields(const Metrics *m, const MetricsPhases *phases)
{
    if (!m->has_phases)
        return memory_string("");
    if (group_size() == 1)
        return memory_string(no_phases);
    return memory_format(",%.4g,%.4g,%.4g,%.4g", phases->computing[0], phases->computing[1],
                         phases->exchanging[0], phases->exchanging[1]);
}

void metrics_write(Metrics *m, const char *target, int64_t step, double loss, double learning_rate,
                   double gradient_norm, double images_per_second, const MetricsPhases *phases)
{
    if (!group_is_first())
        return;
    char *more = phase_fields(m, phases);
    char *row =
        memory_format("%s,%s,%lld,%.17g,%.9g,%.17g,%.4g%s\n", m->run, target, (long long)step, loss,
                      learning_rate, gradient_norm, images_per_second, more);
    memory_free(more);
    size_t length = strlen(row);
    if (m->length + length > m->capacity) {
        m->capacity = 2 * (m->length + length);
        m->rows = memory_grow(m->rows, m->capacity, 1);
    }
    memcpy(m->rows + m->length, row, length);
    m->length += length;
    memory_free(row);
}

bool metrics_flush(Metrics *m, Error *error)
{
    if (m->begun ? !append(m, error) : !rewrite(m, error))
        return false;
    m->begun = true;
    m->length = 0;
    m->limit = MAX_WAITING;
    return true;
}

bool metrics_are_many(const Metrics *m)
{
    return m->length >= m->limit;
}

void metrics_relieve(Metrics *m)
{
    if (!metrics_flush(m, &(Error){0}))
        m->limit = m->length + MAX_WAITING;
}

void metrics_free(Metrics *m)
{
    if (!m)
        return;
    memory_free(m->rows);
    memory_free(m->path);
    memory_free(m);
}
