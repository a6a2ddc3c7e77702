/* Runs the program `train` as a user would, in the scratch directory of the test, and compares the
 * files of runs. The networks are as small as possible: a step takes a millisecond.
 *
 * `make test` puts the programs of its build on the PATH. By hand, from the root of the repository,
 * bin/train is found. Paths in a command line are relative to the scratch directory:
 *
 *     train(0, "--stage 1 --config tiny.yaml --run a");
 *     train_fails(2, "these keys differ: seed", "--stage 1 --config tiny.yaml --run a --seed 5");
 */
#pragma once

#include "tests/golden.h"
#include "tests/scratch.h"
#include "tests/suite.h"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

/* -- Running ---------------------------------------------------------------------------------- */

/* Stands for a full disk: the largest file, in bytes, that runs may write from now on; 0: any. */
static rlim_t train_largest_file;

/* Whether runs have the rights of nobody in particular from now on. Root may write anywhere. */
static bool train_as_nobody;

/* How many threads runs use from now on. */
static const char *train_threads = "1";

static inline void train_drop_rights(void)
{
    const id_t nobody = 65534;
    if (setgroups(0, NULL) != 0 || setgid(nobody) != 0 || setuid(nobody) != 0)
        _exit(125);
}

static inline void train_exec(char *arguments)
{
    char here[1024], path[8192], *argv[64] = {"train"};
    int argc = 1;
    if (getcwd(here, sizeof here) == NULL || chdir(scratch_directory) != 0)
        _exit(126);
    snprintf(path, sizeof path, "%s:%s/bin", getenv("PATH"), here);
    setenv("PATH", path, 1);
    if (train_largest_file > 0)
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){train_largest_file, train_largest_file});
    if (train_as_nobody)
        train_drop_rights();
    int log = open("log", O_WRONLY | O_CREAT | O_TRUNC, 0666);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    close(log);
    for (char *word = strtok(arguments, " "); word && argc < 61; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc++] = "--threads";
    argv[argc++] = (char *)train_threads;
    execvp(argv[0], argv);
    fprintf(stderr, "train: not found on the PATH, nor in bin/\n");
    _exit(127);
}

/* Starts train with these arguments, to run beside the test. */
static inline pid_t train_start(const char *arguments)
{
    scratch_path(""); /* makes the directory, here and not in the child */
    char *copy = strdup(arguments);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        train_exec(copy);
    free(copy);
    return child;
}

/* Waits for it; its exit status, or minus the number of the signal that ended it. */
static inline int train_wait(pid_t child)
{
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* What the last run printed; good until the next call. */
static inline const char *train_log(void)
{
    static char *text;
    size_t size;
    free(text);
    return text = scratch_read(scratch_path("log"), &size);
}

static inline void train(int expected, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static inline void train_fails(int expected, const char *message, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static inline void train(int expected, const char *format, ...)
{
    char arguments[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    int status = train_wait(train_start(arguments));
    ck_assert_msg(status == expected, "train %s: exit status %d, expected %d: %s", arguments,
                  status, expected, train_log());
}

/* Ends with that exit status and one line that has `message` in it. */
static inline void train_fails(int expected, const char *message, const char *format, ...)
{
    char arguments[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    train(expected, "%s", arguments);
    const char *log = train_log(), *newline = strchr(log, '\n');
    ck_assert_msg(strstr(log, message) != NULL, "train %s: expected \"%s\" in: %s", arguments,
                  message, log);
    ck_assert_msg(strncmp(log, "train: ", 7) == 0 && newline && newline[1] == '\0',
                  "train %s: expected one line of error: %s", arguments, log);
}

/* -- What is trained -------------------------------------------------------------------------- */

/* The built-in mixture, and nothing random but what every training has. */
static const char mixture_config[] =
    "name: mixture\n"
    "data: {format: mixture, channels: 1, resolution: 8}\n"
    "model: {channels: 8, channel_mult: [1, 2], res_blocks: 1, attention: [4], dropout: 0.0, "
    "norm_groups: 4}\n"
    "stage1: {batch: 4, lr: 1.0e-3, warmup: 4}\n"
    "stage2: {solver: adam, batch: 4, lr: 1.0e-3}\n"
    "checkpoint: {every: 3}\n";

/* A file of ten images, so that batches straddle epochs, with all else that is random: flips,
 * dropout in the network, in the frozen trunk and in the heads. */
static const char pictures_config[] =
    "name: pictures\n"
    "data: {format: idx, train: images.gz, test: \"\", channels: 1, resolution: 8, flip: true}\n"
    "model: {channels: 8, channel_mult: [1, 2], res_blocks: 1, attention: [4], dropout: 0.2, "
    "norm_groups: 4}\n"
    "head: {type: complex}\n"
    "stage1: {batch: 4, lr: 1.0e-3, warmup: 4}\n"
    "stage2: {solver: adam, batch: 4, lr: 1.0e-3, trunk_dropout: true}\n"
    "checkpoint: {every: 3}\n";

static inline void write_images(void)
{
    enum { COUNT = 10, PIXELS = 8 * 8 };
    static const unsigned char header[16] = {0, 0, 8, 3, 0, 0, 0, COUNT, 0, 0, 0, 8, 0, 0, 0, 8};
    unsigned char pixels[COUNT * PIXELS];
    for (int i = 0; i < COUNT * PIXELS; i++)
        pixels[i] = (unsigned char)(37 * i + i * i / 11);
    gzFile file = gzopen(scratch_path("images.gz"), "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(gzwrite(file, header, sizeof header), sizeof header);
    ck_assert_int_eq(gzwrite(file, pixels, sizeof pixels), sizeof pixels);
    ck_assert_int_eq(gzclose(file), Z_OK);
}

static inline void write_files(void)
{
    scratch_write(scratch_path("mixture.yaml"), mixture_config, strlen(mixture_config));
    scratch_write(scratch_path("pictures.yaml"), pictures_config, strlen(pictures_config));
    write_images();
}

/* Stage 2 needs a trunk, in a run directory of its own. */
static inline void train_trunk(const char *config)
{
    train(0, "--stage 1 --quiet --config %s --run trunk --set stage1.steps=8", config);
}

/* -- Comparing checkpoints -------------------------------------------------------------------- */

/* The kinds of difference are found in one place and told in one way. */
static inline void train_differ(const char *path, const char *what)
{
    ck_abort_msg("%s: the two files differ in %s", path, what);
}

static inline void same_dataset(hid_t a, hid_t b, const char *path)
{
    hid_t type = H5Dget_type(a), type_b = H5Dget_type(b);
    hid_t space = H5Dget_space(a), space_b = H5Dget_space(b);
    if (H5Tequal(type, type_b) <= 0 || H5Sextent_equal(space, space_b) <= 0)
        train_differ(path, "type or shape");
    if (H5Tget_class(type) == H5T_STRING) {
        char *text = golden_read_string(a, type, false);
        char *text_b = golden_read_string(b, type, false);
        if (!text || !text_b || strcmp(text, text_b) != 0)
            train_differ(path, "text");
        free(text);
        free(text_b);
    } else {
        size_t size = (size_t)H5Sget_simple_extent_npoints(space) * H5Tget_size(type);
        void *values = malloc(size), *values_b = malloc(size);
        if (H5Dread(a, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0 ||
            H5Dread(b, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values_b) < 0 ||
            memcmp(values, values_b, size) != 0)
            train_differ(path, "numbers");
        free(values);
        free(values_b);
    }
    H5Sclose(space);
    H5Sclose(space_b);
    H5Tclose(type);
    H5Tclose(type_b);
}

static inline void same_object(hid_t a, hid_t b, const char *path);

static inline void same_group(hid_t a, hid_t b, const char *path)
{
    H5G_info_t info, info_b;
    if (H5Gget_info(a, &info) < 0 || H5Gget_info(b, &info_b) < 0 || info.nlinks != info_b.nlinks)
        train_differ(path, "the number of members");
    for (hsize_t i = 0; i < info.nlinks; i++) {
        char name[256], child_path[1024];
        H5Lget_name_by_idx(a, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name, H5P_DEFAULT);
        snprintf(child_path, sizeof child_path, "%.700s/%s", path, name);
        hid_t child = H5Oopen(a, name, H5P_DEFAULT), child_b = H5Oopen(b, name, H5P_DEFAULT);
        if (child < 0 || child_b < 0)
            train_differ(child_path, "having it");
        same_object(child, child_b, child_path);
        H5Oclose(child);
        H5Oclose(child_b);
    }
}

static inline void same_object(hid_t a, hid_t b, const char *path)
{
    if (H5Iget_type(a) != H5Iget_type(b))
        train_differ(path, "kind");
    if (H5Iget_type(a) == H5I_DATASET)
        same_dataset(a, b, path);
    else
        same_group(a, b, path);
}

/* Object `path` of scratch file `a` is that of `b`, and so is everything below it, to the bit. */
static inline void assert_same_object(const char *a, const char *b, const char *path)
{
    hid_t file = golden_open(scratch_path(a)), file_b = golden_open(scratch_path(b));
    hid_t object = H5Oopen(file, path, H5P_DEFAULT), object_b = H5Oopen(file_b, path, H5P_DEFAULT);
    ck_assert_msg(object >= 0 && object_b >= 0, "%s or %s has no %s", a, b, path);
    same_object(object, object_b, path);
    H5Oclose(object);
    H5Oclose(object_b);
    H5Fclose(file);
    H5Fclose(file_b);
}

static inline int64_t checkpoint_attr(const char *file, const char *name)
{
    return golden_attr_int(scratch_path(file), "/", name);
}

static inline void assert_same_checkpoint(const char *a, const char *b)
{
    ck_assert_int_eq(checkpoint_attr(a, "stage"), checkpoint_attr(b, "stage"));
    ck_assert_int_eq(checkpoint_attr(a, "step"), checkpoint_attr(b, "step"));
    assert_same_object(a, b, "/");
}

/* -- Comparing metrics ------------------------------------------------------------------------ */

/* The text of a metrics.csv without its last column, the speed; released with free(). */
static inline char *metrics_text(const char *run)
{
    char name[256];
    size_t size;
    snprintf(name, sizeof name, "%s/metrics.csv", run);
    char *text = scratch_read(scratch_path(name), &size), *to = text;
    for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        char *comma = memrchr(line, ',', (size_t)(end - line));
        ck_assert_msg(comma != NULL, "%s: a line without a comma", name);
        memmove(to, line, (size_t)(comma - line));
        to += comma - line;
        *to++ = '\n';
    }
    *to = '\0';
    return text;
}

static inline void assert_same_metrics(const char *run, const char *run_b)
{
    char *text = metrics_text(run), *text_b = metrics_text(run_b);
    ck_assert_str_eq(text, text_b);
    free(text);
    free(text_b);
}

/* The step in the last row. */
static inline int64_t metrics_last_step(const char *run)
{
    char *text = metrics_text(run);
    char *end = strrchr(text, '\n');
    ck_assert_ptr_nonnull(end);
    *end = '\0';
    char *line = strrchr(text, '\n');
    ck_assert_msg(line != NULL, "%s/metrics.csv has no rows", run);
    long long step = -1;
    ck_assert_int_eq(sscanf(line + 1, "%*[^,],%*[^,],%lld", &step), 1);
    free(text);
    return step;
}
