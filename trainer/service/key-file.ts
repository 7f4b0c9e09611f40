/**
 * Files with a publisher's private key: PKCS#8 in PEM, for one user only. Whoever holds the key decides what all
 * devices serve, so a file that others could read or replace is not used.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, fstatSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { FreshetError } from '@freshet/protocol/errors';
import { SEED_BYTES, SigningKey } from '@freshet/protocol/signature';

const OWNER_ONLY = 0o600;

/** What others may not: anything, and a group to write. A group may read: secrets are mounted into services so. */
const FORBIDDEN_MODE = 0o027;

/** More than any key in PEM has. */
const KEY_FILE_BYTES_MAX = 16 * 1024;

/** Makes a key and writes it to `path`, readable by this user only. @throws CONFIG_INVALID when `path` exists or cannot be */
export function createKeyFile(path: string): SigningKey {
  const key = SigningKey.fromSeed(randomBytes(SEED_BYTES));
  let descriptor: number;
  try {
    // Exclusive: a key that is overwritten may be the only way to reach the devices that have pinned it.
    descriptor = openSync(path, 'wx', OWNER_ONLY);
  } catch (cause) {
    const code = codeOf(cause);
    const why =
      code === 'EEXIST' ? `${path} exists and is not overwritten` : `cannot create ${path} (${code})`;
    throw new FreshetError('CONFIG_INVALID', `${why}: give another file`, { cause });
  }
  try {
    writeSync(descriptor, key.toPem());
    fsyncSync(descriptor);
  } catch (cause) {
    rmSync(path, { force: true });
    throw new FreshetError(
      'STORE_WRITE_FAILED',
      `cannot write ${path} (${codeOf(cause)}): check free space and permissions`,
      { cause },
    );
  } finally {
    closeSync(descriptor);
  }
  return key;
}

/**
 * The key in the file at `path`, which `option` names.
 * @throws CONFIG_INVALID when there is none, or when others than its owner can get at it.
 */
export function readKeyFile(path: string, option: string): SigningKey {
  const text = readPrivately(path, option);
  const key = SigningKey.fromPem(text);
  if (key !== null) return key;
  throw new FreshetError(
    'CONFIG_INVALID',
    `${option} ${path} holds no ed25519 private key (PEM, without a passphrase): make one with \`freshet key new\``,
  );
}

function readPrivately(path: string, option: string): string {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, 'r');
    const { mode, size } = fstatSync(descriptor);
    if (process.platform !== 'win32' && (mode & FORBIDDEN_MODE) !== 0) {
      throw new FreshetError(
        'CONFIG_INVALID',
        `${option} ${path} is open to others (mode ${(mode & 0o777).toString(8)}), who could then publish to all ` +
          `agents: \`chmod 600 ${path}\`, and if they may have read it change the key`,
      );
    }
    if (size > KEY_FILE_BYTES_MAX)
      throw new FreshetError('CONFIG_INVALID', `${option} ${path} is no key file`);
    return readFileSync(descriptor, 'utf8');
  } catch (cause) {
    if (cause instanceof FreshetError) throw cause;
    throw new FreshetError('CONFIG_INVALID', `cannot read ${option} ${path} (${codeOf(cause)})`, { cause });
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
