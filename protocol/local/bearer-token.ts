/**
 * Checks the Authorization header of requests that change something.
 */
import { hash, timingSafeEqual } from 'node:crypto';
import { assert } from '../assert.ts';

const SCHEME = 'Bearer ';

/** Whether `header` carries `token` (not empty). Takes the same time however much of a wrong token is right. */
export function carriesToken(header: string | undefined, token: string): boolean {
  assert(token !== '', 'an admin token is not empty');
  if (header === undefined || !header.startsWith(SCHEME)) return false;
  // Digests have one length, so that comparing them tells nothing about the token's.
  return timingSafeEqual(digest(header.slice(SCHEME.length)), digest(token));
}

function digest(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}
