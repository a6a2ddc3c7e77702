/* Archives for tests: tar, tar.gz and zip, written by libarchive. */
#pragma once

#include "base/utf8_locale.h"

#include <archive.h>
#include <archive_entry.h>
#include <check.h>
#include <stddef.h>
#include <string.h>

/* A file in an archive. */
typedef struct ArchiveFile {
    const char *name;
    const void *bytes;
    size_t size;
    /* A symbolic link to this name, if not NULL. */
    const char *link;
} ArchiveFile;

/* Writes files [count] to `path`, whose ending chooses the kind: .zip, .tar.gz, else tar. */
static inline void archive_write_files(const char *path, const ArchiveFile *files, int count)
{
    const locale_t utf8 = utf8_locale_new(), before = utf8_locale_enter(utf8);
    struct archive *archive = archive_write_new();
    const char *gz = strstr(path, ".gz");
    if (strstr(path, ".zip")) {
        archive_write_set_format_zip(archive);
        ck_assert_int_eq(archive_write_set_options(archive, "zip:hdrcharset=UTF-8"), ARCHIVE_OK);
    } else {
        archive_write_set_format_pax_restricted(archive);
    }
    if (gz)
        archive_write_add_filter_gzip(archive);
    ck_assert_int_eq(archive_write_open_filename(archive, path), ARCHIVE_OK);
    for (int i = 0; i < count; i++) {
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, files[i].name);
        archive_entry_set_size(entry, (la_int64_t)files[i].size);
        archive_entry_set_filetype(entry, files[i].link ? AE_IFLNK : AE_IFREG);
        archive_entry_set_perm(entry, 0644);
        if (files[i].link)
            archive_entry_set_symlink(entry, files[i].link);
        ck_assert_int_eq(archive_write_header(archive, entry), ARCHIVE_OK);
        if (files[i].size > 0)
            ck_assert_int_eq(archive_write_data(archive, files[i].bytes, files[i].size),
                             (la_ssize_t)files[i].size);
        archive_entry_free(entry);
    }
    ck_assert_int_eq(archive_write_close(archive), ARCHIVE_OK);
    archive_write_free(archive);
    utf8_locale_leave(before);
    utf8_locale_free(utf8);
}
