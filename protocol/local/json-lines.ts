/** Reading JSON Lines: one JSON value on each line, of a file that may be larger than memory. */
import { createReadStream } from 'node:fs';
import { FreshetError } from '../errors.ts';

export interface JsonLine {
  /** From 1, empty lines counted. */
  readonly number: number;
  readonly value: unknown;
  /** Of the line itself. */
  readonly byteCount: number;
  /** Of the file, up to and with this line. */
  readonly endBytes: number;
}

const NEWLINE = 0x0a;

/** What is in `file`, `-` for stdin. @throws INPUT_INVALID, while it is read, when the file cannot be read */
export async function* chunksOfFile(file: string): AsyncGenerator<Uint8Array> {
  const stream: AsyncIterable<Buffer> = file === '-' ? process.stdin : createReadStream(file);
  try {
    yield* stream;
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    throw new FreshetError('INPUT_INVALID', `cannot read ${file} (${code})`, { cause });
  }
}

/**
 * The lines of `chunks` that are not blank, as they come in; holds one line at a time, of at most `lineBytesMax`.
 * `name` is that of the file, for messages.
 * @throws INPUT_INVALID with the number of a line that is not JSON, or too long
 */
export async function* readJsonLines(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  lineBytesMax: number,
): AsyncGenerator<JsonLine> {
  let number = 0;
  let endBytes = 0;
  for await (const line of linesOf(chunks, lineBytesMax)) {
    number++;
    endBytes += line.length + 1;
    if (line.length > lineBytesMax) {
      throw invalid(name, number, `is longer than the ${lineBytesMax} bytes that a sample may have`);
    }
    const text = decode(line, name, number);
    if (text.trim() !== '') {
      yield { number, value: parse(text, name, number), byteCount: line.length, endBytes };
    }
  }
}

/** The lines without their ends; of one that is too long no more than its beginning, and nothing after it. */
async function* linesOf(chunks: AsyncIterable<Uint8Array>, bytesMax: number): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = [];
  let byteCount = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      yield Buffer.concat([...parts, chunk.subarray(start, end)]);
      parts = [];
      byteCount = 0;
      start = end + 1;
    }
    parts.push(chunk.subarray(start));
    byteCount += chunk.length - start;
    if (byteCount > bytesMax) break;
  }
  if (byteCount > 0) yield Buffer.concat(parts);
}

function decode(line: Uint8Array, name: string, number: number): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(line);
  } catch (cause) {
    throw invalid(name, number, 'is not UTF-8', cause);
  }
}

function parse(text: string, name: string, number: number): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    // Python writes NaN unless it is told not to.
    const hint = /[:[,\s](?:NaN|-?Infinity)\b/.test(text) ? ': it knows no NaN and no Infinity' : '';
    throw invalid(name, number, `is not JSON${hint}`, cause);
  }
}

function invalid(name: string, number: number, what: string, cause?: unknown): FreshetError {
  return new FreshetError('INPUT_INVALID', `${name}, line ${number} ${what}`, { cause });
}
