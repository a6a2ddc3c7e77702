/* Tests of hostile files. Every file that fuzzing found is read again as the programs would read it
 * (fuzz/target.h), each by a process of its own. Besides, a small file is cut off after every byte,
 * and each of its bytes is changed. */
#define SUITE_TIMEOUT 600
#include "fuzz/target.h"

#include "tests/scratch.h"
#include "tests/suite.h"

static const FuzzEntry *find_target(const char *name)
{
    for (int i = 0; i < fuzz_target_count; i++)
        if (strcmp(fuzz_targets[i].name, name) == 0)
            return &fuzz_targets[i];
    ck_abort_msg("there is no target %s", name);
}

static bool is_hidden(const struct dirent *entry)
{
    return entry->d_name[0] == '.';
}

static DIR *open_directory(const char *path)
{
    DIR *entries = opendir(path);
    ck_assert_msg(entries != NULL, "there is no directory %s", path);
    return entries;
}

/* -- The targets ------------------------------------------------------------------------------ */

/* A target without a file here is one that nothing enters before the next search: it may break unseen. */
START_TEST(every_target_has_a_file)
{
    for (int i = 0; i < fuzz_target_count; i++) {
        char path[512];
        int count = 0;
        snprintf(path, sizeof path, "tests/corpus/%s", fuzz_targets[i].name);
        DIR *entries = open_directory(path);
        for (struct dirent *entry; (entry = readdir(entries)) != NULL;)
            count += !is_hidden(entry);
        closedir(entries);
        ck_assert_msg(count > 0, "%s has no file", path);
    }
}
END_TEST

/* fuzz/<name>.c is the target <name>, but for those that run the targets. */
START_TEST(every_source_is_a_target)
{
    static const char *const others[] = {"fuzzer", "replay", "seeds", "target"};
    DIR *entries = open_directory("fuzz");
    int targets = 0;
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        char name[64];
        const char *dot = strrchr(entry->d_name, '.');
        bool other = is_hidden(entry) || !dot || strcmp(dot, ".c") != 0;
        if (!other)
            snprintf(name, sizeof name, "%.*s", (int)(dot - entry->d_name), entry->d_name);
        for (size_t i = 0; !other && i < sizeof others / sizeof others[0]; i++)
            other = strcmp(name, others[i]) == 0;
        if (other)
            continue;
        ck_assert_str_eq(find_target(name)->name, name);
        targets++;
    }
    closedir(entries);
    ck_assert_int_eq(targets, fuzz_target_count);
}
END_TEST

/* -- Replaying -------------------------------------------------------------------------------- */

/* Every file of tests/corpus/<name>, of which there are at least `fewest`. */
static void replay(const char *name, int fewest)
{
    const FuzzEntry *target = find_target(name);
    char path[512];
    int count = 0;
    snprintf(path, sizeof path, "tests/corpus/%s", name);
    DIR *entries = open_directory(path);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        if (is_hidden(entry))
            continue;
        snprintf(path, sizeof path, "tests/corpus/%s/%.200s", name, entry->d_name);
        ck_assert_msg(fuzz_survives(target, path), "%s: the reader does not survive it", path);
        count++;
    }
    closedir(entries);
    ck_assert_int_ge(count, fewest);
}

START_TEST(recipes_do_not_crash)
{
    replay("config", 1);
}
END_TEST

START_TEST(idx_files_do_not_crash)
{
    replay("idx", 1);
}
END_TEST

START_TEST(image_files_do_not_crash)
{
    replay("images", 1);
}
END_TEST

START_TEST(checkpoints_do_not_crash)
{
    replay("checkpoint", 4);
}
END_TEST

START_TEST(checkpoints_to_continue_do_not_crash)
{
    replay("resume", 1);
}
END_TEST

START_TEST(unfinished_sweeps_do_not_crash)
{
    replay("sweep", 1);
}
END_TEST

START_TEST(unfinished_tables_do_not_crash)
{
    replay("quality", 1);
}
END_TEST

START_TEST(classifiers_do_not_crash)
{
    replay("classifier", 1);
}
END_TEST

START_TEST(labels_do_not_crash)
{
    replay("labels", 2);
}
END_TEST

START_TEST(tables_do_not_crash)
{
    replay("csv", 1);
}
END_TEST

START_TEST(weights_do_not_crash)
{
    replay("safetensors", 4);
    replay("torch", 8);
    replay("pickle", 5);
    replay("description", 4);
}
END_TEST

START_TEST(points_do_not_crash)
{
    replay("predict", 1);
}
END_TEST

START_TEST(noise_does_not_crash)
{
    replay("noise", 2);
}
END_TEST

START_TEST(costs_of_steps_do_not_crash)
{
    replay("dp", 1);
}
END_TEST

/* What kills a reader is seen: or the tests above would show nothing. */
static void dies(const uint8_t *bytes, size_t size)
{
    if (size > 0 && bytes[0] == 'x')
        abort();
}

START_TEST(a_death_is_noticed)
{
    const FuzzEntry deadly = {"deadly", dies};
    scratch_write(scratch_path("good"), "a", 1);
    scratch_write(scratch_path("bad"), "x", 1);
    ck_assert(fuzz_survives(&deadly, scratch_path("good")));
    ck_assert(!fuzz_survives(&deadly, scratch_path("bad")));
}
END_TEST

/* -- Small changes ---------------------------------------------------------------------------- */

static void check_prefixes(const char *name, const char *bytes, size_t size)
{
    for (size_t cut = 0; cut <= size; cut++)
        find_target(name)->run((const uint8_t *)bytes, cut);
}

static void check_changes(const char *name, const char *bytes, size_t size)
{
    uint8_t *changed = malloc(size);
    memcpy(changed, bytes, size);
    for (size_t i = 0; i < size; i++) {
        static const uint8_t masks[] = {0x01, 0x80, 0xFF};
        for (int m = 0; m < 3; m++) {
            changed[i] = (uint8_t)((uint8_t)bytes[i] ^ masks[m]);
            find_target(name)->run(changed, size);
        }
        changed[i] = (uint8_t)bytes[i];
    }
    free(changed);
}

START_TEST(recipes_with_a_byte_changed_do_not_crash)
{
    const size_t size = strlen(fuzz_network_config);
    check_prefixes("config", fuzz_network_config, size);
    check_changes("config", fuzz_network_config, size);
}
END_TEST

START_TEST(idx_files_with_a_byte_changed_do_not_crash)
{
    size_t size;
    char *plain = scratch_read("tests/corpus/idx/plain", &size);
    check_prefixes("idx", plain, size);
    check_changes("idx", plain, size);
    free(plain);
    char *compressed = scratch_read("tests/corpus/idx/compressed.gz", &size);
    check_prefixes("idx", compressed, size);
    check_changes("idx", compressed, size);
    free(compressed);
}
END_TEST

static void check_file(const char *name, const char *path)
{
    size_t size;
    char *bytes = scratch_read(path, &size);
    check_prefixes(name, bytes, size);
    check_changes(name, bytes, size);
    free(bytes);
}

START_TEST(weights_with_a_byte_changed_do_not_crash)
{
    check_file("safetensors", "tests/corpus/safetensors/small.safetensors");
    check_file("torch", "tests/corpus/torch/small.pt");
    check_file("torch", "tests/corpus/torch/small-old.pt");
    check_file("torch", "tests/corpus/torch/small-protocol4.pt");
}
END_TEST

SUITE_MAIN("corpus", every_target_has_a_file, every_source_is_a_target, recipes_do_not_crash,
           idx_files_do_not_crash, image_files_do_not_crash, checkpoints_do_not_crash,
           checkpoints_to_continue_do_not_crash, unfinished_sweeps_do_not_crash,
           unfinished_tables_do_not_crash, classifiers_do_not_crash, labels_do_not_crash,
           tables_do_not_crash, weights_do_not_crash, points_do_not_crash, noise_does_not_crash,
           costs_of_steps_do_not_crash, a_death_is_noticed,
           recipes_with_a_byte_changed_do_not_crash, idx_files_with_a_byte_changed_do_not_crash,
           weights_with_a_byte_changed_do_not_crash)
