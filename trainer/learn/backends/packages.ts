/** Packages that may be absent: loading them by name, and telling an absent one from one that is broken. */

/** Loads a package by name; a parameter because the optional ones cannot be expected where tests run. */
export type ImportPackage = (packageName: string) => Promise<unknown>;

/** The name is not a literal, so that the type check passes where the package is absent. */
export const importInstalled: ImportPackage = (packageName) => import(packageName);

/** Whether `packageName` itself is missing, and not something that it needs. */
export function isAbsent(error: unknown, packageName: string): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    error.code === 'ERR_MODULE_NOT_FOUND' &&
    error.message.includes(`'${packageName}'`)
  );
}
