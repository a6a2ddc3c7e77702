/* Tests of accidents during a run: its checkpoint, its directory, or the network that it began with
 * is removed, cut off, replaced or locked away. Either the run is not affected, or it ends with one
 * line and its last checkpoint is there. A continued run ends bit for bit in the same file as an
 * untouched one. (Full disks and damaged files: tests/test_train_errors.c. The same for `infer`:
 * tests/cli/infer_faults.sh.) */
#include "tests/train_program.h"

#include <dirent.h>
#include <sys/stat.h>
#include <time.h>

/* -- Runs that are hit ------------------------------------------------------------------------ */

/* One kind of training: its arguments but for the run directory, what it saves, the key that says how long it
 * takes, in how many units to a step, and the directories of the run that is hit and of one that is not. */
typedef struct Kind {
    const char *arguments, *file, *length;
    int unit;
    const char *run, *untouched;
} Kind;

static const Kind kinds[] = {
    {"--stage 1 --config pictures.yaml", "stage1.h5", "stage1.steps", 1, "r1", "u1"},
    {"--stage 2 --loss npr,sn --config mixture.yaml --init trunk/stage1.h5", "stage2-npr+sn.h5",
     "stage2.steps", 1, "r2", "u2"},
    {"--stage 2 --loss npr,sn --config mixture.yaml --init trunk/stage1.h5 "
     "--set stage2.solver=exact --set stage2.time_bins=3",
     "stage2-npr+sn.h5", "stage2.images", 4, "r3", "u3"},
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

static const Kind *const stage1 = &kinds[0], *const stage2 = &kinds[1];

/* The name of a file in a run directory; good until the fourth next call. */
static const char *in(const char *run, const char *file)
{
    static char names[4][256];
    static int next;
    char *name = names[next++ % 4];
    snprintf(name, sizeof names[0], "%s/%s", run, file);
    return name;
}

static void run_to(const Kind *kind, const char *run, int64_t steps)
{
    train(0, "%s --quiet --run %s --set %s=%lld", kind->arguments, run, kind->length,
          (long long)steps * kind->unit);
}

/* Which every save changes; 0 where there is none. */
static ino_t inode(const char *name)
{
    struct stat status;
    return stat(scratch_path(name), &status) == 0 ? status.st_ino : 0;
}

/* Until a file is there which is not `before`, of which 0 is none. */
static void await_file(pid_t child, const char *name, ino_t before)
{
    int status;
    for (ino_t now = before; now == 0 || now == before; now = inode(name)) {
        ck_assert_msg(waitpid(child, &status, WNOHANG) == 0, "train has ended: %s", train_log());
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    }
}

static void pause_run(pid_t child)
{
    int status;
    ck_assert_int_eq(kill(child, SIGSTOP), 0);
    ck_assert_int_eq(waitpid(child, &status, WUNTRACED), child);
    ck_assert(WIFSTOPPED(status));
}

static pid_t start(const Kind *kind)
{
    char arguments[512];
    snprintf(arguments, sizeof arguments, "%s --quiet --run %s --set %s=100000000", kind->arguments,
             kind->run, kind->length);
    return train_start(arguments);
}

static void wake(pid_t child)
{
    ck_assert_int_eq(kill(child, SIGCONT), 0);
}

/* Whether a file is being written in the directory: it has its temporary name. */
static bool is_saving(const char *run)
{
    bool found = false;
    DIR *entries = opendir(scratch_path(run));
    ck_assert_ptr_nonnull(entries);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;)
        found = found || strstr(entry->d_name, ".tmp-") != NULL;
    closedir(entries);
    return found;
}

/* Starts a run that would take hours; it sleeps, somewhere after its first save, and not in the middle
 * of another. */
static pid_t begin(const Kind *kind)
{
    pid_t child = start(kind);
    await_file(child, in(kind->run, kind->file), 0);
    for (pause_run(child); is_saving(kind->run); pause_run(child)) {
        wake(child);
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    }
    return child;
}

/* Wakes it and lets it come to an end by itself, with that exit status and one line with these two in it. */
static void fails(pid_t child, int expected, const char *file, const char *reason)
{
    wake(child);
    int status = train_wait(child);
    const char *log = train_log(), *newline = strchr(log, '\n');
    ck_assert_msg(status == expected, "exit status %d, expected %d: %s", status, expected, log);
    ck_assert_msg(strstr(log, file) && strstr(log, reason), "expected \"%s\" and \"%s\" in: %s",
                  file, reason, log);
    ck_assert_msg(strncmp(log, "train: ", 7) == 0 && newline && newline[1] == '\0',
                  "expected one line: %s", log);
}

/* Stops it as a user does: all that was done is saved. */
static void stop(pid_t child)
{
    ck_assert_int_eq(kill(child, SIGTERM), 0);
    ck_assert_msg(train_wait(child) == 143, "train %s", train_log());
}

static void assert_files(const char *run, int expected)
{
    int entries = -2; /* . and .. */
    DIR *directory = opendir(scratch_path(run));
    ck_assert_ptr_nonnull(directory);
    while (readdir(directory) != NULL)
        entries++;
    closedir(directory);
    ck_assert_msg(entries == expected, "%s: %d files, expected %d", run, entries, expected);
}

/* Continues a run, and compares it with one that nobody touched. No temporary is left, nor a lock. */
static void continue_and_compare(const Kind *kind)
{
    const char *file = in(kind->run, kind->file);
    const int64_t steps = checkpoint_attr(file, "step") + 4;
    run_to(kind, kind->run, steps);
    run_to(kind, kind->untouched, steps);
    assert_same_checkpoint(in(kind->untouched, kind->file), file);
    assert_files(kind->run, 2);
}

static void ends_like_an_untouched_one(const Kind *kind)
{
    continue_and_compare(kind);
    assert_same_metrics(kind->untouched, kind->run);
}

static void move(const char *from, const char *to)
{
    ck_assert_int_eq(rename(scratch_path(from), scratch_path(to)), 0);
}

static void write_all(void)
{
    write_files();
    train_trunk("mixture.yaml");
}

/* -- The checkpoint --------------------------------------------------------------------------- */

START_TEST(a_checkpoint_that_is_removed_is_written_again)
{
    write_all();
    for (int i = 0; i < KINDS; i++) {
        const Kind *kind = &kinds[i];
        pid_t child = begin(kind);
        ck_assert_int_eq(unlink(scratch_path(in(kind->run, kind->file))), 0);
        wake(child);
        await_file(child, in(kind->run, kind->file), 0);
        stop(child);
        ends_like_an_untouched_one(kind);
    }
}
END_TEST

START_TEST(a_checkpoint_that_is_truncated_is_replaced)
{
    write_all();
    for (int i = 0; i < KINDS; i++) {
        const Kind *kind = &kinds[i];
        pid_t child = begin(kind);
        const char *file = in(kind->run, kind->file);
        ino_t truncated = inode(file);
        ck_assert_int_eq(truncate(scratch_path(file), 1000), 0);
        wake(child);
        await_file(child, file, truncated);
        stop(child);
        ends_like_an_untouched_one(kind);
    }
}
END_TEST

/* Of two faults at once only snapshots help. */
START_TEST(a_truncated_checkpoint_of_a_killed_run_has_snapshots)
{
    static const char arguments[] =
        "--stage 1 --quiet --config pictures.yaml --run r1 --set checkpoint.keep=2 "
        "--set stage1.steps=";
    size_t size;
    write_files();
    train(0, "%s6", arguments);
    pid_t child = start(stage1);
    await_file(child, "r1/stage1.h5", inode("r1/stage1.h5"));
    pause_run(child);
    ck_assert_int_eq(truncate(scratch_path("r1/stage1.h5"), 1000), 0);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(train_wait(child), -SIGKILL);
    train_fails(2, "r1/stage1.h5: is a damaged or truncated HDF5 file", "%s20", arguments);
    char *bytes = scratch_read(scratch_path("r1/stage1.h5"), &size);
    ck_assert_uint_eq(size, 1000);
    free(bytes);

    move("r1/stage1-00000006.h5", "r1/stage1.h5");
    ck_assert_int_eq(unlink(scratch_path("r1/stage1-00000003.h5")), 0);
    ends_like_an_untouched_one(stage1);
}
END_TEST

/* The network of stage 1 is in memory, and in what stage 2 saves. */
START_TEST(stage_2_survives_the_file_of_its_network)
{
    write_all();
    pid_t child = begin(stage2);
    ino_t before = inode("r2/stage2-npr+sn.h5");
    ck_assert_int_eq(truncate(scratch_path("trunk/stage1.h5"), 1000), 0);
    wake(child);
    await_file(child, "r2/stage2-npr+sn.h5", before);
    stop(child);

    const int64_t steps = checkpoint_attr("r2/stage2-npr+sn.h5", "step") + 4;
    static const char more[] = "--stage 2 --loss npr,sn --config mixture.yaml --quiet";
    train_fails(2, "trunk/stage1.h5: is a damaged or truncated HDF5 file",
                "%s --run r2 --init trunk/stage1.h5 --set stage2.steps=%lld", more,
                (long long)steps);
    train(0, "%s --run r2 --init r2/stage2-npr+sn.h5 --set stage2.steps=%lld", more,
          (long long)steps);
    train(0, "--stage 1 --quiet --config mixture.yaml --run trunk --fresh --set stage1.steps=8");
    run_to(stage2, "u2", steps);
    assert_same_checkpoint("u2/stage2-npr+sn.h5", "r2/stage2-npr+sn.h5");
    assert_same_metrics("u2", "r2");
}
END_TEST

/* -- The directory ---------------------------------------------------------------------------- */

/* What is saved is where the directory is now. */
START_TEST(a_directory_that_is_moved_away_ends_the_run)
{
    size_t size;
    write_all();
    for (int i = 0; i < KINDS; i++) {
        const Kind *kind = &kinds[i];
        pid_t child = begin(kind);
        char *bytes = scratch_read(scratch_path(in(kind->run, kind->file)), &size);
        move(kind->run, "elsewhere");
        if (i == 1)
            scratch_write(scratch_path(kind->run), "a file", 6);
        fails(child, 1, kind->run,
              i == 1 ? "cannot be written: Not a directory"
                     : "cannot be written: No such file or directory");
        ck_assert(scratch_same_bytes(scratch_path(in("elsewhere", kind->file)), bytes, size));
        free(bytes);
        (void)unlink(scratch_path(kind->run));
        move("elsewhere", kind->run);
        ends_like_an_untouched_one(kind);
    }
}
END_TEST

/* With another in its place the run goes on there; what it saves is whole. */
START_TEST(a_directory_that_is_replaced_is_written_to)
{
    write_all();
    for (int i = 0; i < KINDS; i++) {
        const Kind *kind = &kinds[i];
        pid_t child = begin(kind);
        move(kind->run, "elsewhere");
        ck_assert_int_eq(mkdir(scratch_path(kind->run), 0777), 0);
        wake(child);
        await_file(child, in(kind->run, kind->file), 0);
        ck_assert_int_ne(inode(in(kind->run, "lock")), 0);
        stop(child);

        char *rows = metrics_text(kind->run);
        ck_assert_int_eq(strncmp(rows, "run,target,step,", 16), 0);
        continue_and_compare(kind);
        char *more = metrics_text(kind->run); /* none is lost */
        ck_assert_int_eq(strncmp(more, rows, strlen(rows)), 0);
        free(rows);
        free(more);
        scratch_remove_tree(scratch_path("elsewhere"));
    }
}
END_TEST

/* Another run may have begun there since: it is not written over, and not robbed of its lock. */
START_TEST(a_directory_where_another_trains_by_now_is_left_to_it)
{
    write_all();
    pid_t first = begin(stage1);
    move("r1", "elsewhere");
    pid_t second = begin(stage1);
    char holder[64];
    snprintf(holder, sizeof holder, "r1: process %ld is training in this directory", (long)second);
    size_t size;
    char *bytes = scratch_read(scratch_path("r1/stage1.h5"), &size);
    fails(first, 2, "train: r1", holder);
    ck_assert(scratch_same_bytes(scratch_path("r1/stage1.h5"), bytes, size));
    ck_assert_int_ne(inode("r1/lock"), 0);
    free(bytes);
    ino_t before = inode("r1/stage1.h5");
    wake(second);
    await_file(second, "r1/stage1.h5", before);
    stop(second);
    ends_like_an_untouched_one(stage1);
}
END_TEST

START_TEST(a_lock_that_is_removed_is_taken_again)
{
    write_all();
    pid_t child = begin(stage1);
    ino_t before = inode("r1/stage1.h5");
    ck_assert_int_eq(unlink(scratch_path("r1/lock")), 0);
    wake(child);
    await_file(child, "r1/stage1.h5", before);
    train_fails(2, "is training in this directory", "--stage 1 --config pictures.yaml --run r1");
    stop(child);
    ends_like_an_untouched_one(stage1);
}
END_TEST

/* -- Permissions ------------------------------------------------------------------------------ */

/* Whether the program can be run without rights; root's own directories may hide it. */
static bool can_drop_rights(void)
{
    train_as_nobody = getuid() == 0;
    if (!train_as_nobody)
        return true;
    scratch_path("");
    ck_assert_int_eq(chown(scratch_directory, 65534, 65534), 0);
    return train_wait(train_start("--version")) == 0;
}

START_TEST(a_directory_that_is_locked_away_ends_the_run)
{
    size_t size;
    if (!can_drop_rights()) {
        suite_skips("a directory of train that everybody may read");
        return;
    }
    write_all();
    for (int i = 0; i < KINDS; i++) {
        const Kind *kind = &kinds[i];
        pid_t child = begin(kind);
        char *bytes = scratch_read(scratch_path(in(kind->run, kind->file)), &size);
        ck_assert_int_eq(chmod(scratch_path(kind->run), 0555), 0);
        fails(child, 1, in(kind->run, kind->file), "cannot be written: Permission denied");
        ck_assert(scratch_same_bytes(scratch_path(in(kind->run, kind->file)), bytes, size));
        free(bytes);
        ck_assert_int_eq(chmod(scratch_path(kind->run), 0755), 0);
        ends_like_an_untouched_one(kind);
    }
}
END_TEST

SUITE_MAIN("faults", a_checkpoint_that_is_removed_is_written_again,
           a_checkpoint_that_is_truncated_is_replaced,
           a_truncated_checkpoint_of_a_killed_run_has_snapshots,
           stage_2_survives_the_file_of_its_network, a_directory_that_is_moved_away_ends_the_run,
           a_directory_that_is_replaced_is_written_to,
           a_directory_where_another_trains_by_now_is_left_to_it,
           a_lock_that_is_removed_is_taken_again, a_directory_that_is_locked_away_ends_the_run)
