/* How the numbers of a data set are stored, and whether all of them are there.
 *
 * Where nothing was ever stored, the HDF5 library reads zeros or the file's fill value. So an array
 * whose writer died, or whose copy broke off, looks complete. Here an array with a missing part is
 * refused, whatever its fill value: nobody wrote these numbers. A part that was reserved and not
 * written cannot be recognised (HDF5 reserves all of a contiguous array at the first write).
 *
 * Every chunk is looked up by its place with H5Dget_chunk_storage_size, which takes a microsecond.
 * The functions that count chunks do not tell which ones there are, and H5Dget_chunk_info walks
 * through all chunks for each. */
#include "hdf5/hdf5_internal.h"

#include <stdio.h>

/* -- Filters ----------------------------------------------------------------------------------- */

bool hdf5_has_filter(hid_t creation, H5Z_filter_t wanted)
{
    int count = H5Pget_nfilters(creation);
    for (int i = 0; i < count; i++) {
        unsigned flags = 0;
        size_t values = 0;
        if (H5Pget_filter2(creation, (unsigned)i, &flags, &values, NULL, 0, NULL, NULL) == wanted)
            return true;
    }
    return false;
}

bool hdf5_is_read_in_trial(hid_t creation)
{
    return H5Pget_layout(creation) == H5D_COMPACT || hdf5_has_filter(creation, H5Z_FILTER_DEFLATE);
}

/* Other filters are rare. The library unpacks some of them (szip, nbit, scaleoffset) without
 * checking their data, and filters that it loads as plugins are programs. */
static bool is_known_filter(H5Z_filter_t filter)
{
    return filter == H5Z_FILTER_DEFLATE || filter == H5Z_FILTER_SHUFFLE ||
           filter == H5Z_FILTER_FLETCHER32;
}

/* name := the name of a filter that is not read here: its common name, else the name in the file,
 * else its number in the HDF Group's list of registered filters. */
static void name_filter(H5Z_filter_t filter, const char *stored, char *name, size_t size)
{
    static const struct {
        H5Z_filter_t filter;
        const char *name;
    } named[] = {{H5Z_FILTER_SZIP, "szip"},
                 {H5Z_FILTER_NBIT, "nbit"},
                 {H5Z_FILTER_SCALEOFFSET, "scaleoffset"},
                 {307, "bzip2"},
                 {32000, "LZF"},
                 {32001, "Blosc"},
                 {32002, "MAFISC"},
                 {32003, "Snappy"},
                 {32004, "LZ4"},
                 {32008, "bitshuffle"},
                 {32013, "ZFP"},
                 {32015, "Zstandard"},
                 {32017, "SZ"},
                 {32018, "FCIDECOMP"},
                 {32019, "JPEG"},
                 {32024, "SZ3"},
                 {32026, "Blosc2"},
                 {32028, "SPERR"}};
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++)
        if (named[i].filter == filter) {
            snprintf(name, size, "%s", named[i].name);
            return;
        }
    if (stored[0] != '\0')
        snprintf(name, size, "\"%s\"", stored);
    else
        snprintf(name, size, "the filter number %d", (int)filter);
}

static bool check_filters(const char *place, hid_t creation, Error *error)
{
    int count = H5Pget_nfilters(creation);
    for (int i = 0; i < count; i++) {
        char stored[64] = "", name[80];
        unsigned flags = 0;
        size_t values = 0;
        H5Z_filter_t filter = H5Pget_filter2(creation, (unsigned)i, &flags, &values, NULL,
                                             sizeof stored, stored, NULL);
        if (is_known_filter(filter))
            continue;
        name_filter(filter, stored, name, sizeof name);
        return error_input(error,
                           "%s: is stored by way of %s, expected gzip (deflate), shuffle, "
                           "fletcher32 or nothing",
                           place, name);
    }
    return true;
}

/* -- Whether all is there ---------------------------------------------------------------------- */

/* An array that is to be read. */
typedef struct Array {
    const Hdf5File *file;
    hid_t dataset, creation;
    const char *place;
    /* Bytes of one item, and of all. */
    size_t item_size;
    int64_t bytes;
    int rank;
    const int64_t *dims;
} Array;

static bool incomplete(const Array *array, int64_t held, Error *error)
{
    return error_input(error, "%s: is incomplete: shape %s takes %lld bytes, %lld are there",
                       array->place, hdf5_shape_text(array->rank, array->dims).text,
                       (long long)array->bytes, (long long)held);
}

/* Computes `bytes`. A header may declare any shape, so the product may overflow. */
static bool measure(Array *array, Error *error)
{
    array->bytes = (int64_t)array->item_size;
    for (int i = 0; i < array->rank; i++)
        if (__builtin_mul_overflow(array->bytes, array->dims[i], &array->bytes))
            return error_input(error, "%s: declares an impossible size, shape %s", array->place,
                               hdf5_shape_text(array->rank, array->dims).text);
    return true;
}

static bool check_contiguous(const Array *array, Error *error)
{
    if (H5Pget_external_count(array->creation) != 0)
        return error_input(error, "%s: lies in another file, which is not followed", array->place);
    const int64_t stored = (int64_t)H5Dget_storage_size(array->dataset);
    const int64_t size = array->file->size;
    const haddr_t offset = H5Dget_offset(array->dataset);
    const int64_t rest =
        offset == HADDR_UNDEF || offset > (haddr_t)size ? 0 : size - (int64_t)offset;
    const int64_t held = stored >= 0 && stored < rest ? stored : rest;
    return held >= array->bytes || incomplete(array, held, error);
}

/* The chunks of an array. */
typedef struct Chunks {
    hsize_t extent[HDF5_MAX_RANK];
    /* How many chunks cover the array. */
    int64_t count;
    /* Bytes of all chunks in the file. */
    int64_t stored;
    /* Bytes of one stored chunk; 0: any number. */
    hsize_t bytes;
    /* Bytes of the array that lie in the chunks found so far. */
    int64_t held;
    /* Whether a chunk has a wrong size. */
    bool misshapen;
} Chunks;

/* Compressed chunks have any size. So have strings of variable length: a reference to one is larger
 * in the file than in memory. */
static bool has_known_size(const Array *array)
{
    hid_t type = H5Dget_type(array->dataset);
    const bool variable = H5Tis_variable_str(type) > 0;
    H5Tclose(type);
    return !variable && !hdf5_has_filter(array->creation, H5Z_FILTER_DEFLATE);
}

static bool measure_chunks(const Array *array, Chunks *chunks)
{
    chunks->stored = (int64_t)H5Dget_storage_size(array->dataset);
    if (H5Pget_chunk(array->creation, HDF5_MAX_RANK, chunks->extent) != array->rank)
        return false;
    chunks->count = 1;
    chunks->bytes = array->item_size;
    for (int i = 0; i < array->rank; i++) {
        const hsize_t extent = chunks->extent[i], dim = (hsize_t)array->dims[i];
        if (extent == 0 || __builtin_mul_overflow(chunks->bytes, extent, &chunks->bytes) ||
            __builtin_mul_overflow(chunks->count, (int64_t)((dim + extent - 1) / extent),
                                   &chunks->count))
            return false;
    }
    chunks->bytes += hdf5_has_filter(array->creation, H5Z_FILTER_FLETCHER32) ? 4 : 0;
    if (!has_known_size(array))
        chunks->bytes = 0;
    return chunks->stored >= 0 && chunks->stored <= array->file->size;
}

/* The chunk after the one at `offset`, the last axis running first; false after the last. */
static bool next_chunk(const Array *array, const Chunks *chunks, hsize_t *offset)
{
    for (int i = array->rank - 1; i >= 0; i--) {
        offset[i] += chunks->extent[i];
        if (offset[i] < (hsize_t)array->dims[i])
            return true;
        offset[i] = 0;
    }
    return false;
}

/* How many bytes of the array lie in the chunk at `offset`; chunks at the edges reach beyond the
 * array. */
static int64_t bytes_within(const Array *array, const Chunks *chunks, const hsize_t *offset)
{
    int64_t bytes = (int64_t)array->item_size;
    for (int i = 0; i < array->rank; i++) {
        const hsize_t rest = (hsize_t)array->dims[i] - offset[i];
        bytes *= (int64_t)(rest < chunks->extent[i] ? rest : chunks->extent[i]);
    }
    return bytes;
}

/* Looks up every chunk. HDF5 trusts the stored size of a chunk, so an uncompressed one must have
 * exactly the size of its numbers and of its checksum (4 bytes). */
static void look_at_chunks(const Array *array, Chunks *chunks)
{
    hsize_t offset[HDF5_MAX_RANK] = {0};
    do {
        hsize_t size = 0;
        if (H5Dget_chunk_storage_size(array->dataset, offset, &size) < 0 || size == 0)
            continue;
        chunks->held += bytes_within(array, chunks, offset);
        chunks->misshapen = chunks->misshapen || (chunks->bytes != 0 && size != chunks->bytes);
    } while (next_chunk(array, chunks, offset));
}

/* An upper limit on the compression by deflate, which makes at most 1032 bytes of one. */
enum { LARGEST_COMPRESSION = 1100 };

/* Checks that all chunks are there. A chunk takes at least a byte of the file, so an array with
 * more chunks than the file has bytes is incomplete, and no loop is longer than the file. */
static bool check_chunks(const Array *array, Error *error)
{
    Chunks chunks = {0};
    if (array->bytes == 0)
        return true;
    if (!measure_chunks(array, &chunks))
        return incomplete(array, 0, error);
    const int64_t most = chunks.bytes == 0 ? LARGEST_COMPRESSION * chunks.stored : chunks.stored;
    if (chunks.count <= chunks.stored)
        look_at_chunks(array, &chunks);
    if (chunks.held < array->bytes)
        return incomplete(array, chunks.held, error);
    if (chunks.misshapen || most < array->bytes)
        return error_input(error, "%s: is damaged: a part of it has a wrong size", array->place);
    return true;
}

bool hdf5_check_storage(const Hdf5File *file, hid_t dataset, const char *place, size_t item_size,
                        int rank, const int64_t *dims, Error *error)
{
    Array array = {.file = file,
                   .dataset = dataset,
                   .creation = H5Dget_create_plist(dataset),
                   .place = place,
                   .item_size = item_size,
                   .rank = rank,
                   .dims = dims};
    bool ok = check_filters(place, array.creation, error) && measure(&array, error);
    if (ok)
        switch (H5Pget_layout(array.creation)) {
        case H5D_COMPACT: {
            const int64_t stored = (int64_t)H5Dget_storage_size(dataset);
            ok = stored >= array.bytes || incomplete(&array, stored, error);
            break;
        }
        case H5D_CONTIGUOUS:
            ok = check_contiguous(&array, error);
            break;
        case H5D_CHUNKED:
            ok = check_chunks(&array, error);
            break;
        default: /* virtual: put together from other files */
            ok = error_input(error, "%s: lies in another file, which is not followed", place);
        }
    H5Pclose(array.creation);
    return ok;
}
