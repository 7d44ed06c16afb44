// Volume-weighted average price of each instrument, from its trades: hoga from C++, with a reader that closes itself.
//
//   vwap DIR
#include <hoga.h>

#include <cinttypes>
#include <cstdio>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

namespace {

// A reader that is closed when it goes out of scope. Errors become exceptions, outside of the library.
class Reader {
public:
  Reader(const std::string &dir, const hoga_options &options)
  {
    hoga_tailer *tailer = nullptr;
    if (hoga_open(dir.c_str(), &options, &tailer) < 0)
      throw std::runtime_error(hoga_last_error(nullptr));
    tailer_.reset(tailer);
  }

  // The next record; nullptr when there is none at present. Lent until the next call.
  const hoga_record *next()
  {
    const int code = hoga_next(tailer_.get(), &record_);
    if (code < 0)
      throw std::runtime_error(hoga_last_error(tailer_.get()));
    return code == HOGA_RECORD ? &record_ : nullptr;
  }

  std::string symbol(std::uint32_t instrument_id) const
  {
    hoga_name name;
    return hoga_lookup(tailer_.get(), instrument_id, &name) == HOGA_RECORD ? name.symbol : "?";
  }

private:
  struct Close {
    void operator()(hoga_tailer *tailer) const { hoga_close(tailer); }
  };
  std::unique_ptr<hoga_tailer, Close> tailer_;
  hoga_record record_;
};

struct Sum {
  std::uint64_t qty = 0;
  // 1e-9 of a won times shares: beyond 64 bits within minutes, exact in a long double's mantissa for a day.
  long double turnover = 0;
};

// Which trades count: not what came twice, not what was only asked for (unless it fills a gap), not what has no price or
// quantity. The rule of the bars of hoga-replay.
bool counts(const hoga_trade &trade)
{
  const std::uint32_t flags = trade.header.flags;
  const bool only_asked_for = (flags & HOGA_FLAG_POLLED) != 0 && (flags & HOGA_FLAG_BACKFILLED) == 0;
  return !only_asked_for && (trade.market.findings & HOGA_FINDING_DUPLICATE) == 0 && trade.px != HOGA_UNDEF_PX &&
         trade.qty != HOGA_UNDEF_QTY && trade.qty != 0;
}

} // namespace

int main(int argc, char **argv)
{
  if (argc != 2) {
    std::fprintf(stderr, "usage: vwap DIR\n");
    return 2;
  }
  try {
    hoga_options options = HOGA_OPTIONS_INIT;
    options.kinds = "trade";
    Reader reader(argv[1], options);
    std::map<std::uint32_t, Sum> sums;
    while (const hoga_record *record = reader.next()) {
      const hoga_trade *trade = hoga_as_trade(record);
      if (trade == nullptr || !counts(*trade))
        continue;
      Sum &sum = sums[trade->header.instrument_id];
      sum.qty += trade->qty;
      sum.turnover += static_cast<long double>(trade->px) * static_cast<long double>(trade->qty);
    }
    for (const auto &entry : sums) {
      const Sum &sum = entry.second;
      const long double px = sum.qty == 0 ? 0 : sum.turnover / static_cast<long double>(sum.qty) / HOGA_PX_SCALE;
      std::printf("%s %.4Lf %" PRIu64 "\n", reader.symbol(entry.first).c_str(), px, sum.qty);
    }
    return 0;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "vwap: %s\n", error.what());
    return 2;
  }
}
