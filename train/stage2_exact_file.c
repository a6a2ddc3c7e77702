/* Solved heads in a checkpoint (checkpoints/README.md: /least_squares, /sample, /fit): the sums and
 * the sample, from which a run continues, and the losses at each number of images. A complete run
 * has no sample.
 *
 * The sums are one array of doubles, as they lie in memory. The levels are written as columns, a
 * data set for each field, so that other programs can plot them.
 */
#include "base/memory.h"
#include "train/stage2_correlation.h"
#include "train/stage2_exact.h"

#include <math.h>
#include <string.h>

/* Attribute of /least_squares: the run was complete, and its sample is not in the file. */
static const char dropped_name[] = "sample_dropped";

/* values := the field at `offset` of every level. */
static void column(const Exact *e, size_t offset, double values[EXACT_MAX_LEVELS])
{
    for (int l = 0; l < e->level_count; l++)
        memcpy(&values[l], (const char *)&e->levels[l] + offset, sizeof values[l]);
}

/* The field at `offset` of every level := values. */
static void set_column(Exact *e, size_t offset, const double values[EXACT_MAX_LEVELS])
{
    for (int l = 0; l < e->level_count; l++)
        memcpy((char *)&e->levels[l] + offset, &values[l], sizeof values[l]);
}

static bool write_doubles(CheckpointWriter *writer, const char *loss, const char *name,
                          int64_t count, const double *values, Error *error)
{
    char *path = memory_format("fit/%s/%s", loss, name);
    bool ok = checkpoint_write_doubles(writer, path, count, values, error);
    memory_free(path);
    return ok;
}

/* The number of levels at which head i was solved for, the last ones. */
static int level_count(const Exact *e, int i)
{
    return e->square_of[i] < 0 ? 1 : e->level_count;
}

static bool write_fit(const Stage2 *s, int i, CheckpointWriter *writer, Error *error)
{
    const Exact *e = s->exact;
    const char *loss = s->stage.learners[i].target;
    double fitted[EXACT_MAX_LEVELS], held[EXACT_MAX_LEVELS], ridge[TIME_BINS_MAX],
        borrow[TIME_BINS_MAX];
    const int count = level_count(e, i), from = e->level_count - count;
    column(e, offsetof(Level, fitted) + (size_t)i * sizeof(double), fitted);
    column(e, offsetof(Level, held) + (size_t)i * sizeof(double), held);
    for (int bin = 0; bin < s->bins.count; bin++) {
        ridge[bin] = e->chosen[i][bin].ridge;
        borrow[bin] = e->chosen[i][bin].borrow;
    }
    return write_doubles(writer, loss, "training_loss", count, fitted + from, error) &&
           write_doubles(writer, loss, "held_out_loss", count, held + from, error) &&
           write_doubles(writer, loss, "held_out_stderr", 1, &e->held_stderr[i], error) &&
           write_doubles(writer, loss, "ridge", s->bins.count, ridge, error) &&
           write_doubles(writer, loss, "borrow", s->bins.count, borrow, error);
}

/* A complete run has no use for its sample, which is large. */
static bool write_sample(const Exact *e, CheckpointWriter *writer, Error *error)
{
    if (!exact_samples(e))
        return true;
    return e->complete ? checkpoint_write_attribute(writer, "least_squares", dropped_name, 1, error)
                       : head_sample_write(&e->sample, writer, error);
}

/* The sample of a run that goes on. A run that has its images already needs none. */
static bool read_sample(Stage2 *s, Checkpoint *checkpoint, Error *error)
{
    if (!exact_samples(s->exact) || checkpoint_step(checkpoint) >= s->stage.steps)
        return true;
    if (checkpoint_attribute(checkpoint, "least_squares", dropped_name, 0) == 0)
        return head_sample_read(&s->exact->sample, checkpoint, error);
    return error_input(error,
                       "%s: is complete, and no longer has the sample that a regression is solved "
                       "from (--fresh fits again, to all of stage2.images)",
                       s->stage.path);
}

bool exact_write(Stage *stage, CheckpointWriter *writer, Error *error)
{
    Stage2 *s = (Stage2 *)stage;
    const Exact *e = s->exact;
    const int64_t doubles = (int64_t)(PARTS * (size_t)s->bins.count * exact_block(e));
    double images[EXACT_MAX_LEVELS];
    column(e, offsetof(Level, images), images);
    bool ok = stage2_write_common(s, writer, error) &&
              checkpoint_write_doubles(writer, "least_squares/sums", doubles, e->blocks, error) &&
              write_sample(e, writer, error);
    if (!ok || e->level_count == 0)
        return ok;
    ok = checkpoint_write_doubles(writer, "fit/images", e->level_count, images, error) &&
         checkpoint_write_attribute(writer, "fit", "levels", e->level_count, error);
    for (int i = 0; ok && i < stage->learner_count; i++)
        ok = write_fit(s, i, writer, error);
    return ok && correlation_write(s, writer, error);
}

static bool read_doubles(Checkpoint *checkpoint, const char *loss, const char *name, int64_t count,
                         double *values, Error *error)
{
    char *path = memory_format("fit/%s/%s", loss, name);
    bool ok = checkpoint_read_doubles(checkpoint, path, count, values, error);
    memory_free(path);
    return ok;
}

static bool read_fit(Stage2 *s, int i, Checkpoint *checkpoint, Error *error)
{
    Exact *e = s->exact;
    const char *loss = s->stage.learners[i].target;
    double fitted[EXACT_MAX_LEVELS] = {0}, held[EXACT_MAX_LEVELS] = {0}, ridge[TIME_BINS_MAX],
           borrow[TIME_BINS_MAX];
    const int count = level_count(e, i), from = e->level_count - count;
    if (!read_doubles(checkpoint, loss, "training_loss", count, fitted + from, error) ||
        !read_doubles(checkpoint, loss, "held_out_loss", count, held + from, error) ||
        !read_doubles(checkpoint, loss, "held_out_stderr", 1, &e->held_stderr[i], error) ||
        !read_doubles(checkpoint, loss, "ridge", s->bins.count, ridge, error) ||
        !read_doubles(checkpoint, loss, "borrow", s->bins.count, borrow, error))
        return false;
    set_column(e, offsetof(Level, fitted) + (size_t)i * sizeof(double), fitted);
    set_column(e, offsetof(Level, held) + (size_t)i * sizeof(double), held);
    for (int bin = 0; bin < s->bins.count; bin++)
        e->chosen[i][bin] = (Shrinkage){.ridge = ridge[bin], .borrow = borrow[bin]};
    return true;
}

/* Numbers of images are whole, and every level has more images than the one before. (Beyond 2^53 a
 * double is not exact, and far beyond it does not fit an int64_t.) */
static bool check_images(const Stage *stage, const double *images, int64_t levels, Error *error)
{
    const double max = 9007199254740992.0; /* 2^53 */
    double last = 0;
    for (int64_t l = 0; l < levels; l++) {
        if (!(images[l] > last && images[l] <= max && images[l] == floor(images[l])))
            return error_input(error,
                               "%s:/fit/images: expected numbers of images that rise, found %g "
                               "after %g",
                               stage->path, images[l], last);
        last = images[l];
    }
    return true;
}

bool exact_read(Stage *stage, Checkpoint *checkpoint, Error *error)
{
    Stage2 *s = (Stage2 *)stage;
    Exact *e = s->exact;
    const int64_t doubles = (int64_t)(PARTS * (size_t)s->bins.count * exact_block(e));
    const int64_t levels = checkpoint_attribute(checkpoint, "fit", "levels", 0);
    double images[EXACT_MAX_LEVELS];
    if (levels < 0 || levels > EXACT_MAX_LEVELS)
        return error_input(error, "%s:/fit: attribute levels: expected 0 to %d, found %lld",
                           stage->path, EXACT_MAX_LEVELS, (long long)levels);
    e->level_count = (int)levels;
    if (!stage2_check_common(s, checkpoint, error) ||
        !checkpoint_read_doubles(checkpoint, "least_squares/sums", doubles, e->blocks, error) ||
        !read_sample(s, checkpoint, error))
        return false;
    exact_keep_first(s);
    if (levels == 0)
        return true;
    bool ok = checkpoint_read_doubles(checkpoint, "fit/images", levels, images, error) &&
              check_images(stage, images, levels, error);
    if (ok)
        set_column(e, offsetof(Level, images), images);
    for (int i = 0; ok && i < stage->learner_count; i++)
        ok = read_fit(s, i, checkpoint, error);
    return ok;
}
