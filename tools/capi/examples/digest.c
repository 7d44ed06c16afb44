/*
 * The SHA-256 digest of a stream: over the bytes 8..length of each numbered record, in order. Readers in other languages
 * that agree on the journal print the same.
 *
 *   digest DIR [ticks|raw]
 *
 * Reads what is committed, checks every record, prints one JSON object.
 */
#include <hoga.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* SHA-256 as in FIPS 180-4: what C has no standard library for. */
typedef struct {
  uint32_t state[8];
  uint64_t bytes;
  unsigned char block[64];
} sha256;

static const uint32_t ROUND[64] = {
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
  0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
  0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
  0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
  0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
  0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t turn(uint32_t word, int bits)
{
  return word >> bits | word << (32 - bits);
}

static void sha256_block(sha256 *hash, const unsigned char *block)
{
  uint32_t w[64], s[8];
  for (int i = 0; i < 16; i++)
    w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    uint32_t a = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3;
    uint32_t b = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10;
    w[i] = w[i - 16] + a + w[i - 7] + b;
  }
  memcpy(s, hash->state, sizeof s);
  for (int i = 0; i < 64; i++) {
    uint32_t e = turn(s[4], 6) ^ turn(s[4], 11) ^ turn(s[4], 25);
    uint32_t t1 = s[7] + e + ((s[4] & s[5]) ^ (~s[4] & s[6])) + ROUND[i] + w[i];
    uint32_t a = turn(s[0], 2) ^ turn(s[0], 13) ^ turn(s[0], 22);
    uint32_t t2 = a + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
    memmove(s + 1, s, 7 * sizeof s[0]);
    s[4] += t1;
    s[0] = t1 + t2;
  }
  for (int i = 0; i < 8; i++)
    hash->state[i] += s[i];
}

static void sha256_begin(sha256 *hash)
{
  static const uint32_t start[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
  };
  memcpy(hash->state, start, sizeof start);
  hash->bytes = 0;
}

static void sha256_add(sha256 *hash, const unsigned char *bytes, size_t count)
{
  while (count > 0) {
    size_t used = (size_t)(hash->bytes % 64);
    size_t part = 64 - used < count ? 64 - used : count;
    memcpy(hash->block + used, bytes, part);
    hash->bytes += part;
    bytes += part;
    count -= part;
    if (hash->bytes % 64 == 0)
      sha256_block(hash, hash->block);
  }
}

static void sha256_end(sha256 *hash, char text[65])
{
  uint64_t bits = 8 * hash->bytes;
  unsigned char tail[72] = {0x80};
  size_t zeros = (size_t)((119 - hash->bytes % 64) % 64);
  for (int i = 0; i < 8; i++)
    tail[1 + zeros + (size_t)i] = (unsigned char)(bits >> (56 - 8 * i));
  sha256_add(hash, tail, 9 + zeros);
  for (int i = 0; i < 8; i++)
    snprintf(text + 8 * i, 9, "%08" PRIx32, hash->state[i]);
}

int main(int argc, char **argv)
{
  if (argc < 2 || argc > 3) {
    fprintf(stderr, "usage: digest DIR [ticks|raw]\n");
    return 2;
  }
  hoga_options options = HOGA_OPTIONS_INIT;
  options.stream = argc == 3 && strcmp(argv[2], "raw") == 0 ? HOGA_RAW : HOGA_TICKS;
  options.check_crc = 1;
  hoga_tailer *tailer;
  if (hoga_open(argv[1], &options, &tailer) < 0) {
    fprintf(stderr, "digest: %s\n", hoga_last_error(NULL));
    return 2;
  }
  sha256 hash;
  sha256_begin(&hash);
  uint64_t records = 0, last = 0;
  hoga_record record;
  int code;
  while ((code = hoga_next(tailer, &record)) == HOGA_RECORD) {
    if (record.position.sequence == 0)
      continue;
    sha256_add(&hash, (const unsigned char *)record.data + 8, (size_t)record.length - 8);
    last = record.position.sequence;
    records++;
  }
  if (code < 0) {
    fprintf(stderr, "digest: %s: %s\n", hoga_error_text(code), hoga_last_error(tailer));
    hoga_close(tailer);
    return 1;
  }
  char text[65];
  sha256_end(&hash, text);
  printf("{\"records\": %" PRIu64 ", \"last_sequence\": %" PRIu64 ", \"digest\": \"%s\"}\n", records, last, text);
  hoga_close(tailer);
  return 0;
}
