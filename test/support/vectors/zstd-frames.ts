/**
 * Zstandard frames by hand (RFC 8878), so that the vectors do not depend on which release of the library makes them:
 * of blocks that are stored or that repeat one byte, and wrong ones. Every function returns hex.
 */

const MAGIC = '28b52ffd';

const littleEndian = (value: number, byteCount: number): string =>
  Array.from({ length: byteCount }, (_, i) =>
    (Math.floor(value / 256 ** i) & 0xff).toString(16).padStart(2, '0'),
  ).join('');

const BLOCK_TYPES = { stored: 0, repeated: 1, compressed: 2, reserved: 3 } as const;

/** `byteCount`: of what the block holds. */
function block(type: keyof typeof BLOCK_TYPES, byteCount: number, content: string, isLast = true): string {
  return littleEndian((byteCount << 3) | (BLOCK_TYPES[type] << 1) | Number(isLast), 3) + content;
}

/** A frame header that names the size of the content, which is the window as well. */
function sized(byteCount: number): string {
  if (byteCount < 256) return `${MAGIC}20${littleEndian(byteCount, 1)}`;
  // Two bytes count from 256 on.
  return byteCount < 65_792
    ? `${MAGIC}60${littleEndian(byteCount - 256, 2)}`
    : `${MAGIC}a0${littleEndian(byteCount, 4)}`;
}

/** A frame of one stored block. */
export function storedFrame(content: string): string {
  const byteCount = content.length / 2;
  return sized(byteCount) + block('stored', byteCount, content);
}

/** A frame of one block: `byte`, so many times. */
export function repeatedFrame(byte: string, byteCount: number): string {
  return sized(byteCount) + block('repeated', byteCount, byte);
}

/** A frame of two blocks: `content` as it is, then `byte`, so many times. */
export function endedFrame(content: string, byte: string, byteCount: number): string {
  const storedBytes = content.length / 2;
  const stored = block('stored', storedBytes, content, false);
  return sized(storedBytes + byteCount) + stored + block('repeated', byteCount, byte);
}

/** A frame of one stored block of at most 255 bytes, for a decoder that has the dictionary `dictionaryId` < 256. */
export function dictionaryFrame(content: string, dictionaryId: number): string {
  const byteCount = content.length / 2;
  const header = `${MAGIC}21${littleEndian(dictionaryId, 1)}${littleEndian(byteCount, 1)}`;
  return header + block('stored', byteCount, content);
}

/** A frame of one stored block, whose header has the bit set that is kept for later. */
export function reservedBitFrame(content: string): string {
  return storedFrame(content).replace(`${MAGIC}20`, `${MAGIC}28`);
}

/** A frame of one stored block in a format that Zstandard had before its first release. */
export function earlierFrame(content: string): string {
  return storedFrame(content).replace(MAGIC, '27b52ffd');
}

/** A frame that does not name the size of its content, for a decoder with a window of 2^`windowBits` bytes. */
export function streamedFrame(contents: readonly string[], windowBits: number): string {
  const blocks = contents.map((content, i) =>
    block('stored', content.length / 2, content, i === contents.length - 1),
  );
  return `${MAGIC}00${littleEndian((windowBits - 10) << 3, 1)}${blocks.join('')}`;
}

/** A frame whose only block is of the type that has no meaning yet. */
export function reservedFrame(content: string): string {
  const byteCount = content.length / 2;
  return sized(byteCount) + block('reserved', byteCount, content);
}

/** A frame with all of its content and no last block. */
export function unfinishedFrame(content: string): string {
  const byteCount = content.length / 2;
  return sized(byteCount) + block('stored', byteCount, content, false);
}

/** A frame of one stored block of at most 255 bytes, whose header announces a checksum that is not there. */
export function uncheckedFrame(content: string): string {
  const byteCount = content.length / 2;
  return `${MAGIC}24${littleEndian(byteCount, 1)}${block('stored', byteCount, content)}`;
}

/** A frame of one stored block whose header names another size. */
export function missizedFrame(content: string, byteCount: number): string {
  return sized(byteCount) + block('stored', content.length / 2, content);
}

/** A frame that is to be passed over: nothing of it is content. */
export function skippableFrame(content: string): string {
  return `502a4d18${littleEndian(content.length / 2, 4)}${content}`;
}

/** `frame` behind its length, as a plane of a chunk. */
export function framed(frame: string): string {
  return littleEndian(frame.length / 2, 4) + frame;
}
