/**
 * Both command lines in clumsy hands, where nothing runs and nothing is stored yet: whatever is wrong with what they
 * are given ends in one line that says what it is and what to do, in the exit code for its kind, and without a trace.
 */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { EXIT } from '@freshet/protocol/errors';
import { agent, assertRefusal, type Refusal, trainer } from '../support/refusal.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

/** As many processes at a time as `npm test` has cores to count on. */
const CONCURRENCY = 2;
const IS_SUPERUSER = process.getuid?.() === 0;
/** 192.0.2.0/24 is reserved for documentation: no machine has it. */
const FOREIGN_HOST = '192.0.2.1';

type Case = Omit<Refusal, 'untouched'>;
type Command = Pick<Case, 'program' | 'args'>;

/** Each case as a test of its own, on a state directory that does not exist and must not come into being. */
function itRefuses(cases: Readonly<Record<string, Case>>): void {
  for (const [name, each] of Object.entries(cases)) {
    it(name, async (test) => {
      const state = join(temporaryDirectory(test), 'state');
      await assertRefusal({ ...each, args: [...each.args, '--state', state], untouched: state });
    });
  }
}

describe('wrong usage', { concurrency: CONCURRENCY }, () => {
  const usage = (command: Command, says: RegExp): Case => ({
    ...command,
    exitCode: EXIT.usage,
    says,
  });
  const withEnv = (each: Case, env: Record<string, string>): Case => ({ ...each, env });

  itRefuses({
    'freshet: unknown flag': usage(trainer('status', '--foo'), /unknown option '--foo' .*status --help/),
    'freshet: unknown command': usage(trainer('statsu'), /unknown command 'statsu' .*mean status.* --help/),
    'freshet: missing argument': usage(trainer('rollback'), /missing required argument 'version'/),
    'freshet: too many arguments': usage(trainer('rollback', '1', '2'), /too many arguments/),
    'freshet: option without its value': usage(
      trainer('versions', '--limit'),
      /argument '--state' is invalid/,
    ),
    'freshet versions: more than is given at a time': usage(
      trainer('versions', '--limit', '1001'),
      /'1001' is invalid. It must be a whole number from 1 to 1000/,
    ),
    'freshet versions: a plan that leads downwards': usage(
      trainer('versions', '--plan', '240..17'),
      /'--plan <from..to>' argument '240..17' is invalid. .* older version to a newer one: write 17\.\.240\./,
    ),
    'freshet versions: a plan that leads nowhere': usage(
      trainer('versions', '--plan', '17..17'),
      /'17..17' is invalid. .*: write 17\.\.18\./,
    ),
    'freshet: no version': usage(trainer('rollback', '-5'), /"-5" is neither a version number nor "head"/),
    'freshet: impossible batch': usage(
      trainer('start', '--fresh', '9', '--batch', '8'),
      /--fresh 9 is more than --batch 8 holds: lower one/,
    ),
    'freshet: unknown backend': usage(
      trainer('start', '--backend', 'abacus'),
      /'abacus' is invalid. Allowed choices are auto, .*wasm/,
    ),
    'freshet: unknown value format': usage(
      trainer('start', '--values', 'nonsense'),
      /"nonsense" in the value formats "nonsense": .* as in f16,\*bias=f32; formats are f32, f16, bf16, q8, q4/,
    ),
    'freshet: unknown value format for some tensors': usage(
      trainer('start', '--values', 'f16,*bias=f8'),
      /"\*bias=f8" in the value formats "f16,\*bias=f8": /,
    ),
    'freshet: host that is not ours': usage(
      trainer('start', '--host', FOREIGN_HOST, '--port', '0'),
      /cannot listen on 192\.0\.2\.1 .*change --host/,
    ),
    'freshet: no host, which would be all interfaces': usage(
      trainer('start', '--host', '', '--port', '0'),
      /'--host <address>' argument '' is invalid. It must not be empty/,
    ),
    'freshet: wrong environment': withEnv(
      usage(trainer('start'), /value '80000' from env 'FRESHET_PORT' is invalid/),
      { FRESHET_PORT: '80000' },
    ),

    'freshet-agent: unknown flag': usage(agent('infer', '--foo'), /unknown option '--foo' .*infer --help/),
    'freshet-agent: unknown command': usage(agent('frobnicate'), /unknown command 'frobnicate' .* --help/),
    'freshet-agent: missing argument': usage(agent('rollback'), /say where to: a version number, "head", or/),
    'freshet-agent: too much said': usage(agent('rollback', '3', '--by', '1'), /either a version or --by/),
    'freshet-agent: no version': usage(agent('rollback', '1.5'), /"1\.5" is neither a version number nor/),
    'freshet-agent: --hub that is no hub': usage(
      agent('run', '--hub', 'http://127.0.0.1:7400'),
      /--hub must be a ws:\/\/ or wss:\/\/ address, not "http/,
    ),
    'freshet-agent: --hub that is no URL': usage(agent('run', '--hub', ''), /--hub must be a ws:.*, not ""/),
    'freshet-agent: --id that is no name': usage(
      agent('run', '--id', 'two\nlines'),
      /"two lines" cannot name a device: letters, digits.*set --id/,
    ),
    'freshet-agent: host that is not ours': usage(
      agent('run', '--http-host', FOREIGN_HOST, '--http-port', '0'),
      /cannot listen on 192\.0\.2\.1 .*change --http-host/,
    ),
    'freshet-agent: wrong environment': withEnv(
      usage(agent('run'), /value 'loud' from env 'FRESHET_LOG_LEVEL' is invalid. Allowed choices are silent/),
      { FRESHET_LOG_LEVEL: 'loud' },
    ),
  });

  it('no state directory, which would be this one', async () => {
    const says = /'--state <dir>' .*'' .*is invalid. It must not be empty/;
    await assertRefusal({ ...trainer('status', '--state', ''), exitCode: EXIT.usage, says });
    await assertRefusal({ ...agent('status'), env: { FRESHET_STATE: '' }, exitCode: EXIT.usage, says });
  });
});

describe('words that mean nothing', { concurrency: CONCURRENCY }, () => {
  const words: Readonly<Record<string, readonly [string, RegExp]>> = {
    '--publish-every': ['-1', /--publish-every -1: write a number of steps, as 5, or a time/],
    '--budget': ['20 kilobytes', /--budget .*20kB\/s/],
    '--strategy': ['retrain', /--strategy .*full-retrain:warm/],
    '--trigger': ['sometimes', /--trigger .*samples:N/],
    '--sampler': ['newest', /--sampler .*class-balanced:N/],
    '--optimiser': ['rmsprop', /momentum:0\.9/],
    '--warm-up': ['a while', /write a number of steps, as 200/],
    '--sparsifier': ['top-k', /--sparsifier top-k: write shadow, gradient or random-k/],
  };
  for (const [option, [value, says]] of Object.entries(words)) {
    it(`freshet start ${option} ${value}`, () =>
      assertRefusal({ ...trainer('start', option, value), exitCode: EXIT.usage, says }));
  }
});

describe('options that contradict each other', { concurrency: CONCURRENCY }, () => {
  const scratch = ['--strategy', 'full-retrain:scratch'];
  const budget = ['--budget', '20kB/s'];
  const gradient = ['--sparsifier', 'gradient'];
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[...scratch, ...budget], /published whole, whatever it costs: use --strategy full-retrain:warm/],
    [[...scratch, ...gradient], /use shadow with full-retrain:scratch/],
    [[...budget, ...gradient], /use --sparsifier shadow/],
  ];
  for (const [args, says] of cases) {
    it(`freshet start ${args.join(' ')}`, () =>
      assertRefusal({ ...trainer('start', ...args), exitCode: EXIT.usage, says }));
  }
});

describe('numbers that are none', { concurrency: CONCURRENCY }, () => {
  const BAD = { negative: '-1', NaN: 'NaN', fraction: '2.5', empty: '', huge: '9'.repeat(30) };

  /** Option → the command it belongs to. The first of each parser meets all bad numbers, the others one each. */
  const wholeNumbers = {
    '--limit': agent('versions'),
    '--by': agent('rollback'),
    '--keep-versions': agent('run'),
    '--wait-seconds': trainer('rollback', '1'),
    '--heartbeat-ms': trainer('start'),
    '--seed': trainer('start'),
    '--initial': trainer('start'),
    '--initial-epochs': trainer('start'),
    '--batch': trainer('start'),
    '--fresh': trainer('start'),
    '--checkpoint-seconds': trainer('start'),
    '--history-samples': trainer('start'),
    '--steps': trainer('start'),
  };
  const ports = { '--http-port': agent('run'), '--port': trainer('start') };
  const shares = { '--density': trainer('start'), '--learning-rate': trainer('start') };
  const { fraction: _allowed, ...badShares } = BAD;

  const spread = (
    options: Record<string, Command>,
    bad: Record<string, string>,
    says: string,
  ): Record<string, Case> => {
    const values = Object.entries(bad);
    return Object.fromEntries(
      Object.entries(options).flatMap(([option, { program, args }], i) => {
        const met = i === 0 ? values : [values[i % values.length]!];
        return met.map(([kind, value]): [string, Case] => [
          `${program} ${option} ${kind}`,
          {
            program,
            args: [...args, option, value],
            exitCode: EXIT.usage,
            says: new RegExp(`'${option} <[^>]+>' argument '${value}' is invalid\\. ${says}`),
          },
        ]);
      }),
    );
  };
  itRefuses({
    ...spread(wholeNumbers, BAD, 'It must be a whole number '),
    ...spread(ports, BAD, 'It must be a port from 0 to 65535; '),
    ...spread(shares, { ...badShares, hexadecimal: '0x1' }, 'It must be a number above 0 and at most 1'),
  });
});

describe('wrong configuration files', { concurrency: CONCURRENCY }, () => {
  const files: Record<string, { content: string | null; says: RegExp; args?: readonly string[] }> = {
    missing: { content: null, says: /cannot read the configuration .*config\.json \(ENOENT\)/ },
    'not JSON': { content: 'limit: 5\n', says: /config\.json is not JSON/ },
    'no object': { content: '[1]', says: /config\.json must be one JSON object of option values/ },
    'unknown key': { content: '{"limits": 5}', says: /config\.json: there is no option "limits"/ },
    'wrong number': { content: '{"limit": -5}', says: /"limit" is invalid. It must be a whole number/ },
    'wrong type': {
      content: '{"state": 5, "limit": true}',
      says: /"limit" is invalid. It must be a string or/,
    },
    'no flag': { content: '{"json": "yes"}', says: /"json" is invalid. It must be true or false/ },
  };
  for (const [name, { content, says }] of Object.entries(files)) {
    it(name, async (test) => {
      const directory = temporaryDirectory(test);
      const path = join(directory, 'config.json');
      if (content !== null) writeFileSync(path, content);
      const command = agent('versions', '--config', path);
      await assertRefusal({ ...command, exitCode: EXIT.usage, says, untouched: directory });
    });
  }

  it('a list that is none', async (test) => {
    const path = join(temporaryDirectory(test), 'config.json');
    writeFileSync(path, '{"agent": "kitchen"}');
    const says = /"agent" is invalid. It must be an array of strings/;
    await assertRefusal({ ...trainer('rollback', '1', '--config', path), exitCode: EXIT.usage, says });
  });
});

describe('nothing there', { concurrency: CONCURRENCY }, () => {
  const noStore: Pick<Case, 'exitCode' | 'says'> = {
    exitCode: EXIT.usage,
    says: /no agent has run on .*state: start one, or name its directory with --state/,
  };
  const noTrainer: Pick<Case, 'exitCode' | 'says'> = {
    exitCode: EXIT.unreachable,
    says: /no trainer runs on .*state: start one, or name its directory with --state/,
  };
  itRefuses({
    'freshet status': { ...trainer('status'), ...noTrainer },
    'freshet versions': { ...trainer('versions'), ...noTrainer },
    'freshet savings': { ...trainer('savings'), ...noTrainer },
    'freshet rollback': { ...trainer('rollback', 'head'), ...noTrainer },
    'freshet-agent status': { ...agent('status'), ...noStore },
    'freshet-agent versions': { ...agent('versions'), ...noStore },
    'freshet-agent verify': { ...agent('verify'), ...noStore },
    'freshet-agent rollback': { ...agent('rollback', 'head'), ...noStore },
    'freshet-agent infer': { ...agent('infer'), stdin: '[0]', ...noStore },
    // Before it is asked what the model takes, what it is asked must be there.
    'freshet-agent infer: missing image': {
      ...agent('infer', 'missing.png'),
      exitCode: EXIT.refused,
      says: /cannot read the image missing\.png \(ENOENT\)/,
    },
    'freshet-agent infer: nothing on stdin': {
      ...agent('infer'),
      exitCode: EXIT.refused,
      says: /stdin is empty: give PNG images as arguments, or a JSON request/,
    },
    'freshet-agent infer: no JSON on stdin': {
      ...agent('infer'),
      stdin: 'seven.png\n',
      exitCode: EXIT.refused,
      says: /stdin is not JSON: give PNG images/,
    },
  });

  it('a trainer that cannot train and has nothing to serve ends with the reason', async (test) => {
    const directory = temporaryDirectory(test);
    const start = ['start', '--port', '0', '--log-level', 'error', '--state', directory];
    await assertRefusal({
      ...trainer(...start, '--recipe', 'pancakes'),
      exitCode: EXIT.usage,
      says: /there is no recipe "pancakes"; there are: mnist-lenet5/,
    });
  });
});

describe('places that cannot be', { concurrency: CONCURRENCY }, () => {
  it('a file in the place of the state directory', async (test) => {
    const file = join(temporaryDirectory(test), 'state');
    writeFileSync(file, 'something dear\n');
    const says = /state is not a directory: give another --state directory/;
    for (const { program, args } of [trainer('start', '--port', '0'), agent('run', '--http-port', '0')]) {
      const refusal = { program, args: [...args, '--state', file], exitCode: EXIT.usage, says };
      await assertRefusal({ ...refusal, untouched: file });
    }
  });

  it('a directory without permission to write', {
    skip: IS_SUPERUSER && 'the superuser may write anywhere',
  }, async (test) => {
    const parent = temporaryDirectory(test);
    chmodSync(parent, 0o555);
    const state = join(parent, 'state');
    const says = /cannot make the directory .*state \(EACCES\): give another --state directory/;
    for (const { program, args } of [trainer('start', '--port', '0'), agent('run', '--http-port', '0')]) {
      const refusal = { program, args: [...args, '--state', state], exitCode: EXIT.usage, says };
      await assertRefusal({ ...refusal, untouched: parent });
    }
  });
});
