/*
 * Options of prctl(2) that musl 1.2 does not know yet (linux/prctl.h cannot be included beside musl's own)
 */
#pragma once

#include_next <sys/prctl.h>

#ifndef PR_SCHED_CORE
#define PR_SCHED_CORE 62
#define PR_SCHED_CORE_GET 0
#define PR_SCHED_CORE_CREATE 1
#define PR_SCHED_CORE_SCOPE_THREAD 0
#define PR_SCHED_CORE_SCOPE_THREAD_GROUP 1
#endif
