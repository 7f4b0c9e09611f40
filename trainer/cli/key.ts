/** `freshet key` */
import { print } from '@freshet/protocol/local/command';
import { Command } from 'commander';
import { createKeyFile, readKeyFile } from '../service/key-file.ts';

interface KeyOptions {
  readonly json?: boolean;
}

export function keyCommand(): Command {
  return new Command('key')
    .description("Make and show the publisher's key, which agents can pin.")
    .addCommand(newCommand())
    .addCommand(showCommand())
    .addHelpText('after', '\nExamples:\n  freshet key new publisher.pem\n  freshet key show publisher.pem');
}

function newCommand(): Command {
  return new Command('new')
    .description('Make a key and write it to a file that only this user may read.')
    .argument('<file>', 'where to; never overwritten')
    .option('--json', 'print one JSON object instead of text')
    .addHelpText(
      'after',
      `
Keep a copy of the file in a safe place: with it, and only with it, the key can
be changed later without a visit to every device.

Examples:
  freshet key new publisher.pem
  freshet start --signing-key publisher.pem
  freshet key new publisher-2.pem
  freshet start --signing-key publisher-2.pem --previous-key publisher.pem`,
    )
    .action((file: string, options: KeyOptions) => {
      const { publicKey } = createKeyFile(file);
      print(options, { file, publicKey }, () =>
        [
          `public key ${publicKey}`,
          `The private key is in ${file}. Keep it from others, and a copy in a safe place.`,
          `On the trainer:  freshet start --signing-key ${file}`,
          `On each device:  freshet-agent run --publisher-key ${publicKey}`,
        ].join('\n'),
      );
    });
}

function showCommand(): Command {
  return new Command('show')
    .description('Print the public key of a key file: what agents pin.')
    .argument('<file>', 'made by `freshet key new`')
    .option('--json', 'print one JSON object instead of text')
    .addHelpText('after', '\nExamples:\n  freshet key show publisher.pem > publisher.pub')
    .action((file: string, options: KeyOptions) => {
      const { publicKey } = readKeyFile(file, 'key file');
      print(options, { file, publicKey }, () => publicKey);
    });
}
