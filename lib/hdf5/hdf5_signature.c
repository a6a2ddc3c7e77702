/* Finds the first block (superblock) of an HDF5 file, without the library: a damaged file cannot
 * crash this.
 *
 * The block begins with the signature. It stands at the beginning of the file or, behind what
 * another program put there, at a power of two from 512 on.
 */
#include "hdf5/hdf5_internal.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

bool hdf5_find_superblock(const char *path, unsigned char block[HDF5_SUPERBLOCK_BYTES])
{
    static const char signature[] = "\x89HDF\r\n\x1a\n";
    struct stat status;
    bool found = false;
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        for (off_t at = 0; !found; at = at == 0 ? 512 : 2 * at) {
            if (pread(fd, block, HDF5_SUPERBLOCK_BYTES, at) != HDF5_SUPERBLOCK_BYTES)
                break;
            found = memcmp(block, signature, sizeof signature - 1) == 0;
        }
    if (fd >= 0)
        close(fd);
    return found;
}

bool hdf5_detects(const char *path)
{
    unsigned char block[HDF5_SUPERBLOCK_BYTES];
    return hdf5_find_superblock(path, block);
}
