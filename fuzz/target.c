/* The table of targets, and what they share: files, the rules of errors, the smallest network. */
#include "fuzz/target.h"

#include "base/memory.h"
#include "hdf5/hdf5_trial.h"
#include "inference/network.h"
#include "io/checkpoint.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const FuzzEntry fuzz_targets[] = {
    {"config", fuzz_config},
    {"idx", fuzz_idx},
    {"images", fuzz_images},
    {"checkpoint", fuzz_checkpoint},
    {"resume", fuzz_resume},
    {"predict", fuzz_predict},
    {"noise", fuzz_noise},
    {"dp", fuzz_dp},
    {"sweep", fuzz_sweep},
    {"quality", fuzz_quality},
    {"classifier", fuzz_classifier},
    {"labels", fuzz_labels},
    {"cifar", fuzz_cifar},
    {"csv", fuzz_csv},
    {"safetensors", fuzz_safetensors},
    {"torch", fuzz_torch},
    {"pickle", fuzz_pickle},
    {"description", fuzz_description},
    {"numpy", fuzz_numpy},
    {"pictures", fuzz_pictures},
    {"cache", fuzz_cache},
};
const int fuzz_target_count = (int)(sizeof fuzz_targets / sizeof fuzz_targets[0]);

/* -- Files ------------------------------------------------------------------------------------ */

static char directory[256];
static pid_t owner;

/* The directory is flat. */
static void remove_directory(void)
{
    DIR *entries = owner == getpid() ? opendir(directory) : NULL;
    if (entries == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;)
        if (entry->d_name[0] != '.')
            (void)unlinkat(dirfd(entries), entry->d_name, 0);
    closedir(entries);
    (void)rmdir(directory);
}

static void make_directory(void)
{
    const char *chosen = getenv("TMPDIR");
    const char *parent = chosen && *chosen               ? chosen
                         : access("/dev/shm", W_OK) == 0 ? "/dev/shm"
                                                         : "/tmp";
    snprintf(directory, sizeof directory, "%s/varhead-fuzz-XXXXXX", parent);
    if (mkdtemp(directory) == NULL)
        fuzz_broken("there is a place for files");
    owner = getpid();
    atexit(remove_directory);
}

const char *fuzz_path(const char *name)
{
    static char paths[3][512];
    static int next;
    if (owner != getpid())
        make_directory();
    char *path = paths[next++ % 3];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

const char *fuzz_file(const char *name, const uint8_t *bytes, size_t size)
{
    const char *path = fuzz_path(name);
    FILE *file = fopen(path, "wb");
    bool ok = file && fwrite(bytes, 1, size, file) == size;
    if (!file || fclose(file) != 0 || !ok)
        fuzz_broken("a file can be written");
    return path;
}

static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        fuzz_broken("a file can be read");
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = memory_small(*size, 1);
    if (fread(bytes, 1, *size, file) != *size)
        fuzz_broken("a file can be read");
    fclose(file);
    return bytes;
}

/* Seconds: several trials, on a busy machine. */
enum { PATIENCE = 40 * HDF5_TRIAL_SECONDS };

bool fuzz_survives(const FuzzEntry *target, const char *path)
{
    int status = 0;
    fflush(NULL); /* or the child would write buffered text a second time */
    pid_t child = fork();
    if (child == 0) {
        size_t size;
        uint8_t *bytes = read_file(path, &size);
        alarm(PATIENCE);
        target->run(bytes, size);
        memory_free(bytes);
        exit(0);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (child > 0 && WIFSIGNALED(status))
        fprintf(stderr, "%s: %s\n", path, strsignal(WTERMSIG(status)));
    return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* -- Rules ------------------------------------------------------------------------------------ */

void fuzz_broken(const char *rule)
{
    fprintf(stderr, "a rule is broken: %s\n", rule);
    abort();
}

void fuzz_check_error(const Error *error)
{
    if (error->kind != ERROR_INPUT) {
        fprintf(stderr, "error of kind %d: %s\n", error->kind, error->message);
        fuzz_broken("what is wrong with a file is an input error");
    }
    if (error->message[0] == '\0')
        fuzz_broken("an error says what is wrong");
    for (const char *c = error->message; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            fuzz_broken("an error is one line of text");
}

/* -- The smallest network --------------------------------------------------------------------- */

const char fuzz_network_config[] =
    "name: small\n"
    "data: {format: mixture, channels: 1, resolution: 4}\n"
    "diffusion: {schedule: linear, timesteps: 24}\n"
    "model: {channels: 4, channel_mult: [1], res_blocks: 1, attention: [], norm_groups: 2}\n"
    "head: {type: simple}\n";

static void must(bool done, const Error *error)
{
    if (!done) {
        fprintf(stderr, "%s\n", error->message);
        fuzz_broken("the smallest network can be made");
    }
}

static void write_group(CheckpointWriter *writer, const char *group, const ParamSet *set)
{
    Error error;
    float *values = memory_small(set->size, sizeof *values);
    params_initialise(set, 1, values);
    must(checkpoint_write_params(writer, group, set, values, &error), &error);
    memory_free(values);
}

static void write_network(const char *path)
{
    Error error;
    Config config;
    ParamSet trunk, head;
    CheckpointWriter *writer;
    double ms_eps[FUZZ_TIMESTEPS + 1];
    for (int t = 0; t <= FUZZ_TIMESTEPS; t++)
        ms_eps[t] = t == 0 ? 1 : 0.9;
    must(config_parse(&config, fuzz_network_config, "small", NULL, 0, &error), &error);
    network_shapes(&config, 1, &trunk, &head);
    must(checkpoint_create(&writer, path, &config, 2, 1, &error), &error);
    write_group(writer, "trunk_ema", &trunk);
    write_group(writer, "heads_ema/sn", &head);
    must(checkpoint_write_doubles(writer, "analytic/ms_eps", FUZZ_TIMESTEPS + 1, ms_eps, &error),
         &error);
    must(checkpoint_commit(writer, &error), &error);
    params_free(&trunk);
    params_free(&head);
}

const char *fuzz_network(void)
{
    static pid_t made_by;
    static char path[128];
    if (made_by != getpid()) {
        snprintf(path, sizeof path, "%s", fuzz_path("network.h5"));
        write_network(path);
        made_by = getpid();
    }
    return path;
}
