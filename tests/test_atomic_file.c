/* Tests of files that are replaced whole: other writers at the same time, on this machine or on
 * others; symbolic and hard links; and the rules that allow or forbid a replacement. */
#include "base/atomic_file.h"
#include "io/checkpoint.h"
#include "picture/picture_directory.h"
#include "tests/expect.h"
#include "tests/scratch.h"
#include "tests/suite.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static Error error;

/* A process with its own numbers of processes, as in another container or on another machine, where it has the number
 * 1: it does `work` with a path, waits, and does it with NULL. */
typedef struct Elsewhere {
    pid_t process; /* that waits for it */
    int wakes;     /* to be written to */
    int says; /* to be read from: a byte when the first part is done, and the end of file when it has ended */
} Elsewhere;

static _Noreturn void work_apart(void (*work)(const char *path), const char *path, int done,
                                 int wake)
{
    char byte;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    work(path);
    if (write(done, getpid() == 1 ? "y" : "n", 1) != 1 || read(wake, &byte, 1) != 1)
        _exit(1);
    work(NULL);
    _exit(0);
}

/* fork() without what libraries do after it: LLVM's OpenMP would look for the child in /proc, where a
 * process of another name space has another number. */
static pid_t fork_quietly(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static Elsewhere elsewhere(void (*work)(const char *path), const char *path)
{
    int done[2], wake[2], status = 1;
    ck_assert_int_eq(pipe(done), 0);
    ck_assert_int_eq(pipe(wake), 0);
    const pid_t process = fork();
    if (process == 0) {
        close(wake[1]);
        if (unshare(CLONE_NEWPID) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0)
            _exit(1);
        const pid_t inner = fork_quietly();
        if (inner == 0)
            work_apart(work, path, done[1], wake[0]);
        close(done[1]);
        (void)waitpid(inner, &status, 0);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    }
    close(done[1]);
    close(wake[0]);
    char apart = 0;
    ck_assert_msg(read(done[0], &apart, 1) == 1 && apart == 'y',
                  "no name space for processes can be made here");
    return (Elsewhere){.process = process, .wakes = wake[1], .says = done[0]};
}

static int finish(Elsewhere other)
{
    int status;
    ck_assert_int_eq(write(other.wakes, "", 1), 1);
    ck_assert_int_eq(waitpid(other.process, &status, 0), other.process);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void kill_it(Elsewhere other)
{
    char byte;
    kill(other.process, SIGKILL);
    ck_assert_int_eq(waitpid(other.process, NULL, 0), other.process);
    ck_assert_int_eq(read(other.says, &byte, 1), 0);
}

static void put(const AtomicFile *file, const char *text)
{
    ck_assert_int_eq(write(file->fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void replace(const char *path, const char *text)
{
    AtomicFile file;
    assert_ok(atomic_file_begin(&file, path, atomic_anything, &error));
    put(&file, text);
    assert_ok(atomic_file_commit(&file, &error));
}

static bool holds(const char *path, const char *text)
{
    return scratch_same_bytes(path, text, strlen(text));
}

/* -- Other writers ---------------------------------------------------------------------------- */

/* First it begins, and when it is woken, with NULL, it ends. */
static void write_slowly(const char *path)
{
    static AtomicFile file;
    Error failure = {0};
    if (path) {
        if (!atomic_file_begin(&file, path, atomic_anything, &failure) ||
            write(file.fd, "the first half", 14) != 14)
            _exit(2);
    } else if (write(file.fd, " and the second", 15) != 15 ||
               !atomic_file_commit(&file, &failure)) {
        _exit(3);
    }
}

START_TEST(writers_with_other_numbers_of_processes_do_not_mix)
{
    const char *path = scratch_path("a");
    const Elsewhere one = elsewhere(write_slowly, path);
    const Elsewhere other = elsewhere(write_slowly, path); /* both are the process 1 */
    ck_assert_int_eq(scratch_count(), 2);
    replace(path, "ours");
    ck_assert(holds(path, "ours"));
    ck_assert_int_eq(scratch_count(), 3); /* neither has been removed */
    ck_assert_int_eq(finish(one), 0);
    ck_assert(holds(path, "the first half and the second"));
    replace(path, "ours again");
    ck_assert_int_eq(finish(other), 0);
    ck_assert(holds(path, "the first half and the second"));
    ck_assert_int_eq(scratch_count(), 1);
}
END_TEST

START_TEST(what_a_killed_writer_left_is_removed)
{
    const char *path = scratch_path("a");
    const Elsewhere writer = elsewhere(write_slowly, path);
    ck_assert_int_eq(scratch_count(), 1);
    kill_it(writer);
    ck_assert_int_eq(scratch_count(), 1);
    replace(path, "new");
    ck_assert(holds(path, "new"));
    ck_assert_int_eq(scratch_count(), 1);
}
END_TEST

START_TEST(a_temporary_without_a_lock_is_removed_and_nothing_else)
{
    scratch_write(scratch_path("a.tmp-abcdefgh"), "left", 4);
    static const char *const others[] = {"a.tmp-abcdefg",  "a.tmp-abcdefghi", "a.tmp-12345678",
                                         "b.tmp-abcdefgh", "a.tmp-",          "a.tmp"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        scratch_write(scratch_path(others[i]), "other", 5);
    ck_assert_int_eq(mkdir(scratch_path("a.tmp-qwertyui"), 0700), 0);
    ck_assert_int_eq(symlink(scratch_path("a.tmp-"), scratch_path("a.tmp-symbolic")), 0);
    replace(scratch_path("a"), "new");
    ck_assert_int_ne(access(scratch_path("a.tmp-abcdefgh"), F_OK), 0);
    ck_assert_int_eq(scratch_count(), 1 + 6 + 2);
}
END_TEST

/* -- Links ------------------------------------------------------------------------------------ */

static bool is_link(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && S_ISLNK(status.st_mode);
}

START_TEST(a_symbolic_link_stays_and_its_file_is_written)
{
    ck_assert_int_eq(mkdir(scratch_path("far"), 0700), 0);
    ck_assert_int_eq(symlink("far/b", scratch_path("a")), 0); /* to nothing yet */
    ck_assert_int_eq(symlink("a", scratch_path("chain")), 0);
    replace(scratch_path("chain"), "one");
    ck_assert(holds(scratch_path("far/b"), "one"));
    replace(scratch_path("a"), "two");
    ck_assert(holds(scratch_path("far/b"), "two"));
    ck_assert(is_link(scratch_path("a")) && is_link(scratch_path("chain")));
    ck_assert_int_eq(scratch_count(), 3);

    ck_assert_int_eq(symlink("loop", scratch_path("loop")), 0);
    AtomicFile file;
    assert_fails(atomic_file_begin(&file, scratch_path("loop"), atomic_anything, &error),
                 "loop: is a symbolic link that leads nowhere");
    ck_assert(is_link(scratch_path("loop")));
    ck_assert_int_eq(symlink("none/b", scratch_path("dangling")), 0);
    assert_fails_as(atomic_file_begin(&file, scratch_path("dangling"), atomic_anything, &error),
                    ERROR_RUNTIME, "dangling: cannot be written: No such file");
}
END_TEST

START_TEST(a_second_name_is_of_the_file_and_not_of_the_link)
{
    scratch_write(scratch_path("b"), "one", 3);
    ck_assert_int_eq(symlink("b", scratch_path("a")), 0);
    assert_ok(atomic_file_link(scratch_path("a"), scratch_path("second"), atomic_anything, &error));
    replace(scratch_path("a"), "two");
    ck_assert(!is_link(scratch_path("second")));
    ck_assert(holds(scratch_path("second"), "one"));
}
END_TEST

/* -- Rules ------------------------------------------------------------------------------------ */

static int asked;

/* Nothing that begins with "precious". */
static bool spares_precious(const char *path, int kind, Error *failure)
{
    ck_assert_int_eq(kind, 7);
    asked++;
    char text[8] = "";
    FILE *file = fopen(path, "r");
    const bool precious = file && fread(text, 1, 8, file) == 8 && memcmp(text, "precious", 8) == 0;
    if (file)
        fclose(file);
    return !precious || error_input(failure, "%s: is precious", path);
}

static const AtomicRule rule = {.allows = spares_precious, .kind = 7};

START_TEST(a_rule_is_asked_before_and_again_in_the_end)
{
    const char *path = scratch_path("a");
    scratch_write(path, "precious", 8);
    AtomicFile file;
    assert_fails(atomic_file_begin(&file, path, rule, &error), "a: is precious");
    assert_fails(atomic_file_possible(path, rule, &error), "a: is precious");
    ck_assert_int_eq(scratch_count(), 1);
    ck_assert_int_eq(unlink(path), 0);

    asked = 0;
    assert_ok(atomic_file_begin(&file, path, rule, &error));
    put(&file, "took hours");
    scratch_write(path, "precious", 8);
    assert_fails(atomic_file_commit(&file, &error), "a: is precious; what was made is in ");
    ck_assert_int_eq(asked, 2);
    ck_assert(holds(path, "precious"));
    const char *kept = strstr(error.message, " is in ") + 7;
    ck_assert_ptr_nonnull(strstr(kept, "a.kept-"));
    ck_assert(holds(kept, "took hours"));
    replace(path, "more"); /* does not take it for something that was left */
    ck_assert(holds(kept, "took hours"));
}
END_TEST

START_TEST(what_was_written_meanwhile_is_not_overtaken)
{
    const char *path = scratch_path("a");
    replace(path, "first");
    const int source = open(path, O_RDONLY);
    struct stat status;
    ck_assert_int_eq(fstat(source, &status), 0);
    AtomicFile file;
    assert_ok(atomic_file_begin(&file, path, atomic_anything, &error));
    atomic_file_made_from(&file, &status);
    put(&file, "made from the first");
    replace(path, "second");
    assert_fails_as(atomic_file_commit(&file, &error), ERROR_RUNTIME,
                    "a: was written by another program meanwhile");
    ck_assert(file.overtaken);
    ck_assert(holds(path, "second"));
    ck_assert_int_eq(scratch_count(), 1);

    assert_ok(atomic_file_begin(&file, path, atomic_anything, &error));
    ck_assert_int_eq(stat(path, &status), 0);
    atomic_file_made_from(&file, &status);
    put(&file, "third");
    assert_ok(atomic_file_commit(&file, &error));
    ck_assert(!file.overtaken && holds(path, "third"));
    close(source);
}
END_TEST

/* A training saves between the reading of a checkpoint and its amendment. */
START_TEST(a_checkpoint_that_is_written_meanwhile_stays)
{
    const char *path = scratch_path("stage1.h5");
    Config config;
    config_defaults(&config);
    CheckpointWriter *writer = NULL;
    Checkpoint *checkpoint = NULL;
    assert_ok(checkpoint_create(&writer, path, &config, 1, 10, &error));
    assert_ok(checkpoint_commit(writer, &error));
    assert_ok(checkpoint_open(&checkpoint, path, &error));
    assert_ok(checkpoint_amend(&writer, checkpoint, "analytic", &error));

    CheckpointWriter *training = NULL;
    assert_ok(checkpoint_create(&training, path, &config, 1, 20, &error));
    assert_ok(checkpoint_commit(training, &error));

    bool overtaken = false;
    assert_fails_as(checkpoint_commit_amended(writer, &overtaken, &error), ERROR_RUNTIME,
                    "stage1.h5: was written by another program meanwhile");
    ck_assert(overtaken);
    checkpoint_close(checkpoint);
    assert_ok(checkpoint_open(&checkpoint, path, &error));
    ck_assert_int_eq(checkpoint_step(checkpoint), 20);
    ck_assert_int_eq(scratch_count(), 1);

    assert_ok(checkpoint_amend(&writer, checkpoint, "analytic", &error));
    assert_ok(checkpoint_commit_amended(writer, &overtaken, &error));
    ck_assert(!overtaken);
    checkpoint_close(checkpoint);
}
END_TEST

/* -- Directories of pictures ------------------------------------------------------------------ */

static const float grey[4] = {0};

static void draw_slowly(const char *path)
{
    static PictureDirectory *directory;
    Error failure = {0};
    if (path) {
        if (!picture_directory_begin(&directory, path, 2, 1, &failure) ||
            !picture_directory_add(directory, "group", 0, grey, 1, &failure))
            _exit(2);
    } else if (!picture_directory_commit(directory, &failure)) {
        _exit(3);
    }
}

START_TEST(directories_of_pictures_do_not_mix_either)
{
    const char *path = scratch_path("p");
    const Elsewhere one = elsewhere(draw_slowly, path);
    const Elsewhere other = elsewhere(draw_slowly, path);
    ck_assert_int_eq(scratch_count(), 2);
    PictureDirectory *directory = NULL;
    assert_ok(picture_directory_begin(&directory, path, 2, 1, &error));
    ck_assert_int_eq(scratch_count(), 3);
    assert_ok(picture_directory_add(directory, NULL, 0, grey, 1, &error));
    assert_ok(picture_directory_commit(directory, &error));
    ck_assert_int_eq(access(scratch_path("p/000000.png"), F_OK), 0);
    /* The name is taken by now: each keeps its own. */
    ck_assert_int_eq(finish(one), 3);
    ck_assert_int_eq(finish(other), 3);
    ck_assert_int_eq(scratch_count(), 3);
}
END_TEST

START_TEST(pictures_that_a_killed_program_left_are_removed)
{
    static const char *const left = "p.tmp-abcdefgh", *const with_more = "p.tmp-qwertyui";
    char path[64];
    for (int i = 0; i < 2; i++) {
        const char *name = i ? with_more : left;
        ck_assert_int_eq(mkdir(scratch_path(name), 0700), 0);
        snprintf(path, sizeof path, "%s/sn_10", name);
        ck_assert_int_eq(mkdir(scratch_path(path), 0700), 0);
        snprintf(path, sizeof path, "%s/sn_10/000000.png", name);
        scratch_write(scratch_path(path), "x", 1);
    }
    scratch_write(scratch_path("p.tmp-qwertyui/notes"), "mine", 4);
    PictureDirectory *directory = NULL;
    assert_ok(picture_directory_begin(&directory, scratch_path("p"), 2, 1, &error));
    assert_ok(picture_directory_add(directory, NULL, 0, grey, 1, &error));
    assert_ok(picture_directory_commit(directory, &error));
    ck_assert_int_eq(scratch_count(), 2); /* p, and what has more in it than pictures */
    ck_assert_int_eq(access(scratch_path("p.tmp-qwertyui/notes"), F_OK), 0);
}
END_TEST

SUITE_MAIN("atomic_file", writers_with_other_numbers_of_processes_do_not_mix,
           what_a_killed_writer_left_is_removed,
           a_temporary_without_a_lock_is_removed_and_nothing_else,
           a_symbolic_link_stays_and_its_file_is_written,
           a_second_name_is_of_the_file_and_not_of_the_link,
           a_rule_is_asked_before_and_again_in_the_end, what_was_written_meanwhile_is_not_overtaken,
           a_checkpoint_that_is_written_meanwhile_stays, directories_of_pictures_do_not_mix_either,
           pictures_that_a_killed_program_left_are_removed)
