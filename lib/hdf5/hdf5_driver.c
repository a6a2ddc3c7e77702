/* The driver's functions, in the form that HDF5 asks for (H5FD_class_t): plain reads and writes at
 * an address.
 */
#include "hdf5/hdf5_driver.h"

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h> /* later versions keep the driver interface in a header of its own */
#endif

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The information that a property list carries to the driver. */
typedef struct DriverInfo {
    int fd;
    int *first_errno;
} DriverInfo;

/* An open file. HDF5 uses `public_part`; the rest is ours. */
typedef struct DriverFile {
    H5FD_t public_part;
    DriverInfo info;
    /* The end of the addresses that HDF5 has given to objects: the length of the finished file. */
    haddr_t end_of_addresses;
    haddr_t end_of_file;
} DriverFile;

static void remember(DriverFile *file, int reason)
{
    if (*file->info.first_errno == 0)
        *file->info.first_errno = reason != 0 ? reason : EIO;
}

static H5FD_t *driver_open(const char *name, unsigned flags, hid_t access, haddr_t max_address)
{
    (void)name;
    (void)flags;
    (void)max_address;
    const DriverInfo *info = H5Pget_driver_info(access);
    DriverFile *file = info != NULL ? calloc(1, sizeof *file) : NULL;
    if (file == NULL)
        return NULL;
    file->info = *info;
    return &file->public_part;
}

static herr_t driver_close(H5FD_t *handle)
{
    free(handle);
    return 0;
}

/* The usual buffering of metadata and of small data sets. */
static herr_t driver_query(const H5FD_t *handle, unsigned long *flags)
{
    (void)handle;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA;
    return 0;
}

static haddr_t driver_get_eoa(const H5FD_t *handle, H5FD_mem_t type)
{
    (void)type;
    return ((const DriverFile *)handle)->end_of_addresses;
}

static herr_t driver_set_eoa(H5FD_t *handle, H5FD_mem_t type, haddr_t address)
{
    (void)type;
    ((DriverFile *)handle)->end_of_addresses = address;
    return 0;
}

static haddr_t driver_get_eof(const H5FD_t *handle, H5FD_mem_t type)
{
    (void)type;
    return ((const DriverFile *)handle)->end_of_file;
}

/* HDF5 reads data back that its cache had no room for. Dropped data read as zeros. */
static herr_t driver_read(H5FD_t *handle, H5FD_mem_t type, hid_t transfer, haddr_t address,
                          size_t size, void *buffer)
{
    (void)type;
    (void)transfer;
    DriverFile *file = (DriverFile *)handle;
    for (size_t done = 0; done < size;) {
        ssize_t got =
            pread(file->info.fd, (char *)buffer + done, size - done, (off_t)(address + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            remember(file, errno);
        if (got <= 0) {
            memset((char *)buffer + done, 0, size - done);
            return 0;
        }
        done += (size_t)got;
    }
    return 0;
}

static herr_t driver_write(H5FD_t *handle, H5FD_mem_t type, hid_t transfer, haddr_t address,
                           size_t size, const void *buffer)
{
    (void)type;
    (void)transfer;
    DriverFile *file = (DriverFile *)handle;
    for (size_t done = 0; done < size && *file->info.first_errno == 0;) {
        ssize_t put = pwrite(file->info.fd, (const char *)buffer + done, size - done,
                             (off_t)(address + done));
        if (put >= 0)
            done += (size_t)put;
        else if (errno != EINTR)
            remember(file, errno);
    }
    if (address + size > file->end_of_file)
        file->end_of_file = address + size;
    return 0;
}

static herr_t driver_truncate(H5FD_t *handle, hid_t transfer, hbool_t closing)
{
    (void)transfer;
    (void)closing;
    DriverFile *file = (DriverFile *)handle;
    if (file->end_of_file == file->end_of_addresses || *file->info.first_errno != 0)
        return 0;
    if (ftruncate(file->info.fd, (off_t)file->end_of_addresses) != 0)
        remember(file, errno);
    file->end_of_file = file->end_of_addresses;
    return 0;
}

static const H5FD_class_t driver_class = {
#ifdef H5FD_CLASS_VERSION
    .version = H5FD_CLASS_VERSION,
    .value = 512, /* from here on numbers are free for applications; ours is not registered */
#endif
    .name = "varhead",
    .maxaddr = INT64_MAX,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(DriverInfo),
    .open = driver_open,
    .close = driver_close,
    .query = driver_query,
    .get_eoa = driver_get_eoa,
    .set_eoa = driver_set_eoa,
    .get_eof = driver_get_eof,
    .read = driver_read,
    .write = driver_write,
    .truncate = driver_truncate,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

/* Registered once and for all: HDF5 reads the driver's class once more after the last file that is
 * written has let go of it (H5FD_close), and would read freed memory. */
static hid_t registered(void)
{
    static hid_t driver = H5I_INVALID_HID;
    if (H5Iget_type(driver) != H5I_VFL)
        driver = H5FDregister(&driver_class);
    return driver;
}

bool hdf5_driver_use(hid_t access, int fd, int *first_errno)
{
    DriverInfo info = {.fd = fd, .first_errno = first_errno};
    hid_t driver = registered();
    return driver >= 0 && H5Pset_driver(access, driver, &info) >= 0;
}
