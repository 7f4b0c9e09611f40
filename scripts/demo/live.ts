/** The demo without end: until Ctrl-C. */
import { untilAskedToEnd } from '@freshet/protocol/local/shutdown';
import type { Fleet } from './fleet.ts';
import { createScreen, type Screen } from './screen.ts';
import { Watch } from './watch.ts';

export async function runLive(fleet: Fleet): Promise<void> {
  const screen = createScreen();
  const asked = untilAskedToEnd();
  try {
    await Promise.race([watch(fleet, screen), asked]);
    screen.end();
    process.stderr.write('stopping; `npm start` goes on from here\n');
  } finally {
    screen.end();
    await fleet.stop();
  }
}

async function watch(fleet: Fleet, screen: Screen): Promise<void> {
  await fleet.start();
  await new Watch(fleet, screen).until(() => false);
}
