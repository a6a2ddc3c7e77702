/* Tests of damage to a file that was written whole: every changed byte is noticed, and the error
 * names the data set. */
#define SUITE_TIMEOUT 600
#include "base/memory.h"
#include "hdf5/hdf5_file.h"
#include "hdf5/hdf5_verify.h"

#include "tests/expect.h"
#include "tests/scratch.h"
#include "tests/suite.h"

#include <hdf5.h>

static Error error; /* of the last call */

/* Asked by the address sanitizer: the HDF5 library forgets memory when it gives up on a damaged file. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

enum { MANY = 400 * 700, FEW = 20 }; /* 1.1 MB: two chunks; 80 bytes: in the header */

static float *numbers(void)
{
    float *values = malloc(MANY * sizeof *values);
    for (int i = 0; i < MANY; i++)
        values[i] = 1.0f + (float)i / 1024;
    return values;
}

static void write_file(const char *path, const float *values)
{
    Hdf5File *file;
    assert_ok(hdf5_create(&file, path, &error));
    assert_ok(
        hdf5_write(file, "trunk/many", HDF5_FLOAT32, 2, (int64_t[]){400, 700}, values, &error));
    assert_ok(hdf5_write(file, "trunk/few", HDF5_FLOAT32, 1, (int64_t[]){FEW}, values, &error));
    assert_ok(hdf5_write_string(file, "config", "name: x\n", &error));
    assert_ok(hdf5_write_attribute_int(file, "/", "step", 1234567, &error));
    assert_ok(hdf5_commit(file, &error));
}

/* Whether all that was written is in the file, to the bit; false where reading fails. */
static bool read_back(const char *path, const float *values, bool *same)
{
    Hdf5File *file;
    Hdf5Verified verified;
    char *text = NULL;
    int64_t step = 0;
    float *many = malloc(MANY * sizeof *many), few[FEW];
    if (!hdf5_open(&file, path, &error)) {
        free(many);
        return false;
    }
    bool ok = hdf5_verify(file, &verified, &error) &&
              hdf5_read(file, "trunk/many", HDF5_FLOAT32, 2, (int64_t[]){400, 700}, many, &error) &&
              hdf5_read(file, "trunk/few", HDF5_FLOAT32, 1, (int64_t[]){FEW}, few, &error) &&
              hdf5_read_string(file, "config", &text, &error) &&
              hdf5_read_attribute_int(file, "/", "step", &step, &error);
    *same = ok && memcmp(many, values, MANY * sizeof *many) == 0 &&
            memcmp(few, values, sizeof few) == 0 && strcmp(text, "name: x\n") == 0 &&
            step == 1234567;
    memory_free(text);
    free(many);
    hdf5_close(file);
    return ok;
}

/* Bytes at a stride that is no multiple of anything, one bit of each. Some are of no consequence: the unused
 * part of a node, the filling beyond the last row. Those must leave everything as it was. */
START_TEST(no_changed_byte_goes_unnoticed)
{
    const char *path = scratch_path("a.h5");
    size_t size;
    float *values = numbers();
    bool same;
    write_file(path, values);
    ck_assert(read_back(path, values, &same) && same);

    char *bytes = scratch_read(path, &size);
    int noticed = 0, harmless = 0;
    for (size_t at = 0; at < size; at += at < 8192 ? 23 : 7919) {
        bytes[at] = (char)(bytes[at] ^ (1 << at % 8));
        scratch_write(path, bytes, size);
        if (!read_back(path, values, &same)) {
            ck_assert_int_eq(error.kind, ERROR_INPUT);
            noticed++;
        } else {
            ck_assert_msg(same, "byte %zu of %zu was changed, and nothing noticed", at, size);
            harmless++;
        }
        bytes[at] = (char)(bytes[at] ^ (1 << at % 8));
    }
    ck_assert_msg(noticed > 200 && noticed > 2 * harmless, "%d noticed, %d harmless", noticed,
                  harmless);
    free(bytes);
    free(values);
}
END_TEST

/* Where the bytes of a number are in the file. */
static size_t find(const char *bytes, size_t size, float number)
{
    for (size_t at = 0; at + sizeof number <= size; at++)
        if (memcmp(bytes + at, &number, sizeof number) == 0)
            return at;
    ck_abort_msg("%g is not in the file", (double)number);
}

/* Flips a bit of `number` in a file. */
static void damage(const char *path, float number)
{
    size_t size;
    char *bytes = scratch_read(path, &size);
    bytes[find(bytes, size, number)] ^= 1;
    scratch_write(path, bytes, size);
    free(bytes);
}

static void check_named(int index, const char *text)
{
    const char *path = scratch_path("a.h5");
    float *values = numbers();
    bool same;
    write_file(path, values);
    damage(path, values[index]);
    ck_assert(!read_back(path, values, &same));
    ck_assert_msg(strstr(error.message, text) != NULL, "\"%s\" lacks \"%s\"", error.message, text);
    free(values);
}

START_TEST(the_damaged_array_is_named)
{
    check_named(300 * 700,
                "a.h5:/trunk/many: its checksum is wrong: the file was damaged after it was "
                "written");
}
END_TEST

/* What others write may be compressed, and then compared first, last or not at all. */
typedef struct Stored {
    const char *name;
    bool checksum_first, deflate,
        checksum_last; /* in the order of writing: reading begins with the last */
} Stored;

static void store(hid_t file, const Stored *stored, hid_t type, hsize_t count, const void *values)
{
    hid_t space = H5Screate_simple(1, &count, NULL), creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(creation, 1, &count);
    if (stored->checksum_first)
        H5Pset_fletcher32(creation);
    if (stored->deflate)
        H5Pset_deflate(creation, 6);
    if (stored->checksum_last)
        H5Pset_fletcher32(creation);
    hid_t data = H5Dcreate2(file, stored->name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    ck_assert(data >= 0 && H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(data);
    H5Pclose(creation);
    H5Sclose(space);
}

/* Inverts a byte in the middle of the only chunk of a data set. */
static void damage_chunk(const char *path, const char *name)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t data = H5Dopen2(file, name, H5P_DEFAULT);
    const hsize_t origin = 0;
    unsigned skipped;
    haddr_t address;
    hsize_t stored;
    size_t size;
    ck_assert(H5Dget_chunk_info_by_coord(data, &origin, &skipped, &address, &stored) >= 0);
    H5Dclose(data);
    H5Fclose(file);
    char *bytes = scratch_read(path, &size);
    ck_assert_uint_le(address + stored, size);
    bytes[address + stored / 2] ^= '\xff';
    scratch_write(path, bytes, size);
    free(bytes);
}

START_TEST(a_wrong_checksum_is_told_from_other_damage)
{
    static const Stored stored[] = {{"bare", false, false, true},
                                    {"packed", false, true, true},
                                    {"packed_later", true, true, false},
                                    {"without", false, true, false}};
    enum { KINDS = sizeof stored / sizeof stored[0], COUNT = 1000 };
    const char *path = scratch_path("a.h5");
    int64_t values[COUNT];
    uint64_t state = 1;
    for (int i = 0; i < COUNT; i++)
        values[i] = (int64_t)(state = state * 6364136223846793005 + 1442695040888963407) >> 32;
    hid_t raw = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    for (int i = 0; i < KINDS; i++)
        store(raw, &stored[i], H5T_NATIVE_INT64, COUNT, values);
    hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, 12);
    static const char stored_words[12] = "some words";
    store(raw, &(Stored){"text", .checksum_last = true}, text, 1, stored_words);
    H5Tclose(text);
    H5Fclose(raw);
    for (int i = 0; i < KINDS; i++)
        damage_chunk(path, stored[i].name);
    damage_chunk(path, "text");

    Hdf5File *file;
    char *words = NULL;
    assert_ok(hdf5_open(&file, path, &error));
    for (int i = 0; i < KINDS; i++)
        assert_fails(
            hdf5_read(file, stored[i].name, HDF5_INT64, 1, (int64_t[]){COUNT}, values, &error),
            stored[i].checksum_last ? ": its checksum is wrong: the file was damaged"
                                    : ": cannot be read (");
    assert_fails(hdf5_read_string(file, "text", &words, &error),
                 "a.h5:/text: its checksum is wrong: the file was damaged after it was written");
    hdf5_close(file);
}
END_TEST

START_TEST(everything_that_is_written_has_a_checksum)
{
    const char *path = scratch_path("a.h5");
    Hdf5File *file;
    Hdf5Verified verified;
    float *values = numbers();
    write_file(path, values);
    assert_ok(hdf5_open(&file, path, &error));
    assert_ok(hdf5_verify(file, &verified, &error));
    ck_assert_int_eq(verified.arrays, 3);
    ck_assert_int_eq(verified.bytes, 4 * (MANY + FEW) + (int64_t)strlen("name: x\n"));
    ck_assert_int_eq(verified.unchecked, 0);
    hdf5_close(file);
    free(values);

    assert_ok(hdf5_open(&file, "tests/golden/golden_a.h5", &error));
    assert_ok(hdf5_verify(file, &verified, &error));
    ck_assert_int_eq(verified.unchecked, verified.arrays);
    hdf5_close(file);
}
END_TEST

/* As the library copies, chunks go with their checksums, and nobody looks. */
START_TEST(what_is_damaged_is_not_copied)
{
    const char *path = scratch_path("a.h5");
    size_t size;
    Hdf5File *file, *copy;
    float *values = numbers();
    write_file(path, values);
    damage(path, values[300 * 700]);
    char *bytes = scratch_read(path, &size);
    assert_ok(hdf5_open(&file, path, &error));
    assert_fails(hdf5_check_copy(file, "else", &error),
                 "a.h5:/trunk/many: its checksum is wrong: the file was damaged after it was "
                 "written");
    assert_fails(hdf5_create_copy(&copy, file, "else", &error),
                 "/trunk/many: its checksum is wrong");
    ck_assert(scratch_same_bytes(path, bytes, size));
    ck_assert_int_eq(scratch_count(), 1);

    /* What is left out may be as it is. */
    assert_ok(hdf5_create_copy(&copy, file, "trunk", &error));
    hdf5_close(file);
    assert_ok(hdf5_commit(copy, &error));
    assert_ok(hdf5_open(&file, path, &error));
    ck_assert(!hdf5_exists(file, "trunk", HDF5_GROUP));
    ck_assert(hdf5_exists(file, "config", HDF5_DATASET));
    hdf5_close(file);
    free(bytes);
    free(values);
}
END_TEST

START_TEST(numbers_that_are_none_are_found)
{
    const char *path = scratch_path("a.h5");
    const double bad[3] = {0, 1.0 / 0.0, 0};
    Hdf5File *file;
    Hdf5Verified verified;
    assert_ok(hdf5_create(&file, path, &error));
    assert_ok(hdf5_write(file, "g/x", HDF5_FLOAT64, 1, (int64_t[]){3}, bad, &error));
    assert_ok(hdf5_commit(file, &error));
    assert_ok(hdf5_open(&file, path, &error));
    assert_fails(hdf5_verify(file, &verified, &error),
                 "a.h5:/g/x: expected finite numbers, found inf");
    hdf5_close(file);
}
END_TEST

SUITE_MAIN("damage", no_changed_byte_goes_unnoticed, the_damaged_array_is_named,
           a_wrong_checksum_is_told_from_other_damage, everything_that_is_written_has_a_checksum,
           what_is_damaged_is_not_copied, numbers_that_are_none_are_found)
