/** Opens a device's store and brings the publisher's key that it pins up to date with what the operator says. */
import type { PublicKey } from '@freshet/protocol/ids';
import { shortKey } from '@freshet/protocol/signature';
import type { Logger } from 'pino';
import { WeightStore, type WeightStoreOptions } from '../store/weight-store.ts';

/** A key to pin; `none` to believe any hub; null for what the store says. */
export type PublisherKeySetting = PublicKey | 'none' | null;

/**
 * The operator at the device has the last word: a key other than the one given before takes the place of the pin.
 * @throws CONFIG_INVALID, STORE_*; the store is closed then.
 */
export function openStore(
  path: string,
  options: WeightStoreOptions,
  setting: PublisherKeySetting,
  log: Logger,
): WeightStore {
  const store = WeightStore.open(path, options);
  try {
    if (setting !== null) pinPublisher(store, setting === 'none' ? null : setting, log);
    return store;
  } catch (error) {
    store.close();
    throw error;
  }
}

function pinPublisher({ publisher }: WeightStore, key: PublicKey | null, log: Logger): void {
  const before = publisher.current();
  publisher.configure(key);
  const after = publisher.current();
  if (after === before) return;
  log.info(
    { from: before === null ? null : shortKey(before), to: after === null ? null : shortKey(after) },
    after === null
      ? 'any hub is believed from now on'
      : 'only versions signed with this publisher key are taken',
  );
}
