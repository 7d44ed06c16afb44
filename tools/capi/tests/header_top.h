/*
 * hoga: reads the journal of the Korean stock market from C and C++.
 *
 * Generated from the Rust sources; do not edit (see tests/header.rs).
 *
 *   #include <hoga.h>
 *
 *   hoga_options options = HOGA_OPTIONS_INIT;
 *   hoga_tailer *tailer;
 *   if (hoga_open("journal", &options, &tailer) < 0) {
 *     fprintf(stderr, "%s\n", hoga_last_error(NULL));
 *     return 2;
 *   }
 *   hoga_record record;
 *   int code;
 *   while ((code = hoga_next(tailer, &record)) == HOGA_RECORD) {
 *     const hoga_trade *trade = hoga_as_trade(&record);
 *     if (trade)
 *       printf("%u: %" PRId64 " x %" PRIu64 "\n", trade->header.instrument_id, trade->px, trade->qty);
 *   }
 *   if (code < 0)
 *     fprintf(stderr, "%s\n", hoga_last_error(tailer));
 *   hoga_close(tailer);
 *
 * Compile and link: cc program.c $(pkg-config --cflags --libs hoga), or with the static library
 * cc program.c -I PREFIX/include PREFIX/lib/libhoga.a $(pkg-config --variable=static_libs hoga).
 * C99 or later, C++11 or later. x86-64 and other little-endian machines.
 *
 * A reader works in any process, while the journal is written or long after. It never writes and never slows the writer
 * down; a record is there as soon as it is committed, some hundred nanoseconds later on another core. A program that wants
 * it at once calls hoga_next in a loop; one that can wait sleeps in between.
 *
 * Lent memory: records and instruments point into the journal or the reader. They are valid until the next call that
 * takes the reader and moves it (hoga_next, hoga_poll, hoga_seek_*, hoga_close); calls documented so leave them lent.
 *
 * Threads: a reader is for one thread at a time; several readers are independent.
 *
 * Units, once for all records:
 *   px        int64_t, 1e-9 of the currency (or index point); HOGA_UNDEF_PX where the feed gave none
 *   quantity  uint64_t, shares or contracts; HOGA_UNDEF_QTY
 *   turnover  int64_t, 1e-4 of the currency; HOGA_UNDEF_TURNOVER
 *   change    int64_t, in the unit of what it changes; HOGA_UNDEF_CHANGE
 *   count     uint32_t; HOGA_UNDEF_COUNT
 *   time      uint64_t, nanoseconds since the UNIX epoch; HOGA_UNDEF_TS
 * Text in records is zero padded, and not ended by a zero when it fills its field.
 */
#ifndef HOGA_H
#define HOGA_H

#include <stddef.h>
#include <stdint.h>

#define HOGA_UNDEF_PX INT64_MAX
#define HOGA_UNDEF_QTY UINT64_MAX
#define HOGA_UNDEF_TURNOVER INT64_MAX
#define HOGA_UNDEF_CHANGE INT64_MAX
#define HOGA_UNDEF_COUNT UINT32_MAX
#define HOGA_UNDEF_TS UINT64_MAX

/* Refuses to compile when a struct has another size than in Rust. */
#define HOGA_ASSERT_SIZE(type, bytes) typedef char hoga_assert_size_of_##type[sizeof(type) == (bytes) ? 1 : -1]
