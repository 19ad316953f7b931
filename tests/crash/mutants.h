/* SPDX-License-Identifier: MIT */
/*
 * Rules of the protocol that a copy of the driver can be told to break, one at a time: for each of
 * them the harness must find a violation. This header comes before all others in that copy.
 */
#ifndef CRASH_MUTANTS_H
#define CRASH_MUTANTS_H

#define MUTANTS(X) \
    X(NO_SYNC_BETWEEN, "flush: no sync between new tables and what leads to them") \
    X(NO_SYNC_AT_END, "flush: no sync of the entries") \
    X(L1_FIRST, "flush: L1 entries before the tables that they name") \
    X(ENTRIES_FIRST, "flush: L2 entries before the data that they name is durable") \
    X(NEWEST_VALUES, "flush: the newest values of entries, not those of its snapshot") \
    X(FORGETS_LATER_CHANGES, "flush: what changes meanwhile counts as flushed") \
    X(NO_WAIT_FOR_PLACE, "flush: a table is written while its place still is") \
    X(JOINS_THE_FLUSH_UNDER_WAY, "flush: one that arrives ends with the one under way") \
    X(GOES_ON_AFTER_FAILED_SYNC, "flush: writes are taken after a failed sync") \
    X(PUNCH_BEFORE_DURABLE, "freed space is punched before its unmapping is durable") \
    X(REUSES_AT_ONCE, "freed space is handed out at once") \
    X(CURSOR_STAYS, "space is handed out twice") \
    X(FILLS_WITH_ZEROS, "the rest of a new cluster is zeros, not the backing file's data") \
    X(NO_TAIL, "a new cluster is not written to its end") \
    X(FILL_NOT_ENCRYPTED, "the rest of a new encrypted cluster is plain") \
    X(PUBLISHES_EARLY, "an entry is pending before its data has been written") \
    X(NO_CLUSTER_LOCK, "two writers of a cluster do not wait for each other") \
    X(FUA_IN_PLACE_IGNORED, "FUA: not in place") \
    X(FUA_OF_PENDING_IGNORED, "FUA: no flush where the entry is pending") \
    X(FUA_OF_NEW_IGNORED, "FUA: no flush of new clusters") \
    X(FUA_OF_UNMAPPING_IGNORED, "FUA: no flush of an unmapping") \
    X(FUA_OVER_UNMAPPED_IGNORED, "FUA: no flush of an unmapping that is pending") \
    X(UNMAPS_OVER_BACKING, "zeros: unmapped where backing data shows") \
    X(NO_CLEARING, "barrier 0: entries that lead past the end stay") \
    X(NO_SYNC_OF_CLEARING, "barrier 0: the clearing is not durable before the file grows") \
    X(NO_EXTENDING, "barrier 0: the file is not extended") \
    X(NO_SYNC_OF_EXTENDING, "barrier 0: the new length is not durable") \
    X(CURSOR_AT_END_OF_FILE, "barrier 0: new space begins at the end of the file") \
    X(HEADER_BEFORE_L1, "grow: the header before what it leads to") \
    X(GROWS_WITHOUT_ZEROING, "grow: what becomes visible is not zeroed") \
    X(L1_NOT_COPIED, "grow: the durable entries are not copied to the new L1 table") \
    X(NO_SYNC_OF_HEADER, "resize, rebase: no sync of the header") \
    X(HEADER_SECTOR, "resize, rebase: the header's whole sector is written") \
    X(REBASE_WITHOUT_FLUSH, "rebase: the header before what has been copied") \
    X(CUTS_BEFORE_CLEARING, "make_empty: cut before the L1 table is cleared") \
    X(NO_SYNC_OF_EMPTYING, "make_empty: no sync of the cleared L1 table")

typedef enum QcowMutant {
    MUTANT_NONE,
#define MUTANT_ENUM(name, text) MUTANT_##name,
    MUTANTS(MUTANT_ENUM)
#undef MUTANT_ENUM
    MUTANT_COUNT,
} QcowMutant;

/* Set once, before the first image is opened. */
extern QcowMutant qcow_mutant;

#define QCOW_MUTANT(name) (qcow_mutant == MUTANT_##name)

#endif
