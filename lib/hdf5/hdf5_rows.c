/* Rows of arrays: some that the caller asks for (Hdf5Rows), or all in blocks (Hdf5Blocks).
 *
 * A row is all that has the same index along the first axis.
 */
#include "base/memory.h"
#include "hdf5/hdf5_internal.h"

/* -- Selections -------------------------------------------------------------------------------- */

/* The spaces in memory and in the file that cover some rows. */
typedef struct RowSpaces {
    hid_t memory;
    hid_t file;
} RowSpaces;

static RowSpaces select_rows(hid_t dataset, int rank, const int64_t *dims, int64_t first,
                             int64_t count)
{
    hsize_t start[HDF5_MAX_RANK] = {(hsize_t)first};
    hsize_t extent[HDF5_MAX_RANK] = {(hsize_t)count};
    for (int i = 1; i < rank; i++)
        extent[i] = (hsize_t)dims[i];
    RowSpaces spaces = {.memory = H5Screate_simple(rank, extent, NULL),
                        .file = H5Dget_space(dataset)};
    H5Sselect_hyperslab(spaces.file, H5S_SELECT_SET, start, NULL, extent, NULL);
    return spaces;
}

static void close_spaces(RowSpaces spaces)
{
    H5Sclose(spaces.memory);
    H5Sclose(spaces.file);
}

/* -- Opening ----------------------------------------------------------------------------------- */

/* Rows are often read in a random order: chunks that were unpacked once stay in a cache. */
enum { CHUNK_CACHE_SLOTS = 12421, CHUNK_CACHE_BYTES = 64 << 20 };

hid_t hdf5_open_cached_array(Hdf5File *file, const char *name, Hdf5Type type, int rank,
                             int64_t *dims, Error *error)
{
    if (!hdf5_expect(file, name, type, rank, dims, error))
        return H5I_INVALID_HID;
    /* The array was found in this very file, so it can be opened again by its name. */
    hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    H5Pset_chunk_cache(access, CHUNK_CACHE_SLOTS, CHUNK_CACHE_BYTES, H5D_CHUNK_CACHE_W0_DEFAULT);
    hid_t dataset = H5Dopen2(file->id, name, access);
    const bool ok = hdf5_was_read(file, name, dataset, dataset >= 0 ? 0 : -1, error);
    H5Pclose(access);
    if (!ok && dataset >= 0)
        H5Dclose(dataset);
    return ok ? dataset : H5I_INVALID_HID;
}

/* -- Blocks ------------------------------------------------------------------------------------ */

bool hdf5_read_blocks(const Hdf5Blocks *blocks, Error *error)
{
    int64_t items = 1; /* of a row */
    for (int i = 1; i < blocks->rank; i++)
        items *= blocks->dims[i];
    if (items == 0 || blocks->rows == 0)
        return true;
    const int64_t row = items * (int64_t)H5Tget_size(blocks->type);
    const int64_t fit = row < blocks->bytes ? blocks->bytes / row : 1;
    const int64_t block = fit < blocks->rows ? fit : blocks->rows;
    void *values = memory_large((size_t)block, (size_t)row, blocks->name, error);
    bool ok = values != NULL;
    for (int64_t first = 0; ok && first < blocks->rows; first += block) {
        const int64_t rest = blocks->rows - first, count = rest < block ? rest : block;
        RowSpaces spaces = select_rows(blocks->dataset, blocks->rank, blocks->dims, first, count);
        const herr_t status =
            H5Dread(blocks->dataset, blocks->type, spaces.memory, spaces.file, H5P_DEFAULT, values);
        ok = hdf5_was_read(blocks->file, blocks->name, blocks->dataset, status, error) &&
             (!blocks->visit || blocks->visit(blocks->context, values, count * items));
        close_spaces(spaces); /* last: another call of the library clears the reason of a failure */
    }
    memory_free(values);
    return ok;
}

/* -- Rows -------------------------------------------------------------------------------------- */

struct Hdf5Rows {
    Hdf5File *file;
    char *name;
    hid_t dataset;
    Hdf5Type type;
    int rank;
    int64_t dims[HDF5_MAX_RANK];
};

static Hdf5Rows *new_rows(Hdf5File *file, const char *name, Hdf5Type type, int rank,
                          const int64_t *dims, hid_t dataset)
{
    Hdf5Rows *rows = memory_small(1, sizeof *rows);
    *rows = (Hdf5Rows){
        .file = file, .name = memory_string(name), .dataset = dataset, .type = type, .rank = rank};
    for (int i = 0; i < rank; i++)
        rows->dims[i] = dims[i];
    return rows;
}

bool hdf5_rows_open(Hdf5Rows **rows, Hdf5File *file, const char *name, Hdf5Type type, int rank,
                    int64_t *dims, Error *error)
{
    const hid_t dataset = hdf5_open_cached_array(file, name, type, rank, dims, error);
    *rows = dataset >= 0 ? new_rows(file, name, type, rank, dims, dataset) : NULL;
    return *rows != NULL;
}

bool hdf5_rows_create(Hdf5Rows **rows, Hdf5File *file, const char *name, Hdf5Type type, int rank,
                      const int64_t *dims, Error *error)
{
    *rows = NULL;
    hid_t dataset = hdf5_create_array(file, name, type, rank, dims);
    bool ok = hdf5_written(file, name, dataset >= 0, error);
    if (ok)
        *rows = new_rows(file, name, type, rank, dims, dataset);
    else if (dataset >= 0)
        H5Dclose(dataset);
    return ok;
}

/* Input error unless the rows are there. */
static bool check_range(const Hdf5Rows *rows, int64_t first, int64_t count, Error *error)
{
    if (first >= 0 && count >= 1 && first <= rows->dims[0] - count)
        return true;
    return error_input(error, "%s: has %lld rows, asked for %lld from row %lld on",
                       hdf5_place(rows->file, rows->name).text, (long long)rows->dims[0],
                       (long long)count, (long long)first);
}

bool hdf5_rows_read(Hdf5Rows *rows, int64_t first, int64_t count, void *values, Error *error)
{
    if (!check_range(rows, first, count, error))
        return false;
    RowSpaces spaces = select_rows(rows->dataset, rows->rank, rows->dims, first, count);
    herr_t status = H5Dread(rows->dataset, hdf5_memory_type(rows->type), spaces.memory, spaces.file,
                            H5P_DEFAULT, values);
    bool ok = hdf5_was_read(rows->file, rows->name, rows->dataset, status, error);
    close_spaces(spaces);
    return ok;
}

bool hdf5_rows_write(Hdf5Rows *rows, int64_t first, int64_t count, const void *values, Error *error)
{
    if (!check_range(rows, first, count, error))
        return false;
    RowSpaces spaces = select_rows(rows->dataset, rows->rank, rows->dims, first, count);
    herr_t status = H5Dwrite(rows->dataset, hdf5_memory_type(rows->type), spaces.memory,
                             spaces.file, H5P_DEFAULT, values);
    bool ok = hdf5_written(rows->file, rows->name, status >= 0, error);
    close_spaces(spaces);
    return ok;
}

void hdf5_rows_close(Hdf5Rows *rows)
{
    if (rows == NULL)
        return;
    H5Dclose(rows->dataset);
    memory_free(rows->name);
    memory_free(rows);
}
