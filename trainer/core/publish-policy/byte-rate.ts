/** Bytes per second as people write them: `20kB/s`, `1.5MB/s`, `64KiB/s`, `256kbit/s`. */
import type { OptionText } from '../option-text.ts';

const BYTE_RATE = /^(\d{1,12}(?:\.\d{1,12})?) ?([A-Za-z]+)\/s$/;

/** Bytes of one of each unit. `kb` is left out: some mean bits by it. */
const UNIT_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  bit: 1 / 8,
  kbit: 1e3 / 8,
  Mbit: 1e6 / 8,
  Gbit: 1e9 / 8,
};

export const BYTE_RATE_FORMS = ['20kB/s', '1.5MB/s', '64KiB/s', '256kbit/s'];

const BYTES_PER_SECOND_MIN = 1;
const BYTES_PER_SECOND_MAX = 1e12;

/** `text` in bytes per second. `written`: the option that it is part of. @throws CONFIG_INVALID */
export function byteRate(text: string, written: OptionText): number {
  const [, amount, unit = ''] = BYTE_RATE.exec(text) ?? [];
  if (amount === undefined) throw written.refusal(`"${text}" is not an amount, a unit and "/s"`);
  const unitBytes = Object.hasOwn(UNIT_BYTES, unit) ? UNIT_BYTES[unit] : undefined;
  if (unitBytes === undefined) {
    throw written.refusal(`there is no unit "${unit}"; there are ${Object.keys(UNIT_BYTES).join(', ')}`);
  }
  const bytesPerSecond = Number(amount) * unitBytes;
  if (bytesPerSecond >= BYTES_PER_SECOND_MIN && bytesPerSecond <= BYTES_PER_SECOND_MAX) return bytesPerSecond;
  throw written.refusal(`${text} is not from 1B/s to 1000GB/s`);
}
