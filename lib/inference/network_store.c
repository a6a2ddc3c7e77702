/* Writes the constants of a network to its checkpoints.
 *
 * A training may write a checkpoint meanwhile. So the file is opened anew, its trunk is compared
 * with the network's, and a copy with the constants takes its place only if the file is still
 * the one that was copied; otherwise all of that is done again. */
#include "inference/network_internal.h"
#include "io/file_kind.h"

static const char group[] = "analytic";

/* For a checkpoint that a training writes again and again. */
enum { MOST_TRIES = 10 };

static bool check_content(const char *path, Error *error)
{
    Checkpoint *checkpoint = NULL;
    bool ok = checkpoint_open(&checkpoint, path, error) &&
              checkpoint_check_amend(checkpoint, group, error);
    checkpoint_close(checkpoint);
    return ok;
}

bool network_check_storing(const Network *network, Error *error)
{
    for (int i = 0; i < network->file_count; i++)
        if (!atomic_file_possible(network->files[i], file_kind_rule(FILE_CHECKPOINT), error) ||
            !check_content(network->files[i], error))
            return false;
    return true;
}

/* Training may have written another network to the file, for which the constants would be wrong. */
static bool check_unchanged(const Network *network, Checkpoint *checkpoint, Error *error)
{
    ParamSet trunk, head;
    char difference[320] = "";
    bool same = false;
    network_shapes(checkpoint_config(checkpoint), checkpoint_bins(checkpoint)->count, &trunk,
                   &head);
    bool ok = network_compare_trunk(network, checkpoint, &trunk, &same, difference,
                                    sizeof difference, error);
    params_free(&trunk);
    params_free(&head);
    if (ok && !same)
        return error_runtime(error,
                             "%s: has got another network since this command began, they differ "
                             "%s; run the command again",
                             checkpoint_path(checkpoint), difference);
    return ok;
}

static bool write_constants(const Network *network, CheckpointWriter *writer,
                            const NetworkConstants *constants, Error *error)
{
    const int64_t channels = network->config.data.channels, side = network->config.data.resolution;
    const int64_t entries = network->schedule.timesteps + 1;
    const int64_t dims[] = {entries, channels, side, side};
    return checkpoint_write_doubles(writer, "analytic/ms_eps", entries, constants->ms_eps, error) &&
           checkpoint_write_doubles(writer, "analytic/ms_eps_stderr", entries,
                                    constants->ms_eps_stderr, error) &&
           checkpoint_write_floats(writer, "analytic/ms_eps_diag", 4, dims, constants->ms_eps_diag,
                                   error) &&
           checkpoint_write_attribute(writer, group, "images", constants->images, error) &&
           checkpoint_write_attribute(writer, group, "timesteps", constants->timesteps, error) &&
           checkpoint_write_attribute(writer, group, "seed", constants->seed, error);
}

/* *overtaken := whether a training wrote the file after it was read here. The file then has what
 * training wrote. */
static bool store_once(const Network *network, const char *path, const NetworkConstants *constants,
                       bool *overtaken, Error *error)
{
    *overtaken = false;
    Checkpoint *checkpoint = NULL;
    CheckpointWriter *writer = NULL;
    bool ok = checkpoint_open(&checkpoint, path, error) &&
              check_unchanged(network, checkpoint, error) &&
              checkpoint_amend(&writer, checkpoint, group, error);
    if (ok && write_constants(network, writer, constants, error))
        ok = checkpoint_commit_amended(writer, overtaken, error);
    else {
        checkpoint_discard(writer);
        ok = false;
    }
    checkpoint_close(checkpoint);
    return ok;
}

/* Writing takes about a second per gigabyte. If training saves in that time, the constants are
 * added to what it saved. */
static bool store_in(const Network *network, const char *path, const NetworkConstants *constants,
                     Error *error)
{
    bool overtaken = true, ok = false;
    for (int tries = 0; tries < MOST_TRIES && !ok && overtaken; tries++)
        ok = store_once(network, path, constants, &overtaken, error);
    return ok;
}

/* Measuring took long. If one file is gone or damaged, the others still get the constants. */
bool network_store(const Network *network, const NetworkConstants *constants, Error *error)
{
    int stored = 0;
    Error first = {0}, latest = {0};
    for (int i = 0; i < network->file_count; i++) {
        if (store_in(network, network->files[i], constants, &latest))
            stored++;
        else if (first.kind == ERROR_NONE)
            first = latest;
    }
    if (stored == network->file_count)
        return true;
    *error = first;
    if (stored > 0)
        error_add(error, "; %d of %d files have got the constants", stored, network->file_count);
    return false;
}
