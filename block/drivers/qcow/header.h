/* SPDX-License-Identifier: MIT */
/*
 * The header of a qcow (version 1) image, and the names behind it: bytes <-> values, no I/O.
 * Source: docs/formats/qcow.md.
 */
#ifndef QCOW_HEADER_H
#define QCOW_HEADER_H

#include <cairn/error.h>

#define QCOW_HEADER_BYTES 48
#define QCOW_HEADER_FIXED 8             /* bytes at its start that never change */
#define QCOW_MAGIC 0x514649fbu          /* "QFI", 0xfb */
#define QCOW_VERSION 1
#define QCOW_MAX_BACKING_NAME 1023      /* bytes */
#define QCOW_MIN_CLUSTER_BITS 9
#define QCOW_MAX_CLUSTER_BITS 16
#define QCOW_MIN_L2_BITS 6
#define QCOW_MAX_L2_BITS 13
#define QCOW_MAX_L1_ENTRIES ((uint64_t)(1u << 28) - 1)

/* The record of a backing file's format that may stand directly before its name. */
#define QCOW_RECORD_MAX_FORMAT 15
#define QCOW_RECORD_MAX_BYTES (5 + QCOW_RECORD_MAX_FORMAT)

typedef enum QcowCrypt {
    QCOW_CRYPT_NONE = 0, QCOW_CRYPT_AES = 1,
} QcowCrypt;

typedef struct QcowHeader {
    uint64_t backing_offset;    /* 0: no backing file */
    uint32_t backing_bytes;     /* length of the name, 0..1023; 0: none */
    uint64_t size;              /* bytes as in the header, not rounded, >= 2 */
    int cluster_bits;           /* 9..16 */
    int l2_bits;                /* 6..13 */
    QcowCrypt crypt;
    uint64_t l1_offset;         /* bytes */
} QcowHeader;

/* Checks everything that the bytes alone can tell. Returns: false with @error. */
bool qcow_header_parse(const uint8_t raw[QCOW_HEADER_BYTES], QcowHeader *out, GError **error);
void qcow_header_write(const QcowHeader *header, uint8_t raw[QCOW_HEADER_BYTES]);

/* 0 or 100. */
int qcow_header_probe(const uint8_t *buf, size_t bytes);

/* Entries of the L1 table for that many bytes; false if the sum overflows or there are too many. */
bool qcow_header_l1_entries(uint64_t size, int cluster_bits, int l2_bits, uint32_t *entries);

/* Whether the L1 table for that size, with these clusters, is not too long. */
bool qcow_header_check_size(const QcowHeader *header, GError **error);

/*
 * The record for @format into @raw (at least QCOW_RECORD_MAX_BYTES).
 * Returns: its length, or 0 if @format does not fit into one.
 */
size_t qcow_record_write(const char *format, uint8_t *raw);

/*
 * Looks for a record that ends where the name starts. @before: the @bytes of the file that stand
 * directly before @name_offset. Returns: the format's name (not yet known to be a driver), or NULL.
 * Free with g_free().
 */
char *qcow_record_parse(const uint8_t *before, size_t bytes, uint64_t name_offset);

#endif
