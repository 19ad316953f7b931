/* SPDX-License-Identifier: MIT */
/* Whether a thread's loop serves nobody but whoever waits for it to end. Own thread. */
#ifndef UTIL_PATIENCE_H
#define UTIL_PATIENCE_H

#include <stdbool.h>

/* Around a call that blocks until its work is done; nested. aio_context_poll_until() is one. */
void patience_begin(void);
void patience_end(void);

/* Inside one: what would be handed to another thread, so that the loop goes on, may block here. */
bool patience_is_had(void);

/*
 * Around work that goes on while a part of it waits, as a copy that reads on while it writes: then
 * what is long is worth handing over all the same. Nested.
 */
void patience_overlap_begin(void);
void patience_overlap_end(void);
bool patience_overlaps(void);

#endif
