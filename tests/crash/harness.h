/* SPDX-License-Identifier: MIT */
/*
 * The crash harness: what its files share. docs/crash-testing.md tells how it works.
 *
 * A state is what a file may hold when the machine stops, as an array of sectors; each sector is a
 * number that stands for its 512 bytes (sectors.c), so states are cheap to make, undo and compare.
 * A value is what a guest sector reads as: who wrote it, and when.
 */
#ifndef CRASH_HARNESS_H
#define CRASH_HARNESS_H

#include <cairn/driver.h>

#include "mem-disk.h"

#define SECTOR 512
#define STATE_SECTORS 32768             /* of the longest file */
#define GUEST_SECTORS 300000u           /* of the longest disk */

/* ---- sectors.c ---------------------------------------------------------------------- */

typedef uint32_t SectorId;              /* 0: zeros */

enum {
    VALUE_ZERO = 0,                     /* 1 and up: the number of the write */
    VALUE_BACKING = 0x10000000,         /* the backing file's */
    VALUE_ANY = 0x7ffffffd,             /* in the oracle: whatever it is */
    VALUE_EIO = 0x7ffffffe,
    VALUE_FOREIGN = 0x7fffffff,         /* nobody has written that there */
};

void sectors_init(void);
/* Forgets all but zeros; no state may be in use. */
void sectors_reset(void);
uint32_t sectors_count(void);
SectorId sectors_intern(const uint8_t *bytes);
const uint8_t *sectors_bytes(SectorId id);
/* Entries (be64) that are not 0. */
uint64_t sectors_nonzero(SectorId id);
/* What it says as a sector of the guest, AES-encrypted or not. */
uint32_t sectors_value(SectorId id, uint32_t guest, bool aes);
uint32_t sectors_value_of(const uint8_t *bytes, uint32_t guest);
void sectors_stamp(uint8_t *bytes, uint32_t guest, uint32_t value);

/* ---- state.c ------------------------------------------------------------------------ */

typedef struct State {
    SectorId *ids;                      /* STATE_SECTORS; those from end on are 0 */
    int64_t end;                        /* bytes: of the file */
    uint64_t hash;                      /* of both */
    GArray *undo;                       /* StateUndo; NULL: not kept */
} State;

typedef struct StateUndo {
    uint32_t sector;
    SectorId id;
} StateUndo;

typedef struct StateMark {
    guint undo;
    int64_t end;
} StateMark;

State *state_new(const uint8_t *data, int64_t bytes);
State *state_copy(const State *state);
void state_free(State *state);
void state_set(State *state, uint32_t sector, SectorId id);
/* What is cut off is zero when the file grows again. */
void state_set_end(State *state, int64_t end);
StateMark state_mark(State *state);
void state_rollback(State *state, StateMark mark);
/* What was changed till now cannot be taken back. */
void state_keep(State *state);
uint64_t state_get64(const State *state, int64_t offset);
MemDisk *state_to_disk(const State *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(State, state_free)

/* ---- log.c: the log of blklogwrites, read by its format ----------------------------- */

typedef enum RecordOp { RECORD_WRITE, RECORD_FLUSH, RECORD_DISCARD, RECORD_TRUNCATE } RecordOp;

typedef struct Record {
    RecordOp op;
    uint32_t sector, count;             /* WRITE, DISCARD */
    SectorId *ids;                      /* WRITE: count of them */
    int64_t bytes;                      /* TRUNCATE */
} Record;

/* Record, as many as the super block counts; NULL with @error. */
GArray *log_parse(const MemDisk *log, char **error);
/* Of a log under way. */
uint32_t log_length(const MemDisk *log);

/* What can be lost by itself: a sector written, a punch, a change of length. */
typedef struct Unit {
    RecordOp op;
    uint32_t sector, count;
    SectorId id;
    int64_t end;                        /* of the file after it, if nothing is lost */
} Unit;

typedef struct Epoch {
    guint number;
    guint limit;                        /* records before this one may have been made */
    GArray *units;                      /* Unit */
    GArray *ends;                       /* int64_t, ascending: where the file may end */
} Epoch;

/* Which units of an epoch landed: a byte each, and where the file ends. */
typedef struct Subset {
    uint8_t *has;
    int64_t end;
} Subset;

/* Returns: whether to go on. */
typedef bool StateFunc(State *state, const Epoch *epoch, const Subset *subset, void *opaque);

/*
 * Calls @func for the states that a crash may leave of @start. @budget: about how many of an epoch;
 * beyond, its subsets are chosen by @rand. @epoch_func: before each epoch's first.
 */
typedef void EpochFunc(const Epoch *epoch, void *opaque);
void log_states(const State *start, const GArray *records, uint32_t budget, GRand *rand,
                EpochFunc *epoch_func, StateFunc *func, void *opaque);

/* ---- geometry.c --------------------------------------------------------------------- */

typedef struct Geometry {
    const char *name;
    int cluster_bits, l2_bits;
    int64_t size;                       /* bytes: of the disk, at first */
    int64_t backing;                    /* bytes: of the backing file; 0: none */
    bool aes;
    bool can_move_l1;                   /* a disk of GUEST_SECTORS needs another L1 table */
} Geometry;

typedef enum StartKind { START_FRESH, START_MAPPED, START_PEER, START_CUT, START_KINDS } StartKind;

extern const Geometry geometries[];
extern const guint n_geometries;
extern const char *const start_names[START_KINDS];

static inline int64_t geometry_cluster(const Geometry *g)
{
    return (int64_t)1 << g->cluster_bits;
}

static inline int64_t geometry_span(const Geometry *g)
{
    return (int64_t)1 << (g->cluster_bits + g->l2_bits);
}

MemDisk *geometry_new_image(const Geometry *g);
MemDisk *geometry_new_backing(const Geometry *g);
/* Does by hand what the peer does to write some clusters, and loses part of it. */
void geometry_crash_peer(const Geometry *g, MemDisk *disk, GRand *rand);

/* ---- oracle.c: what may be read ----------------------------------------------------- */

typedef struct Oracle Oracle;

Oracle *oracle_new(void);
void oracle_free(Oracle *o);
/* Begins a session on a disk of @size bytes that reads zeros and the backing file. */
void oracle_reset(Oracle *o, const Geometry *g, int64_t size, bool has_backing);
/* What stands there as the session begins. */
void oracle_start_value(Oracle *o, uint32_t guest, uint32_t value);
/* A request that may give a sector this value begins when the log has @at records. */
void oracle_write(Oracle *o, uint32_t guest, uint32_t value, uint32_t at);
/* It has completed: a flush that begins now covers the newest value. */
void oracle_written(Oracle *o, uint32_t guest);
void oracle_resize(Oracle *o, int64_t size, uint32_t at);
/* The header may name a backing file, or none. */
void oracle_rebase(Oracle *o, bool has_backing, uint32_t at);
typedef struct OraclePromise OraclePromise;
/* What a flush that begins now will promise; oracle_flushed() takes it. */
OraclePromise *oracle_flush_begins(const Oracle *o);
/* Of these sectors only, beside what has been promised before. */
OraclePromise *oracle_range_begins(const Oracle *o, uint32_t guest, uint32_t count);
void oracle_promise_free(OraclePromise *promise);
/* It has completed, the log has @at records. Takes @promise. */
void oracle_flushed(Oracle *o, OraclePromise *promise, uint32_t at);
/* The newest value of a sector, after all that was done. */
uint32_t oracle_newest(const Oracle *o, uint32_t guest);
/* From now on the oracle speaks of crashes when the log had up to @limit records. */
void oracle_at(Oracle *o, uint32_t limit);
bool oracle_allows_header(const Oracle *o, int64_t size, bool has_backing);
/* @size, @has_backing: as the header of the state says. */
bool oracle_allows(const Oracle *o, uint32_t guest, uint32_t value, int64_t size);
char *oracle_describe(const Oracle *o, uint32_t guest);
/* Sectors that may differ from what an unmapped one reads as. */
const uint32_t *oracle_touched(const Oracle *o, guint *count);
uint32_t oracle_unmapped(const Oracle *o, uint32_t guest, bool has_backing);

/* ---- reader.c: an independent reader ------------------------------------------------ */

typedef struct Reader Reader;

Reader *reader_new(const Geometry *g);
void reader_free(Reader *r);
/*
 * Checks @state against @oracle. @start: the state in which the session began, whose entries that
 * led past its end may still be there. @values: filled for each guest sector of the disk, or NULL.
 * Returns: what is wrong, or NULL.
 */
char *reader_check(Reader *r, const State *state, const State *start, const Oracle *oracle,
                   uint32_t *values);
/* Reads @state into @values, whatever it is; @oracle: of its geometry. */
char *reader_learn(Reader *r, const State *state, const Oracle *oracle, uint32_t *values);
/* Of the state that was checked last. */
int64_t reader_size(const Reader *r);
bool reader_has_backing(const Reader *r);
/* It had entries that lead past the end, or streams that give no cluster. */
bool reader_is_unclean(const Reader *r);

/* ---- session.c: what is done to a node, and what the oracle is told of it ----------- */

typedef struct Session {
    CairnContext *ctx;
    const Geometry *g;
    MemDisk *disk, *log, *backing;
    BlockBackend *blk;
    Oracle *oracle;
    int64_t size;
    bool has_backing;
    uint32_t sequence;                  /* of the next write */
    bool may_fail;                      /* some cluster cannot be read */
    bool gave_up;                       /* an operation failed for that reason */
    char *error;                        /* one that failed for another; NULL: none */
} Session;

/* Opens @disk over blklogwrites; false with error set. */
bool session_open(Session *s);
void session_close(Session *s);
/* Returns: false with s->error. */
bool session_run(Session *s, guint op);
guint session_ops(void);
const char *session_op_name(guint op);
/* Whether the operation means something in this geometry. */
bool session_op_fits(const Geometry *g, guint op);
/* A node on @disk, not logged; NULL with @error. */
BlockBackend *session_open_plain(CairnContext *ctx, const Geometry *g, MemDisk *disk,
                                 MemDisk *backing, int flags, GError **error);

/* ---- workload.c: one workload, and all that is made of it --------------------------- */

typedef struct Counts {
    uint64_t workloads, states, distinct, sessions, session_states, third_reads;
} Counts;

typedef struct Workload {
    guint geometry;
    StartKind start;
    uint32_t start_seed;
    GArray *ops;                        /* guint */
} Workload;

typedef struct Plan {
    uint32_t epoch_budget;              /* states of an epoch */
    uint32_t session_rate;              /* one distinct state in so many gets a second session */
    uint64_t limit;                     /* distinct states; stops there */
    const char *replay;                 /* "EPOCH/UNITS/END": this one state only; NULL: all */
} Plan;

typedef struct Harness Harness;

Harness *harness_new(void);
void harness_free(Harness *h);
const Counts *harness_counts(const Harness *h);
/* Returns: what is wrong, with how to replay it; NULL: nothing. */
char *harness_run(Harness *h, const Workload *w, const Plan *plan);
/* ---- schedule.c --------------------------------------------------------------------- */

/* Runs workloads until the plan's limit, or until something is wrong: returns that. */
char *schedule_run(Harness *h, const Plan *plan, guint32 seed);
/*
 * Likewise all sequences of up to @depth operations, in each geometry, from a start that @seed
 * chooses.
 */
char *schedule_run_sequences(Harness *h, const Plan *plan, guint depth, guint32 seed);

char *workload_name(const Workload *w);
/* @text: as workload_name() gives. */
bool workload_parse(const char *text, Workload *w, GError **error);

#endif
