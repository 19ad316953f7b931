/* SPDX-License-Identifier: MIT */
/* All of Cairn's public API. */
#ifndef CAIRN_H
#define CAIRN_H

#include <cairn/block.h>
#include <cairn/driver.h>
#include <cairn/job.h>
#include <cairn/nearest.h>
#include <cairn/size.h>

#endif
