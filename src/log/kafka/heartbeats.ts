/** Trouble of Kafka's, met while a handler was at work: for kafkajs to deal with. */
export class Trouble {
  constructor(readonly cause: unknown) {}
}

/**
 * Does some work, and lets the group know all the while that we are alive. Throws what the work throws, or
 * `Trouble` afterwards if the group has something to say: that it is being rebalanced, for one.
 */
export async function withHeartbeats(
  heartbeat: () => Promise<void>,
  everyMs: number,
  work: Promise<void>,
): Promise<void> {
  let trouble: Trouble | undefined;
  const beat = () =>
    heartbeat().catch((cause) => {
      trouble ??= new Trouble(cause);
    });
  const timer = setInterval(beat, everyMs);
  try {
    await work;
  } finally {
    clearInterval(timer);
  }
  await beat();
  if (trouble) throw trouble;
}

const SOON_MS = 15_000;

/** Waits for something that may take longer, and then goes on by itself. */
export async function soon(something: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const enough = new Promise((resolve) => {
    timer = setTimeout(resolve, SOON_MS);
  });
  await Promise.race([something, enough]);
  clearTimeout(timer);
}
