/** Reads a request's body with a limit, whether or not the client announced its length. */
import { FreshetError } from '@freshet/protocol/errors';
import { HTTPException } from 'hono/http-exception';

/**
 * The body as text. Invalid UTF-8 is replaced, which the parser behind then refuses or keeps inside strings.
 * @throws HTTPException 413 for more than `bytesMax`, before more than that is held; INPUT_INVALID when the client
 * goes away half-way.
 */
export async function readBody(request: Request, bytesMax: number): Promise<string> {
  const announced = request.headers.get('content-length');
  if (announced !== null && Number(announced) > bytesMax) throw tooLarge(bytesMax);
  try {
    // The HTTP parser holds the client to the length it announced.
    return announced === null ? await readChunks(request, bytesMax) : await request.text();
  } catch (cause) {
    if (cause instanceof HTTPException) throw cause;
    throw new FreshetError('INPUT_INVALID', 'the body broke off', { cause });
  }
}

async function readChunks(request: Request, bytesMax: number): Promise<string> {
  if (request.body === null) return '';
  const decoder = new TextDecoder();
  let text = '';
  let byteCount = 0;
  for await (const chunk of request.body) {
    byteCount += chunk.length;
    if (byteCount > bytesMax) throw tooLarge(bytesMax);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function tooLarge(bytesMax: number): HTTPException {
  return new HTTPException(413, {
    message: `the body is larger than ${bytesMax} bytes; send smaller batches`,
  });
}
