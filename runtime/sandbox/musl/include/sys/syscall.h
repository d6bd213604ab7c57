/*
 * Numbers of system calls that musl 1.2 does not know yet
 */
#pragma once

#include_next <sys/syscall.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif
