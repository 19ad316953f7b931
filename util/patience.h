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

#endif
