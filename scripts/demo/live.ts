/** The demo without end: until Ctrl-C. */
import { untilAskedToEnd } from '@freshet/protocol/local/shutdown';
import type { Fleet } from './fleet.ts';
import { createScreen } from './screen.ts';
import { Watch } from './watch.ts';

export async function runLive(fleet: Fleet): Promise<void> {
  const screen = createScreen();
  const asked = untilAskedToEnd();
  try {
    await fleet.start();
    const watching = new Watch(fleet, screen).until(() => false);
    await Promise.race([watching, asked]);
  } finally {
    screen.end();
    process.stderr.write('stopping; `npm start` goes on from here\n');
    await fleet.stop();
  }
}
