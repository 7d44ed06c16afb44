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

/** Version of this header; hoga_version() is the library's. */
#define HOGA_VERSION 1000u

/* Kinds of record: hoga_header.rtype. */

/** An execution. */
#define HOGA_RTYPE_TRADE 1

/** A snapshot of the order book. */
#define HOGA_RTYPE_BOOK 2

/** Expected price and quantity of a call auction. */
#define HOGA_RTYPE_EXPECTED 3

/** Session, volatility interruption, halt. */
#define HOGA_RTYPE_STATUS 4

/** Value of an index. */
#define HOGA_RTYPE_INDEX 5

/** Net asset value of a fund. */
#define HOGA_RTYPE_NAV 6

/** Program trading. */
#define HOGA_RTYPE_PROGRAM 7

/** Most active members (brokers) of an instrument. */
#define HOGA_RTYPE_MEMBER 8

/** A bar from the broker's REST service (backfill). */
#define HOGA_RTYPE_BAR 9

/** A record whose meaning has no kind of its own: its bytes. */
#define HOGA_RTYPE_OTHER 10

/** Declares an instrument id. */
#define HOGA_RTYPE_INSTRUMENT 32

/** Volume is missing. */
#define HOGA_RTYPE_GAP 33

/** A gap was filled, wholly or in part. */
#define HOGA_RTYPE_REPAIR 34

/** A frame or record that could not be read, with its bytes. */
#define HOGA_RTYPE_REJECT 35

/** What happened to a connection. */
#define HOGA_RTYPE_SESSION 36

/** Relation of clocks, market-time anchor. */
#define HOGA_RTYPE_CLOCK 37

/** Last record of a segment. */
#define HOGA_RTYPE_END 38

/** Committed records that were lost to damage stood here. */
#define HOGA_RTYPE_HOLE 39

/** A frame verbatim (stream `raw`). */
#define HOGA_RTYPE_RAW 64

/* Bits of hoga_header.flags. */

/** `ts_event` has a resolution of a whole second; order within it is `sequence`. */
#define HOGA_FLAG_EVENT_TS_SECOND 1

/** The feed gave a time without a date; the date nearest to market time at receipt was taken. */
#define HOGA_FLAG_EVENT_DATE_INFERRED 2

/** `ts_recv` is a user-space stamp: the kernel gave none. */
#define HOGA_FLAG_RECV_TS_USER 4

/** One of several records of one frame. */
#define HOGA_FLAG_BATCHED 8

/** A `Gap` record of this instrument and venue stands before this record. */
#define HOGA_FLAG_GAP_BEFORE 16

/** The record had more fields than the table knows; the surplus is in the raw frame. */
#define HOGA_FLAG_SCHEMA_EXTRA 32

/** Traded or quoted in a call auction. */
#define HOGA_FLAG_AUCTION 64

/** Volatility interruption in force. */
#define HOGA_FLAG_VI 128

/** Trading of the instrument is halted. */
#define HOGA_FLAG_HALT 256

/** Executed at the mid price (half ticks are normal). */
#define HOGA_FLAG_MID_PRICE 512

/** The broker merges updates on this feed. */
#define HOGA_FLAG_CONFLATED 1024

/** Asked for by REST, not pushed by the feed: where the instrument stood then, no execution, unless it fills a gap. */
#define HOGA_FLAG_POLLED 2048

/** Filled in after a gap. */
#define HOGA_FLAG_BACKFILLED 4096

/** Decoded again from the raw stream when the journal was opened. */
#define HOGA_FLAG_RECOVERED 8192

/** Said again at the head of a segment (sequence 0). */
#define HOGA_FLAG_RESTATED 16384

/** Secrets in the bytes were overwritten by `*`. */
#define HOGA_FLAG_REDACTED 32768

/** `ts_event` is nanoseconds since local midnight: the date is not known. */
#define HOGA_FLAG_EVENT_TIME_ONLY 65536

/** The feed is delayed by the exchange's rule (unpaid Asian markets: 15 minutes). */
#define HOGA_FLAG_DELAYED 131072

/** A frame kept verbatim only because it was rejected, stream `raw` being switched off: it is not decoded again. */
#define HOGA_FLAG_KEPT_REJECTED 262144

/* Bits of hoga_market.findings. */

/** Cumulative volume did not advance by the trade's quantity: volume is missing before this record. */
#define HOGA_FINDING_VOLUME_GAP 1

/** Cumulative volume went back on one trading date. */
#define HOGA_FINDING_CUM_BACKWARDS 2

/** The same trade (same cumulative volume and quantity) came again. */
#define HOGA_FINDING_DUPLICATE 4

/** `ts_event` is before that of the preceding record of this instrument and feed. */
#define HOGA_FINDING_TIME_BACKWARDS 8

/** Best bid at or above best ask outside an auction. */
#define HOGA_FINDING_BOOK_CROSSED 16

/** Levels are not in price order. */
#define HOGA_FINDING_BOOK_UNORDERED 32

/** A numeric field held no number; it is absent in the record, verbatim in the raw frame. */
#define HOGA_FINDING_FIELD_UNREADABLE 64

/* Feeds and venues: hoga_header.publisher. */

/** hoga itself. */
#define HOGA_PUBLISHER_HOGA 0

/** KIS, Korea Exchange stocks, ELW and indices. */
#define HOGA_PUBLISHER_KIS_KRX 1

/** KIS, Nextrade. */
#define HOGA_PUBLISHER_KIS_NXT 2

/** KIS, KRX and NXT unified. */
#define HOGA_PUBLISHER_KIS_UN 3

/** KIS, KRX derivatives, day session. */
#define HOGA_PUBLISHER_KIS_KRX_DERIV 4

/** KIS, KRX derivatives, night session. */
#define HOGA_PUBLISHER_KIS_KRX_NIGHT 5

/** KIS, KRX bonds. */
#define HOGA_PUBLISHER_KIS_KRX_BOND 6

/** KIS, overseas stocks. */
#define HOGA_PUBLISHER_KIS_OVERSEAS 7

/** KIS, overseas derivatives. */
#define HOGA_PUBLISHER_KIS_OVERSEAS_DERIV 8

/** KIS, account notices. */
#define HOGA_PUBLISHER_KIS_ACCOUNT 9

/* Who took liquidity: hoga_trade.side. */

/** Not told by the feed. */
#define HOGA_SIDE_UNKNOWN 0

/** The buyer was the aggressor. */
#define HOGA_SIDE_BUY 1

/** The seller was the aggressor. */
#define HOGA_SIDE_SELL 2

/** Matched in a call auction: nobody was. */
#define HOGA_SIDE_AUCTION 3

/* Why a frame or record could not be read: hoga_reject_prefix.reason. */

/** The frame is not `enc|tr_id|count|payload`. */
#define HOGA_REJECT_BAD_FRAME 1

/** The transaction is not in the table. */
#define HOGA_REJECT_UNKNOWN_TR 2

/** The count is not 1..=999. */
#define HOGA_REJECT_BAD_COUNT 3

/** The number of values is no multiple of the count. */
#define HOGA_REJECT_COUNT_MISMATCH 4

/** Fewer fields a record than any known layout has. */
#define HOGA_REJECT_TOO_NARROW 5

/** A later record does not begin with a plausible key: the split would be a guess. */
#define HOGA_REJECT_KEY_MISMATCH 6

/** The instrument key is empty or too long. */
#define HOGA_REJECT_BAD_KEY 7

/** More fields than the index holds. */
#define HOGA_REJECT_TOO_MANY_FIELDS 8

/** The instrument table is full. */
#define HOGA_REJECT_INSTRUMENTS_FULL 9

/** An encrypted frame on a plain feed, or one that is not recorded here. */
#define HOGA_REJECT_ENCRYPTED 10

/** A control message that is not JSON. */
#define HOGA_REJECT_BAD_JSON 11

/** Neither data nor control. */
#define HOGA_REJECT_UNKNOWN_MESSAGE 12

/** A mandatory field (price, quantity) holds no number. */
#define HOGA_REJECT_BAD_NUMBER 13

/* Why volume is missing: hoga_gap.reason. */

/** Cumulative volume advanced by more than the trade's quantity. */
#define HOGA_GAP_VOLUME_JUMP 1

/** The connection was lost in between. */
#define HOGA_GAP_DISCONNECT 2

/* What happened to a connection: hoga_session.event. */

/** Connected and upgraded; declares the line. */
#define HOGA_SESSION_CONNECTED 1

/** A registration was sent. */
#define HOGA_SESSION_SUBSCRIBED 2

/** The broker confirmed a registration. */
#define HOGA_SESSION_ACKED 3

/** The broker refused a registration. */
#define HOGA_SESSION_REFUSED 4

/** A full ring stopped the reading of this socket. */
#define HOGA_SESSION_STALLED 5

/** Reading goes on; `value` is how long it stood, ns. */
#define HOGA_SESSION_RESUMED 6

/** Closed by the peer, by us or by a fault; see `reason`. */
#define HOGA_SESSION_DISCONNECTED 7

/** A transaction's width is not the table's; `value` is the width. */
#define HOGA_SESSION_SCHEMA_CHANGED 8

/** The engine stops taking ticks, all lines: its last word. `reason` is a StopReason, `code` the stream that can't go on, `text` says why, `value` counts the frames that came while the lines were being closed and are in neither stream. */
#define HOGA_SESSION_STOPPED 9

/** Little room is left where stream `code` is written; `value` is how much, bytes. */
#define HOGA_SESSION_LOW_SPACE 10

/** There is room again; `value` is how much, bytes. */
#define HOGA_SESSION_SPACE_RETURNED 11

/** The next segment of stream `code` can't be prepared; `value` is the system's error number. The present one is written on. */
#define HOGA_SESSION_NO_SEGMENT 12

/** It could be prepared now. */
#define HOGA_SESSION_SEGMENT_RETURNED 13

/** Writing stream `code` back to the disk fails and is tried again; `value` is the system's error number. */
#define HOGA_SESSION_SYNC_FAILING 14

/** It succeeded. */
#define HOGA_SESSION_SYNC_RETURNED 15

/** The withdrawal of a registration was sent. */
#define HOGA_SESSION_UNSUBSCRIBED 16

/** The broker confirmed that a registration is not in force any more. */
#define HOGA_SESSION_WITHDRAWN 17

/** The line waits before it connects; `value` is how long, ns, `code` the broker's code that caused it, `text` says why. */
#define HOGA_SESSION_BACKING_OFF 18

/** Nothing came on the line in session hours, keep-alives neither; `value` is how long, ns. It is closed and made anew. */
#define HOGA_SESSION_SILENT 19

/** Keep-alives came, but no data, though registrations of the line should tick; `value` is how long, ns. It is closed and made anew. */
#define HOGA_SESSION_NO_DATA 20

/** A registration in force doesn't tick in a phase in which it should; `value` is how long, ns, `text` the phase. */
#define HOGA_SESSION_PAIR_SILENT 21

/** It ticks again; `value` is how long it had not, ns. */
#define HOGA_SESSION_PAIR_TICKS 22

/** A registration is wanted and will not be in force; `text` says why. `line` 0: no line has room for it. */
#define HOGA_SESSION_LEFT_OUT 23

/** A connection was held against what is wanted of it; `value` counts the registrations that are not in force or don't tick though they should, 0: all is well. `text` has the figures. */
#define HOGA_SESSION_VERIFIED 24

/** The list of what to record was changed, all lines; `value` counts the registrations wanted now, `text` says how many came and left. */
#define HOGA_SESSION_LIST_CHANGED 25

/** Our calendar was held against the broker's, all lines; `value` counts the dates on which they part. */
#define HOGA_SESSION_CALENDAR_CHECKED 26

/** They part on a date; `text` says which and how. */
#define HOGA_SESSION_CALENDAR_DIFFERS 27

/** The line has been down for so long, `value` ns, that its symbols are polled: snapshots follow, not ticks. */
#define HOGA_SESSION_POLLING_BEGAN 28

/** The line is back, or its session over; `value` counts the snapshots taken. */
#define HOGA_SESSION_POLLING_ENDED 29

/** A registration for which this line has no room is moved; `value` is the line that takes it. */
#define HOGA_SESSION_MOVED 30

/** A registration is not changed before its turn, since it changed too often; `value` is how long, ns. */
#define HOGA_SESSION_CHANGE_DELAYED 31

/** An approval key the broker did not know is replaced without leaving the line. */
#define HOGA_SESSION_APPROVAL_RENEWED 32

/** Account notices are not asked for any more: the broker closes the line each time. Is the HTS id right? */
#define HOGA_SESSION_NOTICES_DROPPED 33

/** A registration, or all that the line has left to ask, is asked for later on the same connection, whose others go on; `value` is how long, ns, `text` says why, `code` is the broker's where it refuses the whole line. */
#define HOGA_SESSION_POSTPONED 44

/** The broker refuses the line's app key, `value` times in a row with `code`: it stays closed until the next trading day, another list or a restart. */
#define HOGA_SESSION_BARRED 45

/** Another program of this host holds the session of the line's app key; the line waits for its end. */
#define HOGA_SESSION_APP_KEY_HELD 54

/** Account notices could not be read and are kept as they came; `value` counts them, `text` says why. */
#define HOGA_SESSION_NOTICE_UNREAD 55

/* Why a segment ended: hoga_end.reason. */

/** It was full. */
#define HOGA_END_FULL 1

/** The writer closed the journal. */
#define HOGA_END_CLOSED 2

/** The trading date changed. */
#define HOGA_END_DAY_CHANGE 3

/** Written when the journal was opened after the writer died. */
#define HOGA_END_RECOVERED 4

/** The writer of `ticks` closed the journal, but frames of `raw` behind the last record have not been decoded: the next opening does that. */
#define HOGA_END_UNFINISHED 5

/* Why records are missing: hoga_hole.reason. */

/** Their bytes were damaged. */
#define HOGA_HOLE_DAMAGED 1

/** Their segment was not there. */
#define HOGA_HOLE_MISSING 2

/** The stream ended before records that had been marked durable. */
#define HOGA_HOLE_CUT_SHORT 3

/** Left out on purpose when this journal was made of another one. */
#define HOGA_HOLE_LEFT_OUT 4

/**
 * Units of a price in one currency unit: 1 px unit = 1e-9.
 */
#define HOGA_PX_SCALE 1000000000

/**
 * Units of a turnover in one currency unit: 1 unit = 1e-4.
 */
#define HOGA_TURNOVER_SCALE 10000

/**
 * Version written into hoga_header.version by this build.
 */
#define RECORD_VERSION 1

/**
 * Bytes of a symbol in records.
 */
#define HOGA_SYMBOL_BYTES 32

/**
 * Most levels a hoga_book holds a side.
 */
#define HOGA_BOOK_LEVELS 10

/**
 * Most bytes of a rejected frame kept in a `Reject` record (the raw frame has all).
 */
#define HOGA_REJECT_BYTES 512

/**
 * Nothing new at present. A writer has the journal open: call again.
 */
#define HOGA_NONE 0

/**
 * A record was handed over.
 */
#define HOGA_RECORD 1

/**
 * Nothing new; a writer has the journal open but shows no sign of life for two seconds.
 */
#define HOGA_SILENT 2

/**
 * Nothing new; the writer is gone and has not closed the stream. A later writer's records will come.
 */
#define HOGA_GONE 3

/**
 * Nothing new; the stream was closed. A later writer's records will come.
 */
#define HOGA_CLOSED 4

/**
 * The end of the range asked for was passed: nothing more will come.
 */
#define HOGA_PAST_END 5

/**
 * hoga_seek_*: the reader stands before what was asked for.
 */
#define HOGA_EXACT 6

/**
 * hoga_seek_*: what was asked for lies before the oldest record; the reader stands before that one.
 */
#define HOGA_BEFORE_FIRST 7

/**
 * hoga_seek_*: what was asked for is not there yet; the reader stands behind the newest record.
 */
#define HOGA_AFTER_LAST 8

/**
 * A pointer that must not be null is.
 */
#define HOGA_ERROR_NULL -1

/**
 * The program was compiled with a header of another library: sizes of structs differ.
 */
#define HOGA_ERROR_SIZE -2

/**
 * An argument or option can't be.
 */
#define HOGA_ERROR_ARGUMENT -3

/**
 * There is no such stream, or nothing in it yet.
 */
#define HOGA_ERROR_NO_JOURNAL -4

/**
 * A record or header is damaged; the reader stands before it.
 */
#define HOGA_ERROR_CORRUPT -5

/**
 * The journal was written by a newer program.
 */
#define HOGA_ERROR_VERSION -6

/**
 * The segment that follows was pruned while this reader stood before it: seek, or open again.
 */
#define HOGA_ERROR_MISSING -7

/**
 * The system refused something.
 */
#define HOGA_ERROR_IO -8

/**
 * Not allowed inside a callback of hoga_poll on the same reader.
 */
#define HOGA_ERROR_BUSY -9

/**
 * A defect of this library was met; the reader can only be closed.
 */
#define HOGA_ERROR_PANIC -10

/**
 * Another error; hoga_last_error says which.
 */
#define HOGA_ERROR_OTHER -11

/**
 * Stream of ticks and service records.
 */
#define HOGA_TICKS 1

/**
 * Stream of inbound frames verbatim.
 */
#define HOGA_RAW 2

/**
 * Begin with the oldest record.
 */
#define HOGA_START_BEGINNING 0

/**
 * Begin behind the newest record.
 */
#define HOGA_START_END 1

/**
 * Begin with the record whose sequence is `at`, or the first after it that is there.
 */
#define HOGA_START_SEQUENCE 2

/**
 * Begin with the first record at which the running maximum of `ts_recv` reaches `at` (ns since the UNIX epoch).
 */
#define HOGA_START_TIME 3

/**
 * A reader of one stream: opaque, for one thread at a time (it may move between threads). It never writes, takes no
 * lock and does not slow the writer down.
 */
typedef struct hoga_tailer hoga_tailer;

/**
 * What to read. Set it to HOGA_OPTIONS_INIT, then change what differs. Texts are read by hoga_open and not kept.
 */
typedef struct hoga_options {
  /**
   * sizeof(hoga_options), by HOGA_OPTIONS_INIT.
   */
  uint32_t size;
  /**
   * sizeof(hoga_record), by HOGA_OPTIONS_INIT.
   */
  uint32_t record_size;
  /**
   * HOGA_TICKS or HOGA_RAW.
   */
  uint32_t stream;
  /**
   * HOGA_START_BEGINNING, HOGA_START_END, HOGA_START_SEQUENCE or HOGA_START_TIME.
   */
  uint32_t start;
  /**
   * Sequence or time to start at, see `start`.
   */
  uint64_t at;
  /**
   * Not 0: check the checksum, sequence and padding of every record.
   */
  uint32_t check_crc;
  /**
   * Not 0: hand over only what is known to be on the disk and so outlives the host's death, too. At the writer's level
   * `process` that moves when the journal is closed.
   */
  uint32_t durable;
  /**
   * Only these symbols, separated by commas, e.g. "005930,000660"; NULL: all.
   */
  const char *symbols;
  /**
   * Only these kinds, separated by commas, e.g. "trade,book"; NULL: all.
   */
  const char *kinds;
  /**
   * Only these venues, separated by commas, e.g. "KRX,NXT"; NULL: all.
   */
  const char *venues;
  /**
   * From there on: a sequence, or a time of Korea such as "2026-11-23T09:00:00" or "09:00" (of the newest day); NULL:
   * no bound.
   */
  const char *from;
  /**
   * Up to there: a sequence (inclusive) or a time (exclusive) as for `from`; NULL: no bound.
   */
  const char *to;
} hoga_options;

/**
 * Place of a record. Ordered by (epoch, sequence).
 */
typedef struct hoga_position {
  /**
   * Opening of the journal that wrote it, from 1.
   */
  uint64_t epoch;
  /**
   * Its sequence in the stream; 0 = not numbered (a hole).
   */
  uint64_t sequence;
  /**
   * Its segment.
   */
  uint64_t ordinal;
  /**
   * Its offset there, bytes.
   */
  uint64_t offset;
} hoga_position;

/**
 * A committed record. `data` is lent: it points into the journal (nothing is copied), its bytes never change, and it is
 * valid until the next call that takes the reader and is not said to leave records lent.
 */
typedef struct hoga_record {
  /**
   * The record's bytes, the first at a multiple of 8; they begin with a hoga_header. hoga_as_trade and its likes give
   * it as a struct.
   */
  const void *data;
  /**
   * How many they are, at least sizeof(hoga_header).
   */
  uint64_t length;
  /**
   * Its place.
   */
  struct hoga_position position;
} hoga_record;

/**
 * What hoga_poll calls for each record: 0 goes on, anything else stops behind this record. The record is lent until it
 * returns. It must return: no longjmp, no exception. It may look instruments up, but not move or close the reader.
 */
typedef int32_t (*hoga_on_record)(const struct hoga_record *record, void *context);

/**
 * How far a reader is behind the writer.
 */
typedef struct hoga_lag {
  /**
   * Records committed and not yet read, as of the writer's last batch.
   */
  uint64_t records;
  /**
   * Segments between the one read and the one written.
   */
  uint64_t segments;
} hoga_lag;

/**
 * What an instrument id stands for, as texts that end with NUL.
 */
typedef struct hoga_name {
  /**
   * Symbol as on the feed, e.g. "005930".
   */
  char symbol[40];
  /**
   * Market, e.g. "KRX".
   */
  char market[24];
} hoga_name;

/**
 * The first 40 bytes of every record.
 *
 * A record becomes visible to other processes by one Release store of length, last of all.
 */
typedef struct hoga_header {
  /**
   * Exact bytes of the record, this header included; the commit word: 0 = not there yet.
   */
  uint32_t length;
  /**
   * CRC-32C over all that follows this field, seeded with the segment's salt and `length`.
   */
  uint32_t crc32c;
  /**
   * Per stream, +1 each; 0 for restated records and `End`.
   */
  uint64_t sequence;
  /**
   * Kernel's stamp of the newest byte of the read that completed the frame: an upper bound of arrival
   * (see hoga_market.recv_window_ns). Records of cold threads: when they were made.
   */
  uint64_t ts_recv;
  /**
   * Dense number of the instrument in this journal; 0 = none.
   */
  uint32_t instrument_id;
  /**
   * Bits of HOGA_FLAG_*.
   */
  uint32_t flags;
  /**
   * Feed and venue, see HOGA_PUBLISHER_*.
   */
  uint16_t publisher;
  /**
   * Connection, declared by a `Session` record; 0 = none.
   */
  uint16_t line;
  /**
   * Kind, see HOGA_RTYPE_*.
   */
  uint8_t rtype;
  /**
   * Version of the kind's layout, RECORD_VERSION.
   */
  uint8_t version;
  /**
   * Zero.
   */
  uint16_t reserved;
} hoga_header;

/**
 * What identifies an instrument across venues and brokers: market and symbol, zero padded.
 *
 * One key for KRX, NXT and the unified feed: the venue is the publisher's.
 */
typedef struct hoga_instrument_key {
  /**
   * Market, e.g. `KRX`, `KRX-deriv`, `NAS`.
   */
  uint8_t market[16];
  /**
   * Symbol as on the feed.
   */
  uint8_t symbol[HOGA_SYMBOL_BYTES];
} hoga_instrument_key;

/**
 * Declares an instrument id; precedes the first record that uses it and is restated at the head of each segment.
 */
typedef struct hoga_instrument {
  /**
   * Common header; `instrument_id` is the id declared.
   */
  struct hoga_header header;
  /**
   * Market and symbol.
   */
  struct hoga_instrument_key key;
  /**
   * Currency, ISO 4217; zero = not told.
   */
  uint8_t currency[4];
  /**
   * Decimal places of quantities (0: whole units).
   */
  uint8_t qty_decimals;
  /**
   * Decimal places of prices as quoted; 255 = not told.
   */
  uint8_t px_decimals;
  /**
   * Tick-size rule: 0 = not known, 1 = KRX stock table, 2 = KRX fund table.
   */
  uint8_t tick_rule;
  /**
   * Zero.
   */
  uint8_t reserved;
  /**
   * Currency units in one unit of turnover on the feed (1, or 1,000,000 for feeds that send millions).
   */
  uint64_t turnover_unit;
} hoga_instrument;

/**
 * The 48 bytes that follow the header of market data.
 */
typedef struct hoga_market {
  /**
   * Exchange's time of the event, whole seconds on the feeds of today (flag EVENT_TS_SECOND).
   */
  uint64_t ts_event;
  /**
   * Sequence of the frame in stream `raw`; 0 = not from a frame.
   */
  uint64_t raw_sequence;
  /**
   * Arrival lies within this many ns before `ts_recv`: the time since the socket was last found empty.
   */
  uint32_t recv_window_ns;
  /**
   * From `ts_recv` to the read of the socket, ns, saturating.
   */
  uint32_t read_ns;
  /**
   * From `ts_recv` to the decoded record, ns, saturating.
   */
  uint32_t decoded_ns;
  /**
   * From `ts_recv` to just before the checksum of the commit, ns, saturating.
   */
  uint32_t committed_ns;
  /**
   * Bits of HOGA_FINDING_*.
   */
  uint32_t findings;
  /**
   * Number of the transaction (message type), see tr_name.
   */
  uint16_t tr;
  /**
   * Fields of the record on the wire.
   */
  uint16_t width;
  /**
   * Place of the record in its frame, from 0.
   */
  uint16_t frame_index;
  /**
   * Records in the frame.
   */
  uint16_t frame_count;
  /**
   * Zero.
   */
  uint32_t reserved;
} hoga_market;

/**
 * An execution. 256 bytes.
 */
typedef struct hoga_trade {
  /**
   * Common header.
   */
  struct hoga_header header;
  /**
   * Common market prefix.
   */
  struct hoga_market market;
  /**
   * Execution price.
   */
  int64_t px;
  /**
   * Executed quantity.
   */
  uint64_t qty;
  /**
   * Cumulative quantity of the day, this execution included.
   */
  uint64_t cum_qty;
  /**
   * Cumulative turnover of the day, this execution included.
   */
  int64_t cum_turnover;
  /**
   * Cumulative quantity executed by sellers as aggressors.
   */
  uint64_t cum_sell_qty;
  /**
   * Cumulative quantity executed by buyers as aggressors.
   */
  uint64_t cum_buy_qty;
  /**
   * First price of the day.
   */
  int64_t open_px;
  /**
   * Highest price of the day.
   */
  int64_t high_px;
  /**
   * Lowest price of the day.
   */
  int64_t low_px;
  /**
   * Volume-weighted average price of the day, as sent (off by up to 5 won from turnover / volume).
   */
  int64_t vwap_px;
  /**
   * Price minus the previous close, signed.
   */
  int64_t change_px;
  /**
   * Best bid after the execution.
   */
  int64_t bid_px;
  /**
   * Best ask after the execution.
   */
  int64_t ask_px;
  /**
   * Quantity at the best bid.
   */
  uint64_t bid_qty;
  /**
   * Quantity at the best ask.
   */
  uint64_t ask_qty;
  /**
   * Quantity of all bids.
   */
  uint64_t total_bid_qty;
  /**
   * Quantity of all asks.
   */
  uint64_t total_ask_qty;
  /**
   * Reference price of the volatility interruption.
   */
  int64_t vi_px;
  /**
   * Executions of the day by sellers.
   */
  uint32_t sell_count;
  /**
   * Executions of the day by buyers.
   */
  uint32_t buy_count;
  /**
   * Business date as sent, decimal YYYYMMDD; 0 = none.
   */
  uint32_t business_date;
  /**
   * Aggressor side, see HOGA_SIDE_*.
   */
  uint8_t side;
  /**
   * Sign code of the change as sent (`1` upper limit .. `5` down); 0 = none.
   */
  uint8_t sign;
  /**
   * Hour class as sent (`0` regular, `A`..`D`); 0 = none.
   */
  uint8_t hour_cls;
  /**
   * Market class as sent (`1` pre, `2` regular, `3` after, `5` closing); 0 = none.
   */
  uint8_t market_cls;
  /**
   * Session code as sent (NEW_MKOP_CLS_CODE), zero padded.
   */
  uint8_t mkop_cls[4];
  /**
   * Halt as sent: `Y` or `N`; 0 = none.
   */
  uint8_t halt;
  /**
   * Side code as sent (CCLD_DVSN); 0 = none.
   */
  uint8_t side_code;
  /**
   * Zero.
   */
  uint8_t reserved[2];
} hoga_trade;

/**
 * Resting interest at the mid price.
 */
typedef struct hoga_mid_price {
  /**
   * Mid price.
   */
  int64_t px;
  /**
   * Quantity resting there.
   */
  uint64_t qty;
} hoga_mid_price;

/**
 * One level of a book, both sides.
 */
typedef struct hoga_level {
  /**
   * Bid price.
   */
  int64_t bid_px;
  /**
   * Ask price.
   */
  int64_t ask_px;
  /**
   * Bid quantity.
   */
  uint64_t bid_qty;
  /**
   * Ask quantity.
   */
  uint64_t ask_qty;
  /**
   * Orders at the bid; HOGA_UNDEF_COUNT.
   */
  uint32_t bid_count;
  /**
   * Orders at the ask; HOGA_UNDEF_COUNT.
   */
  uint32_t ask_count;
} hoga_level;

/**
 * A snapshot of the order book: this fixed part of 256 bytes, then levels × hoga_level, best first.
 */
typedef struct hoga_book {
  /**
   * Common header.
   */
  struct hoga_header header;
  /**
   * Common market prefix.
   */
  struct hoga_market market;
  /**
   * Quantity of all bids.
   */
  uint64_t total_bid_qty;
  /**
   * Quantity of all asks.
   */
  uint64_t total_ask_qty;
  /**
   * Change of `total_bid_qty` as sent.
   */
  int64_t total_bid_change;
  /**
   * Change of `total_ask_qty` as sent.
   */
  int64_t total_ask_change;
  /**
   * Quantity of all bids of the overtime session.
   */
  uint64_t overtime_bid_qty;
  /**
   * Quantity of all asks of the overtime session.
   */
  uint64_t overtime_ask_qty;
  /**
   * Change of `overtime_bid_qty` as sent.
   */
  int64_t overtime_bid_change;
  /**
   * Change of `overtime_ask_qty` as sent.
   */
  int64_t overtime_ask_change;
  /**
   * Cumulative traded quantity of the day.
   */
  uint64_t cum_qty;
  /**
   * Expected price of the call auction.
   */
  int64_t expected_px;
  /**
   * Expected quantity of the call auction.
   */
  uint64_t expected_qty;
  /**
   * Expected volume as sent (ANTC_VOL).
   */
  uint64_t expected_volume;
  /**
   * Expected price minus the previous close.
   */
  int64_t expected_change_px;
  /**
   * Mid price of KRX.
   */
  struct hoga_mid_price krx_mid;
  /**
   * Mid price of NXT.
   */
  struct hoga_mid_price nxt_mid;
  /**
   * Zero.
   */
  uint64_t reserved_words[2];
  /**
   * Side code of the KRX mid remainder as sent; 0 = none.
   */
  uint8_t krx_mid_cls;
  /**
   * Side code of the NXT mid remainder as sent; 0 = none.
   */
  uint8_t nxt_mid_cls;
  /**
   * Sign code of `expected_change_px` as sent; 0 = none.
   */
  uint8_t expected_sign;
  /**
   * Hour class as sent; 0 = none.
   */
  uint8_t hour_cls;
  /**
   * Market class as sent; 0 = none.
   */
  uint8_t market_cls;
  /**
   * Exchange of the expected price as sent (`1` KRX, `2` NXT); 0 = none.
   */
  uint8_t expected_exchange;
  /**
   * Deal class as sent (documented as unused); 0 = none.
   */
  uint8_t deal_cls;
  /**
   * Levels that follow, at most HOGA_BOOK_LEVELS.
   */
  uint8_t levels;
  /**
   * Zero.
   */
  uint64_t reserved[1];
} hoga_book;

/**
 * Expected execution of a call auction.
 */
typedef struct hoga_expected {
  /**
   * Common header.
   */
  struct hoga_header header;
  /**
   * Common market prefix.
   */
  struct hoga_market market;
  /**
   * Expected price (index value for an index).
   */
  int64_t px;
  /**
   * Expected quantity.
   */
  uint64_t qty;
  /**
   * Cumulative quantity as sent.
   */
  uint64_t cum_qty;
  /**
   * Cumulative turnover as sent.
   */
  int64_t cum_turnover;
  /**
   * Expected price minus the previous close, signed.
   */
  int64_t change_px;
  /**
   * Best bid.
   */
  int64_t bid_px;
  /**
   * Best ask.
   */
  int64_t ask_px;
  /**
   * Quantity at the best bid.
   */
  uint64_t bid_qty;
  /**
   * Quantity at the best ask.
   */
  uint64_t ask_qty;
  /**
   * Quantity of all bids.
   */
  uint64_t total_bid_qty;
  /**
   * Quantity of all asks.
   */
  uint64_t total_ask_qty;
  /**
   * Reference price of the volatility interruption.
   */
  int64_t vi_px;
  /**
   * Business date as sent, decimal YYYYMMDD; 0 = none.
   */
  uint32_t business_date;
  /**
   * Sign code of the change as sent; 0 = none.
   */
  uint8_t sign;
  /**
   * Hour class as sent; 0 = none.
   */
  uint8_t hour_cls;
  /**
   * Market class as sent; 0 = none.
   */
  uint8_t market_cls;
  /**
   * Halt as sent: `Y` or `N`; 0 = none.
   */
  uint8_t halt;
  /**
   * Session code as sent, zero padded.
   */
  uint8_t mkop_cls[4];
  /**
   * Zero.
   */
  uint32_t reserved;
} hoga_expected;

/**
 * Market operation: session, volatility interruption, halt. Codes as sent, zero padded.
 */
typedef struct hoga_status {
  /**
   * Common header.
   */
  struct hoga_header header;
  /**
   * Common market prefix.
   */
  struct hoga_market market;
  /**
   * Reason of a halt as sent (bytes, not necessarily UTF-8), zero padded, cut at 64.
   */
  uint8_t reason[64];
  /**
   * Market operation code (MKOP_CLS_CODE), e.g. `112`, `AB1`.
   */
  uint8_t mkop_cls[4];
  /**
   * Expected market operation code.
   */
  uint8_t expected_mkop_cls[4];
  /**
   * Time class of the market; 0 = none.
   */
  uint8_t time_cls[2];
  /**
   * Dividend or allotment class.
   */
  uint8_t allotment_cls[2];
  /**
   * Issue status (ISCD_STAT_CLS_CODE), e.g. `55`, `58` = halted.
   */
  uint8_t issue_status[4];
  /**
   * Exchange class; absent on the unified feed.
   */
  uint8_t exchange_cls[4];
  /**
   * Halt as sent: `Y` or `N`; 0 = none.
   */
  uint8_t halt;
  /**
   * Volatility interruption as sent; 0 = none.
   */
  uint8_t vi_cls;
  /**
   * Volatility interruption of the overtime session as sent; 0 = none.
   */
  uint8_t overtime_vi_cls;
  /**
   * See StatusSource.
   */
  uint8_t source;
} hoga_status;

/**
 * Value of an index.
 */
typedef struct hoga_index {
  /**
   * Common header.
   */
  struct hoga_header header;
  /**
   * Common market prefix.
   */
  struct hoga_market market;
  /**
   * Value.
   */
  int64_t px;
  /**
   * First value of the day.
   */
  int64_t open_px;
  /**
   * Highest value of the day.
   */
  int64_t high_px;
  /**
   * Lowest value of the day.
   */
  int64_t low_px;
  /**
   * Value minus the previous close, signed.
   */
  int64_t change_px;
  /**
   * Cumulative quantity of the members, shares (the feed sends thousands).
   */
  uint64_t cum_qty;
  /**
   * Cumulative turnover of the members (the feed sends millions of won).
   */
  int64_t cum_turnover;
  /**
   * Quantity since the last value, unit as sent.
   */
  uint64_t tick_qty;
  /**
   * Turnover since the last value, whole units as sent.
   */
  uint64_t tick_turnover;
  /**
   * Change since the last value as sent.
   */
  int64_t tick_change_px;
  /**
   * Members at the upper limit.
   */
  uint32_t upper_limit_count;
  /**
   * Members up.
   */
  uint32_t up_count;
  /**
   * Members unchanged.
   */
  uint32_t unchanged_count;
  /**
   * Members down.
   */
  uint32_t down_count;
  /**
   * Members at the lower limit.
   */
  uint32_t lower_limit_count;
  /**
   * Business date as sent, decimal YYYYMMDD; 0 = none.
   */
  uint32_t business_date;
  /**
   * Sign code of the change as sent; 0 = none.
   */
  uint8_t sign;
  /**
   * Zero.
   */
  uint8_t reserved[7];
} hoga_index;

/**
 * Net asset value of a fund.
 */
typedef struct hoga_nav {
  /**
   * Common header.
   */
  struct hoga_header header;
  /**
   * Common market prefix.
   */
  struct hoga_market market;
  /**
   * Net asset value a unit.
   */
  int64_t px;
  /**
   * First value of the day.
   */
  int64_t open_px;
  /**
   * Highest value of the day.
   */
  int64_t high_px;
  /**
   * Lowest value of the day.
   */
  int64_t low_px;
  /**
   * Value minus the previous close, signed.
   */
  int64_t change_px;
  /**
   * Sign code of the change as sent; 0 = none.
   */
  uint8_t sign;
  /**
   * Zero.
   */
  uint8_t reserved[7];
} hoga_nav;

/**
 * Program trading of an instrument or an index; sums of the day.
 */
typedef struct hoga_program {
  /**
   * Common header.
   */
  struct hoga_header header;
  /**
   * Common market prefix.
   */
  struct hoga_market market;
  /**
   * Quantity sold.
   */
  uint64_t sell_qty;
  /**
   * Turnover sold.
   */
  int64_t sell_turnover;
  /**
   * Quantity bought.
   */
  uint64_t buy_qty;
  /**
   * Turnover bought.
   */
  int64_t buy_turnover;
  /**
   * Bought minus sold quantity.
   */
  int64_t net_qty;
  /**
   * Bought minus sold turnover.
   */
  int64_t net_turnover;
  /**
   * Quantity of resting sell orders.
   */
  uint64_t sell_resting_qty;
  /**
   * Quantity of resting buy orders.
   */
  uint64_t buy_resting_qty;
  /**
   * Net quantity of resting orders as sent (WHOL_NTBY_QTY of an instrument).
   */
  int64_t resting_net_qty;
  /**
   * Index only: net quantity of index arbitrage.
   */
  int64_t arbitrage_net_qty;
  /**
   * Index only: net turnover of index arbitrage.
   */
  int64_t arbitrage_net_turnover;
  /**
   * Index only: net quantity of other programs.
   */
  int64_t other_net_qty;
  /**
   * Index only: net turnover of other programs.
   */
  int64_t other_net_turnover;
  /**
   * Index only: cumulative quantity of the market.
   */
  uint64_t cum_qty;
  /**
   * Index only: cumulative turnover of the market.
   */
  int64_t cum_turnover;
} hoga_program;
/**
 * Every field undefined, prefixes empty: what a decoder starts from.
 */
#define hoga_program_UNDEF (hoga_program){ .header = UNDEF_HEADER, .market = UNDEF_MARKET, .sell_qty = UNDEF_QTY, .sell_turnover = UNDEF_TURNOVER, .buy_qty = UNDEF_QTY, .buy_turnover = UNDEF_TURNOVER, .net_qty = UNDEF_CHANGE, .net_turnover = UNDEF_CHANGE, .sell_resting_qty = UNDEF_QTY, .buy_resting_qty = UNDEF_QTY, .resting_net_qty = UNDEF_CHANGE, .arbitrage_net_qty = UNDEF_CHANGE, .arbitrage_net_turnover = UNDEF_CHANGE, .other_net_qty = UNDEF_CHANGE, .other_net_turnover = UNDEF_CHANGE, .cum_qty = UNDEF_QTY, .cum_turnover = UNDEF_TURNOVER }

/**
 * One member (broker) of a hoga_member record.
 */
typedef struct hoga_member_entry {
  /**
   * Quantity of the day.
   */
  uint64_t qty;
  /**
   * Change of `qty` since the last record.
   */
  int64_t qty_change;
  /**
   * Share of the day's volume in percent, 1 unit = 1e-9.
   */
  int64_t share;
  /**
   * Member code as sent, zero padded.
   */
  uint8_t code[7];
  /**
   * Foreign house as sent: `Y` or `N`; 0 = none.
   */
  uint8_t foreign;
} hoga_member_entry;

/**
 * The five most active members on each side. Names are in the raw frame, codes here.
 */
typedef struct hoga_member {
  /**
   * Common header.
   */
  struct hoga_header header;
  /**
   * Common market prefix.
   */
  struct hoga_market market;
  /**
   * Sellers, most active first.
   */
  struct hoga_member_entry sellers[5];
  /**
   * Buyers, most active first.
   */
  struct hoga_member_entry buyers[5];
  /**
   * Quantity sold by foreign houses.
   */
  uint64_t foreign_sell_qty;
  /**
   * Quantity bought by foreign houses.
   */
  uint64_t foreign_buy_qty;
  /**
   * Change of `foreign_sell_qty`.
   */
  int64_t foreign_sell_change;
  /**
   * Change of `foreign_buy_qty`.
   */
  int64_t foreign_buy_change;
  /**
   * Bought minus sold by foreign houses.
   */
  int64_t foreign_net_qty;
} hoga_member;

/**
 * A bar from the broker's REST service.
 */
typedef struct hoga_bar {
  /**
   * Common header.
   */
  struct hoga_header header;
  /**
   * Common market prefix; `ts_event` is the bar's beginning.
   */
  struct hoga_market market;
  /**
   * Length of the bar, ns.
   */
  uint64_t interval_ns;
  /**
   * First price.
   */
  int64_t open_px;
  /**
   * Highest price.
   */
  int64_t high_px;
  /**
   * Lowest price.
   */
  int64_t low_px;
  /**
   * Last price.
   */
  int64_t close_px;
  /**
   * Quantity in the bar.
   */
  uint64_t qty;
  /**
   * Turnover in the bar.
   */
  int64_t turnover;
  /**
   * Cumulative quantity of the day at the bar's end.
   */
  uint64_t cum_qty;
  /**
   * Cumulative turnover of the day at the bar's end.
   */
  int64_t cum_turnover;
} hoga_bar;
/**
 * Every field undefined, prefixes empty: what a decoder starts from.
 */
#define hoga_bar_UNDEF (hoga_bar){ .header = UNDEF_HEADER, .market = UNDEF_MARKET, .interval_ns = 0, .open_px = UNDEF_PX, .high_px = UNDEF_PX, .low_px = UNDEF_PX, .close_px = UNDEF_PX, .qty = UNDEF_QTY, .turnover = UNDEF_TURNOVER, .cum_qty = UNDEF_QTY, .cum_turnover = UNDEF_TURNOVER }

/**
 * The body of an `Other` record: the common prefixes, this, then `stored` bytes of the record as on the wire.
 */
typedef struct hoga_other_prefix {
  /**
   * Common header.
   */
  struct hoga_header header;
  /**
   * Common market prefix.
   */
  struct hoga_market market;
  /**
   * Bytes that follow.
   */
  uint32_t stored;
  /**
   * Zero.
   */
  uint32_t reserved;
} hoga_other_prefix;

/**
 * Volume of an instrument on a venue is missing: a record, so that nobody has to infer it.
 */
typedef struct hoga_gap {
  /**
   * Common header.
   */
  struct hoga_header header;
  /**
   * Number of the gap in this journal, from 1.
   */
  uint64_t gap_id;
  /**
   * Cumulative quantity of the last record before.
   */
  uint64_t cum_qty_before;
  /**
   * Cumulative quantity just before the first record after (its own quantity taken off).
   */
  uint64_t cum_qty_after;
  /**
   * Quantity missing, exact.
   */
  uint64_t missing_qty;
  /**
   * Turnover missing, exact; HOGA_UNDEF_TURNOVER.
   */
  int64_t missing_turnover;
  /**
   * Trades missing by the feed's counts; HOGA_UNDEF_QTY.
   */
  uint64_t missing_trades;
  /**
   * `ts_recv` of the last record before.
   */
  uint64_t from_ts;
  /**
   * `ts_recv` of the first record after.
   */
  uint64_t to_ts;
  /**
   * Sequence in stream `raw` of the first record after.
   */
  uint64_t raw_sequence;
  /**
   * See HOGA_GAP_*.
   */
  uint8_t reason;
  /**
   * Zero.
   */
  uint8_t reserved[7];
} hoga_gap;

/**
 * A gap was filled, wholly or in part.
 */
typedef struct hoga_repair {
  /**
   * Common header.
   */
  struct hoga_header header;
  /**
   * The gap repaired.
   */
  uint64_t gap_id;
  /**
   * Cumulative quantity at the beginning of what was filled.
   */
  uint64_t cum_qty_before;
  /**
   * Cumulative quantity at its end.
   */
  uint64_t cum_qty_after;
  /**
   * Quantity filled.
   */
  uint64_t filled_qty;
  /**
   * Turnover filled.
   */
  int64_t filled_turnover;
  /**
   * Trades filled.
   */
  uint64_t filled_trades;
  /**
   * `ts_event` of the first record filled in.
   */
  uint64_t from_ts;
  /**
   * `ts_event` of the last record filled in.
   */
  uint64_t to_ts;
  /**
   * Quantity still missing.
   */
  uint64_t missing_qty;
  /**
   * Zero.
   */
  uint64_t reserved;
} hoga_repair;

/**
 * A frame or record that could not be read: this prefix, then stored bytes of it.
 */
typedef struct hoga_reject_prefix {
  /**
   * Common header.
   */
  struct hoga_header header;
  /**
   * Sequence of the frame in stream `raw`; 0 = none.
   */
  uint64_t raw_sequence;
  /**
   * Bytes of the whole frame.
   */
  uint32_t frame_bytes;
  /**
   * Bytes that follow, at most HOGA_REJECT_BYTES.
   */
  uint16_t stored;
  /**
   * Transaction, if it could be read.
   */
  uint16_t tr;
  /**
   * See HOGA_REJECT_*.
   */
  uint8_t reason;
  /**
   * Zero.
   */
  uint8_t reserved[7];
} hoga_reject_prefix;

/**
 * What happened to a connection.
 */
typedef struct hoga_session {
  /**
   * Common header; `line` is the connection.
   */
  struct hoga_header header;
  /**
   * Duration, width or count, see HOGA_SESSION_*.
   */
  uint64_t value;
  /**
   * Key of the registration, zero padded.
   */
  uint8_t tr_key[32];
  /**
   * Broker's message code, e.g. `OPSP0000`, zero padded.
   */
  uint8_t code[16];
  /**
   * Text for people (no secrets), zero padded.
   */
  uint8_t text[64];
  /**
   * Transaction of the registration; 0 = none.
   */
  uint16_t tr;
  /**
   * WebSocket close code; 0 = none.
   */
  uint16_t close_code;
  /**
   * See HOGA_SESSION_*.
   */
  uint8_t event;
  /**
   * Reason of a disconnect, `net::DisconnectReason` as a number; of a stop, StopReason; 0 = none.
   */
  uint8_t reason;
  /**
   * Zero.
   */
  uint8_t reserved[2];
} hoga_session;

/**
 * Relation of clocks.
 */
typedef struct hoga_clock {
  /**
   * Common header.
   */
  struct hoga_header header;
  /**
   * Wall clock minus reference, ns.
   */
  int64_t offset_ns;
  /**
   * Bound of the error of `offset_ns`, ns; `u64::MAX` = not known.
   */
  uint64_t error_ns;
  /**
   * Wall time of the market-time anchor, ns.
   */
  uint64_t anchor_wall_ns;
  /**
   * Market time at that instant, ns since the UNIX epoch.
   */
  uint64_t anchor_market_ns;
  /**
   * Market nanoseconds a wall second, i.e. the scale × 1e9 (1e9 in production).
   */
  uint64_t scale_ppb;
  /**
   * 0 = system clock undisciplined or unknown, 1 = kernel says synchronised.
   */
  uint8_t source;
  /**
   * Zero.
   */
  uint8_t reserved[7];
} hoga_clock;

/**
 * Last record of a segment: a tailer moves on only past it.
 */
typedef struct hoga_end {
  /**
   * Common header.
   */
  struct hoga_header header;
  /**
   * Ordinal of the segment that follows; 0 = none yet (the journal was closed).
   */
  uint64_t next_ordinal;
  /**
   * Market records in the segment.
   */
  uint64_t market_records;
  /**
   * See HOGA_END_*.
   */
  uint8_t reason;
  /**
   * Zero.
   */
  uint8_t reserved[7];
} hoga_end;

/**
 * Committed records stood here and are lost: written by a repair in their place, so that nobody has to infer it. It has
 * no sequence of its own; the next numbered record has `last_sequence` + 1.
 */
typedef struct hoga_hole {
  /**
   * Common header; `ts_recv` is when it was written.
   */
  struct hoga_header header;
  /**
   * Sequence of the first record lost.
   */
  uint64_t first_sequence;
  /**
   * Sequence of the last record lost; `first_sequence` - 1: bytes were lost, but no record is known to be.
   */
  uint64_t last_sequence;
  /**
   * Bytes of the stream they took; 0 = not known.
   */
  uint64_t bytes;
  /**
   * See HOGA_HOLE_*.
   */
  uint8_t reason;
  /**
   * Zero.
   */
  uint8_t reserved[7];
} hoga_hole;

/**
 * A frame verbatim (stream `raw`): this prefix, then `payload_bytes` bytes.
 */
typedef struct hoga_raw_prefix {
  /**
   * Common header.
   */
  struct hoga_header header;
  /**
   * As in `Market`: arrival lies within this many ns before `ts_recv`.
   */
  uint32_t recv_window_ns;
  /**
   * From `ts_recv` to the read of the socket, ns, saturating.
   */
  uint32_t read_ns;
  /**
   * Bytes that follow.
   */
  uint32_t payload_bytes;
  /**
   * WebSocket opcode: 1 text, 2 binary.
   */
  uint8_t opcode;
  /**
   * Zero.
   */
  uint8_t reserved[3];
} hoga_raw_prefix;









#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * What a code means, in a few words of ASCII; of a number that is no code, "unknown code". Never NULL, never freed.
 * Any thread.
 */
const char *hoga_error_text(int32_t code);

/**
 * Version of the library in use: major * 1000000 + minor * 1000 + patch; HOGA_VERSION is the header's. Any thread.
 */
uint32_t hoga_version(void);

/**
 * The same as text, e.g. "0.1.0". Never NULL, never freed. Any thread.
 */
const char *hoga_version_text(void);

/**
 * Opens a stream of the journal in the folder `dir` and sets `*out` to its reader, or to NULL when the result is below
 * 0 (hoga_last_error(NULL) then says why). Reading begins as the options say; with `from` not before that.
 *
 * Returns HOGA_NONE or an error: HOGA_ERROR_NULL, HOGA_ERROR_SIZE, HOGA_ERROR_ARGUMENT, HOGA_ERROR_NO_JOURNAL (also
 * when nothing was ever written), HOGA_ERROR_CORRUPT, HOGA_ERROR_VERSION, HOGA_ERROR_IO.
 */
int32_t hoga_open(const char *dir, const struct hoga_options *options, struct hoga_tailer **out);

/**
 * Closes a reader and frees it; what it lent is gone. Of NULL: nothing. Inside a callback of hoga_poll on the same
 * reader it is HOGA_ERROR_BUSY and the reader stays open. Else HOGA_NONE.
 */
int32_t hoga_close(struct hoga_tailer *tailer);

/**
 * Text of the last error of a reader, UTF-8; of NULL: of this thread's last hoga_open that failed. Never NULL; empty
 * when there was none. Valid until the next error of that reader (that thread's hoga_open).
 */
const char *hoga_last_error(const struct hoga_tailer *tailer);

/**
 * Hands over the next record that is committed, if there is one, and does not wait.
 *
 * HOGA_RECORD: `*out` is the record. HOGA_NONE, HOGA_SILENT, HOGA_GONE, HOGA_CLOSED: nothing new, call again later or at
 * once. HOGA_PAST_END: nothing more will come. Below 0: an error, see hoga_last_error; the reader stands before what it
 * could not read, and the next call tries again.
 *
 * Within a segment it makes no system call and allocates nothing. It does when it enters a segment, when it learns of an
 * instrument and, with nothing new, at most once a millisecond, when it looks whether there is still a writer.
 */
int32_t hoga_next(struct hoga_tailer *tailer,
                  struct hoga_record *out);

/**
 * Hands over at most `max` records that are committed by now to `on_record`. Returns how many were handed over, or an
 * error below 0; then those before were handed over, and the next call tries again. Fewer than `max`: nothing new at
 * present, hoga_state says why; or `on_record` stopped it.
 */
int64_t hoga_poll(struct hoga_tailer *tailer, uint64_t max, hoga_on_record on_record, void *context);

/**
 * Goes to the record with this sequence, backwards or forwards; filters stay in force. HOGA_EXACT; or HOGA_BEFORE_FIRST
 * or HOGA_AFTER_LAST, where `*edge` (if not NULL) becomes the sequence of the first or last record there is; or an error.
 */
int32_t hoga_seek_sequence(struct hoga_tailer *tailer,
                           uint64_t sequence,
                           uint64_t *edge);

/**
 * Goes to the first record at which the running maximum of `ts_recv` reaches `time_ns` (nanoseconds since the UNIX
 * epoch). Returns as hoga_seek_sequence does.
 */
int32_t hoga_seek_time(struct hoga_tailer *tailer, uint64_t time_ns, uint64_t *edge);

/**
 * Place of the next record: where it is, or will be. HOGA_NONE or an error. Leaves records lent.
 */
int32_t hoga_tell(struct hoga_tailer *tailer, struct hoga_position *out);

/**
 * State of the writer at the last call that found nothing new: HOGA_NONE (it lives), HOGA_SILENT, HOGA_GONE or
 * HOGA_CLOSED. Leaves records lent.
 */
int32_t hoga_state(struct hoga_tailer *tailer);

/**
 * How far the reader is behind the writer. HOGA_NONE or an error. Leaves records lent; allocates nothing.
 */
int32_t hoga_get_lag(struct hoga_tailer *tailer, struct hoga_lag *out);

/**
 * Records between those read that were not there any more: retention deleted their days, as the journal's audit.log
 * says. The sequences jump there; those before the place where reading began are not counted. HOGA_NONE or an error.
 * Leaves records lent; allocates nothing.
 */
int32_t hoga_tailer_pruned(struct hoga_tailer *tailer, uint64_t *out);

/**
 * What an instrument id stands for, as far as read: HOGA_RECORD when it is known, HOGA_NONE when not. Leaves records
 * lent; allocates nothing; may be called inside a callback of hoga_poll.
 */
int32_t hoga_lookup(struct hoga_tailer *tailer, uint32_t instrument_id, struct hoga_name *out);

/**
 * The record that declared an instrument id, as far as read; NULL when it is not known. Lent as a record is.
 */
const struct hoga_instrument *hoga_find_instrument(struct hoga_tailer *tailer, uint32_t instrument_id);

/**
 * Writes a price as the shortest exact decimal ("93000", "169.785"), "-" when there is none, and a NUL. Returns the
 * bytes before the NUL; HOGA_ERROR_ARGUMENT when `size` is too small (22 always suffices); HOGA_ERROR_NULL. Any thread.
 */
int32_t hoga_format_px(int64_t px, char *text, size_t size);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

/* What Rust has is what this compiler has. */
HOGA_ASSERT_SIZE(hoga_header, 40);
HOGA_ASSERT_SIZE(hoga_market, 48);
HOGA_ASSERT_SIZE(hoga_trade, 256);
HOGA_ASSERT_SIZE(hoga_mid_price, 16);
HOGA_ASSERT_SIZE(hoga_level, 40);
HOGA_ASSERT_SIZE(hoga_book, 256);
HOGA_ASSERT_SIZE(hoga_expected, 200);
HOGA_ASSERT_SIZE(hoga_status, 176);
HOGA_ASSERT_SIZE(hoga_index, 200);
HOGA_ASSERT_SIZE(hoga_nav, 136);
HOGA_ASSERT_SIZE(hoga_program, 208);
HOGA_ASSERT_SIZE(hoga_member_entry, 32);
HOGA_ASSERT_SIZE(hoga_member, 448);
HOGA_ASSERT_SIZE(hoga_bar, 160);
HOGA_ASSERT_SIZE(hoga_other_prefix, 96);
HOGA_ASSERT_SIZE(hoga_instrument_key, 48);
HOGA_ASSERT_SIZE(hoga_instrument, 104);
HOGA_ASSERT_SIZE(hoga_gap, 120);
HOGA_ASSERT_SIZE(hoga_repair, 120);
HOGA_ASSERT_SIZE(hoga_reject_prefix, 64);
HOGA_ASSERT_SIZE(hoga_session, 168);
HOGA_ASSERT_SIZE(hoga_clock, 88);
HOGA_ASSERT_SIZE(hoga_end, 64);
HOGA_ASSERT_SIZE(hoga_hole, 72);
HOGA_ASSERT_SIZE(hoga_raw_prefix, 56);
HOGA_ASSERT_SIZE(hoga_position, 32);
HOGA_ASSERT_SIZE(hoga_record, 48);
HOGA_ASSERT_SIZE(hoga_options, 72);
HOGA_ASSERT_SIZE(hoga_name, 64);
HOGA_ASSERT_SIZE(hoga_lag, 16);

/* For the functions below. */
static inline const void *hoga_as_(const hoga_record *record, uint8_t rtype, size_t bytes)
{
  const hoga_header *header = (const hoga_header *)record->data;
  return header->rtype == rtype && record->length >= bytes ? record->data : NULL;
}

/* A record as a struct: NULL when it is of another kind or, by an older writer, shorter. */
static inline const hoga_trade *hoga_as_trade(const hoga_record *record)
{
  return (const hoga_trade *)hoga_as_(record, HOGA_RTYPE_TRADE, sizeof(hoga_trade));
}

static inline const hoga_book *hoga_as_book(const hoga_record *record)
{
  return (const hoga_book *)hoga_as_(record, HOGA_RTYPE_BOOK, sizeof(hoga_book));
}

static inline const hoga_expected *hoga_as_expected(const hoga_record *record)
{
  return (const hoga_expected *)hoga_as_(record, HOGA_RTYPE_EXPECTED, sizeof(hoga_expected));
}

static inline const hoga_status *hoga_as_status(const hoga_record *record)
{
  return (const hoga_status *)hoga_as_(record, HOGA_RTYPE_STATUS, sizeof(hoga_status));
}

static inline const hoga_index *hoga_as_index(const hoga_record *record)
{
  return (const hoga_index *)hoga_as_(record, HOGA_RTYPE_INDEX, sizeof(hoga_index));
}

static inline const hoga_nav *hoga_as_nav(const hoga_record *record)
{
  return (const hoga_nav *)hoga_as_(record, HOGA_RTYPE_NAV, sizeof(hoga_nav));
}

static inline const hoga_program *hoga_as_program(const hoga_record *record)
{
  return (const hoga_program *)hoga_as_(record, HOGA_RTYPE_PROGRAM, sizeof(hoga_program));
}

static inline const hoga_member *hoga_as_member(const hoga_record *record)
{
  return (const hoga_member *)hoga_as_(record, HOGA_RTYPE_MEMBER, sizeof(hoga_member));
}

static inline const hoga_bar *hoga_as_bar(const hoga_record *record)
{
  return (const hoga_bar *)hoga_as_(record, HOGA_RTYPE_BAR, sizeof(hoga_bar));
}

static inline const hoga_other_prefix *hoga_as_other_prefix(const hoga_record *record)
{
  return (const hoga_other_prefix *)hoga_as_(record, HOGA_RTYPE_OTHER, sizeof(hoga_other_prefix));
}

static inline const hoga_instrument *hoga_as_instrument(const hoga_record *record)
{
  return (const hoga_instrument *)hoga_as_(record, HOGA_RTYPE_INSTRUMENT, sizeof(hoga_instrument));
}

static inline const hoga_gap *hoga_as_gap(const hoga_record *record)
{
  return (const hoga_gap *)hoga_as_(record, HOGA_RTYPE_GAP, sizeof(hoga_gap));
}

static inline const hoga_repair *hoga_as_repair(const hoga_record *record)
{
  return (const hoga_repair *)hoga_as_(record, HOGA_RTYPE_REPAIR, sizeof(hoga_repair));
}

static inline const hoga_reject_prefix *hoga_as_reject_prefix(const hoga_record *record)
{
  return (const hoga_reject_prefix *)hoga_as_(record, HOGA_RTYPE_REJECT, sizeof(hoga_reject_prefix));
}

static inline const hoga_session *hoga_as_session(const hoga_record *record)
{
  return (const hoga_session *)hoga_as_(record, HOGA_RTYPE_SESSION, sizeof(hoga_session));
}

static inline const hoga_clock *hoga_as_clock(const hoga_record *record)
{
  return (const hoga_clock *)hoga_as_(record, HOGA_RTYPE_CLOCK, sizeof(hoga_clock));
}

static inline const hoga_end *hoga_as_end(const hoga_record *record)
{
  return (const hoga_end *)hoga_as_(record, HOGA_RTYPE_END, sizeof(hoga_end));
}

static inline const hoga_hole *hoga_as_hole(const hoga_record *record)
{
  return (const hoga_hole *)hoga_as_(record, HOGA_RTYPE_HOLE, sizeof(hoga_hole));
}

static inline const hoga_raw_prefix *hoga_as_raw_prefix(const hoga_record *record)
{
  return (const hoga_raw_prefix *)hoga_as_(record, HOGA_RTYPE_RAW, sizeof(hoga_raw_prefix));
}

/** Levels of a book, best first: book->levels of them (at most HOGA_BOOK_LEVELS). */
static inline const hoga_level *hoga_book_levels(const hoga_book *book)
{
  return (const hoga_level *)(const void *)(book + 1);
}

/** Options to begin with: stream of ticks, from the oldest record, everything. */
#define HOGA_OPTIONS_INIT \
  { (uint32_t)sizeof(hoga_options), (uint32_t)sizeof(hoga_record), HOGA_TICKS, HOGA_START_BEGINNING, 0, 0, 0, 0, 0, 0, 0, 0 }

#endif /* HOGA_H */
