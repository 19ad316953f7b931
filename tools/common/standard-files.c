/* SPDX-License-Identifier: MIT */
/*
 * A program may be started with its standard files closed. The next file that it opens, a disk
 * image, would then be its standard output.
 */
#include "common/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

void tool_hold_standard_files(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            /* The lowest free number is this one. */
            int held = open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY);

            if (held != fd) {
                abort();
            }
        }
    }
}
