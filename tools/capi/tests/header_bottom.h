/** Levels of a book, best first: book->levels of them (at most HOGA_BOOK_LEVELS). */
static inline const hoga_level *hoga_book_levels(const hoga_book *book)
{
  return (const hoga_level *)(const void *)(book + 1);
}

/** Options to begin with: stream of ticks, from the oldest record, everything. */
#define HOGA_OPTIONS_INIT \
  { (uint32_t)sizeof(hoga_options), (uint32_t)sizeof(hoga_record), HOGA_TICKS, HOGA_START_BEGINNING, 0, 0, 0, 0, 0, 0, 0, 0 }

#endif /* HOGA_H */
