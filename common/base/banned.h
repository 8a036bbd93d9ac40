/* SPDX-License-Identifier: MIT
 *
 * Calls that this house does not make. The build includes this header before
 * every file (-include base/banned.h); a call of one of them does not compile,
 * and the undeclared name in the compiler's message tells what to use instead.
 *
 * The system headers that declare them come first, so that a later include of
 * them finds its guard closed and meets no macro.
 */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* No bound on what is written, or none that ends the string. */
#undef strcpy
#undef stpcpy
#undef strcat
#undef strncpy
#undef stpncpy
#undef strncat
#undef sprintf
#undef vsprintf
#undef gets
#define strcpy(...) strcpy_is_banned_use_str_add_text
#define stpcpy(...) stpcpy_is_banned_use_str_add_text
#define strcat(...) strcat_is_banned_use_str_add_text
#define strncpy(...) strncpy_is_banned_use_snprintf
#define stpncpy(...) stpncpy_is_banned_use_snprintf
#define strncat(...) strncat_is_banned_use_snprintf
#define sprintf(...) sprintf_is_banned_use_snprintf_or_str_add_format
#define vsprintf(...) vsprintf_is_banned_use_vsnprintf
#define gets(...) gets_is_banned_use_io_file

/* Hidden state between calls, or the machine's time zone and locale. */
#undef strtok
#undef gmtime
#undef localtime
#undef ctime
#undef asctime
#undef mktime
#undef setlocale
#undef rand
#undef srand
#define strtok(...) strtok_is_banned_use_strcspn
#define gmtime(...) gmtime_is_banned_use_clock_format
#define localtime(...) localtime_is_banned_use_clock_format
#define ctime(...) ctime_is_banned_use_clock_format
#define asctime(...) asctime_is_banned_use_clock_format
#define mktime(...) mktime_is_banned_use_clock_parse
#define setlocale(...) setlocale_is_banned_output_is_the_same_everywhere
#define rand(...) rand_is_banned_let_the_server_draw
#define srand(...) srand_is_banned_let_the_server_draw

/* No way to tell a wrong number from 0, or from the greatest. */
#undef atoi
#undef atol
#undef atoll
#undef atof
#undef sscanf
#define atoi(...) atoi_is_banned_use_strtoll_and_its_end
#define atol(...) atol_is_banned_use_strtoll_and_its_end
#define atoll(...) atoll_is_banned_use_strtoll_and_its_end
#define atof(...) atof_is_banned_numbers_pass_through_no_double
#define sscanf(...) sscanf_is_banned_use_strtoll_and_its_end

/* Child processes would keep standard output open and leave the result's reader waiting. */
#undef system
#undef popen
#define system(...) system_is_banned_no_child_processes
#define popen(...) popen_is_banned_no_child_processes

/* A race between name and file; handlers whose meaning differs between systems. */
#undef mktemp
#undef tmpnam
#undef tempnam
#undef signal
#define mktemp(...) mktemp_is_banned_use_mkstemp
#define tmpnam(...) tmpnam_is_banned_use_mkstemp
#define tempnam(...) tempnam_is_banned_use_mkstemp
#define signal(...) signal_is_banned_use_sigaction

/* NULL when memory is gone, which nobody would test for. base/mem.c alone undoes these. */
#undef malloc
#undef calloc
#undef realloc
#undef strdup
#undef strndup
#define malloc(...) malloc_is_banned_use_mem_alloc
#define calloc(...) calloc_is_banned_use_mem_alloc
#define realloc(...) realloc_is_banned_use_mem_resize
#define strdup(...) strdup_is_banned_use_mem_strdup
#define strndup(...) strndup_is_banned_use_mem_copy

#endif
