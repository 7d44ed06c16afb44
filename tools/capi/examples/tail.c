/*
 * Follows the best bid and ask of instruments.
 *
 *   tail DIR [SYMBOL[,SYMBOL...]]
 *
 * Prints a line whenever the best price of a book changes, and ends when the stream is closed or its writer is gone.
 */
#define _POSIX_C_SOURCE 199309L
#include <hoga.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

/* Ids below this are followed. */
#define INSTRUMENTS_MAX 65536

static struct {
  int64_t bid_px, ask_px;
} best[INSTRUMENTS_MAX];

static int show(const hoga_record *record, void *context)
{
  hoga_tailer *tailer = (hoga_tailer *)context;
  const hoga_book *book = hoga_as_book(record);
  if (book == NULL || book->levels == 0 || book->header.instrument_id >= INSTRUMENTS_MAX)
    return 0;
  if (record->length < sizeof *book + book->levels * sizeof(hoga_level))
    return 0;
  uint32_t id = book->header.instrument_id;
  const hoga_level *top = hoga_book_levels(book);
  if (top->bid_px == best[id].bid_px && top->ask_px == best[id].ask_px)
    return 0;
  best[id].bid_px = top->bid_px;
  best[id].ask_px = top->ask_px;
  hoga_name name;
  char bid[24], ask[24];
  hoga_lookup(tailer, id, &name);
  hoga_format_px(top->bid_px, bid, sizeof bid);
  hoga_format_px(top->ask_px, ask, sizeof ask);
  printf("%" PRIu64 " %s bid %s ask %s\n", record->position.sequence, name.symbol, bid, ask);
  return 0;
}

int main(int argc, char **argv)
{
  if (argc < 2 || argc > 3) {
    fprintf(stderr, "usage: tail DIR [SYMBOL[,SYMBOL...]]\n");
    return 2;
  }
  hoga_options options = HOGA_OPTIONS_INIT;
  options.kinds = "book";
  options.symbols = argc == 3 ? argv[2] : NULL;
  hoga_tailer *tailer;
  if (hoga_open(argv[1], &options, &tailer) < 0) {
    fprintf(stderr, "tail: %s\n", hoga_last_error(NULL));
    return 2;
  }
  for (;;) {
    int64_t count = hoga_poll(tailer, 256, show, tailer);
    if (count < 0) {
      fprintf(stderr, "tail: %s\n", hoga_last_error(tailer));
      break;
    }
    if (count > 0)
      continue;
    int state = hoga_state(tailer);
    if (state == HOGA_CLOSED || state == HOGA_GONE)
      break;
    /* Nothing new: a program that trades would call again at once. */
    struct timespec pause = {0, 200000};
    nanosleep(&pause, NULL);
  }
  fflush(stdout);
  hoga_lag lag;
  if (hoga_get_lag(tailer, &lag) == HOGA_NONE)
    fprintf(stderr, "tail: %" PRIu64 " records behind\n", lag.records);
  hoga_close(tailer);
  return 0;
}
