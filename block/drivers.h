/* SPDX-License-Identifier: MIT */
/* The built-in drivers, one line each; registry.c lists them in the table with which every context starts. */
#ifndef BLOCK_DRIVERS_H
#define BLOCK_DRIVERS_H

#include <cairn/driver.h>

extern const BlockDriver bdrv_blkdebug;
extern const BlockDriver bdrv_blklogwrites;
extern const BlockDriver bdrv_blkverify;
extern const BlockDriver bdrv_compress;
extern const BlockDriver bdrv_copy_on_read;
extern const BlockDriver bdrv_file;
extern const BlockDriver bdrv_host_cdrom;
extern const BlockDriver bdrv_host_device;
extern const BlockDriver bdrv_null_aio;
extern const BlockDriver bdrv_null_co;
extern const BlockDriver bdrv_preallocate;
extern const BlockDriver bdrv_qcow;
extern const BlockDriver bdrv_quorum;
extern const BlockDriver bdrv_raw;
extern const BlockDriver bdrv_throttle;

#endif
