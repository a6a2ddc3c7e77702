/* The HDF5 layer: what is written reads back; what is wrong is refused in one exact line. The bad
 * files are made with HDF5's own functions, since ours can't make them. */
#include "base/memory.h"
#include "io/hdf5_file.h"

#include "expect.h"
#include "scratch.h"
#include "suite.h"

#include <hdf5.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static Hdf5File *open_file(const char *path)
{
    Hdf5File *file;
    assert_ok(hdf5_open(&file, path, &error));
    return file;
}

/* Closes a file and looks whether the layer left any of HDF5's objects open. */
static void close_file(Hdf5File *file)
{
    hdf5_close(file);
    ck_assert_int_eq(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
}

/* -- Raw HDF5, for files as others may write them --------------------------------------------- */

static hid_t raw_create(const char *path)
{
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(file >= 0);
    return file;
}

static void raw_array(hid_t file, const char *name, hid_t stored, hid_t memory, int rank,
                      const hsize_t *dims, const void *values)
{
    hid_t space = H5Screate_simple(rank, dims, NULL);
    hid_t data = H5Dcreate2(file, name, stored, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(data >= 0);
    if (values != NULL)
        ck_assert(H5Dwrite(data, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(data);
    H5Sclose(space);
}

static hid_t string_type(size_t size, H5T_str_t padding, H5T_cset_t characters)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, size);
    H5Tset_strpad(type, padding);
    H5Tset_cset(type, characters);
    return type;
}

/* An attribute of the root; rank 0 is a scalar. */
static void raw_attribute(hid_t file, const char *name, hid_t stored, hid_t memory, int rank,
                          const hsize_t *dims, const void *value)
{
    hid_t space = rank > 0 ? H5Screate_simple(rank, dims, NULL) : H5Screate(H5S_SCALAR);
    hid_t id = H5Acreate2(file, name, stored, space, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert(id >= 0);
    ck_assert(H5Awrite(id, memory, value) >= 0);
    H5Aclose(id);
    H5Sclose(space);
}

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

START_TEST(compressed_chunks_are_read)
{
    const char *path = scratch_path("a.h5");
    static uint8_t bytes[1000][10], back[1000][10];
    for (int i = 0; i < 10000; i++)
        bytes[i / 10][i % 10] = (uint8_t)(i * i);
    hid_t raw = raw_create(path);
    hid_t space = H5Screate_simple(2, (hsize_t[]){1000, 10}, NULL);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(creation, 2, (hsize_t[]){300, 7});
    H5Pset_deflate(creation, 6);
    H5Pset_fletcher32(creation);
    hid_t data = H5Dcreate2(raw, "images", H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    H5Dwrite(data, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes);
    H5Pclose(creation);
    H5Sclose(space);
    H5Dclose(data);
    H5Fclose(raw);

    Hdf5File *file = open_file(path);
    Hdf5Rows *rows;
    int64_t dims[2] = {HDF5_ANY, HDF5_ANY};
    assert_ok(hdf5_rows_open(&rows, file, "images", HDF5_UINT8, 2, dims, &error));
    for (int i = 0; i < 1000; i++)
        assert_ok(hdf5_rows_read(rows, (i * 37) % 1000, 1, back[(i * 37) % 1000], &error));
    ck_assert_mem_eq(back, bytes, sizeof bytes);
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

/* -- Arrays that are not what is expected ----------------------------------------------------- */

START_TEST(types_convert_within_their_class_only)
{
    const char *path = scratch_path("a.h5");
    const double doubles[2] = {0.5, -1e300};
    const int64_t integers[2] = {-5, 300};
    const uint8_t bytes[2] = {7, 200};
    const hsize_t two = 2;
    hid_t raw = raw_create(path);
    raw_array(raw, "f64be", H5T_IEEE_F64BE, H5T_NATIVE_DOUBLE, 1, &two, doubles);
    raw_array(raw, "i16be", H5T_STD_I16BE, H5T_NATIVE_INT64, 1, &two, integers);
    raw_array(raw, "u32", H5T_STD_U32LE, H5T_NATIVE_UINT8, 1, &two, bytes);
    raw_array(raw, "i8", H5T_STD_I8LE, H5T_NATIVE_INT64, 1, &two, integers);
    raw_array(raw, "u8", H5T_STD_U8LE, H5T_NATIVE_UINT8, 1, &two, bytes);
    hid_t boolean = H5Tenum_create(H5T_STD_I8LE);
    H5Tenum_insert(boolean, "FALSE", (int8_t[]){0});
    H5Tenum_insert(boolean, "TRUE", (int8_t[]){1});
    raw_array(raw, "bool", boolean, boolean, 1, &two, (int8_t[]){0, 1});
    hid_t text = string_type(3, H5T_STR_NULLPAD, H5T_CSET_ASCII);
    raw_array(raw, "text", text, text, 1, &two, "abcdef");
    H5Tclose(text);
    H5Tclose(boolean);
    H5Fclose(raw);

    Hdf5File *file = open_file(path);
    const int64_t dims[1] = {2};
    float floats[2];
    int64_t back[2];
    uint8_t bytes_back[2];
    assert_ok(hdf5_read(file, "f64be", HDF5_FLOAT32, 1, dims, floats, &error));
    ck_assert(floats[0] == 0.5f && floats[1] < -1e38f);
    assert_ok(hdf5_read(file, "i16be", HDF5_INT64, 1, dims, back, &error));
    ck_assert(back[0] == -5 && back[1] == 300);
    assert_ok(hdf5_read(file, "u32", HDF5_INT64, 1, dims, back, &error));
    ck_assert(back[0] == 7 && back[1] == 200);

    assert_fails_as(hdf5_read(file, "u8", HDF5_FLOAT32, 1, dims, floats, &error), ERROR_INPUT,
                    "a.h5:/u8: expected floating-point numbers, found 8-bit unsigned integers");
    assert_fails_as(hdf5_read(file, "f64be", HDF5_INT64, 1, dims, back, &error), ERROR_INPUT,
                    "a.h5:/f64be: expected integers, found 64-bit floating-point numbers");
    assert_fails_as(hdf5_read(file, "i8", HDF5_UINT8, 1, dims, bytes_back, &error), ERROR_INPUT,
                    "a.h5:/i8: expected 8-bit unsigned integers, found 8-bit signed integers");
    assert_fails_as(hdf5_read(file, "u32", HDF5_UINT8, 1, dims, bytes_back, &error), ERROR_INPUT,
                    "found 32-bit unsigned integers");
    assert_fails_as(hdf5_read(file, "bool", HDF5_INT64, 1, dims, back, &error), ERROR_INPUT,
                    "found enumerated values");
    assert_fails_as(hdf5_read(file, "text", HDF5_FLOAT32, 1, dims, floats, &error), ERROR_INPUT,
                    "found strings");
    close_file(file);
}
END_TEST

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

/* A data set of declared shape [n, 1024] uint8 that was never filled in. */
static void raw_unwritten(hid_t file, const char *name, hsize_t n, hid_t creation)
{
    hid_t space = H5Screate_simple(2, (hsize_t[]){n, 1024}, NULL);
    hid_t data = H5Dcreate2(file, name, H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    ck_assert(data >= 0);
    H5Dclose(data);
    H5Sclose(space);
}

START_TEST(sizes_that_lie_are_noticed)
{
    const char *path = scratch_path("a.h5");
    scratch_write(scratch_path("other.bin"), "0123456789", 10);
    hid_t raw = raw_create(path);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    raw_unwritten(raw, "contiguous", (hsize_t)1 << 40, creation);
    H5Pset_chunk(creation, 2, (hsize_t[]){1, 1024});
    raw_unwritten(raw, "chunked", (hsize_t)1 << 40, creation);
    H5Pset_deflate(creation, 9);
    raw_unwritten(raw, "deflated", (hsize_t)1 << 40, creation);
    raw_unwritten(raw, "overflow", (hsize_t)1 << 53, creation);
    H5Pclose(creation);
    creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(creation, scratch_path("other.bin"), 0, 1024);
    raw_unwritten(raw, "external", 1, creation);
    H5Pclose(creation);

    creation = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(2, (hsize_t[]){1, 1024}, NULL);
    H5Pset_virtual(creation, space, "other.h5", "images", space);
    raw_unwritten(raw, "virtual", 1, creation);
    H5Sclose(space);
    H5Pclose(creation);
    H5Fclose(raw);

    Hdf5File *file = open_file(path);
    static const struct {
        const char *name, *text;
    } cases[] = {
        {"contiguous",
         "is incomplete: shape [1099511627776, 1024] takes 1125899906842624 bytes, 0 are there"},
        {"chunked", "chunked: is incomplete"},
        {"deflated", "deflated: is incomplete"},
        {"overflow", "overflow: declares an impossible size, shape [9007199254740992, 1024]"},
        {"external", "external: lies in another file, which is not followed"},
        {"virtual", "virtual: lies in another file, which is not followed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t dims[2] = {HDF5_ANY, HDF5_ANY};
        assert_fails_as(hdf5_expect(file, cases[i].name, HDF5_UINT8, 2, dims, &error), ERROR_INPUT,
                        cases[i].text);
    }
    close_file(file);
}
END_TEST

/* A filter that only the writer has, as lzf is h5py's: the bytes as they are. */
static size_t keep(unsigned flags, size_t count, const unsigned *values, size_t bytes,
                   size_t *buffer_size, void **buffer)
{
    (void)flags;
    (void)count;
    (void)values;
    (void)buffer_size;
    (void)buffer;
    return bytes;
}

START_TEST(an_unknown_compression_is_named)
{
    const H5Z_class2_t class = {.version = H5Z_CLASS_T_VERS,
                                .id = 300,
                                .encoder_present = 1,
                                .decoder_present = 1,
                                .name = "squeeze",
                                .filter = keep};
    const char *path = scratch_path("a.h5");
    const uint8_t bytes[100] = {0};
    ck_assert(H5Zregister(&class) >= 0);
    hid_t raw = raw_create(path);
    hid_t space = H5Screate_simple(1, (hsize_t[]){100}, NULL);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(creation, 1, (hsize_t[]){50});
    H5Pset_filter(creation, 300, 0, 0, NULL);
    hid_t data = H5Dcreate2(raw, "x", H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    ck_assert(H5Dwrite(data, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes) >= 0);
    H5Pclose(creation);
    H5Sclose(space);
    H5Dclose(data);
    H5Fclose(raw);
    ck_assert(H5Zunregister(300) >= 0);

    uint8_t back[100];
    Hdf5File *file = open_file(path);
    assert_fails_as(hdf5_read(file, "x", HDF5_UINT8, 1, (int64_t[]){100}, back, &error),
                    ERROR_INPUT,
                    "a.h5:/x: is stored by way of \"squeeze\", expected gzip (deflate), shuffle, "
                    "fletcher32 or nothing");
    close_file(file);
}
END_TEST

/* -- Links ------------------------------------------------------------------------------------ */

START_TEST(links_stay_in_the_file)
{
    const char *path = scratch_path("a.h5");
    const char *other = scratch_path("other.h5");
    const float value = 3;
    hid_t raw = raw_create(other);
    raw_array(raw, "x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 0, NULL, &value);
    H5Fclose(raw);

    raw = raw_create(path);
    hid_t group = H5Gcreate2(raw, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    raw_array(raw, "x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 0, NULL, &value);
    H5Lcreate_soft("/x", raw, "g/soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(raw, "g", raw, "g/self", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/nowhere", raw, "dangling", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/loop", raw, "loop", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external(other, "/x", raw, "external", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external(other, "/", raw, "mount", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/external", raw, "indirect", H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(group);
    H5Fclose(raw);

    Hdf5File *file = open_file(path);
    float back = 0;
    assert_ok(hdf5_read(file, "g/soft", HDF5_FLOAT32, 0, NULL, &back, &error));
    ck_assert(back == 3);
    assert_ok(hdf5_read(file, "g/self/self/self/soft", HDF5_FLOAT32, 0, NULL, &back, &error));
    Hdf5List list;
    assert_ok(hdf5_list(file, "g", &list, &error));
    ck_assert_int_eq(list.count, 2);
    hdf5_list_free(&list);

    static const struct {
        const char *name, *text;
    } cases[] = {
        {"dangling", "a.h5:/dangling: cannot be opened"},
        {"loop", "a.h5:/loop: cannot be opened"},
        {"external", "a.h5:/external: links to another file, which is not followed"},
        {"indirect", "a.h5:/indirect: links to another file"},
        {"mount/x", "a.h5:/mount/x: links to another file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_fails_as(hdf5_read(file, cases[i].name, HDF5_FLOAT32, 0, NULL, &back, &error),
                        ERROR_INPUT, cases[i].text);
        ck_assert(!hdf5_exists(file, cases[i].name, HDF5_DATASET));
    }
    assert_fails_as(hdf5_list(file, "/", &list, &error), ERROR_INPUT,
                    "/dangling: cannot be opened");
    ck_assert(!hdf5_attribute_exists(file, "mount", "x"));
    int64_t number;
    assert_fails_as(hdf5_read_attribute_int(file, "mount", "x", &number, &error), ERROR_INPUT,
                    "a.h5:/mount: attribute x is missing");
    close_file(file);
}
END_TEST

/* -- Strings and attributes of other writers -------------------------------------------------- */

START_TEST(strings_of_every_kind_are_read)
{
    const char *path = scratch_path("a.h5");
    const char *variable = "varhead";
    hid_t raw = raw_create(path);
    const struct {
        const char *name;
        size_t size;
        H5T_str_t padding;
        H5T_cset_t characters;
        const void *value;
    } kinds[] = {
        {"exact", 7, H5T_STR_NULLPAD, H5T_CSET_ASCII, "varhead"},
        {"padded", 10, H5T_STR_NULLPAD, H5T_CSET_UTF8, "varhead\0\0\0"},
        {"terminated", 8, H5T_STR_NULLTERM, H5T_CSET_ASCII, "varhead"},
        {"spaces", 10, H5T_STR_SPACEPAD, H5T_CSET_ASCII, "varhead   "},
        {"variable", H5T_VARIABLE, H5T_STR_NULLTERM, H5T_CSET_ASCII, &variable},
        {"variable8", H5T_VARIABLE, H5T_STR_NULLTERM, H5T_CSET_UTF8, &variable},
    };
    enum { KINDS = sizeof kinds / sizeof kinds[0] };
    for (int i = 0; i < KINDS; i++) {
        hid_t type = string_type(kinds[i].size, kinds[i].padding, kinds[i].characters);
        raw_attribute(raw, kinds[i].name, type, type, i % 2, (hsize_t[]){1}, kinds[i].value);
        raw_array(raw, kinds[i].name, type, type, i % 2, (hsize_t[]){1}, kinds[i].value);
        H5Tclose(type);
    }
    hid_t type = string_type(3, H5T_STR_NULLPAD, H5T_CSET_ASCII);
    raw_array(raw, "two", type, type, 1, (hsize_t[]){2}, "abcdef");
    H5Tclose(type);
    type = string_type(HDF5_STRING_LIMIT + 1, H5T_STR_NULLPAD, H5T_CSET_ASCII);
    char *huge = calloc(HDF5_STRING_LIMIT + 2, 1);
    memset(huge, 'x', HDF5_STRING_LIMIT + 1);
    raw_array(raw, "huge", type, type, 0, NULL, huge);
    H5Tclose(type);
    type = string_type(H5T_VARIABLE, H5T_STR_NULLTERM, H5T_CSET_ASCII);
    raw_array(raw, "huger", type, type, 0, NULL, &huge);
    raw_array(raw, "unset", type, type, 0, NULL, NULL);
    H5Tclose(type);
    free(huge);
    raw_array(raw, "number", H5T_STD_I32LE, H5T_NATIVE_INT, 0, NULL, (int[]){1});
    H5Fclose(raw);

    Hdf5File *file = open_file(path);
    char *text;
    for (int i = 0; i < KINDS; i++) {
        assert_ok(hdf5_read_attribute_string(file, "/", kinds[i].name, &text, &error));
        ck_assert_str_eq(text, "varhead");
        memory_free(text);
        assert_ok(hdf5_read_string(file, kinds[i].name, &text, &error));
        ck_assert_str_eq(text, "varhead");
        memory_free(text);
    }
    assert_ok(hdf5_read_string(file, "unset", &text, &error));
    ck_assert_str_eq(text, "");
    memory_free(text);
    assert_fails_as(hdf5_read_string(file, "two", &text, &error), ERROR_INPUT,
                    "a.h5:/two: expected a single value");
    assert_fails_as(hdf5_read_string(file, "huge", &text, &error), ERROR_INPUT,
                    "a.h5:/huge: is longer than 1048576 bytes");
    assert_fails_as(hdf5_read_string(file, "huger", &text, &error), ERROR_INPUT,
                    "a.h5:/huger: is longer than 1048576 bytes");
    assert_fails_as(hdf5_read_string(file, "number", &text, &error), ERROR_INPUT,
                    "a.h5:/number: expected a string, found 32-bit signed integers");
    assert_fails_as(hdf5_read_attribute_string(file, "/", "none", &text, &error), ERROR_INPUT,
                    "a.h5: attribute none is missing");
    close_file(file);
}
END_TEST

START_TEST(numbers_of_every_width_are_attributes)
{
    const char *path = scratch_path("a.h5");
    const int64_t five[2] = {5, 6};
    const double half = 0.5;
    hid_t raw = raw_create(path);
    const hid_t types[] = {H5T_STD_I8LE,  H5T_STD_U8LE,  H5T_STD_I16BE, H5T_STD_U16LE,
                           H5T_STD_I32LE, H5T_STD_U32BE, H5T_STD_I64LE, H5T_STD_U64LE};
    for (int i = 0; i < 8; i++)
        raw_attribute(raw, (char[]){(char)('a' + i), 0}, types[i], H5T_NATIVE_INT64, i % 2,
                      (hsize_t[]){1}, five);
    raw_attribute(raw, "float", H5T_IEEE_F32LE, H5T_NATIVE_DOUBLE, 0, NULL, &half);
    raw_attribute(raw, "pair", H5T_STD_I64LE, H5T_NATIVE_INT64, 1, (hsize_t[]){2}, five);
    H5Fclose(raw);

    Hdf5File *file = open_file(path);
    int64_t integer;
    double number;
    for (int i = 0; i < 8; i++) {
        integer = 0;
        assert_ok(
            hdf5_read_attribute_int(file, "/", (char[]){(char)('a' + i), 0}, &integer, &error));
        ck_assert_int_eq(integer, 5);
    }
    assert_ok(hdf5_read_attribute_double(file, "/", "float", &number, &error));
    ck_assert(number == 0.5);
    assert_ok(hdf5_read_attribute_double(file, "/", "a", &number, &error));
    ck_assert(number == 5);
    assert_fails_as(
        hdf5_read_attribute_int(file, "/", "float", &integer, &error), ERROR_INPUT,
        "a.h5: attribute float: expected an integer, found 32-bit floating-point numbers");
    assert_fails_as(hdf5_read_attribute_int(file, "/", "pair", &integer, &error), ERROR_INPUT,
                    "a.h5: attribute pair: expected a single value");
    char *text;
    assert_fails_as(hdf5_read_attribute_string(file, "/", "a", &text, &error), ERROR_INPUT,
                    "a.h5: attribute a: expected a string, found 8-bit signed integers");
    close_file(file);
}
END_TEST

/* -- Replacing files -------------------------------------------------------------------------- */

/* A file with some arrays of `value`, large enough that HDF5 writes before the end. */
static bool write_some(const char *path, float value)
{
    float values[5000];
    for (int i = 0; i < 5000; i++)
        values[i] = value;
    Hdf5File *file;
    if (!hdf5_create(&file, path, &error))
        return false;
    for (int i = 0; i < 10; i++) {
        char name[32];
        snprintf(name, sizeof name, "group.%d/x", i);
        if (!hdf5_write(file, name, HDF5_FLOAT32, 1, (int64_t[]){i < 5 ? 5000 : 10}, values,
                        &error)) {
            hdf5_close(file);
            return false;
        }
    }
    return hdf5_commit(file, &error);
}

START_TEST(equal_contents_make_equal_bytes)
{
    assert_ok(write_some(scratch_path("a.h5"), 1));
    sleep(1);
    assert_ok(write_some(scratch_path("b.h5"), 1));
    size_t size;
    char *bytes = scratch_read(scratch_path("a.h5"), &size);
    ck_assert(scratch_same_bytes(scratch_path("b.h5"), bytes, size));
    free(bytes);
}
END_TEST

START_TEST(the_old_file_stays_until_the_commit)
{
    const char *path = scratch_path("a.h5");
    assert_ok(write_some(path, 1));
    size_t size;
    char *bytes = scratch_read(path, &size);
    const float two = 2;
    Hdf5File *file;
    assert_ok(hdf5_create(&file, path, &error));
    assert_ok(hdf5_write(file, "x", HDF5_FLOAT32, 0, NULL, &two, &error));
    ck_assert(scratch_same_bytes(path, bytes, size));
    ck_assert_int_eq(scratch_count(), 2);
    hdf5_close(file); /* given up */
    ck_assert(scratch_same_bytes(path, bytes, size));
    ck_assert_int_eq(scratch_count(), 1);

    assert_ok(write_some(path, 2));
    ck_assert(!scratch_same_bytes(path, bytes, size));
    ck_assert_int_eq(scratch_count(), 1);
    free(bytes);
}
END_TEST

/* The limit stands for a full disk: both show as a failing write(2). HDF5 itself would crash. */
START_TEST(a_full_disk_harms_nothing)
{
    const char *path = scratch_path("a.h5");
    assert_ok(write_some(path, 1));
    size_t size;
    char *bytes = scratch_read(path, &size);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    for (rlim_t most = 0; most < size; most += size / 37 + 1) {
        limit.rlim_cur = most;
        setrlimit(RLIMIT_FSIZE, &limit);
        error = (Error){0};
        bool written = write_some(path, 2);
        limit.rlim_cur = limit.rlim_max; /* Check must be able to write its results */
        setrlimit(RLIMIT_FSIZE, &limit);
        ck_assert(!written);
        ck_assert_int_eq(error.kind, ERROR_RUNTIME);
        ck_assert_msg(strstr(error.message, "a.h5: cannot be written: File too large") != NULL,
                      "%s", error.message);
        ck_assert(scratch_same_bytes(path, bytes, size));
        ck_assert_int_eq(scratch_count(), 1);
    }
    assert_ok(write_some(path, 2));
    free(bytes);
}
END_TEST

START_TEST(places_that_cannot_be_written)
{
    Hdf5File *file;
    assert_fails_as(hdf5_create(&file, scratch_path("none/a.h5"), &error), ERROR_RUNTIME,
                    "none/a.h5: cannot be written: No such file or directory");
    assert_fails_as(hdf5_create(&file, "tests/suite.h/a.h5", &error), ERROR_RUNTIME,
                    "tests/suite.h/a.h5: cannot be written: Not a directory");
    assert_fails_as(hdf5_create(&file, "/proc/a.h5", &error), ERROR_RUNTIME,
                    "/proc/a.h5: cannot be written");
    assert_fails_as(hdf5_create(&file, "tests/golden", &error), ERROR_INPUT, "is a directory");
    assert_fails_as(hdf5_create(&file, "tests/golden/", &error), ERROR_INPUT,
                    "name of a directory");
    ck_assert_int_eq(mkfifo(scratch_path("pipe"), 0600), 0);
    assert_fails_as(hdf5_create(&file, scratch_path("pipe"), &error), ERROR_INPUT,
                    "pipe: is no regular file and can't be replaced");
    assert_fails_as(hdf5_create(&file, "", &error), ERROR_INPUT, "no file name given");

    if (getuid() == 0)
        return; /* nothing is forbidden to root */
    ck_assert_int_eq(mkdir(scratch_path("locked"), 0500), 0);
    assert_fails_as(hdf5_create(&file, scratch_path("locked/a.h5"), &error), ERROR_RUNTIME,
                    "locked/a.h5: cannot be written: Permission denied");
}
END_TEST

START_TEST(a_directory_that_vanishes)
{
    ck_assert_int_eq(mkdir(scratch_path("run"), 0700), 0);
    Hdf5File *file;
    assert_ok(hdf5_create(&file, scratch_path("run/a.h5"), &error));
    ck_assert_int_eq(rename(scratch_path("run"), scratch_path("moved")), 0);
    assert_fails_as(hdf5_commit(file, &error), ERROR_RUNTIME,
                    "run/a.h5: cannot be written: No such file or directory");
}
END_TEST

START_TEST(a_symbolic_link_is_replaced_not_followed)
{
    const char *path = scratch_path("a.h5");
    const char *victim = scratch_path("victim");
    scratch_write(victim, "precious", 8);
    ck_assert_int_eq(symlink(victim, path), 0);
    char temporary[600];
    snprintf(temporary, sizeof temporary, "%s.tmp-%ld", path, (long)getpid());
    ck_assert_int_eq(symlink(victim, temporary), 0);
    assert_ok(write_some(path, 1));
    ck_assert(scratch_same_bytes(victim, "precious", 8));
    hdf5_close(open_file(path));
    ck_assert_int_eq(scratch_count(), 2);
}
END_TEST

START_TEST(what_a_killed_program_left_is_removed)
{
    const char *path = scratch_path("a.h5");
    assert_ok(write_some(path, 1));
    size_t size;
    char *bytes = scratch_read(path, &size);
    pid_t child = fork();
    if (child == 0) {
        Hdf5File *file;
        if (hdf5_create(&file, path, &error) && hdf5_write_string(file, "x", "half", &error))
            raise(SIGKILL);
        _exit(1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    ck_assert_int_eq(scratch_count(), 2);
    ck_assert(scratch_same_bytes(path, bytes, size));

    char kept[600]; /* of a process that lives, and a name that only looks alike */
    snprintf(kept, sizeof kept, "%s.tmp-%ld", path, (long)getppid());
    scratch_write(kept, "x", 1);
    snprintf(kept, sizeof kept, "%s.tmp-%ldx", path, (long)child);
    scratch_write(kept, "x", 1);
    assert_ok(write_some(path, 1));
    ck_assert_int_eq(scratch_count(), 3);
    free(bytes);
}
END_TEST

SUITE_MAIN("hdf5_file", arrays_survive, strings_and_attributes_survive, a_group_is_listed_by_name,
           rows_are_read_and_written_in_parts, compressed_chunks_are_read, bad_files_are_refused,
           truncated_files_are_refused, types_convert_within_their_class_only, shapes_must_match,
           sizes_that_lie_are_noticed, an_unknown_compression_is_named, links_stay_in_the_file,
           strings_of_every_kind_are_read, numbers_of_every_width_are_attributes,
           equal_contents_make_equal_bytes, the_old_file_stays_until_the_commit,
           a_full_disk_harms_nothing, places_that_cannot_be_written, a_directory_that_vanishes,
           a_symbolic_link_is_replaced_not_followed, what_a_killed_program_left_is_removed)
