/* Tests of HDF5 files that other programs wrote: every equivalent form of a value is read, and an
 * ambiguous one is refused with one exact line. */
#include "base/memory.h"

#include "tests/hdf5_raw.h"
#include "tests/scratch.h"
#include "tests/suite.h"

static Error error; /* of the last call */

/* -- Arrays ----------------------------------------------------------------------------------- */

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
    assert_fails(hdf5_read_string(file, "unset", &text, &error), "a.h5:/unset: is incomplete");
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

SUITE_MAIN("hdf5_foreign", types_convert_within_their_class_only, compressed_chunks_are_read,
           an_unknown_compression_is_named, sizes_that_lie_are_noticed, links_stay_in_the_file,
           strings_of_every_kind_are_read, numbers_of_every_width_are_attributes)
