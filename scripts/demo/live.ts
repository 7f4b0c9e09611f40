/** The demo without end: until Ctrl-C. */
import type { Fleet } from './fleet.ts';
import { createScreen } from './screen.ts';
import { Watch } from './watch.ts';

export async function runLive(fleet: Fleet): Promise<void> {
  const screen = createScreen();
  const interrupted = Promise.withResolvers<void>();
  process.once('SIGINT', () => interrupted.resolve());
  process.once('SIGTERM', () => interrupted.resolve());
  try {
    await fleet.start();
    const watching = new Watch(fleet, screen).until(() => false);
    await Promise.race([watching, interrupted.promise]);
  } finally {
    screen.end();
    process.stderr.write('stopping; `npm start` goes on from here\n');
    await fleet.stop();
  }
}
