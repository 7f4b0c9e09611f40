/**
 * The keys that have signed a line, oldest first. Each one after the first was introduced by the one before it, so an
 * agent that has pinned any of them finds its way to the last. Decides how the key that a trainer is started with
 * fits in.
 */
import { FreshetError } from '@freshet/protocol/errors';
import type { PublicKey } from '@freshet/protocol/ids';
import { KEY_ROTATIONS_MAX } from '@freshet/protocol/limits';
import { shortKey } from '@freshet/protocol/signature';

/**
 * The keys to append to `chain` so that it ends with `signing`: none where it does. `previous` is the key that can
 * introduce `signing`; in a line that was never signed it becomes the first, for agents that have it pinned already.
 * @throws CONFIG_INVALID when agents could not follow to `signing`, or must not.
 */
export function keysToAppend(
  chain: readonly PublicKey[],
  signing: PublicKey,
  previous: PublicKey | null,
): readonly PublicKey[] {
  const newest = chain.at(-1);
  if (newest === signing) return [];
  if (newest === undefined)
    return previous === null || previous === signing ? [signing] : [previous, signing];
  if (chain.includes(signing)) {
    throw refusal(
      `--signing-key is ${shortKey(signing)}, which this line has given up for ${shortKey(newest)}: agents do not ` +
        'go back to a key that was replaced; give the newest one',
    );
  }
  if (previous === null) {
    throw refusal(
      `this line is signed with key ${shortKey(newest)} and --signing-key is ${shortKey(signing)}: to change the key ` +
        'give the old one with --previous-key, so that agents can follow',
    );
  }
  if (previous !== newest) {
    throw refusal(
      `this line is signed with key ${shortKey(newest)} and --previous-key is ${shortKey(previous)}: only the former ` +
        'can introduce a new key to agents',
    );
  }
  if (chain.length > KEY_ROTATIONS_MAX) {
    throw refusal(
      `the key of this line has been changed ${KEY_ROTATIONS_MAX} times, which is the most: start a new line with ` +
        'another --state directory',
    );
  }
  return [signing];
}

function refusal(message: string): FreshetError {
  return new FreshetError('CONFIG_INVALID', message);
}
