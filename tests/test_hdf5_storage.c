/* Tests of incomplete arrays: a part that was never stored is noticed in every storage layout of
 * HDF5. Also tests of the names of filters in messages. */
#include "hdf5/hdf5_verify.h"

#include "base/memory.h"

#include "tests/hdf5_raw.h"
#include "tests/scratch.h"
#include "tests/suite.h"

static Error error; /* of the last call */

/* -- Parts that were never stored ------------------------------------------------------------- */

/* A data set of 10 x 6 floating-point numbers in chunks of 4 x 4 (those at the edges reach beyond it), of which
 * some rows are written. */
typedef struct Kind {
    const char *name;
    bool
        latest; /* the file is of HDF5 1.10's format, else of the oldest: other indices of chunks */
    bool grows; /* its first axis has no limit: yet another index */
    bool deflate, shuffle, fletcher32;
    bool filled; /* with a value chosen by the writer */
} Kind;

static const Kind kinds[] = {
    {"as they are", .grows = false},
    {"deflate", .deflate = true},
    {"shuffle and deflate", .shuffle = true, .deflate = true},
    {"deflate and fletcher32", .deflate = true, .fletcher32 = true},
    {"fletcher32", .fletcher32 = true},
    {"a fill value", .filled = true, .deflate = true},
    {"growing", .grows = true, .deflate = true},
    {"latest", .latest = true},
    {"latest, deflate", .latest = true, .deflate = true},
    {"latest, growing", .latest = true, .grows = true},
    {"latest, growing, deflate", .latest = true, .grows = true, .deflate = true},
    {"latest, fletcher32, a fill value", .latest = true, .fletcher32 = true, .filled = true},
};

enum { ROWS = 10, COLUMNS = 6, KINDS = sizeof kinds / sizeof kinds[0] };

static hid_t creation_of(const Kind *kind)
{
    const float fill = 0.25f;
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(creation, 2, (hsize_t[]){4, 4});
    if (kind->shuffle)
        H5Pset_shuffle(creation);
    if (kind->deflate)
        H5Pset_deflate(creation, 6);
    if (kind->fletcher32)
        H5Pset_fletcher32(creation);
    if (kind->filled)
        H5Pset_fill_value(creation, H5T_NATIVE_FLOAT, &fill);
    return creation;
}

/* Writes the block of `rows` x `columns` from row `first` on. */
static void write_block(hid_t data, hsize_t first, hsize_t rows, hsize_t columns)
{
    float values[ROWS * COLUMNS];
    for (int i = 0; i < ROWS * COLUMNS; i++)
        values[i] = (float)i + 0.5f;
    hid_t memory = H5Screate_simple(2, (hsize_t[]){rows, columns}, NULL),
          space = H5Dget_space(data);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, (hsize_t[]){first, 0}, NULL,
                        (hsize_t[]){rows, columns}, NULL);
    ck_assert(H5Dwrite(data, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, values) >= 0);
    H5Sclose(space);
    H5Sclose(memory);
}

static void make(const char *path, const Kind *kind, hsize_t first, hsize_t rows, hsize_t columns)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (kind->latest)
        H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    hid_t space = H5Screate_simple(2, (hsize_t[]){ROWS, COLUMNS},
                                   (hsize_t[]){kind->grows ? H5S_UNLIMITED : ROWS, COLUMNS});
    hid_t creation = creation_of(kind);
    hid_t data = H5Dcreate2(file, "x", H5T_IEEE_F32LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    ck_assert(data >= 0);
    if (rows > 0)
        write_block(data, first, rows, columns);
    H5Dclose(data);
    H5Pclose(creation);
    H5Sclose(space);
    H5Fclose(file);
    H5Pclose(access);
}

/* Each way to the numbers of /x. */
static bool reads(const char *path)
{
    float values[ROWS * COLUMNS];
    int64_t dims[2] = {HDF5_ANY, HDF5_ANY};
    Hdf5Rows *rows = NULL;
    Hdf5Verified verified;
    Hdf5File *file = open_file(path);
    const bool whole =
        hdf5_read(file, "x", HDF5_FLOAT32, 2, (int64_t[]){ROWS, COLUMNS}, values, &error);
    Error others;
    ck_assert_int_eq(hdf5_expect(file, "x", HDF5_FLOAT32, 2, dims, &others), whole);
    ck_assert_int_eq(hdf5_rows_open(&rows, file, "x", HDF5_FLOAT32, 2, dims, &others), whole);
    hdf5_rows_close(rows);
    ck_assert_int_eq(hdf5_verify(file, &verified, &others), whole);
    ck_assert_int_eq(hdf5_check_copy(file, "nothing", &others), whole);
    close_file(file);
    return whole;
}

START_TEST(a_chunk_that_was_never_stored_is_missed)
{
    const char *path = scratch_path("a.h5");
    static const struct {
        hsize_t first, rows, columns;
        const char *held;
    } blocks[] = {
        {0, 8, COLUMNS, "192 are there"}, /* all but the last rows */
        {4, 6, COLUMNS, "144 are there"}, /* all but the first */
        {0, ROWS, 4, "160 are there"},    /* all but the last columns */
        {0, 1, 1, "64 are there"},        /* one chunk only */
        {0, 0, 0, "0 are there"},
    };
    for (int k = 0; k < KINDS; k++) {
        make(path, &kinds[k], 0, ROWS, COLUMNS);
        ck_assert_msg(reads(path), "%s: %s", kinds[k].name, error.message);
        for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
            make(path, &kinds[k], blocks[i].first, blocks[i].rows, blocks[i].columns);
            ck_assert_msg(!reads(path), "%s, %zu: read", kinds[k].name, i);
            ck_assert_int_eq(error.kind, ERROR_INPUT);
            ck_assert_msg(
                strstr(error.message, "a.h5:/x: is incomplete: shape [10, 6] takes 240 bytes, ") &&
                    strstr(error.message, blocks[i].held),
                "%s, %zu: %s", kinds[k].name, i, error.message);
        }
    }
}
END_TEST

/* One of very many, which the library would look for by walking through all. */
START_TEST(one_of_many_chunks_is_missed)
{
    enum { COUNT = 5000 };
    const char *path = scratch_path("a.h5");
    static uint8_t bytes[COUNT * 4];
    for (int missing = 0; missing < 2; missing++) {
        hid_t file = raw_create(path), creation = H5Pcreate(H5P_DATASET_CREATE);
        hid_t space = H5Screate_simple(2, (hsize_t[]){COUNT, 4}, NULL);
        H5Pset_chunk(creation, 2, (hsize_t[]){1, 4});
        hid_t data = H5Dcreate2(file, "x", H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
        H5Sselect_hyperslab(space, H5S_SELECT_SET, (hsize_t[]){0, 0}, NULL, (hsize_t[]){COUNT, 4},
                            NULL);
        if (missing)
            H5Sselect_hyperslab(space, H5S_SELECT_NOTB, (hsize_t[]){COUNT / 3, 0}, NULL,
                                (hsize_t[]){1, 4}, NULL);
        hid_t memory =
            H5Screate_simple(1, (hsize_t[]){(hsize_t)H5Sget_select_npoints(space)}, NULL);
        ck_assert(H5Dwrite(data, H5T_NATIVE_UINT8, memory, space, H5P_DEFAULT, bytes) >= 0);
        H5Sclose(memory);
        H5Dclose(data);
        H5Sclose(space);
        H5Pclose(creation);
        H5Fclose(file);

        Hdf5File *back = open_file(path);
        int64_t dims[2] = {HDF5_ANY, 4};
        if (missing)
            assert_fails(hdf5_expect(back, "x", HDF5_UINT8, 2, dims, &error),
                         "is incomplete: shape [5000, 4] takes 20000 bytes, 19996 are there");
        else
            assert_ok(hdf5_expect(back, "x", HDF5_UINT8, 2, dims, &error));
        close_file(back);
    }
}
END_TEST

/* What lies in one piece, or in the header of the object. */
START_TEST(arrays_in_one_piece_are_missed)
{
    const char *path = scratch_path("a.h5");
    const hsize_t four = 4;
    const float fill = 0.25f, values[4] = {1, 2, 3, 4};
    hid_t raw = raw_create(path), creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_fill_value(creation, H5T_NATIVE_FLOAT, &fill);
    hid_t space = H5Screate_simple(1, &four, NULL);
    raw_array(raw, "contiguous", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 1, &four, NULL);
    raw_array(raw, "scalar", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 0, NULL, NULL);
    H5Dclose(H5Dcreate2(raw, "filled", H5T_IEEE_F32LE, space, H5P_DEFAULT, creation, H5P_DEFAULT));
    H5Pset_layout(creation, H5D_COMPACT);
    hid_t compact =
        H5Dcreate2(raw, "compact", H5T_IEEE_F32LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    ck_assert(H5Dwrite(compact, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(compact);
    H5Sclose(space);
    H5Pclose(creation);
    H5Fclose(raw);

    Hdf5File *file = open_file(path);
    float back[4];
    const int64_t dims[1] = {4};
    assert_fails(hdf5_read(file, "contiguous", HDF5_FLOAT32, 1, dims, back, &error),
                 "a.h5:/contiguous: is incomplete: shape [4] takes 16 bytes, 0 are there");
    assert_fails(hdf5_read(file, "filled", HDF5_FLOAT32, 1, dims, back, &error),
                 "a.h5:/filled: is incomplete: shape [4] takes 16 bytes, 0 are there");
    assert_fails(hdf5_read(file, "scalar", HDF5_FLOAT32, 0, NULL, back, &error),
                 "a.h5:/scalar: is incomplete: shape [] takes 4 bytes, 0 are there");
    assert_ok(hdf5_read(file, "compact", HDF5_FLOAT32, 1, dims, back, &error));
    ck_assert_mem_eq(back, values, sizeof values);
    close_file(file);
}
END_TEST

/* The empty text of a string that nobody wrote would be a configuration of defaults. */
START_TEST(strings_that_were_never_stored_are_missed)
{
    const char *path = scratch_path("a.h5"), *variable_text = "varhead";
    const hsize_t one = 1;
    hid_t fixed = string_type(7, H5T_STR_NULLPAD, H5T_CSET_UTF8);
    hid_t variable = string_type(H5T_VARIABLE, H5T_STR_NULLTERM, H5T_CSET_UTF8);
    const struct {
        const char *name;
        hid_t type;
        bool chunked, written;
    } cases[] = {
        {"fixed", fixed, false, false},      {"variable", variable, false, false},
        {"fixed chunk", fixed, true, false}, {"variable chunk", variable, true, false},
        {"fixed, whole", fixed, true, true}, {"variable, whole", variable, true, true},
    };
    enum { CASES = sizeof cases / sizeof cases[0] };
    hid_t raw = raw_create(path), space = H5Screate_simple(1, &one, NULL);
    for (int i = 0; i < CASES; i++) {
        hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
        if (cases[i].chunked)
            H5Pset_chunk(creation, 1, &one);
        hid_t data = H5Dcreate2(raw, cases[i].name, cases[i].type, space, H5P_DEFAULT, creation,
                                H5P_DEFAULT);
        const void *text = cases[i].type == fixed ? (const void *)variable_text : &variable_text;
        if (cases[i].written)
            ck_assert(H5Dwrite(data, cases[i].type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) >= 0);
        H5Dclose(data);
        H5Pclose(creation);
    }
    H5Sclose(space);
    H5Fclose(raw);
    H5Tclose(fixed);
    H5Tclose(variable);

    Hdf5File *file = open_file(path);
    for (int i = 0; i < CASES; i++) {
        char *text = NULL;
        if (cases[i].written) {
            assert_ok(hdf5_read_string(file, cases[i].name, &text, &error));
            ck_assert_str_eq(text, variable_text);
            memory_free(text);
        } else {
            assert_fails(hdf5_read_string(file, cases[i].name, &text, &error), "is incomplete");
        }
    }
    close_file(file);
}
END_TEST

/* -- Filters ---------------------------------------------------------------------------------- */

static size_t keep(unsigned flags, size_t count, const unsigned *values, size_t bytes, size_t *size,
                   void **buffer)
{
    (void)flags, (void)count, (void)values, (void)size, (void)buffer;
    return bytes;
}

/* Writes /x by way of a filter of that number, which does nothing. */
static void make_filtered(const char *path, H5Z_filter_t number, const char *name)
{
    const H5Z_class2_t class = {.version = H5Z_CLASS_T_VERS,
                                .id = number,
                                .encoder_present = 1,
                                .decoder_present = 1,
                                .name = name,
                                .filter = keep};
    const uint8_t bytes[100] = {0};
    ck_assert(H5Zregister(&class) >= 0);
    hid_t raw = raw_create(path), space = H5Screate_simple(1, (hsize_t[]){100}, NULL);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(creation, 1, (hsize_t[]){50});
    H5Pset_filter(creation, number, 0, 0, NULL);
    hid_t data = H5Dcreate2(raw, "x", H5T_STD_U8LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    ck_assert(H5Dwrite(data, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes) >= 0);
    H5Pclose(creation);
    H5Sclose(space);
    H5Dclose(data);
    H5Fclose(raw);
    ck_assert(H5Zunregister(number) >= 0);
}

START_TEST(filters_are_called_what_everybody_calls_them)
{
    static const struct {
        H5Z_filter_t number;
        const char *stored, *name;
    } cases[] = {
        {32000, "lzf", "LZF"},
        {32001, "", "Blosc"},
        {32004, "x", "LZ4"},
        {32008, "y", "bitshuffle"},
        {32015, "z", "Zstandard"},
        {32026, "blosc2", "Blosc2"},
        {32500, "squeeze", "\"squeeze\""},
        {32501, "", "the filter number 32501"},
    };
    const char *path = scratch_path("a.h5");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make_filtered(path, cases[i].number, cases[i].stored);
        char expected[160];
        snprintf(expected, sizeof expected,
                 "a.h5:/x: is stored by way of %s, expected gzip (deflate), shuffle, fletcher32 or "
                 "nothing",
                 cases[i].name);
        Hdf5File *file = open_file(path);
        int64_t dims[1] = {100};
        assert_fails(hdf5_expect(file, "x", HDF5_UINT8, 1, dims, &error), expected);
        close_file(file);
    }
}
END_TEST

SUITE_MAIN("hdf5_storage", a_chunk_that_was_never_stored_is_missed, one_of_many_chunks_is_missed,
           arrays_in_one_piece_are_missed, strings_that_were_never_stored_are_missed,
           filters_are_called_what_everybody_calls_them)
