/* Tests of the HDF5 layer: written data reads back, and wrong data is refused with one exact line.
 * (Files of other programs: test_hdf5_foreign.c. Failing writes: test_hdf5_replace.c. Changed bits:
 * test_damage.c.) */
#include "base/memory.h"

#include "tests/hdf5_raw.h"
#include "tests/scratch.h"
#include "tests/suite.h"

#include <sys/stat.h>

static Error error; /* of the last call */

/* -- Round trips ------------------------------------------------------------------------------ */

START_TEST(arrays_survive)
{
    const float floats[2][3] = {{1.5f, -2, 3}, {4, 5, 1e-30f}};
    const double number = 0.1;
    const int64_t integers[2] = {INT64_MIN, INT64_MAX};
    const uint8_t bytes[4] = {0, 1, 254, 255};
    Hdf5File *file;
    assert_ok(hdf5_create(&file, scratch_path("a.h5"), &error));
    assert_ok(
        hdf5_write(file, "/heads/sn/weight", HDF5_FLOAT32, 2, (int64_t[]){2, 3}, floats, &error));
    assert_ok(hdf5_write(file, "number", HDF5_FLOAT64, 0, NULL, &number, &error));
    assert_ok(hdf5_write(file, "integers", HDF5_INT64, 1, (int64_t[]){2}, integers, &error));
    assert_ok(
        hdf5_write(file, "heads/bytes", HDF5_UINT8, 4, (int64_t[]){1, 2, 2, 1}, bytes, &error));
    assert_ok(hdf5_write(file, "nothing", HDF5_FLOAT32, 2, (int64_t[]){0, 3}, NULL, &error));
    assert_ok(hdf5_commit(file, &error));

    file = open_file(scratch_path("a.h5"));
    float floats_back[2][3];
    double number_back, doubles_back[2][3];
    int64_t integers_back[2];
    uint8_t bytes_back[4];
    assert_ok(hdf5_read(file, "heads/sn/weight", HDF5_FLOAT32, 2, (int64_t[]){2, 3}, floats_back,
                        &error));
    ck_assert_mem_eq(floats_back, floats, sizeof floats);
    assert_ok(hdf5_read(file, "heads/sn/weight", HDF5_FLOAT64, 2, (int64_t[]){2, 3}, doubles_back,
                        &error));
    ck_assert(doubles_back[1][2] == (double)1e-30f);
    assert_ok(hdf5_read(file, "number", HDF5_FLOAT64, 0, NULL, &number_back, &error));
    ck_assert(number_back == number);
    assert_ok(hdf5_read(file, "integers", HDF5_INT64, 1, (int64_t[]){2}, integers_back, &error));
    ck_assert_mem_eq(integers_back, integers, sizeof integers);
    assert_ok(
        hdf5_read(file, "heads/bytes", HDF5_UINT8, 4, (int64_t[]){1, 2, 2, 1}, bytes_back, &error));
    ck_assert_mem_eq(bytes_back, bytes, sizeof bytes);
    assert_ok(hdf5_read(file, "nothing", HDF5_FLOAT32, 2, (int64_t[]){0, 3}, floats_back, &error));

    int rank;
    int64_t dims[HDF5_MAX_RANK];
    assert_ok(hdf5_shape(file, "heads/bytes", &rank, dims, &error));
    ck_assert(rank == 4 && dims[0] == 1 && dims[1] == 2 && dims[2] == 2 && dims[3] == 1);
    int64_t wanted[2] = {HDF5_ANY, 3};
    assert_ok(hdf5_expect(file, "/heads/sn/weight", HDF5_FLOAT32, 2, wanted, &error));
    ck_assert_int_eq(wanted[0], 2);
    close_file(file);
}
END_TEST

START_TEST(strings_and_attributes_survive)
{
    const char *path = scratch_path("a.h5");
    Hdf5File *file;
    assert_ok(hdf5_create(&file, path, &error));
    assert_ok(hdf5_write_string(file, "/config", "name: β̃\n", &error));
    assert_ok(hdf5_write_string(file, "/empty", "", &error));
    assert_ok(hdf5_write_attribute_string(file, "/", "format", "varhead", &error));
    assert_ok(hdf5_write_attribute_int(file, "/", "step", -7, &error));
    assert_ok(hdf5_write_attribute_double(file, "/config", "error", 0.1, &error));
    assert_ok(hdf5_commit(file, &error));

    file = open_file(path);
    char *text;
    int64_t integer;
    double number;
    assert_ok(hdf5_read_string(file, "config", &text, &error));
    ck_assert_str_eq(text, "name: β̃\n");
    memory_free(text);
    assert_ok(hdf5_read_string(file, "empty", &text, &error));
    ck_assert_str_eq(text, "");
    memory_free(text);
    assert_ok(hdf5_read_attribute_string(file, "/", "format", &text, &error));
    ck_assert_str_eq(text, "varhead");
    memory_free(text);
    assert_ok(hdf5_read_attribute_int(file, "/", "step", &integer, &error));
    ck_assert_int_eq(integer, -7);
    assert_ok(hdf5_read_attribute_double(file, "/config", "error", &number, &error));
    ck_assert(number == 0.1);
    ck_assert(hdf5_attribute_exists(file, "/", "step"));
    ck_assert(!hdf5_attribute_exists(file, "/", "stage"));
    close_file(file);
}
END_TEST

/* Longer than what an object's header holds, which has a checksum of its own. */
START_TEST(a_long_text_has_a_checksum)
{
    enum { LENGTH = 100000 };
    static char written[LENGTH + 1];
    const char *path = scratch_path("a.h5");
    Hdf5File *file;
    char *text;
    memset(written, 'b', LENGTH);
    memcpy(written + 99990, "0.12345", 7);
    assert_ok(hdf5_create(&file, path, &error));
    assert_ok(hdf5_write_string(file, "/config", written, &error));
    assert_ok(hdf5_commit(file, &error));
    file = open_file(path);
    assert_ok(hdf5_read_string(file, "/config", &text, &error));
    ck_assert_str_eq(text, written);
    memory_free(text);
    close_file(file);

    size_t size;
    char *bytes = scratch_read(path, &size);
    char *digit = memmem(bytes, size, "0.12345", 7);
    ck_assert_ptr_nonnull(digit);
    digit[3] = '3';
    scratch_write(path, bytes, size);
    free(bytes);
    file = open_file(path);
    assert_fails(hdf5_read_string(file, "/config", &text, &error), "a.h5:/config");
    close_file(file);
}
END_TEST

START_TEST(a_group_is_listed_by_name)
{
    const char *path = scratch_path("a.h5");
    const float zero = 0;
    Hdf5File *file;
    assert_ok(hdf5_create(&file, path, &error));
    assert_ok(hdf5_write(file, "b/10", HDF5_FLOAT32, 0, NULL, &zero, &error));
    assert_ok(hdf5_write(file, "b/9/x", HDF5_FLOAT32, 0, NULL, &zero, &error));
    assert_ok(hdf5_write(file, "a", HDF5_FLOAT32, 0, NULL, &zero, &error));
    assert_ok(hdf5_commit(file, &error));

    file = open_file(path);
    Hdf5List list;
    assert_ok(hdf5_list(file, "/b", &list, &error));
    ck_assert_int_eq(list.count, 2);
    ck_assert_str_eq(list.entries[0].name, "10");
    ck_assert_int_eq(list.entries[0].kind, HDF5_DATASET);
    ck_assert_str_eq(list.entries[1].name, "9");
    ck_assert_int_eq(list.entries[1].kind, HDF5_GROUP);
    hdf5_list_free(&list);
    assert_ok(hdf5_list(file, "/", &list, &error));
    ck_assert_int_eq(list.count, 2);
    hdf5_list_free(&list);
    ck_assert(hdf5_exists(file, "/b/9", HDF5_GROUP) && !hdf5_exists(file, "/b/9", HDF5_DATASET));
    ck_assert(hdf5_exists(file, "a", HDF5_DATASET) && !hdf5_exists(file, "c", HDF5_DATASET));
    close_file(file);
}
END_TEST

START_TEST(rows_are_read_and_written_in_parts)
{
    const char *path = scratch_path("a.h5");
    Hdf5File *file;
    Hdf5Rows *rows;
    int64_t dims[2] = {100, 3};
    assert_ok(hdf5_create(&file, path, &error));
    assert_ok(hdf5_rows_create(&rows, file, "noise", HDF5_FLOAT32, 2, dims, &error));
    for (int first = 0; first < 100; first += 20) {
        float part[20][3];
        for (int i = 0; i < 60; i++)
            part[i / 3][i % 3] = (float)(3 * first + i);
        assert_ok(hdf5_rows_write(rows, first, 20, part, &error));
    }
    assert_fails_as(hdf5_rows_write(rows, 99, 2, dims, &error), ERROR_INPUT,
                    "has 100 rows, asked for 2 from row 99 on");
    hdf5_rows_close(rows);
    assert_ok(hdf5_commit(file, &error));

    file = open_file(path);
    dims[0] = HDF5_ANY;
    assert_ok(hdf5_rows_open(&rows, file, "noise", HDF5_FLOAT32, 2, dims, &error));
    ck_assert_int_eq(dims[0], 100);
    float part[3][3];
    assert_ok(hdf5_rows_read(rows, 97, 3, part, &error));
    ck_assert(part[0][0] == 291 && part[2][2] == 299);
    assert_fails_as(hdf5_rows_read(rows, 98, 3, part, &error), ERROR_INPUT,
                    "a.h5:/noise: has 100 rows, asked for 3 from row 98 on");
    assert_fails_as(hdf5_rows_read(rows, -1, 1, part, &error), ERROR_INPUT, "1 from row -1 on");
    assert_fails_as(hdf5_rows_read(rows, INT64_MAX, 2, part, &error), ERROR_INPUT,
                    "asked for 2 from row");
    hdf5_rows_close(rows);
    close_file(file);
}
END_TEST

/* -- Files that are none ---------------------------------------------------------------------- */

START_TEST(bad_files_are_refused)
{
    Hdf5File *file = NULL;
    assert_fails_as(hdf5_open(&file, "", &error), ERROR_INPUT, "no file name given");
    assert_fails_as(hdf5_open(&file, scratch_path("none.h5"), &error), ERROR_INPUT,
                    "none.h5: no such file, expected an HDF5 file");
    assert_fails_as(hdf5_open(&file, "tests/golden", &error), ERROR_INPUT,
                    "tests/golden: is a directory, expected an HDF5 file");
    assert_fails_as(hdf5_open(&file, "tests/golden/gmm.h5/x", &error), ERROR_INPUT,
                    "Not a directory");
    assert_fails_as(hdf5_open(&file, "/dev/null", &error), ERROR_INPUT, "is no regular file");

    const char *path = scratch_path("bad.h5");
    scratch_write(path, "", 0);
    assert_fails_as(hdf5_open(&file, path, &error), ERROR_INPUT, "bad.h5: is empty");
    scratch_write(path, "name: text\n", 11);
    assert_fails_as(hdf5_open(&file, path, &error), ERROR_INPUT, "bad.h5: is not an HDF5 file");
    static const char broken[] = "\211HDF\r\n\032\n and what follows makes no sense";
    scratch_write(path, broken, sizeof broken);
    assert_fails_as(hdf5_open(&file, path, &error), ERROR_INPUT, "damaged or truncated HDF5 file");
    unlink(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    assert_fails_as(hdf5_open(&file, path, &error), ERROR_INPUT, "is no regular file");
    ck_assert_ptr_null(file);
}
END_TEST

START_TEST(truncated_files_are_refused)
{
    size_t size;
    char *bytes = scratch_read("tests/golden/gmm.h5", &size);
    const char *path = scratch_path("cut.h5");
    for (size_t cut = 1; cut < size; cut += size / 50) {
        Hdf5File *file;
        scratch_write(path, bytes, cut);
        assert_fails_as(hdf5_open(&file, path, &error), ERROR_INPUT, "cut.h5: is ");
    }
    free(bytes);
}
END_TEST

/* HDF5 reads zeros beyond the end of a file, whose checksum is that of the zeros beside them. Copied, they would
 * take the place of the numbers. */
START_TEST(a_file_that_is_cut_off_while_it_is_open)
{
    enum { COUNT = 100000 };
    const char *path = scratch_path("a.h5");
    static float values[COUNT];
    for (int i = 0; i < COUNT; i++)
        values[i] = 1;
    Hdf5File *file, *copy;
    Hdf5Rows *rows;
    int64_t dims[1] = {COUNT};
    assert_ok(hdf5_create(&file, path, &error));
    assert_ok(hdf5_write(file, "x", HDF5_FLOAT32, 1, dims, values, &error));
    assert_ok(hdf5_write(file, "y", HDF5_FLOAT32, 1, dims, values, &error));
    assert_ok(hdf5_commit(file, &error));
    file = open_file(path);
    assert_ok(hdf5_rows_open(&rows, file, "y", HDF5_FLOAT32, 1, dims, &error));
    ck_assert_int_eq(truncate(path, 1000), 0);
    assert_fails(hdf5_read(file, "x", HDF5_FLOAT32, 1, dims, values, &error),
                 "a.h5: was cut off while it was read, from ");
    assert_fails(hdf5_rows_read(rows, 0, COUNT, values, &error), "a.h5: was cut off");
    assert_fails(hdf5_create_copy(&copy, file, "x", &error), "a.h5");
    ck_assert_int_eq(scratch_count(), 1);
    hdf5_rows_close(rows);
    close_file(file);
}
END_TEST

/* -- Arrays that are not what is expected ----------------------------------------------------- */

START_TEST(shapes_must_match)
{
    const char *path = scratch_path("a.h5");
    const float values[12] = {0};
    Hdf5File *file;
    assert_ok(hdf5_create(&file, path, &error));
    assert_ok(hdf5_write(file, "g/x", HDF5_FLOAT32, 3, (int64_t[]){3, 4, 1}, values, &error));
    assert_ok(hdf5_write(file, "scalar", HDF5_FLOAT32, 0, NULL, values, &error));
    assert_ok(hdf5_commit(file, &error));
    hid_t raw = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    hid_t space = H5Screate(H5S_NULL);
    H5Dclose(H5Dcreate2(raw, "null", H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space);
    raw_array(raw, "deep", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 9,
              (hsize_t[]){1, 1, 1, 1, 1, 1, 1, 1, 1}, values);
    H5Fclose(raw);

    file = open_file(path);
    float back[12];
    assert_fails_as(hdf5_read(file, "g/x", HDF5_FLOAT32, 3, (int64_t[]){3, 3, 1}, back, &error),
                    ERROR_INPUT, "a.h5:/g/x: expected shape [3, 3, 1], found [3, 4, 1]");
    assert_fails_as(hdf5_read(file, "g/x", HDF5_FLOAT32, 2, (int64_t[]){3, 4}, back, &error),
                    ERROR_INPUT, "expected shape [3, 4], found [3, 4, 1]");
    assert_fails_as(hdf5_read(file, "scalar", HDF5_FLOAT32, 1, (int64_t[]){1}, back, &error),
                    ERROR_INPUT, "expected shape [1], found []");
    int64_t wanted[3] = {HDF5_ANY, 5, HDF5_ANY};
    assert_fails_as(hdf5_expect(file, "g/x", HDF5_FLOAT32, 3, wanted, &error), ERROR_INPUT,
                    "expected shape [any, 5, any], found [3, 4, 1]");
    assert_fails_as(hdf5_read(file, "null", HDF5_FLOAT32, 0, NULL, back, &error), ERROR_INPUT,
                    "a.h5:/null: holds nothing");
    assert_fails_as(hdf5_read(file, "deep", HDF5_FLOAT32, 0, NULL, back, &error), ERROR_INPUT,
                    "a.h5:/deep: has 9 axes, expected 8 at most");
    assert_fails_as(hdf5_read(file, "g/y", HDF5_FLOAT32, 0, NULL, back, &error), ERROR_INPUT,
                    "a.h5:/g/y: is missing");
    assert_fails_as(hdf5_read(file, "h/y", HDF5_FLOAT32, 0, NULL, back, &error), ERROR_INPUT,
                    "a.h5:/h/y: is missing");
    assert_fails_as(hdf5_read(file, "g", HDF5_FLOAT32, 0, NULL, back, &error), ERROR_INPUT,
                    "a.h5:/g: expected a data set, found a group");
    Hdf5List list;
    assert_fails_as(hdf5_list(file, "scalar", &list, &error), ERROR_INPUT,
                    "a.h5:/scalar: expected a group, found a data set");
    close_file(file);
}
END_TEST

SUITE_MAIN("hdf5_file", arrays_survive, strings_and_attributes_survive, a_long_text_has_a_checksum,
           a_group_is_listed_by_name, rows_are_read_and_written_in_parts, bad_files_are_refused,
           truncated_files_are_refused, a_file_that_is_cut_off_while_it_is_open, shapes_must_match)
