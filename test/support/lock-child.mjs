// Adds one to a number in a file, over and over, each time holding the lock of its directory.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from '#src/store/embedded/lock.js';

const [directory, times] = process.argv.slice(2);
const file = join(directory, 'number');
for (let i = 0; i < Number(times); i++) {
  await withLock(directory, async () => {
    const number = Number(readFileSync(file, 'utf8'));
    // Others run now, and would read the same number if the lock let them.
    await new Promise((resolve) => setImmediate(resolve));
    writeFileSync(file, String(number + 1));
  });
}
// Killed with the lock in hand: the next must not wait for it.
await withLock(directory, async () => process.kill(process.pid, 'SIGKILL'));
