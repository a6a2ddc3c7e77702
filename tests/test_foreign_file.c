/* Tests of the error messages for unsuitable files. Some files are not of the kind that their names
 * promise. Some HDF5 files are sound but cannot be opened. Each message says what the file is. */
#include "base/foreign_file.h"
#include "data/idx.h"

#include "tests/hdf5_raw.h"
#include "tests/scratch.h"
#include "tests/suite.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <zlib.h>

static Error error; /* of the last call */

/* -- By their first bytes --------------------------------------------------------------------- */

#define BYTES(text) text, sizeof(text) - 1

static const struct {
    const char *bytes;
    size_t size;
    const char *kind;
} begins[] = {
    {BYTES("<!DOCTYPE html><html><body>"), "an HTML page (did the download go wrong?)"},
    {BYTES("<html lang=en>"), "an HTML page"},
    {BYTES("\xef\xbb\xbf \n<HTML>"), "an HTML page"},
    {BYTES("<!-- by a proxy -->\r\n<!-- again --><!doctype HTML"), "an HTML page"},
    {BYTES("<?xml version=\"1.0\"?>\n<!DOCTYPE html PUBLIC"), "an HTML page"},
    {BYTES("<?xml version=\"1.0\"?><Error><Code>AccessDenied"),
     "an XML document (did the download"},
    {BYTES("version https://git-lfs.github.com/spec/v1\noid sha256:4d"), "a pointer of Git LFS"},
    {BYTES("/annex/objects/SHA256E-s1--9c"), "a pointer of git-annex"},
    {BYTES("\x1f\x8b\x08\0\0\0\0\0"), "compressed by gzip"},
    {BYTES("\x28\xb5\x2f\xfd\x04"), "compressed by Zstandard"},
    {BYTES("PK\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\0\x20\0archive/data.pklFB"),
     "a file of PyTorch"},
    {BYTES("PK\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x05\0\0\0x.npy"), "a NumPy archive"},
    {BYTES("PK\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x05\0\0\0x.txt"), "a ZIP archive"},
    {BYTES("\x80\x02\x8a\x0al\xfc\x9c"), "a Python pickle (an older file of PyTorch?)"},
    {BYTES("\x93NUMPY\1\0v\0{'descr'"), "a NumPy array"},
    {BYTES("\x40\0\0\0\0\0\0\0{\"a\":{"), "a safetensors file"},
    {BYTES("\xff\xfen\0a\0m\0e\0"), "text in UTF-16"},
    {BYTES("\x89HDF\r\n\x1a\n\0"), "an HDF5 file"},
    {BYTES("\0\0\x08\x03\0\0\0\1"), "an IDX file of images"},
    {BYTES("\x89PNG\r\n"), "a PNG picture"},
};

START_TEST(a_kind_is_told_by_its_first_bytes)
{
    for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++) {
        const ForeignKind kind =
            foreign_kind_of_bytes((const uint8_t *)begins[i].bytes, begins[i].size);
        ck_assert_msg(strncmp(kind.text, begins[i].kind, strlen(begins[i].kind)) == 0,
                      "%zu: \"%s\", expected \"%s\"", i, kind.text, begins[i].kind);
        for (size_t size = 1; size < begins[i].size; size++) {
            uint8_t *part = malloc(size); /* a sanitizer would see a byte too many */
            memcpy(part, begins[i].bytes, size);
            (void)foreign_kind_of_bytes(part, size);
            free(part);
        }
    }
    static const char *const none[] = {"",   "name: tiny\n", "<", "<!--", "<!-- no end",
                                       "PK", "# <html>"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        ck_assert_str_eq(foreign_kind_of_bytes((const uint8_t *)none[i], strlen(none[i])).text, "");
}
END_TEST

static void write_gzip(const char *path, const char *bytes, size_t size)
{
    gzFile file = gzopen(path, "wb");
    ck_assert_int_eq(gzwrite(file, bytes, (unsigned)size), (int)size);
    ck_assert_int_eq(gzclose(file), Z_OK);
}

START_TEST(hdf5_files_that_are_none_are_called_what_they_are)
{
    Hdf5File *file = NULL;
    const char *path = scratch_path("a.h5"), page[] = "<!DOCTYPE html><title>Sign in</title>";
    scratch_write(path, page, strlen(page));
    assert_fails(hdf5_open(&file, path, &error),
                 "a.h5: is an HTML page (did the download go wrong?), expected an HDF5 file");
    write_gzip(path, page, strlen(page));
    assert_fails(hdf5_open(&file, path, &error), "a.h5: is an HTML page");
    write_gzip(path, "\x89HDF\r\n\x1a\n", 8);
    assert_fails(
        hdf5_open(&file, path, &error),
        "a.h5: is an HDF5 file, compressed by gzip (gunzip unpacks it), expected an HDF5 file");
    scratch_write(path, "404: Not Found\n", 15);
    assert_fails(hdf5_open(&file, path, &error),
                 "a.h5: is not an HDF5 file, but text, which begins with \"404: Not Found\"");
    scratch_write(path, "\1\2\3", 3);
    assert_fails(hdf5_open(&file, path, &error), "a.h5: is not an HDF5 file");
}
END_TEST

START_TEST(idx_files_that_are_none_are_called_what_they_are)
{
    IdxImages images;
    uint8_t *labels;
    int64_t count;
    const char *path = scratch_path("a.gz"), page[] = "\n<html><body>Sign in</body></html>";
    for (int packed = 0; packed < 2; packed++) {
        (packed ? write_gzip(path, page, strlen(page)) : scratch_write(path, page, strlen(page)));
        assert_fails(
            idx_read(&images, path, 8, &error),
            "a.gz: is an HTML page (did the download go wrong?), expected an IDX file of images");
        assert_fails(
            idx_read_labels(&labels, &count, path, &error),
            "a.gz: is an HTML page (did the download go wrong?), expected an IDX file of labels");
    }
    write_gzip(path, "\x89HDF\r\n\x1a\n and so on", 18);
    assert_fails(idx_read(&images, path, 8, &error),
                 "a.gz: is an HDF5 file, expected an IDX file of images");
}
END_TEST

/* -- HDF5 files that are open ------------------------------------------------------------------ */

/* A file of the format of 1.10 (`latest`), which is marked while somebody writes it, or of the oldest, which is not. */
static hid_t create(const char *path, bool latest)
{
    const hsize_t two = 2;
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    if (latest)
        H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    ck_assert(file >= 0);
    raw_array(file, "x", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 1, &two, (float[]){1, 2});
    H5Pclose(access);
    return file;
}

static const char locked[] =
    "a.h5: is open in another program, which may be writing it: close it there, or wait; "
    "nothing is wrong with the file";

START_TEST(a_file_that_another_program_has_open_is_not_damaged)
{
    const char *path = scratch_path("a.h5");
    for (int latest = 0; latest < 2; latest++) {
        H5Fclose(create(path, latest));
        int ready[2], done[2];
        ck_assert(pipe(ready) == 0 && pipe(done) == 0);
        pid_t child = fork();
        if (child == 0) {
            char byte = 0;
            hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
            (void)!write(ready[1], &byte, 1);
            close(done[1]);
            (void)!read(done[0], &byte, 1);
            _exit(H5Fclose(file) >= 0 ? 0 : 1);
        }
        char byte;
        Hdf5File *file = NULL;
        ck_assert_int_eq(read(ready[0], &byte, 1), 1);
        assert_fails(hdf5_open(&file, path, &error), locked);
        close(done[1]);
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
        assert_ok(hdf5_open(&file, path, &error)); /* nothing was wrong with it */
        hdf5_close(file);
        close(ready[0]), close(ready[1]), close(done[0]);
    }
}
END_TEST

/* Left by a writer that was killed, with or without readers beside it. */
START_TEST(a_file_that_was_not_closed_is_not_damaged)
{
    static const char marked[] =
        "a.h5: is open for writing in another program, or that program was killed before it "
        "closed the file; if none is running, `h5clear -s` takes the mark away";
    const char *path = scratch_path("a.h5");
    for (int readers = 0; readers < 2; readers++) {
        H5Fclose(create(path, true));
        pid_t child = fork();
        if (child == 0) {
            hid_t access = H5Pcreate(H5P_FILE_ACCESS);
            H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
            hid_t file = H5Fopen(path, H5F_ACC_RDWR | (readers ? H5F_ACC_SWMR_WRITE : 0), access);
            H5Fflush(file, H5F_SCOPE_GLOBAL);
            _exit(file >= 0 ? 0 : 1);
        }
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
        Hdf5File *file = NULL;
        assert_fails(hdf5_open(&file, path, &error), marked);

        /* The same byte, damaged: then the block's checksum is wrong. */
        size_t size;
        char *bytes = scratch_read(path, &size);
        bytes[11] ^= 4;
        scratch_write(path, bytes, size);
        free(bytes);
        assert_fails(hdf5_open(&file, path, &error), "a.h5: is a damaged or truncated HDF5 file");
    }
}
END_TEST

START_TEST(a_lock_of_another_kind_is_no_damage)
{
    Hdf5File *file = NULL;
    const char *path = scratch_path("a.h5");
    H5Fclose(create(path, true));
    const int fd = open(path, O_RDONLY);
    ck_assert_int_eq(flock(fd, LOCK_SH), 0);
    assert_ok(hdf5_open(&file, path, &error)); /* readers stop no reader */
    hdf5_close(file);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    assert_fails(hdf5_open(&file, path, &error), locked);
    close(fd);
}
END_TEST

SUITE_MAIN("foreign_file", a_kind_is_told_by_its_first_bytes,
           hdf5_files_that_are_none_are_called_what_they_are,
           idx_files_that_are_none_are_called_what_they_are,
           a_file_that_another_program_has_open_is_not_damaged,
           a_file_that_was_not_closed_is_not_damaged, a_lock_of_another_kind_is_no_damage)
