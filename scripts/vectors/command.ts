/** The command line that writes and checks the conformance vectors. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT } from '@freshet/protocol/errors';
import { Command } from 'commander';
import { frozenText, VECTORS_DIRECTORY } from '../../test/support/vectors/frozen-vectors.ts';
import { vectorTexts } from '../../test/support/vectors/vector-files.ts';

export function vectorsCommand(): Command {
  return new Command('npm run vectors')
    .usage('-- [options]')
    .description(
      'Writes the conformance vectors of the protocol into test/vectors, as the code as it is makes them.',
    )
    .option('--check', 'write nothing; exit with 1 when a file is not what the code makes')
    .addHelpText(
      'after',
      `
The vectors are frozen: when they change although no vector was added, so has the protocol, and other implementations
of this version no longer agree with this one. Then PROTOCOL_VERSION has to rise (test/vectors/README.md).

Examples:
  npm run vectors
  npm run vectors -- --check`,
    )
    .action(({ check }: { readonly check?: true }) => (check ? checkVectors() : writeVectors()));
}

function stale(): ReturnType<typeof vectorTexts> {
  return vectorTexts().filter(({ file, text }) => frozenText(file) !== text);
}

function writeVectors(): void {
  const changed = stale();
  for (const { file, text } of changed) {
    writeFileSync(join(VECTORS_DIRECTORY, file), text);
    process.stdout.write(`${file}: written\n`);
  }
  if (changed.length === 0) process.stdout.write('all files are up to date\n');
}

function checkVectors(): void {
  const changed = stale();
  for (const { file } of changed) process.stdout.write(`${file}: not what the code makes\n`);
  if (changed.length > 0) process.exitCode = EXIT.failed;
  else process.stdout.write('all files are what the code makes\n');
}
