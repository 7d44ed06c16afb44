"""Reads a stream of a journal from its documentation alone (src/journal/format.rs): python3 read_journal.py DIR/ticks

Checks headers, checksums and sequence; prints one JSON object. Nothing of the program is used: plain Python, and from the
registry `zstandard` for compressed segments and, if it is there, `google-crc32c` for speed.
"""
import hashlib, json, os, struct, sys

TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    TABLE.append(byte)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


slow_crc32c = crc32c
try:
    from google_crc32c import value as crc32c
except ImportError:
    pass
assert crc32c(b"123456789") == slow_crc32c(b"123456789") == 0xE3069283


def read_segment(data, stream, ordinal, found):
    magic, major, _, header_bytes = struct.unpack_from("<8sHHI", data, 0)
    assert magic == b"hogaSEG\0" and major == 1 and header_bytes == 4096
    number, salt, own_ordinal, epoch, size = struct.unpack_from("<IIQQQ", data, 16)
    assert number == {"ticks": 1, "raw": 2}[stream] and own_ordinal == ordinal and size >= len(data)
    # The zeros behind the last record are not stored in a compressed segment.
    if len(data) < size:
        data += bytes(size - len(data))
    assert struct.unpack_from("<I", data, 92)[0] == crc32c(data[:92])
    if data[192:196] == b"PREP":
        return
    assert data[192:196] == b"ACTV"
    base, date, crc = struct.unpack_from("<QII", data, 128)
    assert crc == crc32c(data[92:96] + data[128:140])
    assert found["last_sequence"] in (0, base - 1), "a hole between segments"
    found["last_sequence"] = base - 1
    found["segments"] += 1
    found["epoch"], found["trading_date"] = epoch, date
    at = 4096
    while at + 40 <= len(data):
        length, crc, sequence = struct.unpack_from("<IIQ", data, at)
        if length == 0:
            break
        flags, rtype = struct.unpack_from("<I", data, at + 28)[0], data[at + 36]
        assert crc == crc32c(struct.pack("<II", salt, length) + data[at + 8 : at + length]), f"checksum at {at}"
        if rtype == 39:
            # Records lost by damage and cut out by a repair: not numbered, the next goes on behind them.
            first, last = struct.unpack_from("<QQ", data, at + 40)
            assert first == found["last_sequence"] + 1, f"hole at {at}"
            found["lost"] += max(last + 1 - first, 0)
            found["last_sequence"] = max(found["last_sequence"], last)
            found["holes"] += 1
        elif rtype == 38 or (sequence == 0 and flags >> 14 & 1):
            found["restated"] += rtype == 32
        else:
            assert sequence == found["last_sequence"] + 1, f"sequence at {at}"
            found["last_sequence"] = sequence
            found["records"] += 1
            found["digest"].update(data[at + 8 : at + length])
        at += (length + 7) // 8 * 8


def deletions(journal, stream):
    """What audit.log says that retention deleted of a stream: the last sequence of each segment, by ordinal."""
    deleted = {}
    path = os.path.join(journal, "audit.log")
    if os.path.exists(path):
        with open(path, "rb") as file:
            for line in file.read().split(b"\n"):
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue  # cut short by a death: it explains nothing
                if entry["action"] == "prune":
                    own = [segment for segment in entry.get("segments", []) if segment["stream"] == stream]
                    deleted.update((segment["ordinal"], segment["last_sequence"]) for segment in own)
    return deleted


def content(path):
    with open(path, "rb") as file:
        if not path.endswith(".zst"):
            return file.read()
        import zstandard

        # Ordinary frames one behind the other; the seek table at the end is a frame that decoders skip.
        return zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read()


folder = sys.argv[1].rstrip("/")
found = {"records": 0, "restated": 0, "holes": 0, "lost": 0, "segments": 0, "packed": 0, "last_sequence": 0}
found["pruned"] = 0
found["digest"] = hashlib.sha256()
names = {}
for name in os.listdir(folder):
    if name.endswith((".seg", ".seg.zst")):
        # While one takes the place of the other both are there: the same bytes.
        names.setdefault(int(name.split(".")[0]), []).append(name)
stream = os.path.basename(folder)
deleted = deletions(os.path.dirname(os.path.abspath(folder)), stream)
before = None
for ordinal in sorted(names):
    # Between two segments that are there others may have been deleted, if the log says so.
    for gone in range(before + 1 if before else ordinal, ordinal):
        assert gone in deleted, f"segment {gone} is missing, and audit.log does not say that it was pruned"
        found["pruned"] += deleted[gone] - found["last_sequence"]
        found["last_sequence"] = deleted[gone]
    before = ordinal
    name = min(names[ordinal])
    found["packed"] += name.endswith(".zst")
    read_segment(content(os.path.join(folder, name)), stream, ordinal, found)
found["digest"] = found["digest"].hexdigest()
print(json.dumps(found))
