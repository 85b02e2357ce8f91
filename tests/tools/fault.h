// What: the n-th call of one function fails, in whichever process of a start-up it comes: the two
//       programs that do it (sandbox_fault.c, engine_fault.c) and what they wrap share this.
// Order: fault_arm() once, before the processes are made that are to count; from then on each
//        function named by FAULT() asks whether it is its turn.
// Owns: one page of memory that all of them share.
// Not: a hook in the program: the linker puts these functions over it (--wrap, CMakeLists.txt).
#ifndef TESTS_TOOLS_FAULT_H
#define TESTS_TOOLS_FAULT_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>

// LEANLOCAL_FAULT=mount:3:5          the third mount() fails with errno 5
// LEANLOCAL_FAULT_COUNTER=/tmp/file  the shared page is this file: two ints, calls, and 1 when it
// came false: there is none to come.
bool fault_arm(void);
bool fault_fired(void);
bool fault_fails(const char *function); // sets errno

// NAME, result, parameters, arguments
#define FAULT(name, result, parameters, arguments)                                                 \
    result __real_##name parameters;                                                               \
    result __wrap_##name parameters;                                                               \
    result __wrap_##name parameters                                                                \
    {                                                                                              \
        return fault_fails(#name) ? (result)-1 : __real_##name arguments;                          \
    }

// Those with further arguments take as many as there may be: they all go in registers.
#define FAULT_MORE(name, result, first, argument)                                                  \
    result __real_##name(first, ...);                                                              \
    result __wrap_##name(first, ...);                                                              \
    result __wrap_##name(first, ...)                                                               \
    {                                                                                              \
        va_list list;                                                                              \
        long more[6];                                                                              \
        va_start(list, argument);                                                                  \
        for (int i = 0; i < 6; i++) {                                                              \
            more[i] = va_arg(list, long);                                                          \
        }                                                                                          \
        va_end(list);                                                                              \
        return fault_fails(#name) ? (result)-1                                                     \
                                  : __real_##name(argument, more[0], more[1], more[2], more[3],    \
                                                  more[4], more[5]);                               \
    }

#endif
