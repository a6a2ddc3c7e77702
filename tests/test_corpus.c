/* Hostile files: all that fuzzing once found, read again as the programs would read them (fuzz/target.h),
 * each by a process of its own. Besides, the least that can be done to a file: every prefix of a small one,
 * and every one of its bytes changed. */
#define SUITE_TIMEOUT 600
#include "fuzz/target.h"

#include "scratch.h"
#include "suite.h"

static const FuzzEntry *find_target(const char *name)
{
    for (int i = 0; i < fuzz_target_count; i++)
        if (strcmp(fuzz_targets[i].name, name) == 0)
            return &fuzz_targets[i];
    ck_abort_msg("there is no target %s", name);
}

/* Every file of tests/corpus/<name>, of which there are at least `fewest`. */
static void replay(const char *name, int fewest)
{
    const FuzzEntry *target = find_target(name);
    char path[512];
    int count = 0;
    snprintf(path, sizeof path, "tests/corpus/%s", name);
    DIR *entries = opendir(path);
    ck_assert_msg(entries != NULL, "there is no directory %s", path);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "tests/corpus/%s/%.200s", name, entry->d_name);
        ck_assert_msg(fuzz_survives(target, path), "%s: the reader does not survive it", path);
        count++;
    }
    closedir(entries);
    ck_assert_int_ge(count, fewest);
}

START_TEST(recipes)
{
    replay("config", 1);
}
END_TEST

START_TEST(idx_files)
{
    replay("idx", 1);
}
END_TEST

START_TEST(image_files)
{
    replay("images", 1);
}
END_TEST

START_TEST(checkpoints)
{
    replay("checkpoint", 4);
}
END_TEST

START_TEST(checkpoints_to_continue)
{
    replay("resume", 1);
}
END_TEST

START_TEST(unfinished_sweeps)
{
    replay("sweep", 1);
}
END_TEST

START_TEST(unfinished_tables)
{
    replay("quality", 1);
}
END_TEST

START_TEST(classifiers)
{
    replay("classifier", 1);
}
END_TEST

START_TEST(labels_of_images)
{
    replay("labels", 2);
}
END_TEST

START_TEST(tables_of_other_commands)
{
    replay("csv", 1);
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

START_TEST(recipes_with_a_byte_changed)
{
    const size_t size = strlen(fuzz_network_config);
    check_prefixes("config", fuzz_network_config, size);
    check_changes("config", fuzz_network_config, size);
}
END_TEST

START_TEST(idx_files_with_a_byte_changed)
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

SUITE_MAIN("corpus", recipes, idx_files, image_files, checkpoints, checkpoints_to_continue,
           unfinished_sweeps, unfinished_tables, classifiers, labels_of_images,
           tables_of_other_commands, a_death_is_noticed, recipes_with_a_byte_changed,
           idx_files_with_a_byte_changed)
