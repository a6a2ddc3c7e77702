/* Finds the checkpoints of a run directory, or takes those that the user named. In a run the
 * newest stage-2 file comes first, since it decides which network is used (inference/network.h).
 * Snapshots are left out. */
#include "inference/run_files.h"

#include "base/group.h"
#include "base/memory.h"
#include "config/recipe.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The recipe that the user named, read by the first process for all: it may be a pipe. */
static bool load_for_all(const NetworkSource *source, Config *config, Error *error)
{
    const bool loaded =
        !group_is_first() || recipe_load(config, source->config, source->overrides.items,
                                         source->overrides.count, error);
    if (!group_agree(loaded, error))
        return false;
    group_broadcast(config, sizeof *config);
    return true;
}

/* *directory := --run, or checkpoints/<name>. A configuration that the user gave is read in any
 * case, so that a mistake in it is an error. */
static bool find_directory(const NetworkSource *source, char **directory, Error *error)
{
    if (source->run && !source->config && source->overrides.count == 0) {
        *directory = memory_string(source->run);
        return true;
    }
    Config config = {0};
    if (!load_for_all(source, &config, error))
        return false;
    *directory =
        source->run ? memory_string(source->run) : memory_format("checkpoints/%s", config.name);
    return true;
}

/* -- A run directory -------------------------------------------------------------------------- */

typedef struct Found {
    char *path;
    struct timespec written;
} Found;

/* "stage2-sn.h5", but not "stage2-sn-00005000.h5", which is a snapshot (train/snapshots.h). */
static bool is_stage2(const char *name)
{
    static const char prefix[] = "stage2-", suffix[] = ".h5";
    const size_t ends = strlen(prefix) + strlen(suffix), length = strlen(name);
    return length > ends && strncmp(name, prefix, strlen(prefix)) == 0 &&
           strcmp(name + length - strlen(suffix), suffix) == 0 &&
           strchr(name + strlen(prefix), '-') == NULL;
}

/* Newest first. Files of the same time are sorted by name, so that the order is always the same. */
static int compare_age(const void *a, const void *b)
{
    const Found *x = a, *y = b;
    if (x->written.tv_sec != y->written.tv_sec)
        return x->written.tv_sec < y->written.tv_sec ? 1 : -1;
    if (x->written.tv_nsec != y->written.tv_nsec)
        return x->written.tv_nsec < y->written.tv_nsec ? 1 : -1;
    return strcmp(x->path, y->path);
}

static Found *list_stage2(const char *directory, DIR *entries, int *count)
{
    Found *found = NULL;
    *count = 0;
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        if (!is_stage2(entry->d_name))
            continue;
        char *path = memory_format("%s/%s", directory, entry->d_name);
        struct stat status = {0};
        (void)stat(path, &status); /* if this fails, opening the file will say why */
        found = memory_grow(found, (size_t)*count + 1, sizeof *found);
        found[(*count)++] = (Found){.path = path, .written = status.st_mtim};
    }
    if (*count > 0)
        qsort(found, (size_t)*count, sizeof *found, compare_age);
    return found;
}

static void add(RunFiles *files, char *path)
{
    files->paths = memory_grow(files->paths, (size_t)files->count + 1, sizeof *files->paths);
    files->paths[files->count++] = path;
}

static bool find_run(RunFiles *files, const NetworkSource *source, Error *error)
{
    if (!find_directory(source, &files->origin, error))
        return false;
    const char *directory = files->origin;
    DIR *entries = opendir(directory);
    if (!entries && errno == ENOENT)
        return error_input(error,
                           "%s: there is no such run directory; train --stage 1 makes it, --run or "
                           "--checkpoint name another",
                           directory);
    if (!entries)
        return error_input(error, "%s: expected a run directory: %s", directory, strerror(errno));

    int count;
    Found *found = list_stage2(directory, entries, &count);
    closedir(entries);
    for (int i = 0; i < count; i++)
        add(files, found[i].path);
    memory_free(found);

    char *stage1 = memory_format("%s/stage1.h5", directory);
    if (access(stage1, F_OK) == 0)
        add(files, stage1);
    else
        memory_free(stage1);
    if (files->count == 0)
        return error_input(error,
                           "%s: holds no checkpoint, neither stage1.h5 nor stage2-*.h5; train "
                           "--stage 1 makes the first",
                           directory);
    files->is_run = true;
    return true;
}

/* -- Either ----------------------------------------------------------------------------------- */

bool run_files_find(RunFiles *files, const NetworkSource *source, Error *error)
{
    *files = (RunFiles){0};
    if (source->checkpoints.count == 0) {
        bool ok = find_run(files, source, error);
        if (!ok)
            run_files_free(files);
        return ok;
    }
    if (source->run || source->config || source->overrides.count > 0)
        return error_input(error,
                           "--checkpoint names files, %s a run directory: expected one or "
                           "the other",
                           source->run      ? "--run"
                           : source->config ? "--config"
                                            : "--set");
    for (int i = 0; i < source->checkpoints.count; i++)
        add(files, memory_string(source->checkpoints.items[i]));
    files->origin = memory_string(files->paths[0]);
    return true;
}

void run_files_free(RunFiles *files)
{
    for (int i = 0; i < files->count; i++)
        memory_free(files->paths[i]);
    memory_free(files->paths);
    memory_free(files->origin);
    *files = (RunFiles){0};
}
